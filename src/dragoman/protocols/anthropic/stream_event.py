"""An event of a vendor's stream, decoded: strictly where it is a piece as Anthropic sends it, else as far as it can be read."""

from typing import Any

import msgspec
from msgspec import Struct

from dragoman.ir import UpstreamBroken
from dragoman.wire.json import NotJson, decode


class Delta(Struct, gc=False):
    type: Any = None
    text: Any = None
    thinking: Any = None
    partial_json: Any = None
    signature: Any = None
    citation: Any = None
    stop_reason: Any = None
    stop_sequence: Any = None
    stop_details: Any = None
    container: Any = None


class Told(Struct, gc=False):
    type: Any = None
    index: Any = None
    delta: Delta | None = None
    content_block: Any = None
    message: Any = None
    usage: Any = None
    error: Any = None
    context_management: Any = None


class TextPiece(Struct, gc=False, tag_field="type", tag="text_delta"):
    text: str


class JsonPiece(Struct, gc=False, tag_field="type", tag="input_json_delta"):
    partial_json: str


class ThoughtPiece(Struct, gc=False, tag_field="type", tag="thinking_delta"):
    thinking: str


class Piece(Struct, gc=False, tag_field="type", tag="content_block_delta"):
    """What nearly all events are; what does not fit is read member by member."""

    index: int
    delta: TextPiece | JsonPiece | ThoughtPiece


decode_event = msgspec.json.Decoder(Told).decode
decode_piece = msgspec.json.Decoder(Piece).decode


def lenient(body: bytes) -> Told | None:
    """An event whose members are not of the types that Anthropic gives them."""
    try:
        value = decode(body)
    except NotJson:
        if body.strip() == b"[DONE]":  # servers that imitate two vendors at once
            return None
        raise UpstreamBroken("The upstream's stream holds an event that is not JSON.") from None
    if type(value) is not dict:
        raise UpstreamBroken("The upstream's stream holds an event that is no object.")
    return Told(**{name: value[name] for name in Told.__struct_fields__ if name in value and name != "delta"})
