"""Both protocols in front of a simulator that others wrote, so that its reading of them and ours are held together."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest
from google import genai
from google.genai import errors, types

from e2e.gateway import Gateway
from sdk.conftest import BACKENDS, google_client, openai_client
from sdk.node import Aimock

TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
HELLO = "Hi there, 世界!"


@pytest.fixture
def client(simulated: Gateway) -> Any:
    with openai_client(simulated) as made:
        yield made


@pytest.fixture
def genai_client(simulated: Gateway) -> Any:
    with google_client(simulated) as made:
        yield made


def test_openai(client: openai.OpenAI, model: str, backend: str, aimock: Aimock) -> None:
    answer = client.chat.completions.create(model=model, messages=[{"role": "user", "content": "hello"}])
    assert answer.choices[0].message.content == HELLO
    (call,) = aimock.journal
    assert (
        call["path"]
        == {
            "google": "/v1beta/models/gemini-2.5-flash:generateContent",
            "openai": "/v1/chat/completions",
        }[backend]
    )


def test_openai_stream(client: openai.OpenAI, model: str) -> None:
    with client.chat.completions.stream(model=model, messages=[{"role": "user", "content": "hello"}]) as stream:
        pieces = [event.delta for event in stream if event.type == "content.delta"]
        assert "".join(pieces) == HELLO
        assert len(pieces) > 1
        assert stream.get_final_completion().choices[0].finish_reason == "stop"


@pytest.mark.parametrize("streamed", [False, True])
def test_openai_tools(client: openai.OpenAI, model: str, streamed: bool) -> None:
    messages: list[Any] = [{"role": "user", "content": "weather"}]
    if streamed:
        with client.chat.completions.stream(model=model, messages=messages, tools=[TOOL]) as stream:
            choice = stream.get_final_completion().choices[0]
    else:
        choice = client.chat.completions.create(model=model, messages=messages, tools=[TOOL]).choices[0]
    assert choice.finish_reason == "tool_calls"
    assert choice.message.tool_calls is not None
    (call,) = choice.message.tool_calls
    assert json.loads(call.function.arguments) == {"city": "東京"}
    messages += [
        choice.message.model_dump(exclude_none=True, exclude={"parsed"}),
        {"role": "tool", "tool_call_id": call.id, "content": "sunny"},
    ]
    for message in messages:
        for known in message.get("tool_calls", ()):
            known["function"].pop("parsed_arguments", None)
            known.pop("index", None)
    answer = client.chat.completions.create(model=model, messages=messages, tools=[TOOL])
    assert answer.choices[0].message.content == "It is sunny in 東京."


def test_openai_parallel_calls(client: openai.OpenAI, model: str) -> None:
    with client.chat.completions.stream(
        model=model, messages=[{"role": "user", "content": "two cities"}], tools=[TOOL]
    ) as stream:
        calls = stream.get_final_completion().choices[0].message.tool_calls
    assert calls is not None
    assert [json.loads(call.function.arguments)["city"] for call in calls] == ["Tokyo", "Paris"]
    assert len({call.id for call in calls}) == 2


def test_google(genai_client: genai.Client, model: str) -> None:
    assert genai_client.models.generate_content(model=model, contents="hello").text == HELLO


def test_google_stream(genai_client: genai.Client, model: str) -> None:
    pieces = [chunk.text or "" for chunk in genai_client.models.generate_content_stream(model=model, contents="hello")]
    assert "".join(pieces) == HELLO
    assert len(pieces) > 1


# aimock ends a turn of calls with a reason that Google does not have.
@pytest.mark.filterwarnings("ignore:FUNCTION_CALL is not a valid FinishReason:UserWarning")
def test_google_tools(genai_client: genai.Client, model: str) -> None:
    asked = []

    def get_weather(city: str) -> str:
        """The weather of a city."""
        asked.append(city)
        return "sunny"

    answer = genai_client.models.generate_content(
        model=model, contents="weather", config=types.GenerateContentConfig(tools=[get_weather])
    )
    assert asked == ["東京"]
    assert answer.text == "It is sunny in 東京."


@pytest.mark.parametrize("model", BACKENDS.values())
def test_vendor_overloaded(simulated: Gateway, model: str) -> None:
    with openai_client(simulated) as client, pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model=model, messages=[{"role": "user", "content": "overloaded"}])
    assert caught.value.status_code == 503
    assert "overloaded" in caught.value.message
    with google_client(simulated) as client, pytest.raises(errors.ServerError) as raised:
        client.models.generate_content(model=model, contents="overloaded")
    assert (raised.value.code, raised.value.status) == (503, "UNAVAILABLE")


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("kind", "status"), [("dropRate", 500), ("malformedRate", 502), ("disconnectRate", 502), ("rateLimitRate", 429)]
)
def test_chaos(simulated: Gateway, aimock: Aimock, model: str, kind: str, status: int, streamed: bool) -> None:
    """Whatever the vendor does, the caller gets an error of its own protocol, and the log a line of it."""
    aimock.chaos(**{kind: 1.0})
    code, headers, body = simulated.post(
        "/v1/chat/completions",
        {"model": model, "messages": [{"role": "user", "content": "hello"}], "stream": streamed},
    )
    assert code == status, body
    assert {"message", "type", "code"} <= set(json.loads(body)["error"]) <= {"message", "type", "param", "code"}
    if status == 429:
        assert int(headers["retry-after"]) >= 0
    assert simulated.entry(headers["x-request-id"])["status"] == status
    method = "streamGenerateContent?alt=sse" if streamed else "generateContent"
    code, _, body = simulated.post(f"/v1beta/models/{model}:{method}", {"contents": [{"parts": [{"text": "hello"}]}]})
    assert code == status, body
    assert json.loads(body)["error"]["code"] == status
