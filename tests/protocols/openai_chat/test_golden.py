"""Every case both ways: read into the neutral language, and written from it again."""

from pathlib import Path

import pytest

from dragoman.protocols.base import Stamp
from dragoman.protocols.openai_chat import PROTOCOL
from protocols.golden import (
    cases,
    check_error,
    check_request,
    check_response,
    check_stream,
    reads_alike_in_pieces,
    writes_alike_again,
)

STAMP = Stamp("chatcmpl-golden", 1782955817, "the-model")
ASKED = b"""{"model": "the-model", "messages": [{"role": "user", "content": "Hi"}], "stream": true,
  "stream_options": {"include_usage": true},
  "tools": [{"type": "custom", "custom": {"name": "sql"}}]}"""


@pytest.mark.parametrize("case", cases("openai_chat", "requests"))
def test_request(case: Path) -> None:
    check_request(PROTOCOL, case, ".openai_chat.json", "/chat/completions")


@pytest.mark.parametrize("case", cases("openai_chat", "responses"))
def test_response(case: Path) -> None:
    check_response(PROTOCOL, ASKED, STAMP, case, ".openai_chat.json")


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
