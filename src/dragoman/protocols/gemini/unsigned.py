"""Calls in a Gemini caller's own body that Gemini did not make.

A caller keeps its conversation as Gemini's; where another vendor's model answered a part of it, that one's calls stand there
without a signature. Gemini 3 answers 400 to a step of the current turn whose first call has none (ai.google.dev/gemini-api/docs/
thought-signatures), and documents a value that stands for one. Nothing before the current turn is looked at.
"""

from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from dragoman.ir import Loss
from dragoman.protocols.gemini.write_parts import DUMMY_SIGNATURE
from dragoman.wire.body import members
from dragoman.wire.json import decode, encode

_WHY = "the call has no signature of Gemini's; a dummy is sent"
_WORDS = (b'"functionCall"', b'"function_call"')


class _Part(Struct, gc=False):
    call: Raw | UnsetType = msgspec.field(default=UNSET, name="functionCall")
    call_: Raw | UnsetType = msgspec.field(default=UNSET, name="function_call")
    result: Raw | UnsetType = msgspec.field(default=UNSET, name="functionResponse")
    result_: Raw | UnsetType = msgspec.field(default=UNSET, name="function_response")
    signature: str | None = msgspec.field(default=None, name="thoughtSignature")
    signature_: str | None = msgspec.field(default=None, name="thought_signature")

    @property
    def is_call(self) -> bool:
        return self.call is not UNSET or self.call_ is not UNSET

    @property
    def is_result(self) -> bool:
        return self.result is not UNSET or self.result_ is not UNSET


class _Content(Struct, gc=False):
    role: str | None = None
    parts: list[_Part] = []


class _Body(Struct, gc=False):
    contents: list[Raw] = []


_decode_body = msgspec.json.Decoder(_Body).decode
_decode_content = msgspec.json.Decoder(_Content).decode


def signed(body: bytes) -> tuple[bytes, tuple[Loss, ...]]:
    """The body with a signature on the first call of each step of its current turn. What does not look as Gemini wants it is
    Google's to refuse."""
    if _WORDS[0] not in body and _WORDS[1] not in body:
        return body, ()
    try:
        contents = _decode_body(body).contents
        lacking = _lacking(contents)
        if not lacking:
            return body, ()
        for turn, number in lacking:
            content: dict[str, Any] = decode(bytes(contents[turn]))
            content["parts"][number]["thoughtSignature"] = DUMMY_SIGNATURE
            contents[turn] = Raw(encode(content))
        held = members(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return body, ()
    held["contents"] = contents
    return encode(held), tuple([Loss(f"contents[{turn}].parts[{number}]", _WHY) for turn, number in lacking])


def _lacking(contents: list[Raw]) -> list[tuple[int, int]]:
    """The turns and parts of the calls that should have a signature and have none. Contents of the model's in a row are one
    step."""
    turns: list[tuple[int, _Content]] = []
    for turn in range(len(contents) - 1, -1, -1):
        content = _decode_content(contents[turn])
        if content.role != "model" and not all(part.is_result for part in content.parts):
            break
        turns.append((turn, content))
    found: list[tuple[int, int]] = []
    stepped = False
    for turn, content in reversed(turns):
        if content.role != "model":
            stepped = False
            continue
        first = next((number for number, part in enumerate(content.parts) if part.is_call), None)
        if first is None or stepped:
            continue
        stepped = True
        if not (content.parts[first].signature or content.parts[first].signature_):
            found.append((turn, first))
    return found
