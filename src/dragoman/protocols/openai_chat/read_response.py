"""A vendor's one-shot answer into the neutral language, read tolerantly: servers that imitate OpenAI leave things out."""

from typing import Any

import msgspec
from msgspec import Struct

from dragoman.ir import (
    Candidate,
    Citation,
    Extra,
    Media,
    Part,
    Refusal,
    Response,
    Signature,
    Text,
    Thought,
    TokenLogprob,
    ToolCall,
    UpstreamBroken,
    Usage,
)
from dragoman.protocols.openai import media
from dragoman.protocols.openai.errors import refusal_of
from dragoman.protocols.openai_chat import speech
from dragoman.protocols.openai_chat.annotations import read_annotations
from dragoman.protocols.openai_chat.finish import read_finish
from dragoman.protocols.openai_chat.read_parts import google_signature
from dragoman.protocols.openai_chat.usage import Counts, read_usage, usage_of_counts
from dragoman.wire import json

Json = dict[str, Any]
# What a message may hold of the model's beside its content.
_BESIDE = (
    "reasoning_content", "reasoning", "extra_content", "refusal", "images", "audio", "tool_calls", "function_call",
)  # fmt: skip


def read_response(body: bytes) -> Response:
    """Raises UpstreamRefused for an error inside a 200, UpstreamBroken for anything that is no answer."""
    value = read_object(body)
    choices = value.get("choices")
    if type(choices) is not list:
        raise UpstreamBroken("The upstream's answer holds no choices.")
    candidates = tuple([_candidate(choice, number) for number, choice in enumerate(choices) if type(choice) is dict])
    if not candidates:
        raise UpstreamBroken("The upstream's answer holds no choices.")
    extras: tuple[Extra, ...] = ()
    if value.get("system_fingerprint"):
        extras = (
            Extra("openai", "system_fingerprint", value["system_fingerprint"], "system_fingerprint", harmless=True),
        )
    return Response(
        # By place: by name costs several times as much.
        text_or_empty(value.get("id")),
        text_or_empty(value.get("model")),
        candidates,
        read_usage(value.get("usage")),
        None,  # block
        whole(value.get("created"), 0),
        text_or_empty(value.get("service_tier")) or None,
        extras,
    )


def read_object(body: bytes) -> Json:
    """The answer's object. Raises as `read_response` does."""
    try:
        value = json.decode(body)
    except json.NotJson as error:
        raise UpstreamBroken(f"The upstream's answer is not JSON: {error}.") from None
    if type(value) is list and len(value) == 1:  # Google's compatible endpoint wraps errors in a list
        value = value[0]
    if type(value) is not dict:
        raise UpstreamBroken(f"The upstream's answer is {json.kind_of(value)}, not an object.")
    if value.get("error") and not value.get("choices"):
        raise refusal_of(value, 200)
    return value


def text_or_empty(value: Any) -> str:
    return value if type(value) is str else ""


def whole(value: Any, otherwise: int) -> int:
    if type(value) is int:
        return value
    return int(value) if type(value) is float and -(2**53) < value < 2**53 else otherwise


def _candidate(choice: Json, number: int) -> Candidate:
    message = choice.get("message")
    if type(message) is not dict:
        message = {}
    parts = read_message(message)
    called = False
    for part in parts:
        if type(part) is ToolCall:
            called = True
    word = choice.get("finish_reason")
    logprobs = choice.get("logprobs")
    read = read_logprobs(logprobs) if logprobs else None
    extras: tuple[Extra, ...] = ()
    citations: tuple[Citation, ...] = ()
    if annotations := message.get("annotations"):
        citations, extras = read_annotations(annotations, f"choices[{number}].message.annotations")
    finish = read_finish(word, called=called) if type(word) is str and word else None
    return Candidate(whole(choice.get("index"), number), parts, finish, read, citations, extras)


def read_message(message: Json) -> tuple[Part, ...]:
    """An assistant's message: thoughts, then text, pictures and sound, then calls, as Chat Completions keeps no other order."""
    parts: list[Part] = []
    content = message.get("content")
    if type(content) is str and not any(map(message.get, _BESIDE)):  # nearly every answer
        return (Text(content),) if content else ()
    thought = message.get("reasoning_content") or message.get("reasoning")
    if type(thought) is str and thought:
        parts.append(Thought(thought))
    extra_content = message.get("extra_content")
    signature = google_signature(extra_content)
    if type(content) is str:
        if content or signature is not None:
            parts.append(Text(content, signature))
    elif type(content) is list:  # Mistral's and others' list of parts
        parts.extend(content_parts(content))
        if signature is not None:
            parts.append(Text("", signature))
    elif signature is not None:
        parts.append(Text("", signature))
    refusal = message.get("refusal")
    if type(refusal) is str and refusal:
        parts.append(Refusal(refusal))
    parts.extend(read_images(message.get("images")))
    if (sound := read_audio(message.get("audio"))) is not None:
        parts.append(sound)
    calls = message.get("tool_calls")
    if type(calls) is list:
        parts.extend(read for call in calls if (read := _call(call)) is not None)
    legacy = message.get("function_call")
    if type(legacy) is dict and not calls and type(legacy.get("name")) is str:
        parts.append(ToolCall("", legacy["name"], arguments_text(legacy.get("arguments"))))
    return tuple(parts)


def content_parts(content: list[Any]) -> list[Part]:
    parts: list[Part] = []
    for part in content:
        if type(part) is not dict:
            continue
        if type(part.get("text")) is str:
            parts.append(Text(part["text"]))
        elif type(part.get("thinking")) is list:
            words = "".join(text_or_empty(piece.get("text")) for piece in part["thinking"] if type(piece) is dict)
            if words:
                parts.append(Thought(words))
        elif type(part.get("refusal")) is str:
            parts.append(Refusal(part["refusal"]))
        elif part.get("type") == "image_url":
            parts.extend(read_images([part]))
    return parts


def read_images(images: Any) -> list[Media]:
    found: list[Media] = []
    for image in images if type(images) is list else ():
        if type(image) is not dict:
            continue
        holder = image.get("image_url")
        url = holder.get("url") if type(holder) is dict else holder
        if type(url) is not str:
            continue
        try:
            read = media.read_url(url, "images", "image")
        except Exception as error:
            raise UpstreamBroken("The upstream's answer holds a picture that cannot be read.") from error
        signature = google_signature(image.get("extra_content"))
        if signature is not None:
            read = Media(read.mime, read.data, read.url, signature=signature)
        found.append(read)
    return found


def read_audio(audio: Any) -> Media | None:
    if type(audio) is not dict or type(audio.get("data")) is not str:
        return None
    rest = {name: value for name, value in audio.items() if name != "data"}
    mime = media.sniff(audio["data"]) or speech.PCM
    return Media(mime, audio["data"], extras=(Extra("openai", "audio", rest, "message.audio", harmless=True),))


def arguments_text(value: Any) -> str:
    """Arguments as JSON text. A call without any comes as `""`; some servers send the object itself."""
    if type(value) is str:
        return value or "{}"
    return json.encode_text(value) if type(value) is dict else "{}"


def _call(call: Any) -> ToolCall | None:
    if type(call) is not dict:
        return None
    id = text_or_empty(call.get("id"))
    signature: Signature | None = google_signature(call.get("extra_content"))
    custom = call.get("custom")
    if type(custom) is dict and type(custom.get("name")) is str:
        body = json.encode_text({"input": text_or_empty(custom.get("input"))})
        return ToolCall(id, custom["name"], body, signature)
    function = call.get("function")
    if type(function) is not dict or type(function.get("name")) is not str:
        return None
    return ToolCall(id, function["name"], arguments_text(function.get("arguments")), signature)


def read_logprobs(value: Any) -> tuple[TokenLogprob, ...] | None:
    content = value.get("content") if type(value) is dict else None
    if type(content) is not list:
        return None
    return tuple(
        TokenLogprob(*_pair(item), tuple(_pair(top) for top in _listed(item.get("top_logprobs"))))
        for item in _listed(content)
    )


def _listed(value: Any) -> list[Json]:
    return [item for item in value if type(item) is dict] if type(value) is list else []


def _pair(item: Json) -> tuple[str, float]:
    logprob = item.get("logprob")
    return text_or_empty(item.get("token")), float(logprob) if isinstance(logprob, int | float) else 0.0


class _AnyObject(Struct, gc=False):
    """Any JSON object; its members are checked to be JSON and not kept."""


class _Counted(Struct, gc=False):
    choices: list[_AnyObject] = []
    usage: Counts | None = None
    error: Any = None


_decode_counted = msgspec.json.Decoder(_Counted).decode


def usage_of(body: bytes) -> Usage | None:
    """The counts of a one-shot answer that is passed on as it came."""
    try:
        seen = _decode_counted(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return read_response(body).usage
    if seen.error is not None or not seen.choices:
        return read_response(body).usage
    return None if seen.usage is None else usage_of_counts(seen.usage)
