"""A chunk of a vendor's stream, decoded: strictly where it is as OpenAI sends it, else as far as it can be read."""

from typing import Any

import msgspec
from msgspec import Struct

from dragoman.ir import UpstreamBroken
from dragoman.protocols.openai_chat.read_response import whole
from dragoman.wire.json import NotJson
from dragoman.wire.json import decode as decode_any


class Delta(Struct, gc=False):
    content: Any = None
    reasoning_content: Any = None
    reasoning: Any = None
    refusal: Any = None
    tool_calls: Any = None
    function_call: Any = None
    extra_content: Any = None
    images: Any = None
    audio: Any = None
    annotations: Any = None


class Choice(Struct, gc=False):
    index: int = 0
    delta: Delta | None = None
    finish_reason: str | None = None
    logprobs: Any = None


class Chunk(Struct, gc=False):
    choices: list[Choice] | None = None
    usage: Any = None
    error: Any = None
    id: Any = None
    model: Any = None
    created: Any = None
    service_tier: Any = None


decode = msgspec.json.Decoder(Chunk).decode


def lenient(body: bytes) -> Chunk:
    """A chunk whose members are not all of the types OpenAI gives them."""
    try:
        value = decode_any(body)
    except NotJson:
        raise UpstreamBroken("The upstream's stream holds an event that is not JSON.") from None
    if type(value) is list and len(value) == 1:
        value = value[0]
    if type(value) is not dict:
        raise UpstreamBroken("The upstream's stream holds an event that is no object.")
    choices = value.get("choices")
    read: list[Choice] = []
    for number, choice in enumerate(choices if type(choices) is list else ()):
        if type(choice) is not dict:
            continue
        given = choice.get("delta", choice.get("message"))
        delta = (
            Delta(**{name: given[name] for name in Delta.__struct_fields__ if name in given})
            if type(given) is dict
            else None
        )
        word = choice.get("finish_reason")
        read.append(
            Choice(
                whole(choice.get("index"), number), delta, word if type(word) is str else None, choice.get("logprobs")
            )
        )
    return Chunk(
        read or None, *(value.get(name) for name in ("usage", "error", "id", "model", "created", "service_tier"))
    )
