"""Reads the turns of a Gemini request: `contents` and their parts.

Function calls without an id get one made from their place, name and arguments, so that a stateless replay of the same history
gives the same id; responses without an id are matched to the calls by name, in order.
"""

from collections import deque
from hashlib import sha256
from typing import Any

from dragoman.ir import (
    BadRequest,
    CodeCall,
    CodeResult,
    Extra,
    Media,
    Message,
    Opaque,
    Part,
    Signature,
    Text,
    Thought,
    ToolCall,
    ToolResult,
)
from dragoman.protocols.gemini.fields import (
    array,
    below,
    boolean,
    camel_deep,
    choice,
    invalid,
    members,
    plain_object,
    text,
)
from dragoman.protocols.gemini.read_media import beside, read_blob, read_media
from dragoman.protocols.gemini.shapes import PART as SHAPES
from dragoman.protocols.gemini.shapes import check
from dragoman.wire.json import encode_text, kind_of

# What our own ids begin with; Gemini never sees them again.
MINTED = "gcall_"

CONTENT = frozenset({"role", "parts"})
_MEMBERS = (
    "text",
    "inlineData",
    "fileData",
    "functionCall",
    "functionResponse",
    "executableCode",
    "codeExecutionResult",
    "toolCall",
    "toolResponse",
)
_BESIDE = frozenset({"thought", "thoughtSignature", "videoMetadata", "mediaResolution", "partMetadata"})
PART = frozenset(_MEMBERS) | _BESIDE
_CALL = frozenset({"id", "name", "args"})
_RESPONSE = frozenset({"id", "name", "response", "parts", "willContinue", "scheduling"})
_RESPONSE_PART = frozenset({"inlineData", "fileData"})
_CODE = frozenset({"language", "code", "id"})
_CODE_RESULT = frozenset({"outcome", "output", "id"})
_OUTCOMES = ("OUTCOME_UNSPECIFIED", "OUTCOME_OK", "OUTCOME_FAILED", "OUTCOME_DEADLINE_EXCEEDED")


class Turns:
    """Reads `contents` in order; holds the calls that still wait for their responses."""

    __slots__ = ("_ids", "_unknown", "_waiting")

    def __init__(self, unknown: list[Extra]) -> None:
        self._unknown = unknown
        self._waiting: dict[str, deque[str]] = {}
        self._ids: dict[str, str] = {}

    def read(self, value: Any, path: str) -> tuple[Message, ...]:
        if value is None or value == []:
            raise BadRequest(f"{path} is missing: send the conversation's turns.", param=path, code="missing_field")
        if value.__class__ is not list:
            raise invalid(path, f'an array is wanted, not {kind_of(value)}: [{{"role": "user", "parts": [...]}}]')
        messages: list[Message] = []
        last = "assistant"
        for number_, content in enumerate(value):
            origin = f"{path}[{number_}]"
            if content.__class__ is dict and len(content) == 2 and "parts" in content and "role" in content:
                parts, role = content["parts"], content["role"]
            else:
                found = members(content, CONTENT, origin, self._unknown)
                parts, role = found.get("parts"), found.get("role")
            if parts.__class__ is not list or not parts:
                raise self._no_parts(parts, origin)
            first = parts[0]
            if len(parts) == 1 and first.__class__ is dict and len(first) == 1 and first.get("text").__class__ is str:
                read: tuple[Part, ...] = (Text(first["text"]),)
            else:
                read = tuple([self._part(part, origin, number_, at) for at, part in enumerate(parts)])
            if role == "user":
                last = "user"
            elif role == "model":
                last = "assistant"
            else:
                last = _role(role, origin, last, read)
            messages.append(Message(last, read, origin))  # type: ignore[arg-type]
        return tuple(messages)

    @staticmethod
    def _no_parts(parts: Any, origin: str) -> BadRequest:
        path = below(origin, "parts")
        if parts is None or parts == []:
            return BadRequest(f"{path} must hold at least one part.", param=path, code="missing_field")
        return invalid(path, f"an array is wanted, not {kind_of(parts)}")

    def _part(self, value: Any, origin: str, content: int, at: int) -> Part:
        if value.__class__ is dict and len(value) == 1:
            plain = value.get("text")
            if plain.__class__ is str:
                return Text(plain)
        return self._any_part(value, f"{origin}.parts[{at}]", content, at)

    def _any_part(self, value: Any, path: str, content: int, at: int) -> Part:
        part = members(value, PART, path, self._unknown)
        held = [name for name in _MEMBERS if name in part]
        signature = None
        if "thoughtSignature" in part:
            data = text(part["thoughtSignature"], below(path, "thoughtSignature"))
            signature = Signature("gemini", data) if data else None
        if len(held) != 1:
            if signature is not None and not held:
                return Text("", signature)
            if not held:
                raise BadRequest(
                    f"{path} holds no text, inlineData, fileData, functionCall or functionResponse.",
                    param=path,
                    code="invalid_value",
                )
            raise invalid(path, f"a part holds one thing, not {' and '.join(held)}")
        name = held[0]
        inside = below(path, name)
        thought = boolean(part.get("thought", False), below(path, "thought"))
        match name:
            case "text":
                words = text(part["text"], inside)
                if thought:
                    return Thought(words, signature)
                return Text(words, signature, beside(part, path))
            case "inlineData" | "fileData":
                return read_media(part, name, path, self._unknown, thought=thought, signature=signature)
            case "functionCall":
                return self._call(part, inside, path, content, at, signature)
            case "functionResponse":
                return self._response(part, inside, path, content, at)
            case "executableCode":
                code = members(part[name], _CODE, inside, self._unknown)
                return CodeCall(
                    text(code.get("code", ""), below(inside, "code")),
                    text(code.get("language", "PYTHON"), below(inside, "language")).lower(),
                    text(code.get("id", ""), below(inside, "id")),
                    signature,
                )
            case "codeExecutionResult":
                result = members(part[name], _CODE_RESULT, inside, self._unknown)
                outcome = choice(result.get("outcome", "OUTCOME_OK"), _OUTCOMES, below(inside, "outcome"))
                return CodeResult(
                    text(result.get("output", ""), below(inside, "output")),
                    CODE_OUTCOMES.get(outcome, "failed"),
                    text(result.get("id", ""), below(inside, "id")),
                    signature,
                )
            case _:
                plain_object(part[name], inside)
                return Opaque("gemini", {key: camel_deep(member) for key, member in part.items()}, name)

    def _call(
        self, part: dict[str, Any], path: str, outer: str, content: int, at: int, signature: Signature | None
    ) -> ToolCall:
        call = members(part["functionCall"], _CALL, path, self._unknown)
        name = text(call.get("name", ""), below(path, "name"))
        if not name:
            raise invalid(below(path, "name"), "the function's name is wanted")
        args = plain_object(call.get("args", {}), below(path, "args"))
        arguments = encode_text(args)
        ident = text(call.get("id", ""), below(path, "id")) or mint(content, at, name, arguments)
        self._ids[ident] = name
        self._waiting.setdefault(name, deque()).append(ident)
        return ToolCall(ident, name, arguments, signature, beside(part, outer))

    def _response(self, part: dict[str, Any], path: str, outer: str, content: int, at: int) -> ToolResult:
        response = members(part["functionResponse"], _RESPONSE, path, self._unknown)
        name = text(response.get("name", ""), below(path, "name"))
        ident = text(response.get("id", ""), below(path, "id"))
        if ident not in self._ids:
            waiting = self._waiting.get(name)
            if waiting:
                ident = waiting[0]
            elif not name:
                raise invalid(below(path, "name"), "the function's name is wanted")
            elif not ident:
                ident = mint(content, at, name, "")
        name = name or self._ids.get(ident, "")
        waiting = self._waiting.get(name)
        if waiting and ident in waiting:
            waiting.remove(ident)
        given = plain_object(response.get("response", {}), below(path, "response"))
        is_error = given.keys() == {"error"}
        held: Any = given
        if is_error:
            held = given["error"]
        elif given.keys() == {"output"}:
            held = given["output"]
        is_json = not isinstance(held, str)
        media: list[Media] = []
        for number_, item in enumerate(array(response.get("parts", []), below(path, "parts"))):
            inside = f"{path}.parts[{number_}]"
            found = members(item, _RESPONSE_PART, inside, self._unknown)
            if len(found) != 1:
                raise invalid(inside, "inlineData or fileData is wanted")
            (kind,) = found
            media.append(read_blob(found[kind], kind, below(inside, kind), self._unknown))
        for key in ("willContinue", "scheduling"):
            check(response.get(key), SHAPES[key], below(path, key))
        extras = [
            Extra("gemini", f"functionResponse.{key}", response[key], below(path, key))
            for key in ("willContinue", "scheduling")
            if key in response
        ]
        return ToolResult(
            call_id=ident,
            name=name,
            content=encode_text(held) if is_json else held,
            is_json=is_json,
            is_error=is_error,
            media=tuple(media),
            extras=(*extras, *beside(part, outer)),
        )


CODE_OUTCOMES = {
    "OUTCOME_OK": "ok",
    "OUTCOME_FAILED": "failed",
    "OUTCOME_DEADLINE_EXCEEDED": "timeout",
    "OUTCOME_UNSPECIFIED": "ok",
}


def mint(content: int, part: int, name: str, arguments: str) -> str:
    """The id of a call that has none: the same for the same call in the same place."""
    seed = f"{content}:{part}:{name}:{arguments}".encode("utf-8", "surrogatepass")
    return MINTED + sha256(seed).hexdigest()[:24]


def _role(role: Any, origin: str, last: str, parts: tuple[Part, ...]) -> str:
    if role is None or role == "":
        # Absent for a single turn (https://ai.google.dev/api/caching#Content); otherwise turns alternate from the user.
        if any(isinstance(part, ToolResult) for part in parts):
            return "user"
        if any(isinstance(part, ToolCall) for part in parts):
            return "assistant"
        return "user" if last == "assistant" else "assistant"
    word = text(role, below(origin, "role")).lower()
    if word in ("user", "function", "tool"):
        return "user"
    if word in ("model", "assistant"):
        return "assistant"
    hint = " Put system text into systemInstruction." if word in ("system", "developer") else ""
    raise BadRequest(
        f"Please use a valid role: user, model; not {role!r}.{hint}", param=below(origin, "role"), code="invalid_value"
    )
