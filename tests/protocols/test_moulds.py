"""Reading a stream by what repeats in it gives the events that reading every event in full gives."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.ir import DragomanError, TextDelta
from dragoman.protocols.gemini import read_stream
from dragoman.protocols.gemini.read_stream import StreamReader
from dragoman.protocols.openai_chat import stream_reader
from dragoman.protocols.openai_chat.stream_reader import ChatStreamReader
from dragoman.wire.mould import Run, around

NASTY = [
    '"',
    "\\",
    '}],"role":"model"',
    '"text":"no"',
    '"content":"no"',
    "\u2028",
    "é😀",
    "\n",
    "\r\n\r\n",
    "\0",
    "data: ",
    "",
]
texts = st.one_of(st.sampled_from(NASTY), st.text(max_size=12))


def chat(text: str, odd: int, obfuscation: str) -> dict[str, Any]:
    delta: dict[str, Any] = {"content": text}
    chunk: dict[str, Any] = {
        "id": "c",
        "model": "m",
        "choices": [{"index": 0, "delta": delta, "finish_reason": None}],
        "obfuscation": obfuscation,
    }
    match odd:
        case 1:
            delta["reasoning_content"] = text
        case 2:
            chunk["choices"][0]["index"] = 1
        case 3:
            chunk["usage"] = {"prompt_tokens": 3, "completion_tokens": 4}
        case 4:
            chunk["content"] = "beside"
        case 5:
            chunk["choices"][0]["finish_reason"] = "stop"
        case 6:
            delta["tool_calls"] = [{"index": 0, "id": "a", "function": {"name": "f", "arguments": text}}]
    return chunk


def gemini(text: str, odd: int, obfuscation: str) -> dict[str, Any]:
    part: dict[str, Any] = {"text": text}
    candidate: dict[str, Any] = {"content": {"parts": [part], "role": "model"}, "index": 0}
    chunk: dict[str, Any] = {
        "candidates": [candidate],
        "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": len(text), "note": obfuscation},
        "modelVersion": "g",
    }
    match odd:
        case 1:
            part["thought"] = True
        case 2:
            candidate["index"] = 1
        case 3:
            part["thoughtSignature"] = "c2ln"
        case 4:
            chunk["promptFeedback"] = {"blockReason": "SAFETY"}
        case 5:
            candidate["finishReason"] = "STOP"
        case 6:
            del chunk["usageMetadata"]
    return chunk


def events_of(reader: Any, data: bytes, size: int) -> list[Any]:
    told: list[Any] = []
    try:
        for at in range(0, len(data), size):
            told += reader.feed(data[at : at + size])
        told += reader.end()
    except DragomanError as error:
        told.append(error.message)
    return told


@pytest.mark.parametrize("protocol", ["chat", "gemini"])
@given(
    said=st.lists(
        st.tuples(texts, st.sampled_from([0, 0, 0, 0, 1, 2, 3, 4, 5, 6]), st.sampled_from(["", "", "x}"])), max_size=12
    ),
    size=st.sampled_from([1, 7, 100, 100_000]),
    ascii_only=st.booleans(),
    newline=st.sampled_from(["\n", "\r\n"]),
)
def test_the_same_events(
    protocol: str, said: list[tuple[str, int, str]], size: int, ascii_only: bool, newline: str
) -> None:
    module, reader, chunk = {
        "chat": (stream_reader, ChatStreamReader, chat),
        "gemini": (read_stream, StreamReader, gemini),
    }[protocol]
    data = "".join(
        f"data: {json.dumps(chunk(*one), ensure_ascii=ascii_only)}{newline}{newline}" for one in said
    ).encode("utf-8", "surrogatepass")
    quick = events_of(reader(), data, size)
    before, module.TRIES = module.TRIES, 0
    try:
        slow = events_of(reader(), data, size)
    finally:
        module.TRIES = before
    assert quick == slow


@pytest.mark.parametrize("protocol", ["chat", "gemini"])
@given(
    said=st.lists(
        st.tuples(texts, st.sampled_from([0, 0, 0, 0, 0, 0, 1, 2, 4, 5]), st.sampled_from(["", "", "", "x}"])),
        max_size=16,
    ),
    many=st.integers(1, 4),
    newline=st.sampled_from(["\n", "\r\n"]),
)
def test_the_same_events_in_reads_of_whole_ones(
    protocol: str, said: list[tuple[str, int, str]], many: int, newline: str
) -> None:
    module, reader, chunk = {
        "chat": (stream_reader, ChatStreamReader, chat),
        "gemini": (read_stream, StreamReader, gemini),
    }[protocol]
    whole = [f"data: {json.dumps(chunk(*one))}{newline}{newline}".encode() for one in said]
    reads = [b"".join(whole[at : at + many]) for at in range(0, len(whole), many)]

    def told() -> list[Any]:
        fresh = reader()
        found: list[Any] = []
        try:
            for read in reads:
                found += fresh.feed(read)
            found += fresh.end()
        except DragomanError as error:
            found.append(error.message)
        return [*found, fresh.usage]

    quick = told()
    before, module.TRIES = module.TRIES, 0
    try:
        slow = told()
    finally:
        module.TRIES = before
    assert quick == slow


def piece(*told: bytes) -> bytes:
    return b"".join(b'data: {"t":' + one + b"}\n\n" for one in told)


@pytest.mark.parametrize(
    "told",
    [
        [b'"a","b"'],
        [b'"a","b"', b'c"'],
        [b'"a', b'b"'],
        [b'"a","b"', b""],
        [b""],
        [b"1"],
        [b'"a"}\n\n', b'"b"'],
        [b'"a"', b'"b"}\n\ndata: {"u":"c"'],
        [b'"\xff"'],
    ],
)
def test_a_run_takes_nothing_but_whole_events(told: list[bytes]) -> None:
    run = Run(b'data: {"t":', b"}")
    assert run.texts(piece(b'"a"', b'"b"')) == ["a", "b"]
    assert run.texts(piece(*told)) is None
    assert run.texts(piece(b'"a"') + piece(*told)) is None


@pytest.mark.parametrize(
    "told", [[b'"a",{}'], [b'"a"!{},1'], [b'"a"!{}],["b"!{}'], [b'"a"!{', b"}"], [b'"a!{}', b'"!{}']]
)
def test_a_run_takes_no_counts_that_are_not_whole(told: list[bytes]) -> None:
    run = Run(b'data: {"t":', b"}", b',"n":')
    whole = run.counted(piece(b'"a","n":{"x":1}', b'"b","n":{}'))
    assert whole is not None
    assert [(one.text, bytes(one.counts)) for one in whole] == [("a", b'{"x":1}'), ("b", b"{}")]
    assert run.counted(piece(*(one.replace(b"!", b',"n":') for one in told))) is None


@pytest.mark.parametrize("end", [b"data: [DONE]", b'data:{"error":{"message":"no"}}'])
@pytest.mark.parametrize("size", [100_000, 1])
def test_nothing_is_read_behind_the_end(end: bytes, size: int) -> None:
    told = b"".join(b"data: " + json.dumps(chat(text, 0, "")).encode() + b"\n\n" for text in "abc")
    late = b"data: " + json.dumps(chat("late", 0, "")).encode() + b"\n\n"
    found = events_of(ChatStreamReader(), told + end + b"\n\n" + late, size)
    assert [event.text for event in found if isinstance(event, TextDelta)] == ["a", "b", "c"]


def test_a_mould_is_used() -> None:
    reader = ChatStreamReader()
    data = b"".join(b"data: " + json.dumps(chat(f"word {n}", 0, "")).encode() + b"\n\n" for n in range(5))
    told = reader.feed(data)
    assert [event.text for event in told if isinstance(event, TextDelta)] == [f"word {n}" for n in range(5)]
    assert reader._mould[0].endswith(b'"content": ')


def test_only_the_text_asked_for_is_looked_around() -> None:
    assert around(b'{"text": "a\\"b", "x": 1}', b'"text":', 'a"b') == (b'{"text": ', b', "x": 1}')
    assert around(b'{"text": "a"}', b'"text":', "b") is None
    assert around(b'{"text": 1}', b'"text":', "1") is None
    assert around(b"{}", b'"text":', "") is None
