"""Whatever comes in: a caller's nonsense is a BadRequest, a vendor's an UpstreamError, and nothing else."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.catalog.profile import profile_for
from dragoman.ir import BadRequest, Losses, Text, TextDelta, UpstreamBroken, UpstreamError
from dragoman.protocols.base import Peek, Route, Stamp
from dragoman.protocols.openai_chat import PROTOCOL
from dragoman.protocols.openai_chat.read_request import _READERS
from protocols.confusion import nonsense

ROUTE = Route("generate")
WORDS = st.sampled_from(
    [
        "user", "assistant", "tool", "system", "text", "image_url", "function", "json_schema", "type", "content", "role",
        "url", "data:image/png;base64,AA", "https://e.com/v.mp4", "auto", "required", "{}", "[", "high", "web_search",
        "tool_calls", "index", "id", "name", "arguments", "extra_content", "google", "delta", "message", "logprobs",
        "finish_reason", "images", "audio", "data", "usage", "error", "thinking", "custom", "input", "file", "detail",
    ]
)  # fmt: skip
VALUES = nonsense(WORDS)
MESSAGE = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "system", "tool", "function", "developer"]), "content": VALUES},
    optional={"tool_calls": VALUES, "tool_call_id": VALUES, "name": VALUES, "images": VALUES, "function_call": VALUES},
)
BODY = st.fixed_dictionaries(
    {"model": st.just("gpt-4o"), "messages": st.lists(MESSAGE, min_size=1, max_size=3) | VALUES},
    optional={name: VALUES for name in _READERS if name not in ("model", "messages")},
)


@settings(deadline=None)
@given(BODY, st.sampled_from(["gpt-4o", "o3", "doubao-x", "gemini-3-pro", "other"]))
def test_requests(body: Any, model: str) -> None:
    with contextlib.suppress(BadRequest):
        request = PROTOCOL.read_request(json.dumps(body).encode(), ROUTE)
        PROTOCOL.write_request(request, model, profile_for("openai-chat", model), Losses(PROTOCOL.spelling))


@settings(deadline=None)
@given(st.binary(max_size=200) | VALUES.map(lambda value: json.dumps(value).encode()))
def test_bodies(body: bytes) -> None:
    with contextlib.suppress(BadRequest):
        PROTOCOL.read_request(body, ROUTE)
    with contextlib.suppress(BadRequest):
        PROTOCOL.forward(body, PROTOCOL.peek(body, ROUTE), ROUTE, "other", profile_for("openai-chat", "ep-1"))


CHOICE = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("index", "message", "delta", "finish_reason", "logprobs"), VALUES)
)
DELTA = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        ("content", "reasoning_content", "tool_calls", "refusal", "images", "audio", "extra_content", "function_call"),
        VALUES,
    ),
)
ANSWER = st.fixed_dictionaries(
    {"choices": VALUES | st.lists(CHOICE | DELTA.map(lambda delta: {"delta": delta, "message": delta}), max_size=2)},
    optional=dict.fromkeys(("id", "model", "created", "usage", "error", "service_tier"), VALUES),
)


@settings(deadline=None)
@given(st.binary(max_size=100) | ANSWER.map(lambda value: json.dumps(value).encode()))
def test_answers(body: bytes) -> None:
    asked = PROTOCOL.read_request(b'{"model":"m","messages":[{"role":"user","content":"Hi"}]}', ROUTE)
    with contextlib.suppress(UpstreamError):
        PROTOCOL.read_usage(body)
    with contextlib.suppress(UpstreamError):
        response = PROTOCOL.read_response(body)
        written = PROTOCOL.write_response(response, asked, Stamp("i", 1, "m"), Losses(PROTOCOL.spelling))
        assert json.loads(written)["choices"]
    for status in (200, 400, 500):
        status, _, told = PROTOCOL.write_error(PROTOCOL.read_error(status, [(b"retry-after", body)], body), ROUTE)
        assert json.loads(told)["error"]["message"]


@settings(deadline=None)
@given(
    st.lists(
        st.binary(max_size=30) | ANSWER.map(lambda value: b"data: " + json.dumps(value).encode() + b"\n\n"), max_size=4
    )
)
def test_streams(pieces: list[bytes]) -> None:
    asked = PROTOCOL.read_request(b'{"model":"m","stream":true,"messages":[{"role":"user","content":"Hi"}]}', ROUTE)
    reader = PROTOCOL.stream_reader()
    writer = PROTOCOL.stream_writer(asked, Stamp("i", 1, "m"), ROUTE)
    out = b""
    try:
        for piece in pieces:
            out += writer.write(reader.feed(piece))
        out += writer.write(reader.end()) + writer.end()
    except UpstreamError as error:
        out += writer.fail(error)
    for event in out.split(b"\n\n")[:-1]:
        assert event.startswith(b"data: ")
        assert event == b"data: [DONE]" or isinstance(json.loads(event[6:]), dict)
    tap = PROTOCOL.tap(Peek("m", True, True), ROUTE)
    try:
        passed = b"".join(tap.feed(piece) for piece in pieces)
    except UpstreamBroken:
        assert not tap.started  # what comes later, the caller's own reader looks at
        return
    came = b"".join(pieces)
    assert came.startswith(passed)
    # At the end an event without its blank line gets one if it is whole, and is left out if it was cut.
    assert tap.end() in (b"", came[len(passed) :].rstrip(b"\r\n") + b"\n\n")


@pytest.mark.parametrize("text", [None, 7, True, [], [{"text": "x"}], {}])
def test_thoughts_in_parts_that_hold_no_words(text: Any) -> None:
    content = [{"type": "thinking", "thinking": [{"type": "text", "text": text}]}, {"type": "text", "text": "yes"}]
    said = {"choices": [{"message": {"content": content}, "finish_reason": "stop"}]}
    assert PROTOCOL.read_response(json.dumps(said).encode()).candidates[0].parts == (Text("yes"),)
    chunk = {"id": "c", "choices": [{"delta": {"content": content}, "finish_reason": "stop"}]}
    told = PROTOCOL.stream_reader().feed(f"data: {json.dumps(chunk)}\n\n".encode())
    assert [event.text for event in told if isinstance(event, TextDelta)] == ["yes"]
