"""Every case both ways: read into the neutral language, and written from it again."""

import json
from pathlib import Path
from typing import Any

import pytest

from dragoman.catalog.profile import profile_for
from dragoman.ir import BadRequest, Event, Failed, Losses, UpstreamError
from dragoman.protocols.base import Route, Stamp
from dragoman.protocols.openai_responses import PROTOCOL

from .conftest import cases, plain

ROUTE = Route("generate")
STAMP = Stamp("resp_golden", 1782955817, "the-model")
ASKED = b"""{"model": "the-model", "input": "Hi", "stream": true, "instructions": "Be kind.", "metadata": {"a": "b"},
  "tools": [{"type": "custom", "name": "sql"}], "reasoning": {"summary": "auto"}}"""


def losses_of(losses: Losses) -> list[list[Any]]:
    return [[loss.path, loss.why, *(["harmless"] if loss.harmless else [])] for loss in losses.found]


@pytest.mark.parametrize("case", cases("requests"))
def test_request(case: Path, golden: Any) -> None:
    body = case.read_bytes()
    try:
        request = PROTOCOL.read_request(body, ROUTE)
    except BadRequest as error:
        golden(case, ".ir.json", plain(error))
        return
    golden(case, ".ir.json", plain(request))
    losses = Losses(PROTOCOL.spelling)
    try:
        sent = PROTOCOL.write_request(request, request.model, profile_for("openai-responses", request.model), losses)
    except BadRequest as error:
        golden(case, ".openai_responses.json", plain(error))
        return
    assert sent.path == "/responses"
    golden(case, ".openai_responses.json", {"body": json.loads(sent.body), "losses": losses_of(losses)})


@pytest.mark.parametrize("case", cases("responses"))
def test_response(case: Path, golden: Any) -> None:
    body = case.read_bytes()
    try:
        response = PROTOCOL.read_response(body)
    except UpstreamError as error:
        golden(case, ".ir.json", plain(error))
        if case.stem == "in_progress":  # what is made in the background is an answer to who asked for that
            assert PROTOCOL.read_usage(body) is not None
            return
        with pytest.raises(type(error)):
            PROTOCOL.read_usage(body)
        return
    golden(case, ".ir.json", plain(response))
    assert PROTOCOL.read_usage(body) == response.usage
    losses = Losses(PROTOCOL.spelling)
    written = PROTOCOL.write_response(response, PROTOCOL.read_request(ASKED, ROUTE), STAMP, losses)
    golden(case, ".openai_responses.json", {"body": json.loads(written), "losses": losses_of(losses)})


def read_stream(pieces: list[bytes]) -> tuple[list[Event], UpstreamError | None]:
    reader = PROTOCOL.stream_reader()
    events: list[Event] = []
    try:
        for piece in pieces:
            events += reader.feed(piece)
        events += reader.end()
    except UpstreamError as error:
        return events, error
    return events, None


@pytest.mark.parametrize("case", cases("streams", ".sse"))
def test_stream(case: Path, golden: Any) -> None:
    body = case.read_bytes()
    events, error = read_stream([body])
    golden(case, ".ir.json", [plain(event) for event in events] + ([] if error is None else [plain(error)]))
    writer = PROTOCOL.stream_writer(PROTOCOL.read_request(ASKED, ROUTE), STAMP, ROUTE)
    written = writer.write(events) + (writer.end() if error is None else writer.fail(error))
    golden(case, ".openai_responses.sse", written.decode())


@pytest.mark.parametrize("case", cases("streams", ".sse"))
def test_stream_in_pieces(case: Path) -> None:
    body = case.read_bytes()
    whole, error = read_stream([body])
    expected = [plain(event) for event in whole]
    splits = [[body[at : at + 1] for at in range(len(body))]]
    splits += [[body[:at], body[at:]] for at, byte in enumerate(body) if byte & 0xC0 == 0x80 or byte in b"\r\n"]
    for pieces in splits:
        events, failed = read_stream(pieces)
        # What was complete before a failure may or may not have been given out.
        if error is None:
            assert [plain(event) for event in events] == expected
        assert type(failed) is type(error)


@pytest.mark.parametrize("case", cases("streams", ".sse"))
def test_stream_written_again(case: Path) -> None:
    """What is written reads as what it was written from, but for the stamp."""
    events, error = read_stream([case.read_bytes()])
    if error is not None or any(isinstance(event, Failed) for event in events):
        return
    writer = PROTOCOL.stream_writer(PROTOCOL.read_request(ASKED, ROUTE), STAMP, ROUTE)
    one_by_one = b"".join(writer.write([event]) for event in events) + writer.end()
    again, _ = read_stream([one_by_one])
    rest = PROTOCOL.stream_writer(PROTOCOL.read_request(ASKED, ROUTE), STAMP, ROUTE)
    assert rest.write(again) + rest.end() == one_by_one


@pytest.mark.parametrize("case", cases("errors"))
def test_error(case: Path, golden: Any) -> None:
    given = json.loads(case.read_bytes())
    headers = [(name.encode(), value.encode()) for name, value in given["headers"]]
    error = PROTOCOL.read_error(given["status"], headers, given["body"].encode())
    golden(case, ".ir.json", plain(error))
    status, written, body = PROTOCOL.write_error(error, ROUTE)
    told = json.loads(body)["error"]
    assert set(told) == {"message", "type", "param", "code"}
    assert told["code"] is None or isinstance(told["code"], str)
    golden(
        case,
        ".openai_responses.json",
        {"status": status, "headers": {name.decode(): value.decode() for name, value in written}, "body": told},
    )
