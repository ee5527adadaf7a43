"""What a model cannot do is refused, by the field that asks for it, before its vendor would; whoever asks."""

import json
from typing import Any

import pytest

from dragoman.catalog.profile import profile_for
from dragoman.ir import BadRequest, Losses
from dragoman.protocols.base import Route
from dragoman.protocols.known import PROTOCOLS
from dragoman.protocols.openai_responses import PROTOCOL

ROUTE = Route("generate")
URL = "https://e.com/a.png"
SEES: dict[str, Any] = {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": URL}]}]}
CALLS: dict[str, Any] = {"tools": [{"type": "function", "name": "f", "parameters": {"type": "object"}}]}
SCHEMA = {"text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}}}}
OBJECT = {"text": {"format": {"type": "json_object"}}}
SHOWN = {
    "input": [
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_image", "image_url": URL}]},
    ]
}


def passed(model: str, **fields: Any) -> bytes:
    body = json.dumps({"model": model, "input": "Hi", **fields}).encode()
    return PROTOCOL.forward(body, PROTOCOL.peek(body, ROUTE), ROUTE, model, profile_for("openai-responses", model)).body


@pytest.mark.parametrize(
    ("model", "fields", "path"),
    [
        ("gpt-3.5-turbo", SEES, "input[0].content[0]"),
        ("o3-mini", SHOWN, "input[1].output[0]"),
        ("o1-mini", CALLS, "tools"),
        ("o1-mini", OBJECT, "text.format"),
        ("gpt-4-turbo", SCHEMA, "text.format"),
        ("gpt-4", OBJECT, "text.format"),
    ],
)
def test_what_is_refused_though_the_bytes_would_pass(model: str, fields: Any, path: str) -> None:
    with pytest.raises(BadRequest) as caught:
        passed(model, **fields)
    assert caught.value.param == path


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        ("gpt-4o", {**SEES, **CALLS, **SCHEMA}),
        ("gpt-4-turbo", {**SEES, **CALLS, **OBJECT}),
        ("gpt-4", {"input": "input_image json_schema", **CALLS}),
        ("o1-mini", {**CALLS, "tool_choice": "none"}),
        ("o1-mini", {"input": 7, "tools": 7, "text": {"format": 7}, "a": "json_object"}),
        ("o1-mini", {"input": [7, {"content": [7]}], "tools": [7, {"type": "web_search"}], "text": "json_"}),
    ],
)
def test_what_passes(model: str, fields: Any) -> None:
    assert json.loads(passed(model, **fields)) == {"model": model, "input": "Hi", **fields}


PICTURE = {"type": "image_url", "image_url": {"url": URL}}
FUNCTION = {"type": "function", "function": {"name": "f"}}
NAMED = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}


@pytest.mark.parametrize(
    ("model", "fields", "path"),
    [
        ("gpt-3.5-turbo", {"messages": [{"role": "user", "content": [PICTURE]}]}, "messages[0].content[0]"),
        ("o1-mini", {"tools": [FUNCTION]}, "tools"),
        ("gpt-4o", {"tools": [FUNCTION] * 129}, "tools"),
        ("gpt-4-turbo", {"response_format": NAMED}, "response_format"),
        ("gpt-4", {"response_format": {"type": "json_object"}}, "response_format"),
    ],
)
@pytest.mark.parametrize("protocol", ["openai-chat", "openai-responses"])
def test_what_a_caller_of_chat_completions_is_refused(protocol: str, model: str, fields: Any, path: str) -> None:
    asked = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], **fields}
    request = PROTOCOLS["openai-chat"].read_request(json.dumps(asked).encode(), ROUTE)
    losses = Losses(PROTOCOLS["openai-chat"].spelling)
    with pytest.raises(BadRequest) as caught:
        PROTOCOLS[protocol].write_request(request, model, profile_for(protocol, model), losses)
    assert caught.value.param == path


def test_functions_that_are_not_to_be_called_are_left_out() -> None:
    asked = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "tools": [FUNCTION], "tool_choice": "none"}
    request = PROTOCOLS["openai-chat"].read_request(json.dumps(asked).encode(), ROUTE)
    losses = Losses(PROTOCOLS["openai-chat"].spelling)
    out = PROTOCOL.write_request(request, "o1-mini", profile_for("openai-responses", "o1-mini"), losses)
    assert "tools" not in json.loads(out.body)
    assert "tool_choice" not in json.loads(out.body)
    assert [(loss.path, loss.harmless) for loss in losses.found] == [("tools", True)]
