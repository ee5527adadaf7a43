"""What a model cannot do is refused, by the field that asks for it, before its vendor would."""

import json
from typing import Any

import pytest

from dragoman.catalog.profile import profile_for
from dragoman.ir import BadRequest, Losses
from dragoman.protocols.base import Route
from dragoman.protocols.openai_chat import PROTOCOL

PICTURE = {"type": "image_url", "image_url": {"url": "https://e.com/a.png"}}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}


def send(model: str, protocol: str = "openai-chat", **fields: Any) -> tuple[dict[str, Any], list[tuple[str, bool]]]:
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], **fields}
    request = PROTOCOL.read_request(json.dumps(body).encode(), Route("generate"))
    losses = Losses(PROTOCOL.spelling)
    out = PROTOCOL.write_request(request, model, profile_for(protocol, model), losses)
    return json.loads(out.body), [(loss.path, loss.harmless) for loss in losses.found]


def functions(count: int) -> list[Any]:
    return [{"type": "function", "function": {"name": f"f{number}"}} for number in range(count)]


@pytest.mark.parametrize(
    ("model", "protocol", "fields", "param"),
    [
        ("smollm2-135m", "local", {"messages": [{"role": "user", "content": [PICTURE]}]}, "messages[0].content[0]"),
        (
            "gpt-3.5-turbo",
            "openai-chat",
            {"messages": [{"role": "user", "content": [PICTURE]}]},
            "messages[0].content[0]",
        ),
        ("smollm2-135m", "local", {"tools": functions(1)}, "tools"),
        ("gpt-4o", "openai-chat", {"tools": functions(129)}, "tools"),
        ("gpt-4-turbo", "openai-chat", {"response_format": SCHEMA}, "response_format"),
        ("gpt-4", "openai-chat", {"response_format": {"type": "json_object"}}, "response_format"),
    ],
)
def test_what_is_refused(model: str, protocol: str, fields: Any, param: str) -> None:
    with pytest.raises(BadRequest) as caught:
        send(model, protocol, **fields)
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("model", "form", "refused"),
    [
        ("gpt-4-turbo", SCHEMA, True),
        ("gpt-3.5-turbo", SCHEMA, True),
        ("gpt-4", {"type": "json_object"}, True),
        ("gpt-4-turbo", {"type": "json_object"}, False),
        ("gpt-4", {"type": "text"}, False),
        ("gpt-4", None, False),
        ("gpt-4", {"type": []}, False),
        ("gpt-4o", SCHEMA, False),
    ],
)
def test_formats_of_bytes_that_pass(model: str, form: Any, refused: bool) -> None:
    body = json.dumps({"model": model, "messages": [], "response_format": form}).encode()
    route = Route("generate")
    profile = profile_for("openai-chat", model)
    if refused:
        with pytest.raises(BadRequest) as caught:
            PROTOCOL.forward(body, PROTOCOL.peek(body, route), route, model, profile)
        assert caught.value.param == "response_format"
    else:
        assert PROTOCOL.forward(body, PROTOCOL.peek(body, route), route, model, profile).body == body


def test_what_others_of_the_family_take() -> None:
    seen = [{"role": "user", "content": [PICTURE]}]
    body, losses = send("gpt-4.1", tools=functions(128), response_format=SCHEMA, messages=seen)
    assert len(body["tools"]) == 128 and body["response_format"]["type"] == "json_schema" and losses == []
    assert send("gpt-4-turbo", response_format={"type": "json_object"})[0]["response_format"] == {"type": "json_object"}


@pytest.mark.parametrize(
    ("model", "asked", "sent"),
    [
        ("o3", "none", "low"),
        ("o4-mini", "minimal", "low"),
        ("o3", "xhigh", "high"),
        ("gpt-5", "none", "minimal"),
        ("gpt-5-mini-2025-08-07", "max", "high"),
        ("gpt-5.1", "none", "none"),
        ("gpt-5.2", "xhigh", "xhigh"),
        ("deepseek-r1", "max", "max"),
    ],
)
def test_efforts_that_the_model_knows(model: str, asked: str, sent: str) -> None:
    body, losses = send(model, reasoning_effort=asked)
    assert body["reasoning_effort"] == sent
    assert losses == ([] if asked == sent else [("reasoning_effort", True)])


def test_where_the_caller_is_stands_one_deeper_here() -> None:
    tools = [{"type": "web_search", "user_location": {"type": "approximate", "city": "Rome"}, "max_uses": 3}]
    body, losses = send("gpt-5-search-api", tools=tools)
    assert body["web_search_options"] == {"user_location": {"type": "approximate", "approximate": {"city": "Rome"}}}
    assert losses == [("tools[0].max_uses", False)]
