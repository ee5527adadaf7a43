"""An answer of the neutral language as a `message`. The pieces serve streams too."""

from typing import Any

from dragoman.ir import (
    Candidate,
    Finish,
    Losses,
    Media,
    Opaque,
    Part,
    Refusal,
    Response,
    Signature,
    Text,
    Thought,
    ToolCall,
    ToolResult,
)
from dragoman.protocols.anthropic import deeds, proofs
from dragoman.protocols.anthropic.citations import split_text, write_citation
from dragoman.protocols.anthropic.finish import write_finish
from dragoman.protocols.anthropic.usage import write_usage
from dragoman.protocols.anthropic.write_messages import minted_id
from dragoman.protocols.base import Stamp
from dragoman.wire.json import NotJson, decode, encode

Json = dict[str, Any]
NO_PLACE = "Messages has no such member."
TIERS = {"default": "standard", "standard": "standard", "priority": "priority", "batch": "batch"}


def write_response(response: Response, stamp: Stamp, losses: Losses) -> bytes:
    candidate = min(response.candidates, key=lambda one: one.index, default=None)
    for more in response.candidates:
        if more is not candidate:
            losses.add_path(f"content ({more.index})", "Messages has one answer.")
    content: list[Json] = []
    called = False
    finish = None
    refused = ""
    if candidate is not None:
        called = _content(candidate, stamp, content, losses)
        finish = candidate.finish
        refused = "".join([part.text for part in candidate.parts if type(part) is Refusal])
        if candidate.logprobs:
            losses.add_path("logprobs", "Messages has no log probabilities.")
        for extra in candidate.extras:
            losses.add_path(extra.path, NO_PLACE, harmless=extra.harmless)
    elif response.block is not None:
        finish = blocked(response)
    body: Json = {
        "id": stamp.id,
        "type": "message",
        "role": "assistant",
        "model": stamp.model,
        "content": content,
        **write_finish(finish, called=called, refused=refused),
        "usage": write_usage(response.usage),
    }
    if response.service_tier in TIERS:
        body["usage"]["service_tier"] = TIERS[response.service_tier]
    for extra in response.extras:
        if extra.owner == "anthropic":
            body[extra.name] = extra.value
        else:
            losses.add_path(extra.path, NO_PLACE, harmless=extra.harmless)
    return encode(body)


def blocked(response: Response) -> Finish:
    block = response.block
    assert block is not None
    return Finish("content_filter", native=block.native or block.reason, message=block.message)


def _content(candidate: Candidate, stamp: Stamp, content: list[Json], losses: Losses) -> bool:
    """Fills in the blocks; whether any of them is a call of the caller's functions."""
    told = 0
    calls = 0
    ids = deeds.Ids(stamp.id)
    for at, part in enumerate(candidate.parts):
        match part:
            case Text():
                if part.signature is not None and part.signature.maker != "anthropic":
                    content.append(write_seal(part.signature))
                for words, resting in split_text(part.text, told, candidate.citations) if part.text else ():
                    content.append(_text(words, [write_citation(one) for one in resting]))
                told += len(part.text)
                for extra in part.extras:
                    losses.add_path(extra.path, NO_PLACE, harmless=extra.harmless)
            case ToolCall():
                if part.signature is not None:
                    content.append(write_seal(part.signature))
                content.append(_call(part, part.id or minted_id(f"{stamp.id}.{calls}")))
                calls += 1
            case _:
                block = write_part(part, ids, losses, f"content.{at}")
                if block is not None:
                    content.append(block)
    return calls > 0


def _text(words: str, citations: list[Json]) -> Json:
    return {"type": "text", "text": words, "citations": citations} if citations else {"type": "text", "text": words}


def write_seal(signature: Signature) -> Json:
    """Another maker's signature of the call or text that follows."""
    return {"type": "redacted_thinking", "data": proofs.write_proof(signature)}


def write_part(part: Part, ids: deeds.Ids, losses: Losses, path: str) -> Json | None:
    """A part that is neither text nor call; None where Messages has no block for it, which is a loss."""
    match part:
        case Thought():
            return write_thought(part)
        case Refusal():
            return _text(part.text, [])
        case Opaque(owner="anthropic", value=dict() as value):
            return value
        case Opaque():
            losses.add_path(path, f"Messages has no place for {part.what}.")
        case Media(thought=True):
            losses.add_path(path, "A draft of a picture is not part of the answer.", harmless=True)
        case Media():
            losses.add_path(path, f"Messages has no place for {part.mime or 'a file'} in an answer.")
        case ToolResult():
            losses.add_path(path, NO_PLACE)
        case Text() | ToolCall():
            raise AssertionError("written by the caller")
        case _:
            return deeds.write_deed(part, ids)
    return None


def write_thought(part: Thought) -> Json:
    data = proofs.redacted_in(part)
    if data is not None:
        return {"type": "redacted_thinking", "data": data}
    return {"type": "thinking", "thinking": part.text, "signature": proofs.write_proof(part.signature)}


def _call(part: ToolCall, id: str) -> Json:
    try:
        given = decode(part.arguments.encode("utf-8", "surrogatepass")) if part.arguments else {}
    except NotJson:
        given = None
    # What a model wrote wrongly is given on as text, rather than made up.
    return {
        "type": "tool_use",
        "id": id,
        "name": part.name,
        "input": given if type(given) is dict else {"_raw": part.arguments},
    }
