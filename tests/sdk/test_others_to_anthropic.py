"""OpenAI's and Google's clients in front of Anthropic's models, whose API is the strictest about turns, results and thoughts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from google import genai
from google.genai import types

from e2e.canned import HELLO, PIECES, PNG, THOUGHT
from e2e.canned_anthropic import anthropic as canned_anthropic
from e2e.gateway import ONCE, Gateway, provider, running
from e2e.vendor import Vendor, reply, serving
from sdk.conftest import google_client, openai_client

MODELS = ["claude-sonnet-4-5", "claude-opus-4-7", "claude-3-7-sonnet-latest"]
ASK: list[Any] = [{"role": "user", "content": "Hi"}]
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
WEATHER: dict[str, Any] = {"type": "function", "function": {"name": "get_weather", "parameters": SCHEMA}}
CLOCK: dict[str, Any] = {"type": "function", "function": {"name": "get_time"}}


@pytest.fixture(scope="module")
def _served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, Vendor]]:
    with serving(canned_anthropic) as vendor:
        config = ONCE + "providers:\n" + provider("anthropic", "anthropic", vendor.base_url, "claude-*")
        with running(tmp_path_factory.mktemp("claude"), config=config) as gateway:
            yield gateway, vendor


@pytest.fixture
def vendor(_served: tuple[Gateway, Vendor]) -> Vendor:
    _served[1].reset()
    return _served[1]


@pytest.fixture
def client(_served: tuple[Gateway, Vendor], vendor: Vendor) -> Iterator[openai.OpenAI]:
    with openai_client(_served[0]) as made:
        yield made


@pytest.fixture
def google(_served: tuple[Gateway, Vendor], vendor: Vendor) -> Iterator[genai.Client]:
    with google_client(_served[0]) as made:
        yield made


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest) -> str:
    return request.param


def test_openai_text(client: openai.OpenAI, model: str, vendor: Vendor) -> None:
    answer = client.chat.completions.create(model=model, messages=ASK)
    assert (answer.model, answer.choices[0].message.content) == (model, HELLO)
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (12, 7)
    assert vendor.last.path == "/v1/messages"
    assert vendor.last.header("anthropic-version") == "2023-06-01"
    assert vendor.last.header("x-api-key") == "vendor-secret-of-anthropic"
    chunks = list(client.chat.completions.create(model=model, messages=ASK, stream=True))
    assert [choice.delta.content for chunk in chunks for choice in chunk.choices if choice.delta.content] == PIECES


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("effort", [None, "low"])
def test_openai_tools(client: openai.OpenAI, model: str, vendor: Vendor, streamed: bool, effort: Any) -> None:
    """A client that knows nothing of thoughts or Anthropic's order of results is accepted for its second turn."""
    more: Any = {"tools": [WEATHER, CLOCK], **({"reasoning_effort": effort} if effort else {})}
    if streamed:
        with client.chat.completions.stream(model=model, messages=ASK, **more) as events:
            choice: Any = events.get_final_completion().choices[0]
    else:
        choice = client.chat.completions.create(model=model, messages=ASK, **more).choices[0]
    assert choice.finish_reason == "tool_calls"
    first, second = choice.message.tool_calls
    assert (first.function.name, json.loads(first.function.arguments)) == ("get_weather", {"city": "city 上海"})
    calls = [
        {
            "id": call.id,
            "type": "function",
            "function": {"name": call.function.name, "arguments": call.function.arguments},
        }
        for call in (first, second)
    ]
    history = [
        {"role": "system", "content": "Be brief."},
        *ASK,
        {"role": "assistant", "content": None, "tool_calls": calls},
        {"role": "tool", "tool_call_id": second.id, "content": "12:00"},
        {"role": "tool", "tool_call_id": first.id, "content": "18"},
        {"role": "user", "content": "So?"},
    ]
    answer = client.chat.completions.create(model=model, messages=history, **more)  # type: ignore[arg-type]
    assert answer.choices[0].message.content == HELLO
    body = vendor.last.json
    assert body["system"] == "Be brief."
    assert [turn["role"] for turn in body["messages"]] == ["user", "assistant", "user"]
    results = body["messages"][2]["content"]
    assert [block["type"] for block in results] == ["tool_result", "tool_result", "text"]
    assert [block["content"] for block in results[:2]] == ["18", "12:00"]


@pytest.mark.parametrize("streamed", [False, True])
def test_openai_reasoning(client: openai.OpenAI, model: str, vendor: Vendor, streamed: bool) -> None:
    answer: Any = client.chat.completions.create(model=model, messages=ASK, reasoning_effort="low", stream=streamed)
    told = [chunk.choices[0].delta for chunk in answer] if streamed else [answer.choices[0].message]
    assert "".join(getattr(piece, "reasoning_content", None) or "" for piece in told) == THOUGHT
    assert "".join(piece.content or "" for piece in told) == HELLO
    thinking = {"type": "adaptive"} if model == "claude-opus-4-7" else {"type": "enabled", "budget_tokens": 2048}
    assert vendor.last.json["thinking"] == thinking


@pytest.mark.parametrize("streamed", [False, True])
def test_openai_schema(client: openai.OpenAI, model: str, streamed: bool) -> None:
    """Natively, or by a forced call for a model that cannot: the caller sees no difference."""
    form: Any = {"type": "json_schema", "json_schema": {"name": "place", "schema": SCHEMA, "strict": True}}
    answer: Any = client.chat.completions.create(model=model, messages=ASK, response_format=form, stream=streamed)
    if streamed:
        choices = [chunk.choices[0] for chunk in answer]
        text = "".join(choice.delta.content or "" for choice in choices)
        finish = choices[-1].finish_reason
        assert not any(choice.delta.tool_calls for choice in choices)
    else:
        text, finish = answer.choices[0].message.content, answer.choices[0].finish_reason
        assert answer.choices[0].message.tool_calls is None
    assert (json.loads(text), finish) == ({"city": "city 上海"}, "stop")


def test_openai_image(client: openai.OpenAI, vendor: Vendor) -> None:
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
    client.chat.completions.create(model=MODELS[0], messages=[{"role": "user", "content": [picture]}])  # type: ignore[list-item,misc]
    (block,) = vendor.last.json["messages"][0]["content"]
    assert block == {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}


def test_openai_responses(client: openai.OpenAI, model: str, vendor: Vendor) -> None:
    answer = client.responses.create(model=model, input="Hi", instructions="Be brief.", store=False)
    assert answer.output_text == HELLO
    assert vendor.last.json["system"] == "Be brief."


@pytest.mark.parametrize(
    ("status", "kind", "wanted"),
    [
        (429, "rate_limit_error", openai.RateLimitError),
        (529, "overloaded_error", openai.InternalServerError),
        (413, "request_too_large", openai.APIStatusError),
        (404, "not_found_error", openai.NotFoundError),
    ],
)
def test_openai_errors(
    client: openai.OpenAI, vendor: Vendor, status: int, kind: str, wanted: type[openai.APIStatusError]
) -> None:
    vendor.will(reply({"type": "error", "error": {"type": kind, "message": "Not now."}}, status))
    with pytest.raises(wanted, match=r"Not now\.") as caught:
        client.chat.completions.create(model=MODELS[0], messages=ASK)
    assert caught.value.status_code == {529: 503}.get(status, status)


def test_a_refused_key_is_not_the_callers(client: openai.OpenAI, vendor: Vendor) -> None:
    error = {"type": "authentication_error", "message": "invalid x-api-key"}
    vendor.will(reply({"type": "error", "error": error}, 401))
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model=MODELS[0], messages=ASK)
    assert caught.value.status_code == 502


def test_google_text(google: genai.Client, model: str) -> None:
    answer = google.models.generate_content(model=model, contents="Hi")
    assert answer.text == HELLO
    assert answer.usage_metadata is not None and answer.usage_metadata.total_token_count == 19
    assert (
        "".join(chunk.text or "" for chunk in google.models.generate_content_stream(model=model, contents="Hi"))
        == HELLO
    )


def test_google_functions(google: genai.Client, model: str, vendor: Vendor) -> None:
    """The client calls the function by itself, and sends the turns back with nothing that it does not know."""
    asked: list[str] = []

    def get_weather(city: str) -> str:
        """The weather"""
        asked.append(city)
        return "18 degrees"

    config = types.GenerateContentConfig(tools=[get_weather])
    assert google.models.generate_content(model=model, contents="Weather?", config=config).text == HELLO
    assert asked == ["city 上海"]
    assert [turn["role"] for turn in vendor.last.json["messages"]] == ["user", "assistant", "user"]


def test_google_thoughts(google: genai.Client, model: str) -> None:
    config = types.GenerateContentConfig(thinking_config=types.ThinkingConfig(include_thoughts=True))
    answer = google.models.generate_content(model=model, contents="Hi", config=config)
    parts: Any = answer.candidates[0].content.parts  # type: ignore[index,union-attr]
    assert [(part.text, bool(part.thought)) for part in parts] == [(THOUGHT, True), (HELLO, False)]


def test_google_count(google: genai.Client, model: str) -> None:
    assert google.models.count_tokens(model=model, contents="Hi").total_tokens == 31
