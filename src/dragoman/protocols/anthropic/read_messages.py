"""The conversation of a caller's request: `messages` into turns.

A `redacted_thinking` block that holds another maker's sealed signature is no thought: the signature belongs to the call or the
text right behind it, or to the text before where nothing follows (Gemini signs a text at its end).
"""

from typing import Any

from dragoman.ir import Extra, Message, Part, Signature, Text, Thought, ToolCall
from dragoman.protocols.anthropic import fields, proofs
from dragoman.protocols.anthropic.read_parts import read_block, read_result
from dragoman.wire.envelope import unseal

_KNOWN = frozenset({"role", "content"})
_ROLES = frozenset({"user", "assistant", "system"})


def read_messages(value: Any, extras: list[Extra]) -> tuple[Message, ...]:
    """The turns; members that nobody knows go into `extras`."""
    if value is None:
        raise fields.missing("messages")
    messages = fields.array(value, "messages")
    if not messages:
        raise fields.invalid("messages", "at least one message is required.")
    names: dict[str, str] = {}  # a call's id -> its function's name
    return tuple([_message(message, f"messages.{at}", names, extras) for at, message in enumerate(messages)])


def _message(value: Any, path: str, names: dict[str, str], extras: list[Extra]) -> Message:
    message = fields.table(value, path)
    role = message.get("role")
    if role is None:
        raise fields.missing(f"{path}.role")
    if fields.text(role, f"{path}.role") not in _ROLES:
        raise fields.invalid(f"{path}.role", f"{role!r}; a role is 'user', 'assistant' or 'system'.")
    if len(message) > 2:
        for name, member in message.items():
            if name not in _KNOWN and member not in fields.EMPTY:
                extras.append(Extra("", name, member, f"{path}.{name}"))
    content = message.get("content")
    if type(content) is str:
        return Message(role, (Text(content),), path, places=(f"{path}.content",))
    if content is None:
        raise fields.missing(f"{path}.content")
    if type(content) is not list:
        raise fields.refuse(f"{path}.content", "a string or an array of blocks", content)
    parts: list[Part] = []
    places: list[str] = []
    held: Signature | None = None
    for at, block in enumerate(content):
        place = f"{path}.content.{at}"
        if type(block) is dict and block.get("type") == "tool_result":
            id = block.get("tool_use_id")
            read: list[Part] = [read_result(block, place, names.get(id, "") if type(id) is str else "")]
        else:
            read = read_block(block, place)
        for part in read:
            if type(part) is Thought and part.redacted is not None and part.redacted.startswith(proofs.TAG):
                held = unseal(part.redacted)
                continue
            if type(part) is ToolCall:
                names[part.id] = part.name
            if held is not None:
                part, held = _signed(part, held)
            parts.append(part)
            places.append(place)
    if held is not None:
        _sign_before(parts, places, held, path)
    return Message(role, tuple(parts), path, places=tuple(places))


def _signed(part: Part, signature: Signature) -> tuple[Part, Signature | None]:
    match part:
        case ToolCall():
            return ToolCall(part.id, part.name, part.arguments, signature, part.extras), None
        case Text():
            return Text(part.text, signature, part.extras), None
    return part, signature


def _sign_before(parts: list[Part], places: list[str], signature: Signature, path: str) -> None:
    """Behind all else a signature is the text's before it, as an empty one: so it came."""
    parts.append(Text("", signature))
    places.append(places[-1] if places else f"{path}.content")
