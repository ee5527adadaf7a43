"""Google's client for Python against either vendor: what a program written for Gemini sees."""

from __future__ import annotations

import base64
import threading
from typing import Any

import pytest
from google import genai
from google.genai import errors, types
from pydantic import BaseModel

from e2e.canned import HELLO, PIECES, PNG, THOUGHT
from e2e.fixtures import NARROW_KEY, Vendors
from e2e.gateway import Gateway
from e2e.vendor import gemini_events, openai_events, reply, reset, stream
from sdk.conftest import google_client


class Place(BaseModel):
    city: str
    temperature_celsius: float


def sent(vendors: Vendors, backend: str) -> Any:
    return (vendors.google if backend == "google" else vendors.openai).last.json


def test_generate(genai_client: genai.Client, model: str, backend: str) -> None:
    answer = genai_client.models.generate_content(model=model, contents="Hi")
    assert answer.text == HELLO
    assert answer.candidates is not None
    assert answer.candidates[0].finish_reason == types.FinishReason.STOP
    assert answer.usage_metadata is not None
    assert answer.usage_metadata.prompt_token_count == 12
    assert answer.usage_metadata.candidates_token_count == 7
    assert answer.usage_metadata.total_token_count == 19
    assert answer.model_version == {"google": "gemini-2.5-flash", "openai": "gpt-4o"}[backend]
    assert answer.response_id


@pytest.mark.parametrize("version", [None, "v1", "v1beta", "v1alpha"])
def test_versions(relay: Gateway, model: str, version: str | None) -> None:
    with google_client(relay, version) as client:
        assert client.models.generate_content(model=model, contents="Hi").text == HELLO
        assert client.models.generate_content(model=f"models/{model}", contents="Hi").text == HELLO
        pieces = [chunk.text for chunk in client.models.generate_content_stream(model=model, contents="Hi")]
        assert "".join(filter(None, pieces)) == HELLO
        assert f"models/{model}" in [card.name for card in client.models.list()]


def test_stream(genai_client: genai.Client, model: str) -> None:
    chunks = list(genai_client.models.generate_content_stream(model=model, contents="Hi"))
    assert [chunk.text for chunk in chunks if chunk.text] == PIECES
    last = chunks[-1]
    assert last.candidates is not None
    assert last.candidates[0].finish_reason == types.FinishReason.STOP
    assert last.usage_metadata is not None
    assert last.usage_metadata.total_token_count == 19
    assert len({chunk.response_id for chunk in chunks}) == 1


@pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")
async def test_async(relay: Gateway, model: str) -> None:
    client = google_client(relay)
    try:
        answer = await client.aio.models.generate_content(model=model, contents="Hi")
        assert answer.text == HELLO
        pieces = [
            chunk.text or ""
            async for chunk in await client.aio.models.generate_content_stream(model=model, contents="Hi")
        ]
        assert "".join(pieces) == HELLO
        assert [card.name async for card in await client.aio.models.list()]
    finally:
        await client.aio.aclose()
        client.close()


def test_chat(genai_client: genai.Client, model: str, backend: str, vendors: Vendors) -> None:
    chat = genai_client.chats.create(
        model=model, config=types.GenerateContentConfig(system_instruction="You are terse.")
    )
    assert chat.send_message("One").text == HELLO
    assert "".join(chunk.text or "" for chunk in chat.send_message_stream("Two")) == HELLO
    body = sent(vendors, backend)
    if backend == "google":
        assert body["systemInstruction"]["parts"] == [{"text": "You are terse."}]
        assert [turn["role"] for turn in body["contents"]] == ["user", "model", "user"]
    else:
        assert [message["role"] for message in body["messages"]] == ["system", "user", "assistant", "user"]
        assert body["messages"][2]["content"] == HELLO


def test_function_calling_by_hand(genai_client: genai.Client, model: str, backend: str, vendors: Vendors) -> None:
    tool = types.Tool(
        function_declarations=[
            types.FunctionDeclaration(
                name="get_weather",
                description="The weather",
                parameters=types.Schema(
                    type=types.Type.OBJECT,
                    properties={"city": types.Schema(type=types.Type.STRING)},
                    required=["city"],
                ),
            ),
            types.FunctionDeclaration(name="get_time", description="The time"),
        ]
    )
    config = types.GenerateContentConfig(
        tools=[tool], automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True)
    )
    first = genai_client.models.generate_content(model=model, contents="Weather?", config=config)
    calls = first.function_calls
    assert calls is not None
    assert [(call.name, call.args) for call in calls] == [("get_weather", {"city": "city 上海"}), ("get_time", {})]
    assert first.candidates is not None
    assert first.candidates[0].finish_reason == types.FinishReason.STOP
    results = [
        types.Part(function_response=types.FunctionResponse(id=call.id, name=call.name, response={"output": "18"}))
        for call in calls
    ]
    history: Any = ["Weather?", first.candidates[0].content, types.Content(role="user", parts=results)]
    assert genai_client.models.generate_content(model=model, contents=history, config=config).text == HELLO
    body = sent(vendors, backend)
    if backend == "openai":
        *_, called, one, two = body["messages"]
        assert [call["function"]["name"] for call in called["tool_calls"]] == ["get_weather", "get_time"]
        assert [one["tool_call_id"], two["tool_call_id"]] == [call["id"] for call in called["tool_calls"]]
        assert body["tools"][0]["function"]["parameters"]["type"] == "object"


@pytest.mark.parametrize("streamed", [False, True])
def test_automatic_function_calling(genai_client: genai.Client, model: str, streamed: bool) -> None:
    asked = []

    def get_weather(city: str, days: int) -> dict[str, Any]:
        """The weather of a city."""
        asked.append((city, days))
        return {"degrees": 18}

    config = types.GenerateContentConfig(tools=[get_weather])
    if streamed:
        chunks = genai_client.models.generate_content_stream(model=model, contents="Weather?", config=config)
        text = "".join(part.text or "" for chunk in chunks for part in chunk.parts or ())
    else:
        text = genai_client.models.generate_content(model=model, contents="Weather?", config=config).text or ""
    assert asked == [("city 上海", 18)]
    assert text == HELLO


def test_schema(genai_client: genai.Client, model: str) -> None:
    config = types.GenerateContentConfig(response_mime_type="application/json", response_schema=Place)
    answer = genai_client.models.generate_content(model=model, contents="Where?", config=config)
    assert answer.parsed == Place(city="city 上海", temperature_celsius=18.5)


def test_json_schema(genai_client: genai.Client, model: str, backend: str, vendors: Vendors) -> None:
    schema = Place.model_json_schema()
    config = types.GenerateContentConfig(response_mime_type="application/json", response_json_schema=schema)
    answer = genai_client.models.generate_content(model=model, contents="Where?", config=config)
    assert Place.model_validate_json(answer.text or "").city == "city 上海"
    if backend == "openai":
        form = sent(vendors, backend)["response_format"]
        assert form["type"] == "json_schema"
        assert form["json_schema"]["schema"]["required"] == ["city", "temperature_celsius"]


def test_image(genai_client: genai.Client, model: str, backend: str, vendors: Vendors) -> None:
    # The client writes base64 in its URL-safe letters, which OpenAI does not take.
    image = b"\xff\xfb\xef\xbf" + base64.b64decode(PNG)
    genai_client.models.generate_content(
        model=model, contents=["What is it?", types.Part.from_bytes(data=image, mime_type="image/png")]
    )
    body = sent(vendors, backend)
    if backend == "openai":
        url = body["messages"][0]["content"][1]["image_url"]["url"]
        head, _, data = url.partition(",")
        assert head == "data:image/png;base64"
        assert base64.b64decode(data, validate=True) == image


def test_parameters(genai_client: genai.Client, model: str, backend: str, vendors: Vendors) -> None:
    config = types.GenerateContentConfig(
        temperature=0.3, top_p=0.9, top_k=40, max_output_tokens=50, stop_sequences=["END"], seed=7
    )
    genai_client.models.generate_content(model=model, contents="Hi", config=config)
    body = sent(vendors, backend)
    if backend == "openai":
        assert (body["temperature"], body["top_p"], body["max_completion_tokens"]) == (0.3, 0.9, 50)
        assert (body["stop"], body["seed"]) == (["END"], 7)
        assert "top_k" not in body
    else:
        assert body["generationConfig"]["topK"] == 40


def test_thoughts(genai_client: genai.Client, backend: str) -> None:
    """Of Gemini, and of a vendor that tells them as `reasoning_content`."""
    config = types.GenerateContentConfig(
        thinking_config=types.ThinkingConfig(include_thoughts=True, thinking_level=types.ThinkingLevel.LOW)
    )
    answer = genai_client.models.generate_content(
        model="via-gemini-3" if backend == "google" else "via-ark", contents="Hi", config=config
    )
    assert answer.parts is not None
    assert [(part.text, bool(part.thought)) for part in answer.parts] == [(THOUGHT, True), (HELLO, False)]


def test_count_tokens(genai_client: genai.Client) -> None:
    assert genai_client.models.count_tokens(model="via-gemini", contents="Hi").total_tokens == 31
    with pytest.raises(errors.ServerError) as caught:
        genai_client.models.count_tokens(model="via-openai", contents="Hi")
    assert (caught.value.code, caught.value.status) == (501, "UNIMPLEMENTED")


def test_models(genai_client: genai.Client, model: str) -> None:
    names = [card.name for card in genai_client.models.list()]
    assert {"models/via-gemini", "models/via-openai", "models/gemini-2.5-flash", "models/gpt-4o"} <= set(names)
    assert genai_client.models.get(model=model).name == f"models/{model}"
    assert genai_client.models.get(model="gemini-2.5-flash").input_token_limit == 1048576


# --- what goes wrong


def test_unknown_model(genai_client: genai.Client) -> None:
    with pytest.raises(errors.ClientError) as caught:
        genai_client.models.generate_content(model="via-gemnii", contents="Hi")
    assert (caught.value.code, caught.value.status) == (404, "NOT_FOUND")
    assert "via-gemini" in (caught.value.message or "")


def test_keys(relay: Gateway) -> None:
    with google_client(relay, key="AIza-wrong") as client, pytest.raises(errors.ClientError) as caught:
        client.models.generate_content(model="via-gemini", contents="Hi")
    assert (caught.value.code, caught.value.status) == (401, "UNAUTHENTICATED")
    with google_client(relay, key=NARROW_KEY) as client:
        assert client.models.generate_content(model="via-gemini", contents="Hi").text == HELLO
        with pytest.raises(errors.ClientError) as caught:
            client.models.generate_content(model="via-openai", contents="Hi")
    assert (caught.value.code, caught.value.status) == (403, "PERMISSION_DENIED")


def test_rate_limit(genai_client: genai.Client, vendors: Vendors, model: str) -> None:
    limited = {"code": 429, "message": "You exceeded your quota.", "status": "RESOURCE_EXHAUSTED"}
    vendors.google.will(reply({"error": limited}, 429))
    refused = {"message": "Rate limit reached.", "type": "requests", "param": None, "code": "rate_limit_exceeded"}
    vendors.openai.will(reply({"error": refused}, 429, [("retry-after", "20")]))
    with pytest.raises(errors.ClientError) as caught:
        genai_client.models.generate_content(model=model, contents="Hi")
    assert (caught.value.code, caught.value.status) == (429, "RESOURCE_EXHAUSTED")


@pytest.mark.parametrize("streamed", [False, True])
def test_vendor_down(genai_client: genai.Client, vendors: Vendors, model: str, streamed: bool) -> None:
    for vendor in vendors:
        vendor.will(reset(), reset())  # the first may meet a kept connection, which is worth another try
    with pytest.raises(errors.ServerError) as caught:  # noqa: PT012
        if streamed:
            list(genai_client.models.generate_content_stream(model=model, contents="Hi"))
        else:
            genai_client.models.generate_content(model=model, contents="Hi")
    assert (caught.value.code, caught.value.status) == (502, "UNAVAILABLE")


def test_error_in_a_stream(genai_client: genai.Client, vendors: Vendors, model: str) -> None:
    seen = threading.Event()  # what the vendor says first has reached the caller before it fails
    part = {"candidates": [{"content": {"role": "model", "parts": [{"text": "Hal"}]}, "index": 0}]}
    failed: Any = {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}
    vendors.google.will(stream(*gemini_events(part), seen, *gemini_events(failed)))
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o"}
    told = {**chunk, "choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hal"}, "finish_reason": None}]}
    failed = {"error": {"message": "The model is overloaded.", "type": "server_error", "param": None, "code": None}}
    vendors.openai.will(stream(*openai_events(told, done=False), seen, *openai_events(failed, done=False)))
    got = []
    with pytest.raises(errors.APIError, match="overloaded"):  # noqa: PT012
        for piece in genai_client.models.generate_content_stream(model=model, contents="Hi"):
            got.append(piece.text)
            seen.set()
    assert "".join(filter(None, got)) == "Hal"


def test_cut_stream(genai_client: genai.Client, vendors: Vendors, model: str) -> None:
    part = {"candidates": [{"content": {"role": "model", "parts": [{"text": "Hal"}]}, "index": 0}]}
    vendors.google.will(stream(*gemini_events(part), finish=False))
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o"}
    told = {**chunk, "choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hal"}, "finish_reason": None}]}
    vendors.openai.will(stream(*openai_events(told, done=False), finish=False))
    with pytest.raises(errors.APIError):
        list(genai_client.models.generate_content_stream(model=model, contents="Hi"))
