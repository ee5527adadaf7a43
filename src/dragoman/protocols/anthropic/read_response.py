"""A vendor's one-shot answer into the neutral language, read tolerantly: servers that imitate Anthropic leave things out."""

from typing import Any

from dragoman.ir import (
    Candidate,
    Citation,
    Extra,
    Media,
    Opaque,
    Part,
    Response,
    Text,
    Thought,
    ToolCall,
    UpstreamBroken,
    Usage,
)
from dragoman.protocols.anthropic import proofs, stand_in
from dragoman.protocols.anthropic.citations import read_citations
from dragoman.protocols.anthropic.deeds import read_deed
from dragoman.protocols.anthropic.errors import refusal_of
from dragoman.protocols.anthropic.finish import read_finish
from dragoman.protocols.anthropic.usage import read_tier, read_usage
from dragoman.wire import json

Json = dict[str, Any]
# Of a message, what only Anthropic tells; `True` marks what changes no answer.
_OWN = {"container": True, "context_management": True, "diagnostics": True}


def read_response(body: bytes) -> Response:
    """Raises UpstreamRefused for an error inside a 200, UpstreamBroken for anything that is no answer."""
    value = read_object(body)
    content = value.get("content")
    if type(content) is not list:
        raise UpstreamBroken("The upstream's answer holds no content.")
    parts: list[Part] = []
    citations: list[Citation] = []
    extras: list[Extra] = []
    told = 0
    for at, block in enumerate(content):
        if type(block) is not dict:
            continue
        path = f"content.{at}"
        read = read_block(block, path)
        parts += read
        words = len(read[0].text) if read and type(read[0]) is Text else 0
        if block.get("citations"):
            cited, rest = read_citations(block["citations"], told, told + words)
            citations += cited
            if rest:
                extras.append(Extra("anthropic", "citations", rest, f"{path}.citations"))
        told += words
    called = any(type(part) is ToolCall for part in parts)
    usage = value.get("usage")
    return Response(
        id=_word(value.get("id")),
        model=_word(value.get("model")),
        candidates=(
            Candidate(0, tuple(parts), read_finish(value, called=called), None, tuple(citations), tuple(extras)),
        ),
        usage=read_usage(usage),
        service_tier=read_tier(usage),
        extras=message_extras(value),
    )


def message_extras(value: Json) -> tuple[Extra, ...]:
    return tuple(
        Extra("anthropic", name, value[name], name, harmless) for name, harmless in _OWN.items() if value.get(name)
    )


def usage_of(body: bytes) -> Usage | None:
    """The counts of a one-shot answer, be it a message or a count of tokens. Raises as `read_response` does."""
    value = read_object(body)
    if type(value.get("content")) is not list and "input_tokens" not in value:
        raise UpstreamBroken("The upstream's answer holds no content.")
    return read_usage(value.get("usage"))


def count_of(body: bytes) -> int:
    value = read_object(body)
    tokens = value.get("input_tokens")
    if type(tokens) is not int or tokens < 0:
        raise UpstreamBroken("The upstream's answer holds no count of tokens.")
    return tokens


def read_object(body: bytes) -> Json:
    """The answer's object. Raises as `read_response` does."""
    try:
        value = json.decode(body)
    except json.NotJson as error:
        raise UpstreamBroken(f"The upstream's answer is not JSON: {error}.") from None
    if type(value) is not dict:
        raise UpstreamBroken(f"The upstream's answer is {json.kind_of(value)}, not an object.")
    if value.get("type") == "error" or (value.get("error") and "content" not in value):
        raise refusal_of(value, 200)
    return value


def read_block(block: Json, path: str) -> list[Part]:
    """A block of the model's; nothing for one that says nothing."""
    match block.get("type"):
        case "text":
            words = _word(block.get("text"))
            return [Text(words)] if words else []
        case "tool_use":
            given = block.get("input")
            arguments = json.encode_text(given) if type(given) is dict else "{}"
            name = _word(block.get("name"))
            if stand_in.is_stand_in(name):
                return [Text(stand_in.text_of(name, arguments))]
            return [ToolCall(_word(block.get("id")), name, arguments)]
        case "thinking":
            words, proof = _word(block.get("thinking")), _word(block.get("signature"))
            return [Thought(words, proofs.read_proof(proof))] if words or proof else []
        case "redacted_thinking":
            return [Thought("", redacted=_word(block.get("data")))]
        case "image" if type(block.get("source")) is dict:  # servers that imitate Anthropic; it answers in text itself
            source = block["source"]
            return [Media(_word(source.get("media_type")) or "image/*", data=_word(source.get("data")))]
        case str() as kind if kind == "server_tool_use" or kind.endswith("_tool_result"):
            return list[Part](read_deed(block, path))
        case str() as kind:
            return [Opaque("anthropic", block, kind)]
    return []


def _word(value: Any) -> str:
    return value if type(value) is str else ""
