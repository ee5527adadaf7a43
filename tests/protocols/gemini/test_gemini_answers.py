"""Answers of other vendors, written for Gemini's callers."""

import json
from typing import Any

import pytest

from dragoman.ir import (
    Block,
    Candidate,
    Event,
    Extra,
    Finish,
    Finished,
    Losses,
    Media,
    Opaque,
    PartAdded,
    Refusal,
    RefusalDelta,
    Request,
    Response,
    Text,
    TextDelta,
    Thought,
    ThoughtDelta,
    ToolCall,
    ToolCallDelta,
    ToolCallStarted,
    UpstreamBroken,
    Usage,
    UsageReported,
)
from dragoman.protocols.base import Route, Stamp
from dragoman.protocols.gemini import PROTOCOL

REQUEST = Request(model="m", messages=())
STAMP = Stamp("id", 1, "shown")


def answer(*parts: Any, finish: Finish | None = None, **fields: Any) -> tuple[dict[str, Any], list[str]]:
    losses = Losses(PROTOCOL.spelling)
    response = Response("v", "vm", (Candidate(0, parts, finish or Finish("stop", "stop"), **fields),))
    told = json.loads(PROTOCOL.write_response(response, REQUEST, STAMP, losses))
    return told["candidates"][0], [loss.path for loss in losses.found]


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        ("stop", "STOP"),
        ("stop_sequence", "STOP"),
        ("tool_calls", "STOP"),
        ("length", "MAX_TOKENS"),
        ("context_window", "MAX_TOKENS"),
        ("content_filter", "SAFETY"),
        ("refusal", "SAFETY"),
        ("malformed_call", "MALFORMED_FUNCTION_CALL"),
        ("no_media", "NO_IMAGE"),
        ("pause", "STOP"),
        ("other", "OTHER"),
    ],
)
def test_finish_reasons(reason: Any, word: str) -> None:
    told, _ = answer(Text("x"), finish=Finish(reason, reason, "why" if reason == "refusal" else None))
    assert told["finishReason"] == word
    messages = {"refusal": "why", "pause": "The answer was paused before its end: pause"}
    assert told.get("finishMessage") == messages.get(reason)


def test_a_refusal_in_words_is_text() -> None:
    told, _ = answer(Refusal("I can't."), finish=Finish("refusal"))
    assert told["content"]["parts"] == [{"text": "I can't."}]
    assert told["finishReason"] == "STOP"


@pytest.mark.parametrize("arguments", ['{"a":', "[1]", '"x"', "nonsense"])
def test_arguments_that_are_no_object(arguments: str) -> None:
    told, _ = answer(Text("x"), ToolCall("c", "f", arguments), finish=Finish("tool_calls", "tool_calls"))
    assert told["content"]["parts"] == [{"text": "x"}]
    assert told["finishReason"] == "MALFORMED_FUNCTION_CALL"
    assert told["finishMessage"] == f"Malformed function call: f({arguments})"
    told, _ = answer(ToolCall("c", "f", arguments), finish=Finish("length", "length"))
    assert told["finishReason"] == "MAX_TOKENS"


def test_foreign_extras_are_losses() -> None:
    extra = Extra("openai", "annotations", [], "choices[0].message.annotations")
    told, losses = answer(Text("x"), Thought("", redacted="r"), extras=(extra,))
    assert told["content"]["parts"] == [{"text": "x"}]
    assert losses == ["candidates[0].content", "choices[0].message.annotations"]


def test_a_part_that_only_its_vendor_understands() -> None:
    part = Opaque("anthropic", {}, "a call of a tool")
    candidate, losses = answer(Text("Hi"), part)
    assert candidate["content"]["parts"] == [{"text": "Hi"}] and losses == ["candidates[0].content"]
    writer = PROTOCOL.stream_writer(REQUEST, STAMP, Route("generate", "m", True))
    writer.write([PartAdded(0, part)])
    assert [loss.path for loss in writer.losses.found] == ["candidates[0].content"]


def test_a_blocked_prompt() -> None:
    response = Response("v", "m", (), Usage(3, 0), Block("content_filter", "content_filter", "no"))
    told = json.loads(PROTOCOL.write_response(response, REQUEST, STAMP, Losses(PROTOCOL.spelling)))
    assert "candidates" not in told
    assert told["promptFeedback"] == {"blockReason": "OTHER", "blockReasonMessage": "no"}


def stream(*events: Event) -> list[dict[str, Any]]:
    writer = PROTOCOL.stream_writer(REQUEST, STAMP, Route("generate", "m", True))
    written = b"".join(writer.write([event]) for event in events) + writer.end()
    assert writer.end() == b""
    return [json.loads(event.removeprefix(b"data: ")) for event in written.split(b"\r\n\r\n") if event]


def parts(chunks: list[dict[str, Any]]) -> list[Any]:
    return [part for chunk in chunks for one in chunk.get("candidates", []) for part in one["content"]["parts"]]


def test_fragments_become_whole_calls_in_order() -> None:
    chunks = stream(
        TextDelta(0, "Looking."),
        ToolCallStarted(0, 0, "c1", "f"),
        ToolCallDelta(0, 0, ""),
        ToolCallDelta(0, 0, '{"a"'),
        ToolCallStarted(0, 1, "c2", "g"),
        ToolCallDelta(0, 1, "{}"),
        ToolCallDelta(0, 0, ":1}"),
        ToolCallStarted(0, 2, "c3", "h"),
        Finished(0, Finish("tool_calls", "tool_calls")),
        UsageReported(Usage(5, 7)),
    )
    assert parts(chunks) == [
        {"text": "Looking."},
        {"functionCall": {"name": "f", "args": {"a": 1}, "id": "c1"}},
        {"functionCall": {"name": "g", "args": {}, "id": "c2"}},
        {"functionCall": {"name": "h", "args": {}, "id": "c3"}},
        {"text": ""},
    ]
    assert ["finishReason" in one for chunk in chunks for one in chunk["candidates"]] == [False] * 4 + [True]
    assert chunks[-1]["usageMetadata"]["totalTokenCount"] == 12


def test_a_call_cut_by_the_limit() -> None:
    chunks = stream(
        ToolCallStarted(0, 0, "c", "f"), ToolCallDelta(0, 0, '{"a":"lo'), Finished(0, Finish("length", "length"))
    )
    assert chunks[-1]["candidates"][0]["finishReason"] == "MAX_TOKENS"
    assert parts(chunks) == [{"text": ""}]


def test_thoughts_refusals_and_pictures() -> None:
    chunks = stream(
        ThoughtDelta(0, "hm"),
        RefusalDelta(0, "No."),
        PartAdded(0, Media("image/png", data="aa")),
        Finished(0, Finish("refusal")),
    )
    assert parts(chunks)[:3] == [
        {"text": "hm", "thought": True},
        {"text": "No."},
        {"inlineData": {"mimeType": "image/png", "data": "aa"}},
    ]
    assert chunks[-1]["candidates"][0]["finishReason"] == "STOP"


def test_line_separators_are_escaped() -> None:
    writer = PROTOCOL.stream_writer(REQUEST, STAMP, Route("generate", "m", True))
    written = writer.write([TextDelta(0, "a\u2028b\u2029c\u0085d\u2019")])
    assert len(written.decode().splitlines()) == 2
    assert json.loads(written[6:])["candidates"][0]["content"]["parts"][0]["text"] == "a\u2028b\u2029c\u0085d\u2019"


def test_an_array_is_valid_whenever_it_ends() -> None:
    route = Route("generate", "m", True, True)
    empty = PROTOCOL.stream_writer(REQUEST, STAMP, route)
    assert json.loads(empty.end()) == []
    failed = PROTOCOL.stream_writer(REQUEST, STAMP, route)
    assert json.loads(failed.fail(UpstreamBroken("cut")))[0]["error"]["code"] == 502
    begun = PROTOCOL.stream_writer(REQUEST, STAMP, route)
    written = begun.write([TextDelta(0, "a"), TextDelta(1, "b")]) + begun.fail(UpstreamBroken("cut"))
    assert written.startswith(b'[{"candidates"')
    assert b"},\r\n{" in written
    assert [sorted(item)[0] for item in json.loads(written)] == ["candidates", "candidates", "error"]
    assert begun.write([TextDelta(0, "late")]) == begun.end() == b""
