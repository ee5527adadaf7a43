"""OpenAI's client for Python against either vendor: what a program written for OpenAI's own API sees."""

from __future__ import annotations

import json
import threading
from typing import Any

import openai
import pytest
from pydantic import BaseModel

from e2e.canned import HELLO, PIECES, PNG, THOUGHT
from e2e.fixtures import NARROW_KEY, Vendors
from e2e.gateway import Gateway
from e2e.vendor import gemini_events, openai_events, reply, reset, stream
from sdk.conftest import openai_client

ASK: list[Any] = [{"role": "user", "content": "Hi"}]
WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
CLOCK: dict[str, Any] = {"type": "function", "function": {"name": "get_time"}}


class Place(BaseModel):
    city: str
    temperature_celsius: float
    tags: list[str]


def sent(vendors: Vendors, backend: str) -> Any:
    """The body that the vendor got last."""
    return (vendors.google if backend == "google" else vendors.openai).last.json


def test_create(client: openai.OpenAI, model: str, backend: str) -> None:
    answer = client.chat.completions.create(model=model, messages=ASK)
    assert answer.object == "chat.completion"
    assert answer.model == {"google": "gemini-2.5-flash", "openai": "gpt-4o"}[backend]
    (choice,) = answer.choices
    assert (choice.index, choice.finish_reason, choice.message.role) == (0, "stop", "assistant")
    assert choice.message.content == HELLO
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (12, 7, 19)


@pytest.mark.parametrize("usage", [False, True])
def test_stream(client: openai.OpenAI, model: str, usage: bool) -> None:
    more: Any = {"stream_options": {"include_usage": True}} if usage else {}
    chunks = list(client.chat.completions.create(model=model, messages=ASK, stream=True, **more))
    deltas = [choice.delta for chunk in chunks for choice in chunk.choices]
    assert [delta.content for delta in deltas if delta.content] == PIECES
    assert deltas[0].role == "assistant"
    assert [choice.finish_reason for chunk in chunks for choice in chunk.choices if choice.finish_reason] == ["stop"]
    assert len({(chunk.id, chunk.created, chunk.model) for chunk in chunks}) == 1
    counted = [chunk.usage for chunk in chunks if chunk.usage is not None]
    assert [count.total_tokens for count in counted] == ([19] if usage else [])


def test_stream_helper(client: openai.OpenAI, model: str) -> None:
    with client.chat.completions.stream(model=model, messages=ASK) as events:
        assert [event.delta for event in events if event.type == "content.delta" and event.delta] == PIECES
        assert events.get_final_completion().choices[0].message.content == HELLO


async def test_async_stream(relay: Gateway, model: str) -> None:
    async with openai.AsyncOpenAI(base_url=f"{relay.base_url}/v1", api_key=relay.key, max_retries=0) as client:
        answer = await client.chat.completions.create(model=model, messages=ASK)
        assert answer.choices[0].message.content == HELLO
        stream = await client.chat.completions.create(model=model, messages=ASK, stream=True)
        assert "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices]) == HELLO


@pytest.mark.parametrize("streamed", [False, True])
def test_tools_round_trip(client: openai.OpenAI, model: str, backend: str, vendors: Vendors, streamed: bool) -> None:
    """Two calls at once, each answered by its id; the vendor gets both turns as it wants them."""
    tools: Any = [WEATHER, CLOCK]
    if streamed:
        with client.chat.completions.stream(model=model, messages=ASK, tools=tools) as events:
            choice: Any = events.get_final_completion().choices[0]
    else:
        choice = client.chat.completions.create(model=model, messages=ASK, tools=tools).choices[0]
    assert choice.finish_reason == "tool_calls"
    first, second = choice.message.tool_calls
    assert (first.function.name, json.loads(first.function.arguments)) == ("get_weather", {"city": "city 上海"})
    assert (second.function.name, json.loads(second.function.arguments)) == ("get_time", {})
    assert first.id != second.id
    calls = [
        {
            "id": call.id,
            "type": "function",
            "function": {"name": call.function.name, "arguments": call.function.arguments},
        }
        for call in (first, second)
    ]
    history = [
        *ASK,
        {"role": "assistant", "content": None, "tool_calls": calls},
        {"role": "tool", "tool_call_id": second.id, "content": "12:00"},
        {"role": "tool", "tool_call_id": first.id, "content": json.dumps({"degrees": 18})},
    ]
    answer = client.chat.completions.create(model=model, messages=history, tools=tools)
    assert answer.choices[0].message.content == HELLO
    body = sent(vendors, backend)
    if backend == "openai":
        assert body["messages"] == history
    else:
        assert [turn["role"] for turn in body["contents"]] == ["user", "model", "user"]
        called = [part["functionCall"]["name"] for part in body["contents"][1]["parts"]]
        given = [part["functionResponse"] for part in body["contents"][2]["parts"]]
        # Google wants the results in the order of the calls, by the function's name.
        assert called == ["get_weather", "get_time"]
        assert [result["name"] for result in given] == called
        assert given[0]["response"] == {"degrees": 18}


@pytest.mark.parametrize(
    "choice", ["none", "auto", "required", {"type": "function", "function": {"name": "get_weather"}}]
)
def test_tool_choice(client: openai.OpenAI, model: str, backend: str, vendors: Vendors, choice: Any) -> None:
    client.chat.completions.create(model=model, messages=ASK, tools=[WEATHER], tool_choice=choice)
    body = sent(vendors, backend)
    if backend == "openai":
        assert body["tool_choice"] == choice
    else:
        config = body.get("toolConfig", {}).get("functionCallingConfig", {"mode": "AUTO"})
        named = isinstance(choice, dict)
        assert config["mode"] == ("ANY" if named else {"none": "NONE", "auto": "AUTO", "required": "ANY"}[choice])
        assert config.get("allowedFunctionNames") == (["get_weather"] if named else None)


def test_parse(client: openai.OpenAI, model: str) -> None:
    answer = client.chat.completions.parse(model=model, messages=ASK, response_format=Place)
    place = answer.choices[0].message.parsed
    assert place == Place(city="city 上海", temperature_celsius=18.5, tags=["上海"])


def test_json_mode(client: openai.OpenAI, model: str) -> None:
    answer = client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": "JSON"}], response_format={"type": "json_object"}
    )
    assert json.loads(answer.choices[0].message.content or "") == {"name": "李雷"}


def test_image(client: openai.OpenAI, model: str, backend: str, vendors: Vendors) -> None:
    content = [
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
    ]
    client.chat.completions.create(model=model, messages=[{"role": "user", "content": content}])  # type: ignore[list-item,misc]
    body = sent(vendors, backend)
    if backend == "openai":
        assert body["messages"][0]["content"] == content
    else:
        assert body["contents"][0]["parts"] == [
            {"text": "What is it?"},
            {"inlineData": {"mimeType": "image/png", "data": PNG}},
        ]


def test_parameters(client: openai.OpenAI, model: str, backend: str, vendors: Vendors) -> None:
    client.chat.completions.create(
        model=model,
        messages=[{"role": "developer", "content": "Be brief."}, *ASK],
        temperature=0.3,
        top_p=0.9,
        max_completion_tokens=50,
        stop=["END", "\n\n"],
        seed=7,
    )
    body = sent(vendors, backend)
    if backend == "openai":
        assert (body["temperature"], body["max_completion_tokens"], body["seed"]) == (0.3, 50, 7)
    else:
        assert body["generationConfig"] == {
            "temperature": 0.3,
            "topP": 0.9,
            "maxOutputTokens": 50,
            "stopSequences": ["END", "\n\n"],
            "seed": 7,
        }
        assert body["systemInstruction"]["parts"] == [{"text": "Be brief."}]


@pytest.mark.parametrize("literal", [False, True])
@pytest.mark.parametrize("streamed", [False, True])
def test_thoughts_of_gemini(client: openai.OpenAI, vendors: Vendors, literal: bool, streamed: bool) -> None:
    """Asked for as Google's own pages say, in either of the two wire forms; told as `reasoning_content`."""
    google = {"google": {"thinking_config": {"include_thoughts": True}}}
    answer: Any = client.chat.completions.create(
        model="via-gemini",
        messages=ASK,
        reasoning_effort="high",
        stream=streamed,
        extra_body={"extra_body": google} if literal else google,
    )
    told = [chunk.choices[0].delta for chunk in answer] if streamed else [answer.choices[0].message]
    assert "".join(getattr(piece, "reasoning_content", None) or "" for piece in told) == THOUGHT
    assert "".join(piece.content or "" for piece in told) == HELLO
    config = vendors.google.last.json["generationConfig"]["thinkingConfig"]
    assert config == {"thinkingBudget": 24576, "includeThoughts": True}


def test_reasoning_models(client: openai.OpenAI, vendors: Vendors) -> None:
    client.chat.completions.create(model="via-gemini-3", messages=ASK, reasoning_effort="medium")
    # The preview has no medium.
    assert vendors.google.last.json["generationConfig"]["thinkingConfig"] == {"thinkingLevel": "HIGH"}
    client.chat.completions.create(model="via-reasoning", messages=ASK, reasoning_effort="low")
    assert vendors.openai.last.json["reasoning_effort"] == "low"


def test_google_base(relay: Gateway, model: str) -> None:
    """The base address that Google's pages give for OpenAI's clients."""
    with openai_client(relay, "/v1beta/openai/") as client:
        assert client.chat.completions.create(model=model, messages=ASK).choices[0].message.content == HELLO
        assert model in [card.id for card in client.models.list()]
        assert client.models.retrieve(model).object == "model"


def test_models(client: openai.OpenAI, model: str) -> None:
    cards = {card.id: card for card in client.models.list()}
    assert {"via-gemini", "via-openai", "gemini-2.5-flash", "gemini-3-pro-preview", "gpt-4o"} <= set(cards)
    assert cards["gpt-4o"].object == "model"
    assert client.models.retrieve(model).id == model
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("no-such-model")


# --- what goes wrong


def test_unknown_model(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="via-gemnii", messages=ASK)
    assert caught.value.code == "model_not_found"
    assert caught.value.param == "model"
    assert "via-gemini" in caught.value.message
    assert caught.value.request_id


def test_keys(relay: Gateway) -> None:
    with openai_client(relay, api_key="sk-wrong") as client, pytest.raises(openai.AuthenticationError) as refused:
        client.chat.completions.create(model="via-gemini", messages=ASK)
    assert refused.value.code == "invalid_api_key"
    with openai_client(relay, api_key=NARROW_KEY) as client:
        assert client.chat.completions.create(model="via-gemini", messages=ASK).choices
        assert [card.id for card in client.models.list()] == ["via-gemini"]
        with pytest.raises(openai.PermissionDeniedError):
            client.chat.completions.create(model="via-openai", messages=ASK)


def test_bad_request(client: openai.OpenAI, model: str, backend: str) -> None:
    """A field of a wrong type is told by its path, by us or by the vendor that the body passed through to."""
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=model, messages=[{"role": "narrator", "content": "Hi"}])  # type: ignore[list-item,misc]
    assert caught.value.param == "messages[0].role"
    assert caught.value.type == "invalid_request_error"


GEMINI_ERROR = {
    "error": {
        "code": 429,
        "message": "You exceeded your quota.",
        "status": "RESOURCE_EXHAUSTED",
        "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.4s"}],
    }
}
OPENAI_ERROR = {
    "error": {"message": "Rate limit reached.", "type": "requests", "param": None, "code": "rate_limit_exceeded"}
}


def test_rate_limit(client: openai.OpenAI, vendors: Vendors, model: str, backend: str) -> None:
    vendors.google.will(reply(GEMINI_ERROR, 429))
    vendors.openai.will(reply(OPENAI_ERROR, 429, [("retry-after", "20")]))
    with pytest.raises(openai.RateLimitError) as caught:
        client.chat.completions.create(model=model, messages=ASK)
    assert caught.value.response.headers["retry-after"] == {"google": "35", "openai": "20"}[backend]
    assert caught.value.code == "rate_limit_exceeded"


@pytest.mark.parametrize("streamed", [False, True])
def test_vendor_down(client: openai.OpenAI, vendors: Vendors, model: str, streamed: bool) -> None:
    for vendor in vendors:
        vendor.will(reset(), reset())  # the first may meet a kept connection, which is worth another try
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model=model, messages=ASK, stream=streamed)
    assert caught.value.status_code == 502


def test_error_in_a_stream(client: openai.OpenAI, vendors: Vendors, model: str) -> None:
    seen = threading.Event()  # what the vendor says first has reached the caller before it fails
    part = {"candidates": [{"content": {"role": "model", "parts": [{"text": "Hal"}]}, "index": 0}]}
    failed = {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}
    vendors.google.will(stream(*gemini_events(part), seen, *gemini_events(failed)))
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o"}
    told = {**chunk, "choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hal"}, "finish_reason": None}]}
    failed = {"error": {"message": "The model is overloaded.", "type": "server_error", "param": None, "code": None}}
    vendors.openai.will(stream(*openai_events(told, done=False), seen, *openai_events(failed, done=False)))
    got = []
    with pytest.raises(openai.APIError, match="overloaded"):  # noqa: PT012
        for piece in client.chat.completions.create(model=model, messages=ASK, stream=True):
            got.append(piece.choices[0].delta.content)
            seen.set()
    assert "".join(filter(None, got)) == "Hal"


def test_cut_stream(client: openai.OpenAI, vendors: Vendors, model: str) -> None:
    """A vendor that stops in the middle is an error at the end of the stream, never an answer that merely looks short."""
    part = {"candidates": [{"content": {"role": "model", "parts": [{"text": "Hal"}]}, "index": 0}]}
    vendors.google.will(stream(*gemini_events(part), finish=False))
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o"}
    told = {**chunk, "choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hal"}, "finish_reason": None}]}
    vendors.openai.will(stream(*openai_events(told, done=False), finish=False))
    with pytest.raises(openai.APIError):
        list(client.chat.completions.create(model=model, messages=ASK, stream=True))


def test_blocked_prompt(client: openai.OpenAI, vendors: Vendors) -> None:
    blocked = {
        "promptFeedback": {"blockReason": "PROHIBITED_CONTENT"},
        "usageMetadata": {"promptTokenCount": 8, "totalTokenCount": 8},
    }
    vendors.google.will(reply(blocked))
    (choice,) = client.chat.completions.create(model="via-gemini", messages=ASK).choices
    assert (choice.finish_reason, choice.message.content) == ("content_filter", None)
