"""The conversation of a caller's request: `input` into a system text and turns.

Items stand in a row where other protocols have turns: what the assistant said, thought and called in a row is one turn of its
own, and the results of calls in a row are one turn of the user's. Leading system and developer messages are the system text;
later ones are turns in their place, since order is meaning.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from dragoman.ir import (
    BadRequest,
    CodeCall,
    CodeResult,
    Extra,
    FetchCall,
    Media,
    Message,
    Opaque,
    Part,
    SearchCall,
    Signature,
    Text,
    Thought,
    ToolCall,
    ToolResult,
)
from dragoman.protocols.openai import fields
from dragoman.protocols.openai.shapes import check
from dragoman.protocols.openai_responses.draft import OWNER
from dragoman.protocols.openai_responses.items import AFTER, deed_parts
from dragoman.protocols.openai_responses.read_parts import member, read_part
from dragoman.protocols.openai_responses.shapes import ITEM, THOUGHT
from dragoman.wire import json
from dragoman.wire.envelope import unseal

Json = dict[str, Any]
# The members of items that are read, or are of their own vendor's book-keeping; every other one is an extra.
_MESSAGE = frozenset({"type", "role", "content", "id", "status"})
_CALL = frozenset({"type", "id", "status", "call_id", "name", "arguments", "input"})
_RESULT = frozenset({"type", "id", "status", "call_id", "name", "output"})
_REASONING = frozenset({"type", "id", "status", "summary", "content", "encrypted_content"})
# Whether a message was the answer or words on the way to it, whose it was, and who let a tool be called: no model of another
# vendor's is told (openai 3.54, ResponseOutputMessageParam.phase, Caller).
_HINTS = frozenset({"phase", "name", "caller", "namespace", "created_by"})
# Items that only this protocol's vendors understand: what the assistant did, and what was given to it.
_OWN_DEEDS = frozenset(
    {
        "file_search_call", "computer_call", "mcp_call", "mcp_list_tools", "mcp_approval_request", "local_shell_call",
        "shell_call", "apply_patch_call", "tool_search_call", "compaction", "program",
    }
)  # fmt: skip
_OWN_RESULTS = frozenset(
    {
        "computer_call_output", "mcp_approval_response", "local_shell_call_output", "shell_call_output",
        "apply_patch_call_output", "tool_search_output", "program_output", "additional_tools", "compaction_trigger",
        "configuration_update",
    }
)  # fmt: skip
_DEEDS = frozenset({"web_search_call", "code_interpreter_call", "image_generation_call"})


class Conversation:
    """Gathers turns while the items are read in order."""

    __slots__ = (
        "_kept",
        "_names",
        "_pending",
        "_pending_at",
        "_places",
        "_results",
        "_said",
        "extras",
        "messages",
        "system",
    )

    def __init__(self, kept: Mapping[str, Json]) -> None:
        self.system: list[Text] = []
        self.messages: list[Message] = []
        self.extras: list[Extra] = []
        self._kept = kept
        self._names: dict[str, str] = {}  # a call's id -> its function's name
        self._said: list[Part] = []  # the assistant's turn so far
        self._results: list[Part] = []  # the user's turn of results so far
        self._places: list[str] = []  # where each part of either stands
        self._pending: Signature | None = None  # of the part that is to come
        self._pending_at = ""

    def read(self, value: Any, earlier: Sequence[Json], *, path: str = "input", said: bool = False) -> None:
        """`said`: whether there is something to answer besides."""
        for item in earlier:
            self._item(item, "previous_response_id")
        if value is None:
            if not earlier:
                raise fields.missing(path)
        elif type(value) is str:
            self._close()
            self.messages.append(Message("user", (Text(value),), path, places=(path,)))
        elif type(value) is list:
            if not value and not earlier and not said:
                raise BadRequest(
                    f"Invalid '{path}': empty array. Expected an array with minimum length 1, but got an empty array.",
                    param=path,
                    code="empty_array",
                )
            for number, item in enumerate(value):
                self._item(item, f"{path}[{number}]")
        else:
            raise fields.refuse(path, "a string or an array of items", value)
        self._close()

    def _item(self, item: Any, path: str) -> None:
        if type(item) is not dict:
            raise fields.refuse(path, "an object", item)
        if "id" in item or "container_id" in item or "name" in item:
            check(item, ITEM, path)
        kind = item.get("type")
        if kind is None:
            kind = "message" if "role" in item or "id" not in item else "item_reference"
        match kind:
            case "message":
                self._message(item, path)
            case "function_call" | "custom_tool_call":
                self._call(item, path, custom=kind != "function_call")
            case "function_call_output" | "custom_tool_call_output":
                self._result(item, path)
            case "reasoning":
                self._reasoning(item, path)
            case "item_reference":
                self._item(self._referred(item, path), path)
            case str() if kind in _DEEDS:
                for part in deed_parts(item, path):
                    self._say(part, path)
            case str() if kind in _OWN_DEEDS:
                self._say(Opaque(OWNER, item, f"a {kind} item"), path)
            case str() if kind in _OWN_RESULTS:
                self._give(Opaque(OWNER, item, f"a {kind} item"), path)
            case _:
                fields.text(kind, f"{path}.type")
                raise fields.invalid(
                    f"{path}.type",
                    f"'{kind}'. Supported values are: 'message', 'function_call', 'function_call_output', 'reasoning', "
                    "'custom_tool_call', 'custom_tool_call_output', 'web_search_call', 'code_interpreter_call' "
                    "and 'image_generation_call'.",
                )

    def _referred(self, item: Json, path: str) -> Json:
        id = member(item, "id", path)
        found = self._kept.get(id)
        if found is None:
            raise BadRequest(
                f"Item with id '{id}' not found. Send the item itself.", param=f"{path}.id", code="item_not_found"
            )
        return found

    def _message(self, item: Json, path: str) -> None:
        role = item.get("role")
        if role is None:
            raise fields.missing(f"{path}.role")
        if role not in ("user", "assistant", "system", "developer"):
            fields.text(role, f"{path}.role")
            raise fields.invalid(
                f"{path}.role", f"'{role}'. Supported values are: 'user', 'assistant', 'system' and 'developer'."
            )
        if not item.keys() <= _MESSAGE:
            self._leftovers(item, _MESSAGE, path)
        parts, places = _content(item.get("content"), path)
        if role == "assistant":
            for part, place in zip(parts, places, strict=True):
                self._say(part, place)
            return
        self._close()
        if role == "user":
            self.messages.append(Message("user", parts, path, places=places))
        elif not self.messages and all(type(part) is Text for part in parts):
            self.system.extend(parts)  # type: ignore[arg-type]
        else:
            self.messages.append(Message("system", parts, path, places=places))

    def _leftovers(self, item: Json, known: frozenset[str], path: str, *, harmless: bool = False) -> None:
        for key, value in item.items():
            if key not in known and value not in fields.EMPTY:
                self.extras.append(Extra("", key, value, f"{path}.{key}", harmless or key in _HINTS))

    def _call(self, item: Json, path: str, *, custom: bool) -> None:
        if not item.keys() <= _CALL:
            # The model's own words: nothing is asked by what stands beside them.
            self._leftovers(item, _CALL, path, harmless=True)
        id = fields.text(item.get("call_id") or "", f"{path}.call_id")
        if not id:
            raise fields.missing(f"{path}.call_id")
        name = member(item, "name", path)
        if custom:
            arguments = json.encode_text({"input": fields.text(item.get("input") or "", f"{path}.input")})
        else:
            arguments = fields.arguments(item.get("arguments"), f"{path}.arguments")
        self._names[id] = name
        self._say(ToolCall(id, name, arguments), path)

    def _result(self, item: Json, path: str) -> None:
        if not item.keys() <= _RESULT:
            self._leftovers(item, _RESULT, path)
        id = fields.text(item.get("call_id") or "", f"{path}.call_id")
        if not id:
            raise fields.missing(f"{path}.call_id")
        output = item.get("output")
        if output is None:
            raise fields.missing(f"{path}.output")
        texts: list[str] = []
        shown: list[Media] = []
        extras: list[Extra] = []
        if type(output) is str:
            texts.append(output)
        elif type(output) is list:
            for number, part in enumerate(output):
                read = read_part(part, f"{path}.output[{number}]")
                if type(read) is Text:
                    texts.append(read.text)
                    extras.extend(read.extras)
                elif type(read) is Media:
                    shown.append(read)
                else:
                    raise fields.invalid(f"{path}.output[{number}]", "an output holds text, pictures and files.")
        else:
            raise fields.refuse(f"{path}.output", "a string or an array of parts", output)
        words = "\n".join(texts)
        name = self._names.get(id) or fields.optional_text(item.get("name"), f"{path}.name") or ""
        self._give(ToolResult(id, name, words, _is_json(words), False, tuple(shown), tuple(extras)), path)

    def _reasoning(self, item: Json, path: str) -> None:
        if not item.keys() <= _REASONING:
            self._leftovers(item, _REASONING, path, harmless=True)
        id = fields.optional_text(item.get("id"), f"{path}.id") or ""
        proof = fields.optional_text(item.get("encrypted_content"), f"{path}.encrypted_content")
        summary = _thoughts(item, "summary", path)
        raw = _thoughts(item, "content", path)
        signature = None
        if proof:
            signature = unseal(proof) or Signature("openai", proof, id)
        if raw:
            self._say(Thought(raw, None if summary else _own(signature), raw=True), path)
        if signature is None:
            if summary:
                self._say(Thought(summary), path)
        elif signature.maker == "anthropic" and signature.id == "redacted":
            self._say(Thought(summary, redacted=signature.data), path)
        elif signature.maker != "gemini":
            if summary or not raw:
                self._say(Thought(summary, signature), path)
        elif summary:
            self._say(Thought(summary, signature), path)
        elif id.startswith(AFTER):
            self._say(Text("", signature), path)
        else:
            self._open()
            self._pending, self._pending_at = signature, path

    def _say(self, part: Part, place: str) -> None:
        """A part of the assistant's turn; a signature that stood before it is its own."""
        self._open()
        if self._pending is not None and not isinstance(part, Thought):
            part = _signed(part, self._pending)
            if getattr(part, "signature", None) is self._pending:
                self._pending = None
        self._said.append(part)
        self._places.append(place)

    def _open(self) -> None:
        if self._results:
            self._close()

    def _give(self, part: Part, place: str) -> None:
        if self._said or self._pending is not None:
            self._close()
        self._results.append(part)
        self._places.append(place)

    def _close(self) -> None:
        """Ends the turn that is open."""
        if self._pending is not None:
            self._said.append(Text("", self._pending))
            self._places.append(self._pending_at)
            self._pending = None
        if self._said or self._results:
            role, parts = ("assistant", self._said) if self._said else ("user", self._results)
            origin = self._places[0]
            self.messages.append(Message(role, tuple(parts), origin, places=tuple(self._places)))  # type: ignore[arg-type]
            self._said, self._results, self._places = [], [], []


def _own(signature: Signature | None) -> Signature | None:
    return signature if signature is not None and signature.maker == "openai" else None


def _signed(part: Part, signature: Signature) -> Part:
    if isinstance(part, Text | ToolCall | Media | CodeCall | CodeResult | SearchCall | FetchCall):
        return replace(part, signature=signature)
    return part


def _content(content: Any, path: str) -> tuple[tuple[Part, ...], tuple[str, ...]]:
    at = f"{path}.content" if path != "previous_response_id" else path
    if type(content) is str:
        return (Text(content),), (at,)
    if content is None:
        raise fields.missing(at)
    if type(content) is not list:
        raise fields.refuse(at, "a string or an array of content parts", content)
    places = tuple([at if at == path else f"{at}[{number}]" for number in range(len(content))])
    return tuple([read_part(part, place) for part, place in zip(content, places, strict=True)]), places


def _thoughts(item: Json, key: str, path: str) -> str:
    value = item.get(key)
    if value is None:
        return ""
    check(value, THOUGHT, f"{path}.{key}")
    told: list[str] = []
    for number, part in enumerate(fields.array(value, f"{path}.{key}")):
        at = f"{path}.{key}[{number}]"
        told.append(member(fields.table(part, at), "text", at))
    return "\n\n".join(told)


def _is_json(text: str) -> bool:
    start = text.lstrip()[:1]
    if start != "{" and start != "[":
        return False
    try:
        json.decode(text.encode())
    except json.NotJson:
        return False
    return True
