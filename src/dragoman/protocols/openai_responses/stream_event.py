"""An event of a vendor's streamed response, decoded: strictly where it is as OpenAI sends it, else as far as it can be read."""

from typing import Any

import msgspec
from msgspec import Struct

from dragoman.ir import UpstreamBroken
from dragoman.protocols.openai_responses.read_response import text_or_empty, whole
from dragoman.wire import json

Json = dict[str, Any]


class Told(Struct, gc=False):
    type: str = ""
    delta: Any = None
    item_id: Any = None
    output_index: int = 0
    content_index: int = 0
    summary_index: int = 0
    item: Any = None
    part: Any = None
    text: Any = None
    refusal: Any = None
    arguments: Any = None
    input: Any = None
    annotation: Any = None
    logprobs: Any = None
    response: Any = None
    error: Any = None
    code: Any = None
    message: Any = None
    param: Any = None


class Piece(Struct, gc=False):
    """A piece of text, as nearly all events are."""

    delta: str
    output_index: int
    content_index: int
    item_id: str = ""
    logprobs: tuple[()] = ()


decode_piece = msgspec.json.Decoder(Piece).decode
decode = msgspec.json.Decoder(Told).decode
_decode_any = msgspec.json.Decoder().decode


def lenient(body: bytes) -> Told:
    """An event whose members are not all of the types OpenAI gives them."""
    try:
        value = _decode_any(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise UpstreamBroken("The upstream's stream holds an event that is not JSON.") from None
    if type(value) is not dict:
        raise UpstreamBroken(f"The upstream's stream holds an event that is {json.kind_of(value)}, not an object.")
    if "type" not in value and value.get("error"):
        value = {**value, "type": "error"}
    known: Json = {name: value[name] for name in Told.__struct_fields__ if name in value}
    known["type"] = text_or_empty(known.get("type"))
    for name in ("output_index", "content_index", "summary_index"):
        known[name] = whole(known.get(name))
    return Told(**known)
