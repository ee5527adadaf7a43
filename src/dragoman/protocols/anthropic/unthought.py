"""Calls in an Anthropic caller's own body that Claude did not make.

Where another vendor's model took the first steps of the current turn, its calls stand there without a thinking block, and Claude
with a thinking budget refuses them: 400 "Expected `thinking` or `redacted_thinking`, but found `tool_use`" (recorded). The step
that follows then goes without thinking. A turn in which anything was thought is Claude's own, and stays as it is.
"""

import msgspec
from msgspec import Raw, Struct

from dragoman.ir import Loss
from dragoman.wire.body import replace

WITHOUT = "earlier steps of the turn were another model's; this one goes without thinking"
OFF = Raw(b'{"type":"disabled"}')


class _Thinking(Struct, gc=False):
    type: str


class _Body(Struct, gc=False):
    thinking: _Thinking | None = None
    messages: list[Raw] = []


class _Block(Struct, gc=False):
    type: str


class _Message(Struct, gc=False):
    role: str
    content: list[_Block] | str = ""

    @property
    def kinds(self) -> list[str]:
        return [] if isinstance(self.content, str) else [block.type for block in self.content]


_decode_body = msgspec.json.Decoder(_Body).decode
_decode_message = msgspec.json.Decoder(_Message).decode


def without_thinking(body: bytes) -> tuple[bytes, tuple[Loss, ...]]:
    """The body with its thinking off, where its current turn has calls and no thoughts."""
    if b'"tool_use"' not in body or b'"budget_tokens"' not in body:
        return body, ()
    try:
        asked = _decode_body(body)
        if asked.thinking is None or asked.thinking.type != "enabled" or not _is_anothers(asked.messages):
            return body, ()
        without = replace(body, thinking=OFF)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return body, ()  # Anthropic's to refuse
    return without, (Loss("thinking.budget_tokens", WITHOUT),)


def _is_anothers(messages: list[Raw]) -> bool:
    called = False
    for raw in reversed(messages):
        message = _decode_message(raw)
        kinds = message.kinds
        if message.role == "assistant":
            if "thinking" in kinds or "redacted_thinking" in kinds:
                return False
            called = called or "tool_use" in kinds
        elif "tool_result" not in kinds:
            break
    return called
