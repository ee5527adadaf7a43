"""The golden matrix: each input file is read, shown as neutral values, and written back as Gemini."""

import json
from pathlib import Path
from typing import Any

import pytest

from dragoman.catalog.profile import profile_for
from dragoman.ir import DragomanError, Event, Failed, Losses, UpstreamBroken, UpstreamError
from dragoman.protocols.base import Route, Stamp
from dragoman.protocols.gemini import PROTOCOL
from protocols.golden import cases, check, check_error, lost, plain, read_stream

STAMP = Stamp("dragoman-id", 1_790_000_000, "shown-model")
SSE = Route("generate", "m", True)
ARRAY = Route("generate", "m", True, True)


@pytest.mark.parametrize("case", cases("gemini", "requests"))
def test_request(case: Path) -> None:
    given = json.loads(case.read_text())
    path, _, query = given["path"].partition("?")
    route = PROTOCOL.match(path, query.encode())
    assert route is not None
    body = json.dumps(given["body"]).encode()
    try:
        request = PROTOCOL.read_request(body, route)
    except DragomanError as error:
        check(case, ".ir.json", plain(error))
        return
    check(case, ".ir.json", plain(request))
    losses = Losses(PROTOCOL.spelling)
    assert route.model is not None
    try:
        out = PROTOCOL.write_request(request, route.model, profile_for("gemini", route.model), losses)
    except DragomanError as error:
        check(case, ".gemini.json", plain(error))
        return
    written = json.loads(out.body)
    check(case, ".gemini.json", {"path": out.path, "body": written, "losses": lost(losses)})
    # What was written is a Gemini request that means the same, whatever the model could not take.
    again = PROTOCOL.read_request(out.body, route)
    assert [message.role for message in again.messages]


@pytest.mark.parametrize("case", cases("gemini", "responses"))
def test_response(case: Path) -> None:
    try:
        response = PROTOCOL.read_response(case.read_bytes())
    except UpstreamError as error:
        check(case, ".ir.json", plain(error))
        return
    check(case, ".ir.json", plain(response))
    losses = Losses(PROTOCOL.spelling)
    request = PROTOCOL.read_request(b'{"contents":[{"parts":[{"text":"x"}]}]}', Route("generate", "m", False))
    written = PROTOCOL.write_response(response, request, STAMP, losses)
    check(case, ".gemini.json", {"body": json.loads(written), "losses": lost(losses)})
    again = PROTOCOL.read_response(written)
    assert [one.parts for one in again.candidates] == [one.parts for one in response.candidates]
    assert [one.finish and one.finish.reason for one in again.candidates] == [
        one.finish and one.finish.reason for one in response.candidates
    ]
    assert (again.usage, again.block) == (response.usage, response.block)


@pytest.mark.parametrize("case", cases("gemini", "streams", ".sse"))
def test_stream(case: Path) -> None:
    data = case.read_bytes()
    events, broken = read_stream(PROTOCOL, [data])
    shown = [plain(event) for event in events]
    check(case, ".ir.json", shown + ([] if broken is None else [plain(broken)]))
    for pieces in (
        [data[at : at + 1] for at in range(len(data))],
        [data[at : at + 7] for at in range(0, len(data), 7)],
        *([data[:at], data[at:]] for at in range(len(data)) if data[at] & 0xC0 == 0x80),
    ):
        again, broken_again = read_stream(PROTOCOL, pieces)
        assert [plain(event) for event in again] == shown
        assert (broken_again and broken_again.message) == (broken and broken.message)
    for route, ending in ((SSE, ".gemini.sse"), (ARRAY, ".gemini.array.json")):
        request = PROTOCOL.read_request(b'{"contents":[{"parts":[{"text":"x"}]}]}', route)
        whole, single = PROTOCOL.stream_writer(request, STAMP, route), PROTOCOL.stream_writer(request, STAMP, route)
        close = (lambda writer: writer.end()) if broken is None else (lambda writer: writer.fail(broken))
        written = whole.write(events) + close(whole)
        assert b"".join(single.write([event]) for event in events) + close(single) == written
        check(case, ending, written.decode())
        if route.array:
            assert isinstance(json.loads(written), list)
        else:
            assert all(event.startswith(b"data: {") for event in written.split(b"\r\n\r\n")[:-1])
            assert written.endswith(b"\r\n\r\n")
        # What was written says the same when it is read.
        once_more, _ = read_stream(PROTOCOL, [written])
        assert texts(once_more) == texts(events)


def texts(events: list[Event]) -> Any:
    """The text, thoughts and calls of a stream, however they were cut."""
    said: dict[str, str] = {}
    for event in events:
        key = type(event).__name__ + str(getattr(event, "index", "")) + str(getattr(event, "call", ""))
        for field in ("text", "name", "arguments"):
            said[key] = said.get(key, "") + str(getattr(event, field, ""))
    return {key: text for key, text in said.items() if text}


@pytest.mark.parametrize("case", cases("gemini", "streams", ".sse"))
def test_tap(case: Path) -> None:
    data = case.read_bytes()
    events, _ = read_stream(PROTOCOL, [data])
    array = data.startswith(b"[")
    for pieces in ([data], [data[at : at + 1] for at in range(len(data))]):
        route = ARRAY if array else SSE
        tap = PROTOCOL.tap(PROTOCOL.peek(b"{}", route), route)
        if case.stem == "garbage":
            with pytest.raises(UpstreamBroken):
                b"".join(tap.feed(piece) for piece in pieces)
            continue
        out = b"".join(tap.feed(piece) for piece in pieces) + tap.end()
        if case.stem == "no_terminator":
            assert out == data + b"\r\n\r\n"
        else:
            assert out == data
        reported = [event.usage for event in events if type(event).__name__ == "UsageReported"]
        assert tap.usage == (reported[-1] if reported else None)
        assert tap.finished == any(type(event).__name__ in ("Finished", "Blocked") for event in events)
        failed = [event.error.message for event in events if isinstance(event, Failed)]
        assert (tap.failed.message if tap.failed else None) == (failed[0] if failed else None)


@pytest.mark.parametrize("case", cases("gemini", "errors"))
def test_error(case: Path) -> None:
    error, told = check_error(PROTOCOL, case, ".gemini.json")
    assert json.loads(PROTOCOL.write_error(error, ARRAY)[2]) == [told]
