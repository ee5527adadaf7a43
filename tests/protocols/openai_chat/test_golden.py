"""Every case both ways: read into the neutral language, and written from it again."""

import json
from pathlib import Path

import pytest

from dragoman.catalog.profile import profile_for
from dragoman.ir import BadRequest, Losses, UpstreamError
from dragoman.protocols.base import Route, Stamp
from dragoman.protocols.openai_chat import PROTOCOL
from protocols.golden import (
    cases,
    check,
    check_error,
    check_stream,
    lost,
    plain,
    reads_alike_in_pieces,
    writes_alike_again,
)

ROUTE = Route("generate")
STAMP = Stamp("chatcmpl-golden", 1782955817, "the-model")
ASKED = b"""{"model": "the-model", "messages": [{"role": "user", "content": "Hi"}], "stream": true,
  "stream_options": {"include_usage": true},
  "tools": [{"type": "custom", "custom": {"name": "sql"}}]}"""


@pytest.mark.parametrize("case", cases("openai_chat", "requests"))
def test_request(case: Path) -> None:
    body = case.read_bytes()
    try:
        request = PROTOCOL.read_request(body, ROUTE)
    except BadRequest as error:
        check(case, ".ir.json", plain(error))
        return
    check(case, ".ir.json", plain(request))
    losses = Losses(PROTOCOL.spelling)
    try:
        sent = PROTOCOL.write_request(request, request.model, profile_for("openai-chat", request.model), losses)
    except BadRequest as error:
        check(case, ".openai_chat.json", plain(error))
        return
    assert sent.path == "/chat/completions"
    check(case, ".openai_chat.json", {"body": json.loads(sent.body), "losses": lost(losses)})


@pytest.mark.parametrize("case", cases("openai_chat", "responses"))
def test_response(case: Path) -> None:
    body = case.read_bytes()
    try:
        response = PROTOCOL.read_response(body)
    except UpstreamError as error:
        check(case, ".ir.json", plain(error))
        with pytest.raises(type(error)):
            PROTOCOL.read_usage(body)
        return
    check(case, ".ir.json", plain(response))
    assert PROTOCOL.read_usage(body) == response.usage
    losses = Losses(PROTOCOL.spelling)
    written = PROTOCOL.write_response(response, PROTOCOL.read_request(ASKED, ROUTE), STAMP, losses)
    check(case, ".openai_chat.json", {"body": json.loads(written), "losses": lost(losses)})


@pytest.mark.parametrize("case", cases("openai_chat", "streams", ".sse"))
def test_stream(case: Path) -> None:
    check_stream(PROTOCOL, ASKED, STAMP, case, ".openai_chat.sse")


@pytest.mark.parametrize("case", cases("openai_chat", "streams", ".sse"))
def test_stream_in_pieces(case: Path) -> None:
    reads_alike_in_pieces(PROTOCOL, case.read_bytes())


@pytest.mark.parametrize("case", cases("openai_chat", "streams", ".sse"))
def test_stream_written_again(case: Path) -> None:
    writes_alike_again(PROTOCOL, ASKED, STAMP, case.read_bytes())


@pytest.mark.parametrize("case", cases("openai_chat", "errors"))
def test_error(case: Path) -> None:
    _, told = check_error(PROTOCOL, case, ".openai_chat.json")
    assert told.keys() == {"error"}
    assert told["error"].keys() == {"message", "type", "param", "code"}
    assert told["error"]["code"] is None or isinstance(told["error"]["code"], str)
