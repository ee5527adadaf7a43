"""Whatever comes in: a caller's nonsense is a BadRequest, a vendor's an UpstreamError, and nothing else."""

import contextlib
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.catalog.profile import profile_for
from dragoman.ir import BadRequest, Losses, UpstreamBroken, UpstreamError
from dragoman.protocols.base import Peek, Route, Stamp
from dragoman.protocols.openai_responses import PROTOCOL
from dragoman.protocols.openai_responses.read_request import _READERS
from protocols.confusion import nonsense

ROUTE = Route("generate")
WORDS = st.sampled_from(
    [
        "user", "assistant", "system", "developer", "message", "input_text", "output_text", "input_image", "input_file",
        "refusal", "function_call", "function_call_output", "reasoning", "custom_tool_call", "web_search_call", "type",
        "code_interpreter_call", "image_generation_call", "item_reference", "content", "role", "text", "image_url",
        "data:image/png;base64,AA", "https://e.com/v.mp4", "auto", "required", "{}", "[", "high", "web_search", "search",
        "id", "call_id", "name", "arguments", "output", "summary", "encrypted_content", "action", "queries", "sources",
        "outputs", "logs", "result", "custom", "grammar", "function", "json_schema", "format", "schema", "delta", "item",
        "response.completed", "response.output_text.delta", "response.output_item.done", "error", "allowed_tools",
        "dg1.gemini.AEdT", "dg1.anthropic.AFNJRw", "url_citation", "annotations", "computer_call", "mcp_call",
    ]
)  # fmt: skip
VALUES = nonsense(WORDS)
ITEMS = st.sampled_from(
    [
        "message", "function_call", "function_call_output", "reasoning", "custom_tool_call", "custom_tool_call_output",
        "web_search_call", "code_interpreter_call", "image_generation_call", "item_reference", "computer_call",
    ]
)  # fmt: skip
MEMBERS = (
    "role", "content", "id", "call_id", "name", "arguments", "output", "input", "summary", "encrypted_content", "action",
    "outputs", "code", "result", "status", "output_format",
)  # fmt: skip
PARTS = st.lists(
    st.fixed_dictionaries(
        {
            "type": st.sampled_from(
                ["input_text", "output_text", "input_image", "input_file", "refusal", "summary_text"]
            )
        },
        optional=dict.fromkeys(
            ("text", "image_url", "file_id", "file_data", "file_url", "filename", "refusal", "detail", "annotations"),
            VALUES,
        ),
    ),
    max_size=2,
)
ITEM = st.fixed_dictionaries(
    {"type": ITEMS},
    optional={
        **dict.fromkeys(MEMBERS, VALUES),
        "role": st.sampled_from(["user", "assistant", "system", "developer"]) | VALUES,
        "content": PARTS | VALUES,
        "output": PARTS | VALUES,
        "call_id": st.sampled_from(["a", "b"]) | VALUES,
        "name": st.sampled_from(["f", "g"]) | VALUES,
    },
)
TOOL = st.fixed_dictionaries(
    {"type": st.sampled_from(["function", "custom", "web_search", "code_interpreter", "mcp", "file_search"])},
    optional=dict.fromkeys(
        ("name", "description", "parameters", "strict", "format", "user_location", "filters", "container"), VALUES
    ),
)
BODY = st.fixed_dictionaries(
    {"model": st.just("gpt-4o"), "input": st.lists(ITEM, min_size=1, max_size=4) | VALUES},
    optional={
        **{name: VALUES for name in _READERS if name not in ("model", "input")},
        "tools": st.lists(TOOL, max_size=2) | VALUES,
    },
)


@settings(deadline=None, max_examples=400)
@given(BODY, st.sampled_from(["gpt-4o", "o3", "other"]))
def test_requests(body: Any, model: str) -> None:
    refused = None
    try:
        request = PROTOCOL.read_request(json.dumps(body).encode(), ROUTE)
        PROTOCOL.write_request(request, model, profile_for("openai-responses", model), Losses(PROTOCOL.spelling))
    except BadRequest as error:
        refused = error
    if refused is not None:
        assert refused.param
        return
    stamp = Stamp("resp_i", 1, "m")
    out = PROTOCOL.stream_writer(request, stamp, ROUTE).end()
    assert out.endswith(b"\n\n")


@settings(deadline=None)
@given(st.binary(max_size=200) | VALUES.map(lambda value: json.dumps(value).encode()))
def test_bodies(body: bytes) -> None:
    with contextlib.suppress(BadRequest):
        PROTOCOL.read_request(body, ROUTE)
    with contextlib.suppress(BadRequest):
        PROTOCOL.forward(body, PROTOCOL.peek(body, ROUTE), ROUTE, "other", profile_for("openai-responses", "other"))


ANSWER = st.fixed_dictionaries(
    {"output": VALUES | st.lists(ITEM, max_size=3)},
    optional={
        **dict.fromkeys(("id", "model", "created_at", "usage", "error", "service_tier", "incomplete_details"), VALUES),
        "status": st.sampled_from(["completed", "incomplete", "failed", "in_progress"]) | VALUES,
    },
)
EVENT = st.fixed_dictionaries(
    {
        "type": st.sampled_from(
            [
                "response.created", "response.output_item.added", "response.output_item.done", "response.completed",
                "response.output_text.delta", "response.output_text.done", "response.function_call_arguments.delta",
                "response.function_call_arguments.done", "response.refusal.delta", "response.failed", "error",
                "response.reasoning_summary_text.delta", "response.output_text.annotation.added", "response.incomplete",
            ]
        )
        | VALUES
    },
    optional={
        "response": ANSWER | VALUES,
        "item": ITEM | VALUES,
        "output_index": st.integers(0, 2) | VALUES,
        "delta": st.text(max_size=3) | VALUES,
        **dict.fromkeys(
            ("content_index", "summary_index", "text", "arguments", "annotation", "logprobs", "error", "message"), VALUES
        ),
    },
)  # fmt: skip


@settings(deadline=None)
@given(st.binary(max_size=100) | ANSWER.map(lambda value: json.dumps(value).encode()))
def test_answers(body: bytes) -> None:
    asked = PROTOCOL.read_request(b'{"model":"m","input":"Hi"}', ROUTE)
    with contextlib.suppress(UpstreamError):
        PROTOCOL.read_usage(body)
    with contextlib.suppress(UpstreamError):
        PROTOCOL.read_count(body)
    with contextlib.suppress(UpstreamError):
        response = PROTOCOL.read_response(body)
        written = PROTOCOL.write_response(response, asked, Stamp("resp_i", 1, "m"), Losses(PROTOCOL.spelling))
        assert json.loads(written)["object"] == "response"
        PROTOCOL.read_response(written)
    for status in (200, 400, 500):
        status, _, told = PROTOCOL.write_error(PROTOCOL.read_error(status, [(b"retry-after", body)], body), ROUTE)
        assert json.loads(told)["error"]["message"]


@settings(deadline=None, max_examples=300)
@given(
    st.lists(
        st.binary(max_size=30) | EVENT.map(lambda value: b"data: " + json.dumps(value).encode() + b"\n\n"), max_size=6
    )
)
def test_streams(pieces: list[bytes]) -> None:
    asked = PROTOCOL.read_request(b'{"model":"m","stream":true,"input":"Hi"}', ROUTE)
    reader = PROTOCOL.stream_reader()
    writer = PROTOCOL.stream_writer(asked, Stamp("resp_i", 1, "m"), ROUTE)
    out = b""
    try:
        for piece in pieces:
            out += writer.write(reader.feed(piece))
        out += writer.write(reader.end()) + writer.end()
    except UpstreamError as error:
        out += writer.fail(error)
    told = []
    for event in out.split(b"\n\n")[:-1]:
        head, _, data = event.partition(b"\n")
        assert head.startswith(b"event: ") and data.startswith(b"data: ")
        told.append(json.loads(data[6:]))
        assert told[-1]["type"].encode() == head[7:]
    assert [event["sequence_number"] for event in told] == list(range(len(told)))
    assert told[-1]["type"] in ("response.completed", "response.incomplete", "response.failed")
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
    assert tap.fail(UpstreamError("broke")).startswith(b"event: error\n")
