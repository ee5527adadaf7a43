"""Counting the tokens of a request, without asking it: `/responses/input_tokens`."""

from dragoman.catalog.profile import Profile
from dragoman.ir import Losses, Request, UpstreamBroken
from dragoman.protocols.base import Outgoing
from dragoman.protocols.openai_responses.forward import COUNT_PATH
from dragoman.protocols.openai_responses.read_response import read_object
from dragoman.protocols.openai_responses.write_request import write_body
from dragoman.wire.json import encode

# What input_tokens takes (openai 3.54.0, InputTokenCountParams).
_COUNTED = ("model", "input", "instructions", "parallel_tool_calls", "reasoning", "text", "tool_choice", "tools")


def write_count(tokens: int) -> bytes:
    return encode({"object": "response.input_tokens", "input_tokens": tokens})


def write_count_request(request: Request, model: str, profile: Profile, losses: Losses) -> Outgoing:
    body = write_body(request, model, profile, losses)
    return Outgoing(COUNT_PATH, encode({name: body[name] for name in _COUNTED if name in body}), False)


def read_count(body: bytes) -> int:
    tokens = read_object(body).get("input_tokens")
    if type(tokens) is not int or tokens < 0:
        raise UpstreamBroken("The upstream's answer holds no count of tokens.")
    return tokens
