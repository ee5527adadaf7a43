"""Calls without a signature in a Chat caller's own body, for Gemini 3 behind Google's Chat Completions.

It answers 400 to a step of the current turn whose first call has none (ai.google.dev/gemini-api/docs/thought-signatures).
OpenAI's clients keep of a call what OpenAI documents (`runTools` of openai 7.57.0, @ai-sdk/openai 4.0.118), and an answer that
was handed on as it came left nothing behind with us. So the value goes there that Google documents for a lost signature.
"""

from typing import Any

import msgspec
from msgspec import Raw, Struct

from dragoman.ir import Loss
from dragoman.wire.body import members
from dragoman.wire.json import decode, encode

SKIP = "skip_thought_signature_validator"
_WHY = "the call has no signature of Gemini's; a dummy is sent"


class _Google(Struct, gc=False):
    signature: str | None = msgspec.field(default=None, name="thought_signature")


class _ExtraContent(Struct, gc=False):
    google: _Google | None = None


class _Call(Struct, gc=False):
    extra_content: _ExtraContent | None = None

    @property
    def is_signed(self) -> bool:
        return self.extra_content is not None and bool(
            self.extra_content.google and self.extra_content.google.signature
        )


class _Message(Struct, gc=False):
    role: str | None = None
    tool_calls: list[_Call] | None = None


class _Body(Struct, gc=False):
    messages: list[Raw] = []


_decode_body = msgspec.json.Decoder(_Body).decode
_decode_message = msgspec.json.Decoder(_Message).decode


def signed(body: bytes) -> tuple[bytes, tuple[Loss, ...]]:
    """The body with a signature on the first call of each step of its current turn. What does not look as Google wants it is
    Google's to refuse."""
    if b'"tool_calls"' not in body:
        return body, ()
    try:
        messages = _decode_body(body).messages
        lacking = _lacking(messages)
        if not lacking:
            return body, ()
        for at in lacking:
            message: dict[str, Any] = decode(bytes(messages[at]))
            call = message["tool_calls"][0]
            extra = call.get("extra_content") or {}
            google = {**(extra.get("google") or {}), "thought_signature": SKIP}
            call["extra_content"] = {**extra, "google": google}
            messages[at] = Raw(encode(message))
        held = members(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return body, ()
    held["messages"] = messages
    return encode(held), tuple([Loss(f"messages[{at}].tool_calls[0]", _WHY) for at in lacking])


def _lacking(messages: list[Raw]) -> list[int]:
    """The messages whose first call should have a signature and has none: one step each, back to the user's last words."""
    found: list[int] = []
    for at in range(len(messages) - 1, -1, -1):
        message = _decode_message(messages[at])
        if message.role not in ("assistant", "tool"):
            break
        if message.tool_calls and not message.tool_calls[0].is_signed:
            found.append(at)
    return found[::-1]
