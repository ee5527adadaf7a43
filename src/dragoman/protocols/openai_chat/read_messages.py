"""The conversation of a caller's request: `messages` into a system text and turns.

Leading `system` and `developer` messages are the system text; later ones are turns in their place, since order is meaning.
Consecutive `tool` messages are one turn of results, as every other protocol has them.
"""

from typing import Any

from msgspec.structs import replace

from dragoman.ir import (
    BadRequest,
    Extra,
    Media,
    Message,
    Opaque,
    Part,
    Refusal,
    Signature,
    Text,
    Thought,
    ToolCall,
    ToolResult,
)
from dragoman.protocols.openai import fields
from dragoman.protocols.openai.shapes import check
from dragoman.protocols.openai_chat.read_parts import google_signature, member, read_part
from dragoman.protocols.openai_chat.shapes import AUDIO, check_google
from dragoman.wire import json

# A message's members that are read, by role; every other one is an extra.
_KNOWN = {
    "system": frozenset({"role", "content", "name"}),
    "developer": frozenset({"role", "content", "name"}),
    "user": frozenset({"role", "content", "name"}),
    "assistant": frozenset(
        {
            "role", "content", "name", "refusal", "tool_calls", "function_call", "reasoning_content", "reasoning",
            "extra_content", "images", "audio",
        }
    ),
    "tool": frozenset({"role", "content", "tool_call_id", "name"}),
    "function": frozenset({"role", "content", "name"}),
}  # fmt: skip
_CALL = frozenset({"id", "type", "function", "custom", "extra_content", "index"})
# OpenAI's Python client adds the arguments in parsed form, and sends them back.
_FUNCTION_CALL = frozenset({"name", "arguments", "parsed_arguments"})
_CUSTOM_CALL = frozenset({"name", "input"})
# What answers tell beside their words, and clients send back with them: nothing is asked by it.
_SAID_ALREADY = frozenset({"annotations", "reasoning_details", "native_finish_reason"})


class Conversation:
    """Gathers turns while the messages are read in order."""

    __slots__ = ("_names", "_places", "_results", "extras", "messages", "system")

    def __init__(self) -> None:
        self.system: list[Text] = []
        self.messages: list[Message] = []
        self.extras: list[Extra] = []
        self._names: dict[str, str] = {}  # a call's id -> its function's name
        self._results: list[ToolResult] = []
        self._places: list[str] = []  # where each result stands

    def read(self, value: Any) -> None:
        if value is None:
            raise fields.missing("messages")
        if type(value) is not list:
            raise fields.refuse("messages", "an array of objects", value)
        if not value:
            raise BadRequest(
                "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead.",
                param="messages",
                code="empty_array",
            )
        messages = self.messages
        for number, message in enumerate(value):
            if not self._results and type(message) is dict and len(message) == 2:  # the plainest and most frequent form
                content = message.get("content")
                if type(content) is str:
                    role = message.get("role")
                    if role == "user" or role == "assistant":
                        messages.append(Message(role, (Text(content),), f"messages[{number}]"))
                        continue
                    if (role == "system" or role == "developer") and not messages:
                        self.system.append(Text(content))
                        continue
            self._read_message(message, f"messages[{number}]")
        if self._results:
            self._close_results()

    def _read_message(self, message: Any, path: str) -> None:
        if type(message) is not dict:
            raise fields.refuse(path, "an object", message)
        role = message.get("role")
        content = message.get("content")
        places: tuple[str, ...] = ()
        if self._results and role != "tool" and role != "function":
            self._close_results()
        if role == "user":
            if type(content) is str:
                parts: tuple[Part, ...] = (Text(content),)
            else:
                parts = self._content(content, f"{path}.content", required=True)
        elif role == "assistant":
            parts, places = self._assistant(message, content, path)
        elif role == "system" or role == "developer":
            if type(content) is str:
                parts = (Text(content),)
            else:
                parts = self._content(content, f"{path}.content", required=True)
            if not self.messages and all(type(part) is Text for part in parts):
                self.system.extend(parts)  # type: ignore[arg-type]
                if len(message) > 2:
                    if name := fields.optional_text(message.get("name"), f"{path}.name"):
                        # The system text has no turns, which names are of.
                        self.extras.append(Extra("", "name", name, f"{path}.name", harmless=True))
                    self._leftovers(message, role, path)
                return
        elif role == "tool" or role == "function":
            self._tool(message, role, content, path)
            return
        else:
            if role is None:
                raise fields.missing(f"{path}.role")
            fields.text(role, f"{path}.role")
            raise fields.invalid(
                f"{path}.role",
                f"'{role}'. Supported values are: 'system', 'developer', 'user', 'assistant', 'tool' and 'function'.",
            )
        name = None
        if len(message) > 2:
            self._leftovers(message, message["role"], path)
            name = fields.optional_text(message.get("name"), f"{path}.name")
        self.messages.append(Message("system" if role == "developer" else role, parts, path, name, places))

    def _leftovers(self, message: dict[str, Any], role: str, path: str) -> None:
        known = _KNOWN[role]
        for key, value in message.items():
            if key not in known and value not in fields.EMPTY:
                self.extras.append(
                    Extra("", key, value, f"{path}.{key}", harmless=key in _SAID_ALREADY or key in fields.HINTS)
                )

    def _content(self, content: Any, path: str, *, required: bool = False) -> tuple[Part, ...]:
        if type(content) is str:
            return (Text(content),)
        if content is None:
            if required:
                raise fields.missing(path)
            return ()
        if type(content) is not list:
            raise fields.refuse(path, "a string or an array of content parts", content)
        return tuple(read_part(part, f"{path}[{number}]") for number, part in enumerate(content))

    def _assistant(self, message: dict[str, Any], content: Any, path: str) -> tuple[tuple[Part, ...], tuple[str, ...]]:
        """The parts of an assistant's message, and where each of them stands."""
        placed: list[tuple[Part, str]] = []
        thought = message.get("reasoning_content")
        held_in = "reasoning_content"
        if thought is None and type(message.get("reasoning")) is str:
            held_in, thought = "reasoning", message["reasoning"]
        if thought:
            at = f"{path}.{held_in}"
            placed.append((Thought(fields.text(thought, at)), at))
        calls = message.get("tool_calls")
        legacy = message.get("function_call")
        if calls is not None and type(calls) is not list:
            raise fields.refuse(f"{path}.tool_calls", "an array", calls)
        said = self._content(content, f"{path}.content")
        for number, part in enumerate(said):
            if type(part) is not Text or part.text or len(said) > 1 or not calls:
                placed.append((part, f"{path}.content" if type(content) is str else f"{path}.content[{number}]"))
        if refusal := message.get("refusal"):
            at = f"{path}.refusal"
            placed.append((Refusal(fields.text(refusal, at)), at))
        for number, image in enumerate(fields.array(message.get("images") or [], f"{path}.images")):
            at = f"{path}.images[{number}]"
            placed.append((read_part(image, at), at))
        if audio := message.get("audio"):
            at = f"{path}.audio"
            check(audio, AUDIO, at)
            placed.append((Opaque("openai", {"audio": audio}, "message.audio"), at))
        for number, call in enumerate(calls or ()):
            at = f"{path}.tool_calls[{number}]"
            placed.append((self._call(call, at), at))
        if legacy is not None:
            # The legacy form has no ids: its results name the function instead.
            at = f"{path}.function_call"
            placed.append((_function_call(fields.table(legacy, at), "", at, None), at))
        if "extra_content" in message:
            check_google(message["extra_content"], f"{path}.extra_content")
        signature = google_signature(message.get("extra_content"))
        if signature is not None:
            _sign(placed, signature, f"{path}.extra_content")
        if content is None and not placed and "content" not in message:
            raise fields.missing(f"{path}.content")
        return tuple([part for part, _ in placed]), tuple([at for _, at in placed])

    def _call(self, call: Any, path: str) -> ToolCall:
        if type(call) is not dict:
            raise fields.refuse(path, "an object", call)
        id = fields.text(call.get("id") or "", f"{path}.id")
        signature = None
        if "extra_content" in call:
            check_google(call["extra_content"], f"{path}.extra_content")
            signature = google_signature(call["extra_content"])
        kind = fields.optional_text(call.get("type"), f"{path}.type")
        custom = call.get("custom")
        if kind == "custom" and custom is not None:
            fields.table(custom, f"{path}.custom")
            name = fields.text(custom.get("name"), f"{path}.custom.name")
            body = json.encode_text({"input": fields.text(custom.get("input") or "", f"{path}.custom.input")})
            read = ToolCall(id, name, body, signature, fields.unknown(custom, _CUSTOM_CALL, f"{path}.custom"))
        else:
            function = call.get("function")
            if function is None:
                raise fields.missing(f"{path}.function")
            read = _function_call(fields.table(function, f"{path}.function"), id, f"{path}.function", signature)
        if not call.keys() <= _CALL:
            read = replace(read, extras=(*fields.unknown(call, _CALL, path), *read.extras))
        if id:
            self._names[id] = read.name
        return read

    def _tool(self, message: dict[str, Any], role: str, content: Any, path: str) -> None:
        name = fields.optional_text(message.get("name"), f"{path}.name") or ""
        if role == "tool":
            id = message.get("tool_call_id")
            if id is None:
                raise fields.missing(f"{path}.tool_call_id")
            id = fields.text(id, f"{path}.tool_call_id")
            name = self._names.get(id, name)
        else:
            id = ""
            if not name:
                raise fields.missing(f"{path}.name")
        shown: list[Media] = []
        texts: list[str] = []
        extras: list[Extra] = []
        if type(content) is str:
            texts.append(content)
        else:
            for number, part in enumerate(self._content(content, f"{path}.content")):
                if type(part) is Text:
                    texts.append(part.text)
                    extras.extend(part.extras)
                elif type(part) is Media:
                    shown.append(part)
                else:
                    raise fields.invalid(f"{path}.content[{number}]", "a tool message holds text.")
        if len(message) > 3:
            self._leftovers(message, role, path)
        result = "\n".join(texts) if len(texts) != 1 else texts[0]
        self._places.append(path)
        self._results.append(
            ToolResult(id, name, result, is_json=_is_json(result), media=tuple(shown), extras=tuple(extras))
        )

    def _close_results(self) -> None:
        self.messages.append(Message("user", tuple(self._results), self._places[0], places=tuple(self._places)))
        self._results.clear()
        self._places.clear()


def _function_call(function: dict[str, Any], id: str, path: str, signature: Signature | None) -> ToolCall:
    name = member(function, "name", path)
    arguments = fields.arguments(function.get("arguments"), f"{path}.arguments")
    return ToolCall(id, name, arguments, signature, fields.unknown(function, _FUNCTION_CALL, path))


def _is_json(text: str) -> bool:
    start = text.lstrip()[:1]
    if start != "{" and start != "[":
        return False
    try:
        json.decode(text.encode())
    except json.NotJson:
        return False
    return True


def _sign(placed: list[tuple[Part, str]], signature: Signature, path: str) -> None:
    """A message-level signature belongs to its text: the last one, or an empty one behind all else where it has none."""
    for number in range(len(placed) - 1, -1, -1):
        part, at = placed[number]
        if type(part) is Text:
            placed[number] = Text(part.text, signature, part.extras), at
            return
    calls = next((number for number, (part, _) in enumerate(placed) if type(part) is ToolCall), len(placed))
    placed.insert(calls, (Text("", signature), path))
