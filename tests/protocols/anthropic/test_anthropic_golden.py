"""Every case both ways: read into the neutral language, and written from it again."""

import json
from pathlib import Path
from typing import Any

import pytest

from dragoman.catalog.profile import profile_for
from dragoman.ir import BadRequest, Losses
from dragoman.protocols.anthropic import PROTOCOL
from dragoman.protocols.base import Route, Stamp
from protocols.golden import (
    cases,
    check,
    check_error,
    check_response,
    check_stream,
    lost,
    plain,
    read_stream,
    reads_alike_in_pieces,
    write_stream,
    writes_alike_again,
)

ROUTE = Route("generate")
COUNT = Route("count_tokens")
STAMP = Stamp("msg_golden", 1782955817, "the-model")
ASKED = b'{"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}'


@pytest.mark.parametrize("case", cases("anthropic", "requests"))
def test_request(case: Path) -> None:
    try:
        request = PROTOCOL.read_request(case.read_bytes(), ROUTE)
    except BadRequest as error:
        check(case, ".ir.json", plain(error))
        _, _, body = PROTOCOL.write_error(error, ROUTE)
        # There is no member for the path: the message begins with it.
        assert json.loads(body)["error"]["message"].startswith(error.param or "The request")  # noqa: PT017
        return
    check(case, ".ir.json", plain(request))
    losses = Losses(PROTOCOL.spelling)
    profile = profile_for("anthropic", request.model)
    try:
        sent = PROTOCOL.write_request(request, request.model, profile, losses)
    except BadRequest as error:
        check(case, ".anthropic.json", plain(error))
        return
    assert sent.path == "/v1/messages"
    check(case, ".anthropic.json", {"body": json.loads(sent.body), "losses": lost(losses)})
    # What was written is a request of Anthropic's, and written again and again it is the same.
    again = [sent]
    for _ in range(2):
        read = PROTOCOL.read_request(again[-1].body, ROUTE)
        again.append(PROTOCOL.write_request(read, request.model, profile, Losses(PROTOCOL.spelling)))
    assert json.loads(again[1].body) == json.loads(again[2].body)
    counted = PROTOCOL.write_count_request(request, request.model, profile, Losses(PROTOCOL.spelling))
    assert counted is not None
    assert PROTOCOL.read_request(counted.body, COUNT).messages


@pytest.mark.parametrize("case", cases("anthropic", "responses"))
def test_response(case: Path) -> None:
    check_response(PROTOCOL, ASKED, STAMP, case, ".anthropic.json")


@pytest.mark.parametrize("case", cases("anthropic", "streams", ".sse"))
def test_stream(case: Path) -> None:
    check_stream(PROTOCOL, ASKED, STAMP, case, ".anthropic.sse")


@pytest.mark.parametrize("case", cases("anthropic", "streams", ".sse"))
def test_stream_in_pieces(case: Path) -> None:
    reads_alike_in_pieces(PROTOCOL, case.read_bytes())


@pytest.mark.parametrize("case", cases("anthropic", "streams", ".sse"))
def test_stream_written_again(case: Path) -> None:
    writes_alike_again(PROTOCOL, ASKED, STAMP, case.read_bytes())


@pytest.mark.parametrize("case", cases("anthropic", "streams", ".sse"))
def test_stream_grammar(case: Path) -> None:
    """One block open at a time, dense indexes, all closed, the ends in their order."""
    events, error = read_stream(PROTOCOL, [case.read_bytes()])
    told: list[Any] = []
    for raw in write_stream(PROTOCOL, ASKED, STAMP, events, error).split(b"\n\n")[:-1]:
        name, data = raw.split(b"\n")
        told.append(json.loads(data.removeprefix(b"data: ")))
        assert name == b"event: " + told[-1]["type"].encode()
    if told[-1]["type"] == "error":
        return
    assert [event["type"] for event in (told[0], *told[-2:])] == ["message_start", "message_delta", "message_stop"]
    begun, open_ = 0, False
    for event in told[1:-2]:
        match event["type"]:
            case "content_block_start":
                assert not open_ and event["index"] == begun
                open_ = True
            case "content_block_delta":
                assert open_ and event["index"] == begun
            case "content_block_stop":
                assert open_ and event["index"] == begun
                begun, open_ = begun + 1, False
    assert not open_


@pytest.mark.parametrize("case", cases("anthropic", "errors"))
def test_error(case: Path) -> None:
    _, told = check_error(PROTOCOL, case, ".anthropic.json")
    assert told["type"] == "error"
    assert told["error"].keys() == {"type", "message"}
