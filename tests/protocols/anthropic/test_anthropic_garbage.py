"""Whatever comes in: a caller's nonsense is a BadRequest with its path, a vendor's an UpstreamError, and nothing else."""

import contextlib
import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.catalog.profile import profile_for
from dragoman.ir import BadRequest, Event, Losses, UpstreamError
from dragoman.ir import events as neutral
from dragoman.protocols.anthropic import PROTOCOL
from dragoman.protocols.anthropic.read_request import _READERS
from dragoman.protocols.base import Peek, Route, Stamp
from dragoman.protocols.known import PROTOCOLS
from protocols.confusion import nonsense
from protocols.golden import GOLDEN

ROUTE = Route("generate")
ASKED = b'{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}'
MODELS = ["claude-3-5-haiku-latest", "claude-sonnet-4-5", "claude-opus-4-7", "claude-fable-5", "other"]
WORDS = st.sampled_from(
    [
        "user", "assistant", "system", "text", "image", "document", "type", "content", "role", "source", "base64", "url",
        "data", "media_type", "image/png", "tool_use", "tool_result", "tool_use_id", "id", "name", "input", "is_error",
        "thinking", "signature", "redacted_thinking", "dg1.none", "server_tool_use", "web_search_tool_result", "web_search",
        "query", "citations", "encrypted_content", "search_result", "title", "enabled", "adaptive", "budget_tokens",
        "input_schema", "json_schema", "schema", "anyOf", "properties", "required", "object", "$ref", "#/$defs/A", "$defs",
        "delta", "index", "content_block", "message", "usage", "stop_reason", "tool", "any", "auto", "format", "effort",
        "message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta",
        "message_stop", "error", "text_delta", "input_json_delta", "partial_json", "low", "max",
    ]
)  # fmt: skip
VALUES = nonsense(WORDS)
MESSAGE = st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant", "system"]), "content": VALUES})
BODY = st.fixed_dictionaries(
    {"model": st.just("m"), "max_tokens": st.just(9), "messages": st.lists(MESSAGE, min_size=1, max_size=3) | VALUES},
    optional={name: VALUES for name in _READERS if name not in ("model", "messages", "max_tokens")},
)
VALID = [
    json.loads(path.read_bytes())
    for path in sorted((GOLDEN / "anthropic" / "requests").glob("*.json"))
    if path.name.count(".") == 1 and not path.name.startswith("bad_")
]


def written_everywhere(request: Any) -> None:
    for model in MODELS:
        with contextlib.suppress(BadRequest):
            PROTOCOL.write_request(request, model, profile_for("anthropic", model), Losses(PROTOCOL.spelling))


@settings(deadline=None)
@given(BODY)
def test_requests(body: Any) -> None:
    with contextlib.suppress(BadRequest):
        written_everywhere(PROTOCOL.read_request(json.dumps(body).encode(), ROUTE))


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    for key, member in (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    ):
        found += places(member, (*path, key))
    return found


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_mutations(data: st.DataObject) -> None:
    """A valid request with a nonsense in one place: refused by that place or read; and written to every vendor or refused."""
    body = deepcopy(data.draw(st.sampled_from(VALID)))
    path = data.draw(st.sampled_from(places(body)))
    holder = body
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = data.draw(VALUES)
    try:
        request = PROTOCOL.read_request(json.dumps(body).encode(), ROUTE)
    except BadRequest as error:
        assert error.param  # noqa: PT017
        # The path is the mutated one, or something within it or around it.
        told, meant = error.param.split("."), [str(step) for step in path]
        assert all(one == other for one, other in zip(told, meant, strict=False)), (error.param, path)  # noqa: PT017
        return
    for name, protocol in PROTOCOLS.items():
        for model in ("gemini-2.5-flash", "gpt-5.4", "claude-sonnet-4-5", "claude-opus-4-7"):
            try:
                protocol.write_request(request, model, profile_for(name, model), Losses(PROTOCOL.spelling))
            except BadRequest as error:
                assert error.param  # noqa: PT017


@settings(deadline=None)
@given(st.binary(max_size=200) | VALUES.map(lambda value: json.dumps(value).encode()))
def test_bodies(body: bytes) -> None:
    with contextlib.suppress(BadRequest):
        PROTOCOL.read_request(body, ROUTE)
    with contextlib.suppress(BadRequest):
        PROTOCOL.forward(body, PROTOCOL.peek(body, ROUTE), ROUTE, "other", profile_for("anthropic", "other"))


@settings(deadline=None)
@given(BODY)
def test_forwarding(body: Any) -> None:
    """What is handed on untouched may hold our marks anywhere."""
    data = json.dumps(body).encode()
    with contextlib.suppress(BadRequest):
        out = PROTOCOL.forward(data, PROTOCOL.peek(data, ROUTE), ROUTE, "m", profile_for("anthropic", "m"))
        assert json.loads(out.body)["model"] == "m"


ANSWER = st.fixed_dictionaries(
    {"content": VALUES},
    optional=dict.fromkeys(
        ("id", "model", "usage", "error", "stop_reason", "stop_details", "container", "type"), VALUES
    ),
)


@settings(deadline=None)
@given(st.binary(max_size=100) | ANSWER.map(lambda value: json.dumps(value).encode()))
def test_answers(body: bytes) -> None:
    asked = PROTOCOL.read_request(ASKED, ROUTE)
    with contextlib.suppress(UpstreamError):
        PROTOCOL.read_usage(body)
    with contextlib.suppress(UpstreamError):
        PROTOCOL.read_count(body)
    with contextlib.suppress(UpstreamError):
        response = PROTOCOL.read_response(body)
        written = PROTOCOL.write_response(response, asked, Stamp("i", 1, "m"), Losses(PROTOCOL.spelling))
        assert json.loads(written)["type"] == "message"
    for status in (200, 400, 500):
        status, _, told = PROTOCOL.write_error(PROTOCOL.read_error(status, [(b"retry-after", body)], body), ROUTE)
        assert json.loads(told)["error"]["message"]


KINDS = st.sampled_from(
    [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
)
EVENT = st.fixed_dictionaries(
    {"type": KINDS | VALUES},
    optional={
        "index": st.integers(0, 2) | VALUES,
        "delta": VALUES,
        "content_block": VALUES,
        "message": VALUES,
        "usage": VALUES,
    },
)


def grammatical(out: bytes) -> None:
    """Whole events; blocks one at a time, dense, closed."""
    begun, open_, last = 0, False, ""
    for raw in out.split(b"\n\n")[:-1]:
        head, data = raw.split(b"\n")
        event = json.loads(data.removeprefix(b"data: "))
        last = event["type"]
        assert head == b"event: " + last.encode()
        match last:
            case "content_block_start":
                assert not open_ and event["index"] == begun
                open_ = True
            case "content_block_delta":
                assert open_ and event["index"] == begun
            case "content_block_stop":
                assert open_ and event["index"] == begun
                begun, open_ = begun + 1, False
            case "message_delta":
                assert not open_
    assert last in ("message_stop", "error")


@settings(deadline=None)
@given(
    st.lists(
        st.binary(max_size=30)
        | EVENT.map(lambda value: f"event: x\ndata: {json.dumps(value)}\n\n".encode())
        | EVENT.map(lambda value: b"event: content_block_delta\ndata: " + json.dumps(value).encode() + b"\n\n"),
        max_size=6,
    )
)
def test_streams(pieces: list[bytes]) -> None:
    reader = PROTOCOL.stream_reader()
    writer = PROTOCOL.stream_writer(PROTOCOL.read_request(ASKED, ROUTE), Stamp("i", 1, "m"), ROUTE)
    out = b""
    try:
        for piece in pieces:
            out += writer.write(reader.feed(piece))
        out += writer.write(reader.end()) + writer.end()
    except UpstreamError as error:
        out += writer.fail(error)
    grammatical(out)
    tap = PROTOCOL.tap(Peek("m", True, True), ROUTE)
    passed = b"".join(tap.feed(piece) for piece in pieces)
    came = b"".join(pieces)
    assert came.startswith(passed)
    # At the end an event without its blank line gets one if it is whole, and is left out if it was cut.
    assert tap.end() in (b"", came[len(passed) :].rstrip(b"\r\n") + b"\n\n")


SIGNATURES = st.sampled_from([None, neutral.Signature("gemini", "c2ln"), neutral.Signature("anthropic", "RXNpZw==")])
INDEX = st.sampled_from([0, 0, 0, 1])
TEXTS = st.text(max_size=3)
EVENTS = st.one_of(
    st.builds(neutral.TextDelta, INDEX, TEXTS, SIGNATURES),
    st.builds(neutral.ThoughtDelta, INDEX, TEXTS, SIGNATURES),
    st.builds(neutral.RefusalDelta, INDEX, TEXTS),
    st.builds(neutral.ToolCallStarted, INDEX, st.integers(0, 3), st.just("t"), st.just("f"), SIGNATURES),
    st.builds(neutral.ToolCallDelta, INDEX, st.integers(0, 3), st.sampled_from(["{", "}", '"a":1', ""])),
    st.just(neutral.CitationAdded(0, neutral.Citation("https://e.com/", 0, 1))),
    st.just(neutral.Finished(0, neutral.Finish("stop"))),
    st.just(neutral.UsageReported(neutral.Usage(3, 4))),
)


@settings(deadline=None)
@given(st.lists(EVENTS, max_size=12))
def test_any_order_is_a_valid_stream(events: list[Event]) -> None:
    writer = PROTOCOL.stream_writer(PROTOCOL.read_request(ASKED, ROUTE), Stamp("i", 1, "m"), ROUTE)
    out = b"".join([writer.write([event]) for event in events]) + writer.end()
    grammatical(out)
    at_once = PROTOCOL.stream_writer(PROTOCOL.read_request(ASKED, ROUTE), Stamp("i", 1, "m"), ROUTE)
    assert at_once.write(events) + at_once.end() == out
    # The text of the answer is all there, in its order, until it ended.
    told = ""
    for event in events:
        if isinstance(event, neutral.Finished):
            break
        if isinstance(event, neutral.TextDelta | neutral.RefusalDelta) and event.index == 0:
            told += event.text
    reader = PROTOCOL.stream_reader()
    again = [*reader.feed(out), *reader.end()]
    assert "".join(event.text for event in again if isinstance(event, neutral.TextDelta)) == told


@pytest.mark.parametrize("path", sorted((GOLDEN / "anthropic" / "streams").glob("*.sse")), ids=lambda path: path.stem)
def test_tap_passes_all_bytes(path: Path) -> None:
    data = path.read_bytes()
    tap = PROTOCOL.tap(Peek("m", True, True), ROUTE)
    out = b"".join(tap.feed(data[at : at + 1]) for at in range(len(data))) + tap.end()
    assert out == data or data.startswith(out)
    if tap.finished:
        reader = PROTOCOL.stream_reader()
        events = [*reader.feed(data), *reader.end()]
        counted = [event.usage for event in events if isinstance(event, neutral.UsageReported)]
        assert tap.usage == (counted[-1] if counted else None)


@pytest.mark.parametrize("thread", [{"type": "create"}, {"type": "continue", "previous_message_id": "msg_1"}])
def test_a_thread_is_refused_as_anthropic_does(thread: Any) -> None:
    """Anthropic's tool runners then send the whole history instead."""
    with pytest.raises(BadRequest) as caught:
        PROTOCOL.read_request(json.dumps({**json.loads(ASKED), "thread": thread}).encode(), ROUTE)
    status, _, body = PROTOCOL.write_error(caught.value, ROUTE)
    error = json.loads(body)["error"]
    assert (status, caught.value.param, error["type"]) == (400, "thread", "invalid_request_error")
    assert error["details"] == {"error_code": "thread_unsupported_request"}
