"""Google's parallel calls come under one index; a caller of the same protocol gets them told apart, and all else as it came."""

import json
from pathlib import Path
from typing import Any

import pytest

from dragoman.protocols.base import Peek, Route
from dragoman.protocols.openai_chat import PROTOCOL
from protocols.golden import GOLDEN

STREAMS = sorted(path for path in (GOLDEN / "openai_chat" / "streams").glob("*.sse") if path.name.count(".") == 1)
# What begins with something other than an event does not pass at all.
STREAMS = [path for path in STREAMS if path.stem != "bad_garbage"]


def passed(data: bytes, size: int = 1 << 20) -> bytes:
    tap = PROTOCOL.tap(Peek("m", True), Route("generate"))
    return b"".join([tap.feed(data[at : at + size]) for at in range(0, len(data), size)]) + tap.end()


def chunk(*calls: dict[str, Any], model: str = "gemini-2.5-flash", choice: int = 0) -> bytes:
    choices = [{"index": choice, "delta": {"tool_calls": list(calls)}, "finish_reason": None}]
    return b"data: %b\n\n" % json.dumps({"id": "c", "model": model, "choices": choices}).encode()


def call(index: int, id: str | None = None, **more: Any) -> dict[str, Any]:
    return {"index": index, **({} if id is None else {"id": id}), "function": {"arguments": "{}"}, **more}


def indexes(data: bytes) -> list[int]:
    lines = [line[6:] for line in data.splitlines() if line.startswith(b"data: {")]
    return [each["index"] for line in lines for each in json.loads(line)["choices"][0]["delta"]["tool_calls"]]


@pytest.mark.parametrize(
    ("calls", "told"),
    [
        ([call(0, "a"), call(0, "b"), call(0, "c")], [0, 1, 2]),
        ([call(0, "a"), call(0), call(0, "b"), call(0)], [0, 0, 1, 1]),
        ([call(0, "a"), call(0, "b"), call(0, "a"), call(0)], [0, 1, 0, 0]),
        ([call(0, "a"), call(0, "a"), call(1, "b"), call(1)], [0, 0, 1, 1]),
        ([call(0, "a"), call(1, "b"), call(1, "c"), call(0)], [0, 1, 2, 0]),
        ([call(1, "a"), call(1, "b"), call(2, "c")], [1, 2, 3]),
        ([call(0), call(0, "a"), call(0, "b")], [0, 0, 1]),
    ],
)
def test_told_apart(calls: list[dict[str, Any]], told: list[int]) -> None:
    for data in (b"".join(chunk(each) for each in calls), chunk(*calls)):
        for size in (1, 7, 1 << 20):
            assert indexes(passed(data, size)) == told
    assert indexes(passed(chunk() + chunk(*calls).rstrip(b"\n"))) == told  # cut before its blank line
    other = b"".join(chunk(each, model="gpt-4o") for each in calls)
    assert passed(other) == other


def test_nothing_else_of_the_event_changes() -> None:
    first, second = call(0, "a"), call(0, "b", extra_content={"google": {"thought_signature": "c2ln"}}, type="function")
    one, two, _ = passed(chunk(first) + chunk(second)).split(b"\n\n")
    assert one + b"\n\n" == chunk(first)
    assert json.loads(two[6:]) == json.loads(chunk({**second, "index": 1})[6:])


def test_choices_have_their_own() -> None:
    data = chunk(call(0, "a")) + chunk(call(0, "b"), choice=1) + chunk(call(0, "c"), choice=1)
    assert indexes(passed(data)) == [0, 0, 1]


@pytest.mark.parametrize("path", STREAMS, ids=lambda path: path.stem)
def test_what_needs_no_mending_stays(path: Path) -> None:
    data = path.read_bytes().replace(b'"m-1"', b'"gemini-2.5-flash"')
    mended = path.stem.startswith("tool_index_repeated")
    assert (passed(data) != passed(path.read_bytes()).replace(b'"m-1"', b'"gemini-2.5-flash"')) is mended
