"""A call whose name comes after it waits, but not for ever; calls that come meanwhile do not wait for it."""

import json
from typing import Any

from dragoman.ir import Event, Failed, TextDelta, ToolCallDelta, ToolCallStarted
from dragoman.protocols.openai_chat import PROTOCOL
from dragoman.protocols.openai_chat.nameless import LONGEST


def read(*deltas: dict[str, Any]) -> list[Event]:
    reader = PROTOCOL.stream_reader()
    events: list[Event] = []
    for delta in deltas:
        events += reader.feed(b"data: %b\n\n" % json.dumps({"choices": [{"index": 0, "delta": delta}]}).encode())
    return [event for event in events if isinstance(event, ToolCallStarted | ToolCallDelta | Failed | TextDelta)]


def call(index: int, id: str | None = None, **function: str) -> dict[str, Any]:
    return {"tool_calls": [{"index": index, **({"id": id} if id else {}), "function": function}]}


def test_others_do_not_wait() -> None:
    assert read(call(0, "a"), call(1, "b", name="g", arguments="{}"), call(0, name="f", arguments="{}")) == [
        ToolCallStarted(0, 1, "b", "g"),
        ToolCallDelta(0, 1, "{}"),
        ToolCallStarted(0, 0, "a", "f"),
        ToolCallDelta(0, 0, "{}"),
    ]


def test_a_name_that_is_told_again_starts_no_other_call() -> None:
    assert read(call(0, "a"), call(0, name="f"), call(0, "a", name="f", arguments="{}")) == [
        ToolCallStarted(0, 0, "a", "f"),
        ToolCallDelta(0, 0, "{}"),
    ]


def test_what_waits_is_bounded() -> None:
    piece = "x" * (LONGEST // 4)
    whole = [call(0, arguments=piece)] * 4
    named = read(call(0, "a"), *whole, call(0, name="f"))
    assert named == [ToolCallStarted(0, 0, "a", "f"), ToolCallDelta(0, 0, piece * 4)]
    broken = read(call(0, "a"), *whole, {**call(0, arguments="x"), "refusal": "No."}, {"content": "more"})
    assert len(broken) == 1 and isinstance(broken[0], Failed)
