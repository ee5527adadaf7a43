"""OpenAI's client for Python in Responses, against each vendor: what a program written for OpenAI's own API sees."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest
from pydantic import BaseModel

from e2e.canned import HELLO, PIECES, PNG, THOUGHT
from e2e.canned_responses import ENCRYPTED, responses_events
from e2e.fixtures import Relayed
from e2e.gateway import Gateway
from e2e.vendor import Vendor, gemini_events, openai_events, reply, reset, stream

MODELS = {"google": "via-gemini", "openai": "via-openai", "responses": "via-responses"}
WEATHER: Any = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    "strict": False,
}
CLOCK: Any = {
    "type": "function",
    "name": "get_time",
    "parameters": {"type": "object", "properties": {}},
    "strict": False,
}


class Place(BaseModel):
    city: str
    temperature_celsius: float
    tags: list[str]


@pytest.fixture(params=MODELS)
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def model(backend: str) -> str:
    return MODELS[backend]


@pytest.fixture
def vendor(backend: str, vendors: Relayed) -> Vendor:
    found: Vendor = getattr(vendors, backend)
    return found


def test_create(client: openai.OpenAI, model: str, backend: str) -> None:
    answer = client.responses.create(model=model, input="Hi", instructions="Be kind.", metadata={"a": "b"})
    assert (answer.object, answer.status, answer.error, answer.incomplete_details) == (
        "response",
        "completed",
        None,
        None,
    )
    assert answer.output_text == HELLO
    assert [item.type for item in answer.output] == ["message"]
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens, answer.usage.total_tokens) == (12, 7, 19)
    if backend != "responses":
        assert (answer.instructions, answer.metadata, answer.tools) == ("Be kind.", {"a": "b"}, [])
        assert answer.id.startswith("resp_") and len(answer.id) <= 40
        assert (answer.output[0].id or "").startswith("msg_")


def test_stream(client: openai.OpenAI, model: str) -> None:
    events = list(client.responses.create(model=model, input="Hi", stream=True))
    assert [event.type for event in events[:4]] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
    ]
    assert [event.delta for event in events if event.type == "response.output_text.delta"] == PIECES
    assert [event.sequence_number for event in events] == list(range(len(events)))
    last = events[-1]
    assert last.type == "response.completed"
    assert last.response.output_text == HELLO
    assert last.response.usage is not None and last.response.usage.total_tokens == 19


def test_stream_helper(client: openai.OpenAI, model: str) -> None:
    with client.responses.stream(model=model, input="Hi") as events:
        assert [event.delta for event in events if event.type == "response.output_text.delta"] == PIECES
        assert events.get_final_response().output_text == HELLO


async def test_async(relay: Gateway, model: str) -> None:
    async with openai.AsyncOpenAI(base_url=f"{relay.base_url}/v1", api_key=relay.key, max_retries=0) as client:
        assert (await client.responses.create(model=model, input="Hi")).output_text == HELLO
        async with client.responses.stream(model=model, input="Hi") as events:
            assert (await events.get_final_response()).output_text == HELLO


@pytest.mark.parametrize("streamed", [False, True])
def test_tools_two_turns(client: openai.OpenAI, model: str, vendor: Vendor, backend: str, streamed: bool) -> None:
    """Two calls at once, each answered by its id; the whole first answer goes back, as the documentation has it."""
    asked: list[Any] = [{"role": "user", "content": "Hi"}]
    if streamed:
        with client.responses.stream(model=model, input=asked, tools=[WEATHER, CLOCK]) as events:
            answer: Any = events.get_final_response()
    else:
        answer = client.responses.create(model=model, input=asked, tools=[WEATHER, CLOCK])
    calls = [item for item in answer.output if item.type == "function_call"]
    assert [(call.name, json.loads(call.arguments)) for call in calls] == [
        ("get_weather", {"city": "city 上海"}),
        ("get_time", {}),
    ]
    assert calls[0].call_id != calls[1].call_id
    assert calls[0].id != calls[0].call_id
    asked += [item.to_dict() for item in answer.output]
    asked.append({"type": "function_call_output", "call_id": calls[1].call_id, "output": "12:00"})
    asked.append({"type": "function_call_output", "call_id": calls[0].call_id, "output": json.dumps({"degrees": 18})})
    second = client.responses.create(model=model, input=asked, tools=[WEATHER, CLOCK])
    assert second.output_text == HELLO
    body = vendor.last.json
    if backend == "google":
        given = [part["functionResponse"] for part in body["contents"][2]["parts"]]
        assert [result["name"] for result in given] == ["get_weather", "get_time"]
        assert given[0]["response"] == {"degrees": 18}
    elif backend == "openai":
        assert [message["role"] for message in body["messages"]] == ["user", "assistant", "tool", "tool"]
        assert [call["function"]["name"] for call in body["messages"][1]["tool_calls"]] == ["get_weather", "get_time"]
    else:
        assert [item.get("type") for item in body["input"]][1:3] == ["function_call", "function_call"]


@pytest.mark.parametrize("name", ["via-gemini", "via-responses"])
@pytest.mark.parametrize("streamed", [False, True])
def test_reasoning(client: openai.OpenAI, name: str, streamed: bool) -> None:
    wanted: Any = {"model": name, "input": "Hi", "reasoning": {"effort": "low", "summary": "auto"}}
    if streamed:
        with client.responses.stream(**wanted) as events:
            told = "".join(event.delta for event in events if event.type == "response.reasoning_summary_text.delta")
            answer: Any = events.get_final_response()
        assert told == THOUGHT
    else:
        answer = client.responses.create(**wanted)
    assert [item.type for item in answer.output] == ["reasoning", "message"]
    assert answer.output[0].summary[0].text == THOUGHT
    assert answer.output_text == HELLO


def test_parse(client: openai.OpenAI, model: str) -> None:
    answer = client.responses.parse(model=model, input="Where?", text_format=Place)
    assert answer.output_parsed == Place(city="city 上海", temperature_celsius=18.5, tags=["上海"])


def test_parse_streamed(client: openai.OpenAI, model: str) -> None:
    with client.responses.stream(model=model, input="Where?", text_format=Place) as events:
        assert events.get_final_response().output_parsed == Place(
            city="city 上海", temperature_celsius=18.5, tags=["上海"]
        )


def test_image_in(client: openai.OpenAI, model: str, vendor: Vendor, backend: str) -> None:
    content: Any = [
        {"type": "input_text", "text": "What?"},
        {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "auto"},
    ]
    assert client.responses.create(model=model, input=[{"role": "user", "content": content}]).output_text == HELLO
    body = vendor.last.json
    if backend == "google":
        assert body["contents"][0]["parts"][1]["inlineData"] == {"mimeType": "image/png", "data": PNG}
    elif backend == "openai":
        assert body["messages"][0]["content"][1]["image_url"]["url"].endswith(PNG)
    else:
        assert body["input"][0]["content"] == content


def test_image_out(client: openai.OpenAI, vendors: Relayed) -> None:
    answer: Any = client.responses.create(model="via-gemini", input="Draw", tools=[{"type": "image_generation"}])
    drawn = [item for item in answer.output if item.type == "image_generation_call"]
    assert [item.result for item in drawn] == [PNG]


def test_refusal(client: openai.OpenAI, openai_vendor: Vendor) -> None:
    message = {"role": "assistant", "content": None, "refusal": "I can't."}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    openai_vendor.will(reply({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}))
    answer: Any = client.responses.create(model="via-openai", input="Hi")
    assert answer.output[0].content[0].refusal == "I can't."
    delta = {"index": 0, "delta": {"role": "assistant", "refusal": "I can't."}, "finish_reason": None}
    end = {"index": 0, "delta": {}, "finish_reason": "stop"}
    openai_vendor.will(stream(*openai_events({"id": "c", "choices": [delta]}, {"id": "c", "choices": [end]})))
    with client.responses.stream(model="via-openai", input="Hi") as events:
        final: Any = events.get_final_response()
    assert final.output[0].content[0].refusal == "I can't."


def test_cut_short(client: openai.OpenAI, google: Vendor) -> None:
    candidate = {"content": {"role": "model", "parts": [{"text": "Ha"}]}, "finishReason": "MAX_TOKENS", "index": 0}
    google.will(reply({"candidates": [candidate]}), stream(*gemini_events({"candidates": [candidate]})))
    answer: Any = client.responses.create(model="via-gemini", input="Hi", max_output_tokens=16)
    assert (answer.status, answer.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    last: Any = list(client.responses.create(model="via-gemini", input="Hi", stream=True))[-1]
    assert (last.type, last.response.output_text) == ("response.incomplete", "Ha")


def test_signatures_come_back(client: openai.OpenAI, google: Vendor) -> None:
    """Gemini's proof travels through a reasoning item, whether streamed or not."""
    call = {"functionCall": {"name": "get_time", "args": {}}, "thoughtSignature": "R0VN"}
    candidate = {"content": {"role": "model", "parts": [call]}, "finishReason": "STOP", "index": 0}
    for streamed in (False, True):
        chunk = {"candidates": [candidate]}
        google.will(stream(*gemini_events(chunk)) if streamed else reply(chunk))
        asked: list[Any] = [{"role": "user", "content": "Hi"}]
        if streamed:
            with client.responses.stream(model="via-gemini-3", input=asked, tools=[CLOCK]) as events:
                answer: Any = events.get_final_response()
        else:
            answer = client.responses.create(model="via-gemini-3", input=asked, tools=[CLOCK])
        asked += [item.to_dict() for item in answer.output]
        asked.append({"type": "function_call_output", "call_id": answer.output[-1].call_id, "output": "12:00"})
        client.responses.create(model="via-gemini-3", input=asked, tools=[CLOCK])
        sent = [part for turn in google.last.json["contents"] for part in turn["parts"] if "functionCall" in part]
        assert [part.get("thoughtSignature") for part in sent] == ["R0VN"]


def test_reasoning_goes_back_to_its_vendor(relay: Gateway, responses_vendor: Vendor) -> None:
    """A caller of Chat Completions at a vendor of Responses: the vendor is asked for its reasoning and keeps nothing."""
    with openai.OpenAI(base_url=f"{relay.base_url}/v1", api_key=relay.key, max_retries=0) as client:
        answer = client.chat.completions.create(
            model="via-responses", messages=[{"role": "user", "content": "Hi"}], reasoning_effort="low"
        )
    assert answer.choices[0].message.content == HELLO
    body = responses_vendor.last.json
    assert (body["store"], body["include"]) == (False, ["reasoning.encrypted_content"])
    assert body["reasoning"] == {"effort": "low"}


@pytest.mark.parametrize("streamed", [False, True])
def test_reasoning_survives_a_caller_that_drops_it(
    client: openai.OpenAI, responses_vendor: Vendor, streamed: bool
) -> None:
    """A caller of Chat Completions has no field for OpenAI's reasoning; the vendor gets it back before its call."""
    tool: Any = {"type": "function", "function": {key: WEATHER[key] for key in ("name", "parameters")}}
    thinking = {"google": {"thinking_config": {"include_thoughts": True, "thinking_level": "low"}}}
    asked: list[Any] = [{"role": "user", "content": "Weather?"}]
    if streamed:
        with client.chat.completions.stream(
            model="via-responses", messages=asked, tools=[tool], extra_body=thinking
        ) as events:
            message: Any = events.get_final_completion().choices[0].message
    else:
        message = (
            client.chat.completions.create(model="via-responses", messages=asked, tools=[tool], extra_body=thinking)
            .choices[0]
            .message
        )
    assert message.reasoning_content == THOUGHT
    (call,) = message.tool_calls
    function = {"name": call.function.name, "arguments": call.function.arguments}
    asked.append(
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": call.id, "type": "function", "function": function}],
        }
    )
    asked.append({"role": "tool", "tool_call_id": call.id, "content": "rain"})
    answer = client.chat.completions.create(model="via-responses", messages=asked, tools=[tool], extra_body=thinking)
    assert answer.choices[0].message.content == HELLO
    sent = responses_vendor.last.json["input"]
    assert [item.get("type") for item in sent] == [None, "reasoning", "function_call", "function_call_output"]
    assert (sent[1]["id"], sent[1]["encrypted_content"]) == ("rs_1", ENCRYPTED)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"input": [{"role": "user", "content": [{"type": "frob"}]}]}, "input[0].content[0].type"),
        ({"input": "Hi", "temperature": "hot"}, "temperature"),
        ({"input": "Hi", "background": True}, "background"),
        ({"input": "Hi", "conversation": "conv_1"}, "conversation"),
        ({"input": [{"type": "item_reference"}]}, "input[0].id"),
    ],
)
def test_bad_requests(client: openai.OpenAI, body: dict[str, Any], param: str) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(model="via-gemini", **body)
    assert refused.value.param == param


def test_unknown_model(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as refused:
        client.responses.create(model="nope", input="Hi")
    assert (refused.value.code, refused.value.param) == ("model_not_found", "model")


def test_vendor_refuses(client: openai.OpenAI, google: Vendor) -> None:
    error = {"code": 429, "message": "Quota.", "status": "RESOURCE_EXHAUSTED"}
    google.will(reply({"error": error}, 429), reply({"error": error}, 429))
    for streamed in (False, True):
        with pytest.raises(openai.RateLimitError, match="Quota"):
            client.responses.create(model="via-gemini", input="Hi", stream=streamed)


def test_broken_midway(client: openai.OpenAI, google: Vendor) -> None:
    candidate = {"content": {"role": "model", "parts": [{"text": "Ha"}]}, "index": 0}
    google.will(stream(*gemini_events({"candidates": [candidate]}), finish=False))
    seen: list[str] = []
    events = client.responses.create(model="via-gemini", input="Hi", stream=True)
    with pytest.raises(openai.APIError, match="broke off"):
        seen.extend(event.type for event in events)
    assert seen[-1] == "response.output_text.delta"


@pytest.mark.parametrize("name", ["via-gemini", "via-responses"])
def test_no_answer(client: openai.OpenAI, google: Vendor, responses_vendor: Vendor, name: str) -> None:
    vendor = google if name == "via-gemini" else responses_vendor
    vendor.will(reset(), reset())  # what was idle may be tried once more
    with pytest.raises(openai.InternalServerError) as refused:
        client.responses.create(model=name, input="Hi")
    assert refused.value.status_code == 502


def test_same_protocol_untouched(client: openai.OpenAI, responses_vendor: Vendor) -> None:
    """What no gateway knows goes through, and the vendor's own error comes as it was."""
    client.responses.create(model="via-responses", input="Hi", background=True, truncation="auto", include=[])
    assert responses_vendor.last.json == {
        "model": "gpt-5.4-mini", "input": "Hi", "background": True, "truncation": "auto", "include": [],
    }  # fmt: skip
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(model="via-responses", input="Hi", extra_body={"frob": 1})
    assert refused.value.param == "frob"


def test_same_protocol_broken_midway(client: openai.OpenAI, responses_vendor: Vendor) -> None:
    begun: Any = {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "status": "in_progress",
        "model": "m",
        "output": [],
    }
    responses_vendor.will(stream(*responses_events({"type": "response.created", "response": begun}), finish=False))
    with pytest.raises(openai.APIError, match="broke off"):
        list(client.responses.create(model="via-responses", input="Hi", stream=True))


def test_count(client: openai.OpenAI, google: Vendor) -> None:
    for name in ("via-gemini", "via-responses"):
        counted = client.responses.input_tokens.count(model=name, input="Hi")
        assert (counted.object, counted.input_tokens) == ("response.input_tokens", 31)


def test_the_extra_output_is_not_put_over_its_own(client: openai.OpenAI, model: str) -> None:
    answer = client.responses.create(model=model, input="Hi", extra_headers={"x-dragoman-extras": "output_text"})
    assert answer.output_text == HELLO


def test_under_googles_path(relay: Gateway) -> None:
    with openai.OpenAI(base_url=f"{relay.base_url}/v1beta/openai", api_key=relay.key, max_retries=0) as client:
        assert client.responses.create(model="via-gemini", input="Hi").output_text == HELLO


def test_encrypted_reasoning(client: openai.OpenAI) -> None:
    answer: Any = client.responses.create(
        model="via-responses",
        input="Hi",
        store=False,
        reasoning={"summary": "auto"},
        include=["reasoning.encrypted_content"],
    )
    assert answer.output[0].encrypted_content == ENCRYPTED


def test_built_in_model(local_openai: openai.OpenAI) -> None:
    with local_openai.responses.stream(model="gpt-4o", input="Say hello.", max_output_tokens=12) as events:
        pieces = [event.delta for event in events if event.type == "response.output_text.delta"]
    first = local_openai.responses.create(model="gpt-4o", input="Say hello.", max_output_tokens=12)
    assert pieces and first.output_text
    second = local_openai.responses.create(
        model="gpt-4o", input="Again.", previous_response_id=first.id, max_output_tokens=12
    )
    assert (second.model, second.previous_response_id) == ("smollm2-135m", first.id)
