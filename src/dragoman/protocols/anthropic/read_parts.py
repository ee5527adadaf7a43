"""One content block of a caller's message: text, picture, document, thinking, call, result, and what Anthropic's tools did."""

from typing import Any

from dragoman.ir import Deed, Extra, Media, Opaque, Part, Text, Thought, ToolCall, ToolResult
from dragoman.protocols.anthropic import fields, media, proofs
from dragoman.protocols.anthropic.deeds import read_deed
from dragoman.wire import json

Json = dict[str, Any]
# What each kind of block has besides its `type`; what is listed with True changes no answer where it is left out.
_OWN = {"cache_control": True, "citations": True, "context": False, "caller": True, "toolset_name": True}
_KNOWN = {
    "text": frozenset({"type", "text"}),
    "image": frozenset({"type", "source"}),
    "document": frozenset({"type", "source", "title"}),
    "tool_use": frozenset({"type", "id", "name", "input"}),
    "tool_result": frozenset({"type", "tool_use_id", "content", "is_error"}),
}
_SOURCE = frozenset({"type", "media_type", "data", "url", "file_id", "content"})
_NONE: tuple[Extra, ...] = ()


def read_block(value: Any, path: str) -> list[Part]:
    """The parts of a block: nearly always one."""
    block = fields.table(value, path)
    kind = block.get("type")
    match kind:
        case "text":
            words = fields.member(block, "text", path)
            return [Text(words, None, extras_of(block, "text", path) if len(block) > 2 else _NONE)]
        case "image":
            return [read_image(block, path)]
        case "document":
            return [read_document(block, path)]
        case "tool_use":
            id = fields.member(block, "id", path)
            given = fields.table(block.get("input", {}), f"{path}.input")
            name = fields.member(block, "name", path)
            return [ToolCall(id, name, json.encode_text(given), None, extras_of(block, "tool_use", path))]
        case "thinking":
            words = fields.member(block, "thinking", path)
            proof = fields.optional_text(block, "signature", path) or ""
            return [Thought(words, proofs.read_proof(proof))]
        case "redacted_thinking":
            data = fields.member(block, "data", path)
            return [Thought("", redacted=data)]
        case "search_result":
            return [read_search_result(block, path)]
        case None:
            raise fields.missing(f"{path}.type")
    word = fields.text(kind, f"{path}.type")
    if word == "server_tool_use" or word.endswith("_tool_result"):
        return list[Part](_checked(block, path))
    if word in ("container_upload", "tool_reference", "browser_state"):
        return [Opaque("anthropic", block, word)]
    raise fields.invalid(f"{path}.type", f"there is no block {word!r}; see platform.claude.com/docs/en/api/messages.")


def _checked(block: Json, path: str) -> list[Deed | Opaque]:
    if block["type"] == "server_tool_use":
        fields.member(block, "id", path)
        fields.member(block, "name", path)
        fields.table(block.get("input", {}), f"{path}.input")
    else:
        fields.member(block, "tool_use_id", path)
        if type(block.get("content")) not in (list, dict):
            raise fields.refuse(f"{path}.content", "an object or an array", block.get("content"))
    return read_deed(block, path)


def extras_of(block: Json, kind: str, path: str) -> tuple[Extra, ...]:
    """The members of a block that the neutral language has no word for."""
    known = _KNOWN[kind]
    if block.keys() <= known:
        return _NONE
    return tuple(
        Extra("anthropic" if name in _OWN else "", name, value, f"{path}.{name}", harmless=_OWN.get(name, False))
        for name, value in block.items()
        if name not in known and value not in fields.EMPTY
    )


def read_image(block: Json, path: str) -> Media:
    at = f"{path}.source"
    source = fields.table(block.get("source"), at)
    extras = (*extras_of(block, "image", path), *fields.unknown(source, _SOURCE, at))
    match source.get("type"):
        case "base64":
            mime, data = _base64(source, at)
            return Media(mime or media.sniff(data) or "image/*", data=data, extras=extras)
        case "url":
            return Media("image/*", url=fields.member(source, "url", at), extras=extras)
        case "file":
            return Media("image/*", file_id=fields.member(source, "file_id", at), extras=extras)
    raise _no_source(source, at, "'base64', 'url' and 'file'")


def read_document(block: Json, path: str) -> Media:
    at = f"{path}.source"
    source = fields.table(block.get("source"), at)
    title = fields.optional_text(block, "title", path)
    extras = (*extras_of(block, "document", path), *fields.unknown(source, _SOURCE, at))
    match source.get("type"):
        case "base64":
            mime, data = _base64(source, at)
            return Media(mime or media.sniff(data) or "application/pdf", data=data, filename=title, extras=extras)
        case "text":
            return _plain(fields.member(source, "data", at), title, extras)
        case "url":
            return Media("application/pdf", url=fields.member(source, "url", at), filename=title, extras=extras)
        case "file":
            return Media("", file_id=fields.member(source, "file_id", at), filename=title, extras=extras)
        case "content":
            return _plain(_joined(source.get("content"), f"{at}.content"), title, extras)
    raise _no_source(source, at, "'base64', 'text', 'url', 'content' and 'file'")


def read_search_result(block: Json, path: str) -> Media:
    """A page that the caller found by itself: a text, which Anthropic's models can cite."""
    title = fields.member(block, "title", path)
    url = fields.member(block, "source", path)
    words = _joined(block.get("content"), f"{path}.content")
    return _plain(f"{url}\n\n{words}", title, (Extra("anthropic", "search_result", block, path, harmless=True),))


def _plain(words: str, title: str | None, extras: tuple[Extra, ...]) -> Media:
    return Media(
        "text/plain", data=media.encoded(words.encode("utf-8", "surrogatepass")), filename=title, extras=extras
    )


def _joined(value: Any, path: str) -> str:
    if type(value) is str:
        return value
    texts: list[str] = []
    for at, block in enumerate(fields.array(value, path)):
        holder = fields.table(block, f"{path}.{at}")
        if holder.get("type") != "text":
            raise fields.invalid(f"{path}.{at}.type", "only text can be given on to this model.")
        texts.append(fields.member(holder, "text", f"{path}.{at}"))
    return "\n".join(texts)


def _base64(source: Json, path: str) -> tuple[str, str]:
    data = fields.member(source, "data", path)
    mime = (fields.optional_text(source, "media_type", path) or "").lower()
    if data[:5].lower() == "data:":
        named, data = media.split_data_url(data)
        mime = mime or named
    if not media.is_base64(data):
        raise fields.invalid(f"{path}.data", "this is no base64.")
    return mime, data


def _no_source(source: Json, path: str, known: str) -> Exception:
    kind = source.get("type")
    if kind is None:
        return fields.missing(f"{path}.type")
    return fields.invalid(f"{path}.type", f"{fields.text(kind, f'{path}.type')!r}; a source is one of {known}.")


def read_result(block: Json, path: str, name: str) -> ToolResult:
    """`name` is that of the function that was called, or `""`."""
    id = fields.member(block, "tool_use_id", path)
    failed = block.get("is_error")
    content = block.get("content")
    extras = extras_of(block, "tool_result", path)
    shown: list[Media] = []
    if content is None:
        words = ""
    elif type(content) is str:
        words = content
    else:
        texts: list[str] = []
        more: list[Extra] = []
        for at, value in enumerate(fields.array(content, f"{path}.content")):
            inside = f"{path}.content.{at}"
            for part in read_block(value, inside):
                match part:
                    case Text():
                        texts.append(part.text)
                        more.extend(part.extras)
                    case Media():
                        shown.append(part)
                    case Opaque():
                        more.append(Extra("anthropic", part.what, part.value, inside))
                    case _:
                        raise fields.invalid(
                            f"{inside}.type", "a result holds text, images, documents and search results."
                        )
        words = "\n".join(texts)
        extras = (*extras, *more)
    return ToolResult(
        id,
        name,
        words,
        is_json=_is_json(words),
        is_error=failed is not None and fields.flag(failed, f"{path}.is_error"),
        media=tuple(shown),
        extras=extras,
    )


def _is_json(text: str) -> bool:
    start = text.lstrip()[:1]
    if start != "{" and start != "[":
        return False
    try:
        json.decode(text.encode())
    except (json.NotJson, UnicodeEncodeError):
        return False
    return True
