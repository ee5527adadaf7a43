"""Anthropic's client for Python against each vendor: what a program written for Anthropic's own API sees."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any, NamedTuple

import anthropic
import pytest

from e2e import canned
from e2e.canned import HELLO, PIECES, PNG, THOUGHT
from e2e.canned_anthropic import SIGNATURE, anthropic_events
from e2e.canned_anthropic import anthropic as canned_anthropic
from e2e.gateway import Gateway, provider, running
from e2e.vendor import Vendor, gemini_events, openai_events, reply, reset, serving, stream

CONFIG = """
failover: {{health: ignore, retries: 0}}
providers:
{providers}
models:
  via-gemini: {{targets: [{{provider: google, model: gemini-2.5-flash}}]}}
  via-openai: {{targets: [{{provider: openai, model: gpt-4o}}]}}
  via-reasoning: {{targets: [{{provider: openai, model: gpt-5.4}}]}}
  via-ark: {{targets: [{{provider: openai, model: doubao-seed-1-8-251228}}]}}
  via-anthropic: {{targets: [{{provider: anthropic, model: claude-sonnet-4-5}}]}}
keys:
  - {{name: narrow, key: {narrow}, models: ["via-gemini"]}}
"""
NARROW_KEY = "dgm_narrow_key_of_anthropics_tests"
BACKENDS = {"google": "via-gemini", "openai": "via-openai", "anthropic": "via-anthropic"}
ASK: list[Any] = [{"role": "user", "content": "Hi"}]
WEATHER: dict[str, Any] = {
    "name": "get_weather",
    "description": "The weather",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
CLOCK: dict[str, Any] = {"name": "get_time", "input_schema": {"type": "object", "properties": {}}}


class Vendors(NamedTuple):
    google: Vendor
    openai: Vendor
    anthropic: Vendor


@pytest.fixture(scope="module")
def _served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, Vendors]]:
    with serving(canned.gemini) as google, serving(canned.openai) as openai, serving(canned_anthropic) as claude:
        config = CONFIG.format(
            narrow=NARROW_KEY,
            providers=provider("google", "gemini", google.base_url, "gemini-*")
            + provider("openai", "openai-chat", f"{openai.base_url}/v1", "gpt-*,doubao-*")
            + provider("anthropic", "anthropic", claude.base_url, "claude-*"),
        )
        with running(tmp_path_factory.mktemp("anthropics"), config=config) as gateway:
            yield gateway, Vendors(google, openai, claude)


@pytest.fixture
def vendors(_served: tuple[Gateway, Vendors]) -> Vendors:
    for vendor in _served[1]:
        vendor.reset()
    return _served[1]


@pytest.fixture
def gateway(_served: tuple[Gateway, Vendors]) -> Gateway:
    return _served[0]


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def model(backend: str) -> str:
    return BACKENDS[backend]


def client_of(gateway: Gateway, **more: Any) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=gateway.base_url, **{"api_key": gateway.key, "max_retries": 0, **more})


@pytest.fixture
def client(gateway: Gateway, vendors: Vendors) -> Iterator[anthropic.Anthropic]:
    with client_of(gateway) as made:
        yield made


def sent(vendors: Vendors, backend: str) -> Any:
    """The body that the vendor got last."""
    return getattr(vendors, backend).last.json


def test_create(client: anthropic.Anthropic, model: str, backend: str) -> None:
    answer = client.messages.create(model=model, max_tokens=100, messages=ASK)
    assert (answer.type, answer.role, answer.stop_reason, answer.stop_sequence) == (
        "message",
        "assistant",
        "end_turn",
        None,
    )
    assert answer.model == {"google": "gemini-2.5-flash", "openai": "gpt-4o", "anthropic": "claude-sonnet-4-5"}[backend]
    assert [block.text for block in answer.content if block.type == "text"] == [HELLO]
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (12, 7)
    assert answer.id.startswith("msg_")


def test_stream(client: anthropic.Anthropic, model: str) -> None:
    events = list(client.messages.create(model=model, max_tokens=100, messages=ASK, stream=True))
    kinds = [event.type for event in events if event.type != "ping"]
    assert kinds == [
        "message_start",
        "content_block_start",
        *["content_block_delta"] * len(PIECES),
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert [event.delta.text for event in events if event.type == "content_block_delta"] == PIECES  # type: ignore[union-attr]


def test_stream_helper(client: anthropic.Anthropic, model: str) -> None:
    with client.messages.stream(model=model, max_tokens=100, messages=ASK) as told:
        assert list(told.text_stream) == PIECES
        message = told.get_final_message()
    assert message.stop_reason == "end_turn"
    assert (message.usage.input_tokens, message.usage.output_tokens) == (12, 7)


async def test_async_stream(gateway: Gateway, vendors: Vendors, model: str) -> None:
    async with (
        anthropic.AsyncAnthropic(base_url=gateway.base_url, api_key=gateway.key, max_retries=0) as client,
        client.messages.stream(model=model, max_tokens=100, messages=ASK) as told,
    ):
        assert "".join([text async for text in told.text_stream]) == HELLO


@pytest.mark.parametrize("streamed", [False, True])
def test_tools_round_trip(
    client: anthropic.Anthropic, model: str, backend: str, vendors: Vendors, streamed: bool
) -> None:
    """Two calls at once, answered the other way about; the vendor gets both turns as it wants them."""
    tools: Any = [WEATHER, CLOCK]
    if streamed:
        with client.messages.stream(model=model, max_tokens=100, messages=ASK, tools=tools) as told:
            answer: Any = told.get_final_message()
    else:
        answer = client.messages.create(model=model, max_tokens=100, messages=ASK, tools=tools)
    assert answer.stop_reason == "tool_use"
    first, second = (block for block in answer.content if block.type == "tool_use")
    assert (first.name, first.input) == ("get_weather", {"city": "city 上海"})
    assert (second.name, second.input) == ("get_time", {})
    assert first.id != second.id
    results: list[Any] = [
        {"type": "tool_result", "tool_use_id": second.id, "content": "12:00"},
        {"type": "tool_result", "tool_use_id": first.id, "content": json.dumps({"degrees": 18})},
    ]
    history: list[Any] = [
        *ASK,
        {"role": "assistant", "content": answer.content},
        {"role": "user", "content": results},
    ]
    last = client.messages.create(model=model, max_tokens=100, messages=history, tools=tools)
    assert [block.text for block in last.content if block.type == "text"] == [HELLO]
    body = sent(vendors, backend)
    if backend == "anthropic":
        assert body["messages"][2]["content"] == results
    elif backend == "openai":
        assert [message["role"] for message in body["messages"]] == ["user", "assistant", "tool", "tool"]
    else:
        given = [part["functionResponse"] for part in body["contents"][2]["parts"]]
        assert [result["name"] for result in given] == ["get_weather", "get_time"]
        assert given[0]["response"] == {"degrees": 18}


def test_failed_tool(client: anthropic.Anthropic, vendors: Vendors) -> None:
    history: list[Any] = [
        *ASK,
        {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "get_time", "input": {}}]},
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "no clock", "is_error": True}],
        },
    ]
    client.messages.create(model="via-gemini", max_tokens=100, messages=history, tools=[CLOCK])  # type: ignore[list-item]
    response = vendors.google.last.json["contents"][2]["parts"][0]["functionResponse"]["response"]
    assert response == {"error": "no clock"}


@pytest.mark.parametrize("choice", ["auto", "any", "none", "tool"])
def test_tool_choice(client: anthropic.Anthropic, model: str, backend: str, vendors: Vendors, choice: str) -> None:
    asked: Any = {"type": choice, "name": "get_weather"} if choice == "tool" else {"type": choice}
    client.messages.create(model=model, max_tokens=100, messages=ASK, tools=[WEATHER], tool_choice=asked)  # type: ignore[list-item]
    body = sent(vendors, backend)
    if backend == "anthropic":
        assert body["tool_choice"] == asked
    elif backend == "openai":
        named = {"type": "function", "function": {"name": "get_weather"}}
        assert body["tool_choice"] == {"any": "required", "tool": named}.get(choice, choice)
    else:
        config = body["toolConfig"]["functionCallingConfig"]
        assert config["mode"] == {"auto": "AUTO", "none": "NONE"}.get(choice, "ANY")


def test_image(client: anthropic.Anthropic, model: str, backend: str, vendors: Vendors) -> None:
    source = {"type": "base64", "media_type": "image/png", "data": PNG}
    content: list[Any] = [{"type": "text", "text": "What is it?"}, {"type": "image", "source": source}]
    client.messages.create(model=model, max_tokens=100, messages=[{"role": "user", "content": content}])
    body = sent(vendors, backend)
    match backend:
        case "anthropic":
            assert body["messages"][0]["content"] == content
        case "openai":
            shown = body["messages"][0]["content"][1]
            assert shown == {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
        case "google":
            assert body["contents"][0]["parts"][1] == {"inlineData": {"mimeType": "image/png", "data": PNG}}


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("model", ["via-gemini", "via-ark", "via-anthropic"])
def test_thinking(client: anthropic.Anthropic, vendors: Vendors, model: str, streamed: bool) -> None:
    """Whoever thinks tells it as a thinking block before the text, and takes the turn back."""
    more: Any = {"model": model, "max_tokens": 4000, "thinking": {"type": "enabled", "budget_tokens": 2048}}
    if streamed:
        with client.messages.stream(messages=ASK, **more) as told:
            answer: Any = told.get_final_message()
    else:
        answer = client.messages.create(messages=ASK, **more)
    assert [block.type for block in answer.content] == ["thinking", "text"]
    assert (answer.content[0].thinking, answer.content[1].text) == (THOUGHT, HELLO)
    if model == "via-anthropic":
        assert answer.content[0].signature == SIGNATURE
    history: list[Any] = [*ASK, {"role": "assistant", "content": answer.content}, {"role": "user", "content": "And?"}]
    assert client.messages.create(messages=history, **more).content
    # What another model thought is no business of Claude's, which would refuse it.
    claude = {**more, "model": "via-anthropic"}
    assert client.messages.create(messages=history, **claude).content
    turn = vendors.anthropic.last.json["messages"][1]["content"]
    assert [block["type"] for block in turn] == (["thinking", "text"] if model == "via-anthropic" else ["text"])


def test_schema(client: anthropic.Anthropic, model: str) -> None:
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    }
    answer = client.messages.create(
        model=model,
        max_tokens=100,
        messages=ASK,
        output_config={"format": {"type": "json_schema", "schema": schema}},
    )
    assert [json.loads(block.text) for block in answer.content if block.type == "text"] == [{"city": "city 上海"}]


def test_parameters(client: anthropic.Anthropic, model: str, backend: str, vendors: Vendors) -> None:
    client.messages.create(
        model=model,
        max_tokens=50,
        messages=ASK,
        system=[{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        extra_body={"temperature": 0.3},
        stop_sequences=["END"],
        metadata={"user_id": "u1"},
    )
    body = sent(vendors, backend)
    match backend:
        case "anthropic":
            assert body["system"][0]["cache_control"] == {"type": "ephemeral"}
        case "openai":
            assert (body["temperature"], body["max_completion_tokens"], body["stop"]) == (0.3, 50, ["END"])
            assert body["messages"][0] == {"role": "system", "content": "Be brief."}
            assert body["user"] == "u1"
        case "google":
            config = body["generationConfig"]
            assert config == {"temperature": 0.3, "maxOutputTokens": 50, "stopSequences": ["END"]}


def test_count_tokens(client: anthropic.Anthropic, backend: str, model: str) -> None:
    if backend == "openai":
        with pytest.raises(anthropic.BadRequestError, match="cannot count tokens"):
            client.messages.count_tokens(model=model, messages=ASK)
        return
    assert client.messages.count_tokens(model=model, messages=ASK, tools=[WEATHER]).input_tokens == 31  # type: ignore[list-item]


def test_beta_headers(client: anthropic.Anthropic, vendors: Vendors) -> None:
    """The version and the betas that a caller speaks go on to Anthropic and to nobody else; its key does not."""
    client.beta.messages.create(model="via-anthropic", max_tokens=9, messages=ASK, betas=["context-1m-2025-08-07"])
    seen = vendors.anthropic.last
    assert seen.header("anthropic-beta") == "context-1m-2025-08-07"
    assert seen.header("anthropic-version") == client.default_headers["anthropic-version"]
    assert seen.header("x-api-key") == "vendor-secret-of-anthropic"
    assert seen.header("authorization") is None
    client.beta.messages.create(model="via-gemini", max_tokens=9, messages=ASK, betas=["context-1m-2025-08-07"])
    assert vendors.google.last.header("anthropic-beta") is None


def test_models(client: anthropic.Anthropic) -> None:
    cards = {card.id: card for card in client.models.list()}
    assert {"via-gemini", "via-anthropic", "gemini-2.5-flash", "gpt-4o", "claude-sonnet-4-5"} <= set(cards)
    assert cards["claude-sonnet-4-5"].type == "model"
    assert cards["claude-sonnet-4-5"].display_name == "Claude-Sonnet-4-5"
    assert cards["claude-sonnet-4-5"].created_at.year == 2026
    assert client.models.retrieve("via-gemini").id == "via-gemini"
    with pytest.raises(anthropic.NotFoundError):
        client.models.retrieve("no-such-model")


# --- what goes wrong


def test_unknown_model(client: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.NotFoundError, match="via-gemini") as caught:
        client.messages.create(model="via-gemnii", max_tokens=9, messages=ASK)
    told: Any = caught.value.body
    assert told["type"] == "error"
    assert told["error"]["type"] == "not_found_error"
    assert told["request_id"] == caught.value.request_id == caught.value.response.headers["x-request-id"]


def test_keys(gateway: Gateway, vendors: Vendors) -> None:
    with client_of(gateway, api_key="sk-wrong") as client, pytest.raises(anthropic.AuthenticationError):
        client.messages.create(model="via-gemini", max_tokens=9, messages=ASK)
    with client_of(gateway, api_key=NARROW_KEY) as client:
        assert client.messages.create(model="via-gemini", max_tokens=9, messages=ASK).content
        assert [card.id for card in client.models.list()] == ["via-gemini"]
        with pytest.raises(anthropic.PermissionDeniedError):
            client.messages.create(model="via-openai", max_tokens=9, messages=ASK)


def test_bad_request(client: anthropic.Anthropic, model: str) -> None:
    """A field of a wrong type is told by its path, by us or by the vendor that the body passed through to."""
    with pytest.raises(anthropic.BadRequestError, match=r"messages\.0\.role") as caught:
        client.messages.create(model=model, max_tokens=9, messages=[{"role": "narrator", "content": "Hi"}])  # type: ignore[typeddict-item]
    assert caught.value.type == "invalid_request_error"


ERRORS = {
    429: ("rate_limit_error", anthropic.RateLimitError),
    503: ("overloaded_error", anthropic.InternalServerError),
    504: ("timeout_error", anthropic.InternalServerError),
    500: ("api_error", anthropic.InternalServerError),
}


@pytest.mark.parametrize("status", ERRORS)
def test_vendors_errors(client: anthropic.Anthropic, vendors: Vendors, model: str, status: int) -> None:
    kind, wanted = ERRORS[status]
    overloaded = 529 if status == 503 else status
    wait = [("retry-after", "20")]
    vendors.google.will(reply({"error": {"code": status, "message": "Not now.", "status": "X"}}, status, wait))
    vendors.openai.will(reply({"error": {"message": "Not now.", "type": "x", "code": None}}, status, wait))
    body = {"type": "error", "error": {"type": kind, "message": "Not now."}, "request_id": "req_vendors"}
    vendors.anthropic.will(reply(body, overloaded, wait))
    with pytest.raises(wanted, match=r"Not now\.") as caught:
        client.messages.create(model=model, max_tokens=9, messages=ASK)
    assert caught.value.status_code == overloaded
    assert caught.value.type == kind
    assert caught.value.response.headers["retry-after"] == "20"


@pytest.mark.parametrize("streamed", [False, True])
def test_vendor_down(client: anthropic.Anthropic, vendors: Vendors, model: str, streamed: bool) -> None:
    for vendor in vendors:
        vendor.will(reset(), reset())  # the first may meet a kept connection, which is worth another try
    with pytest.raises(anthropic.InternalServerError) as caught:
        client.messages.create(model=model, max_tokens=9, messages=ASK, stream=streamed)
    assert caught.value.status_code == 502


def test_error_in_a_stream(client: anthropic.Anthropic, vendors: Vendors, model: str) -> None:
    seen = threading.Event()  # what the vendor says first has reached the caller before it fails
    part = {"candidates": [{"content": {"role": "model", "parts": [{"text": "Hal"}]}, "index": 0}]}
    failed: Any = {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}
    vendors.google.will(stream(*gemini_events(part), seen, *gemini_events(failed)))
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o"}
    told = {**chunk, "choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hal"}, "finish_reason": None}]}
    failed = {"error": {"message": "The model is overloaded.", "type": "server_error", "param": None, "code": None}}
    vendors.openai.will(stream(*openai_events(told, done=False), seen, *openai_events(failed, done=False)))
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": {"id": "m", "content": [], "usage": {"input_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hal"}},
    ]
    failed = {"type": "error", "error": {"type": "overloaded_error", "message": "The model is overloaded."}}
    vendors.anthropic.will(stream(*anthropic_events(*events), seen, *anthropic_events(failed)))
    got = []
    with pytest.raises(anthropic.APIStatusError, match="overloaded"):  # noqa: PT012
        for event in client.messages.create(model=model, max_tokens=9, messages=ASK, stream=True):
            if event.type == "content_block_delta":
                got.append(event.delta.text)  # type: ignore[union-attr]
                seen.set()
    assert got == ["Hal"]


def test_cut_stream(client: anthropic.Anthropic, vendors: Vendors, model: str) -> None:
    """A vendor that stops in the middle is an error at the end of the stream, never an answer that merely looks short."""
    part = {"candidates": [{"content": {"role": "model", "parts": [{"text": "Hal"}]}, "index": 0}]}
    vendors.google.will(stream(*gemini_events(part), finish=False))
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o"}
    told = {**chunk, "choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hal"}, "finish_reason": None}]}
    vendors.openai.will(stream(*openai_events(told, done=False), finish=False))
    begun = {"type": "message_start", "message": {"id": "m", "content": [], "usage": {"input_tokens": 1}}}
    vendors.anthropic.will(stream(*anthropic_events(begun), finish=False))
    with pytest.raises(anthropic.APIStatusError):
        list(client.messages.create(model=model, max_tokens=9, messages=ASK, stream=True))


def test_blocked_prompt(client: anthropic.Anthropic, vendors: Vendors) -> None:
    blocked = {
        "promptFeedback": {"blockReason": "PROHIBITED_CONTENT"},
        "usageMetadata": {"promptTokenCount": 8, "totalTokenCount": 8},
    }
    vendors.google.will(reply(blocked))
    answer = client.messages.create(model="via-gemini", max_tokens=9, messages=ASK)
    assert (answer.stop_reason, answer.content) == ("refusal", [])
