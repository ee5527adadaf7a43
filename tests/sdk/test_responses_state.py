"""What a caller of Responses may name again: kept for its key, over restarts, whoever answered."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from e2e import canned
from e2e.canned import HELLO
from e2e.fixtures import NARROW_KEY, Relayed
from e2e.gateway import Gateway, provider, running
from e2e.vendor import Vendor, gemini_events, reply, serving, stream
from sdk.conftest import openai_client

CLOCK: Any = {
    "type": "function",
    "name": "get_time",
    "parameters": {"type": "object", "properties": {}},
    "strict": False,
}
MODELS = {"google": "via-gemini", "openai": "via-openai", "responses": "via-responses"}


@pytest.fixture(params=MODELS)
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("streamed", [False, True])
def test_second_turn(client: openai.OpenAI, vendors: Relayed, backend: str, streamed: bool) -> None:
    first: Any = client.responses.create(model=MODELS[backend], input="I am Ada.", stream=streamed)
    if streamed:
        first = list(first)[-1].response
    second = client.responses.create(model=MODELS[backend], input="Who am I?", previous_response_id=first.id)
    assert second.output_text == HELLO
    vendor: Vendor = getattr(vendors, backend)
    body = vendor.last.json
    if backend == "google":
        told = [(turn["role"], turn["parts"][0]["text"]) for turn in body["contents"]]
        assert told == [("user", "I am Ada."), ("model", HELLO), ("user", "Who am I?")]
    elif backend == "openai":
        told = [(message["role"], message["content"]) for message in body["messages"]]
        assert told == [("user", "I am Ada."), ("assistant", HELLO), ("user", "Who am I?")]
    else:  # it made the first, and knows it
        assert body == {"model": "gpt-5.4-mini", "input": "Who am I?", "previous_response_id": first.id}
    if backend != "responses":
        assert second.previous_response_id == first.id


def test_third_turn_at_another_vendor(client: openai.OpenAI, vendors: Relayed) -> None:
    first = client.responses.create(model="via-responses", input="I am Ada.", reasoning={"summary": "auto"})
    second = client.responses.create(model="via-gemini", input="And I am 36.", previous_response_id=first.id)
    third = client.responses.create(model="via-openai", input="Who am I?", previous_response_id=second.id)
    told = [(message["role"], message["content"]) for message in vendors.openai.last.json["messages"]]
    assert told == [
        ("user", "I am Ada."),
        ("assistant", HELLO),
        ("user", "And I am 36."),
        ("assistant", HELLO),
        ("user", "Who am I?"),
    ]
    client.responses.create(model="via-responses", input="And now?", previous_response_id=third.id)
    body = vendors.responses.last.json
    assert "previous_response_id" not in body
    assert [item.get("type") for item in body["input"]] == ["message"] * 7
    assert body["input"][-1] == {"type": "message", "role": "user", "content": "And now?"}


@pytest.mark.parametrize("model", ["via-gemini", "via-openai", "via-responses"])
def test_tools_with_state(client: openai.OpenAI, model: str, vendors: Relayed) -> None:
    first: Any = client.responses.create(model=model, input="Time?", tools=[CLOCK])
    call = first.output[-1]
    result: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "12:00"}
    if model == "via-responses":
        # The scripted vendor forgets, so another one goes on.
        model = "via-gemini"
    second = client.responses.create(model=model, input=[result], tools=[CLOCK], previous_response_id=first.id)
    assert second.output_text == HELLO


def test_signatures_of_kept_answers(client: openai.OpenAI, google: Vendor) -> None:
    part = {"functionCall": {"name": "get_time", "args": {}}, "thoughtSignature": "R0VN"}
    candidate = {"content": {"role": "model", "parts": [part]}, "finishReason": "STOP", "index": 0}
    google.will(reply({"candidates": [candidate]}))
    first: Any = client.responses.create(model="via-gemini-3", input="Time?", tools=[CLOCK])
    result: Any = {"type": "function_call_output", "call_id": first.output[-1].call_id, "output": "12:00"}
    client.responses.create(model="via-gemini-3", input=[result], tools=[CLOCK], previous_response_id=first.id)
    assert google.last.json["contents"][1]["parts"][0]["thoughtSignature"] == "R0VN"


def test_foreign_signatures_stay_away(client: openai.OpenAI, google: Vendor, responses_vendor: Vendor) -> None:
    """Items that Gemini's answer left, sent to a vendor of the same protocol as the caller's."""
    part = {"functionCall": {"name": "get_time", "args": {}}, "thoughtSignature": "R0VN"}
    thought = {"text": "Hm.", "thought": True}
    candidate = {"content": {"role": "model", "parts": [thought, part]}, "finishReason": "STOP", "index": 0}
    google.will(reply({"candidates": [candidate]}))
    first: Any = client.responses.create(model="via-gemini-3", input="Time?", tools=[CLOCK])
    history = [{"role": "user", "content": "Time?"}, *[item.to_dict() for item in first.output]]
    history.append({"type": "function_call_output", "call_id": first.output[-1].call_id, "output": "12:00"})
    client.responses.create(model="via-responses", input=history, tools=[CLOCK])
    kinds = [item.get("type") for item in responses_vendor.last.json["input"]]
    assert kinds == [None, "function_call", "function_call_output"]


@pytest.mark.parametrize("model", MODELS.values())
def test_unknown_and_foreign(client: openai.OpenAI, relay: Gateway, model: str) -> None:
    with pytest.raises(openai.NotFoundError) as refused:
        client.responses.create(model=model, input="Hi", previous_response_id="resp_x")
    assert (refused.value.param, refused.value.code) == ("previous_response_id", "previous_response_not_found")
    assert "Previous response with id 'resp_x' not found." in refused.value.message
    mine = client.responses.create(model="via-gemini", input="Secret")
    with openai_client(relay, api_key=NARROW_KEY) as other:
        for ask in (
            lambda: other.responses.create(model="via-gemini", input="Hi", previous_response_id=mine.id),
            lambda: other.responses.retrieve(mine.id),
            lambda: other.responses.delete(mine.id),
            lambda: other.responses.input_items.list(mine.id),
        ):
            with pytest.raises(openai.NotFoundError):
                ask()
    assert client.responses.retrieve(mine.id).output_text == HELLO


@pytest.mark.parametrize("model", ["via-gemini", "via-responses"])
def test_not_kept(client: openai.OpenAI, model: str) -> None:
    if model == "via-responses":
        client.responses.create(model=model, input="Hi")
        client.responses.delete("resp_canned")  # its vendor's ids are always the same
    answer = client.responses.create(model=model, input="Hi", store=False)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(answer.id)
    if model == "via-gemini":
        assert answer.to_dict()["store"] is False


@pytest.mark.parametrize("streamed", [False, True])
def test_retrieve_and_delete(client: openai.OpenAI, backend: str, streamed: bool) -> None:
    made: Any = client.responses.create(model=MODELS[backend], input="Hi", metadata={"a": "b"}, stream=streamed)
    if streamed:
        made = list(made)[-1].response
    again = client.responses.retrieve(made.id)
    assert again.to_dict() == made.to_dict()
    client.responses.delete(made.id)
    for ask in (client.responses.retrieve, client.responses.delete, client.responses.input_items.list):
        with pytest.raises(openai.NotFoundError, match=f"Response with id '{made.id}' not found."):
            ask(made.id)


def test_what_cannot_be_asked(client: openai.OpenAI) -> None:
    made = client.responses.create(model="via-gemini", input="Hi")
    with pytest.raises(openai.BadRequestError, match="not streamed again"):
        client.responses.retrieve(made.id, stream=True)
    with pytest.raises(openai.BadRequestError, match="Cannot cancel"):
        client.responses.cancel(made.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.cancel("resp_x")
    for wrong in ({"limit": 0}, {"limit": 101}, {"order": "up"}, {"after": "msg_nope"}):
        with pytest.raises(openai.BadRequestError) as refused:
            client.responses.input_items.list(made.id, **wrong)  # type: ignore[arg-type]
        assert refused.value.param == next(iter(wrong))


def test_made_in_the_background(client: openai.OpenAI, relay: Gateway) -> None:
    made = client.responses.create(model="via-responses", input="Hi", background=True)
    assert (made.status, made.output) == ("queued", [])
    with openai_client(relay, api_key=NARROW_KEY) as other, pytest.raises(openai.NotFoundError):
        other.responses.cancel(made.id)
    assert client.responses.cancel(made.id).status == "cancelled"
    made = client.responses.create(model="via-responses", input="Hi", background=True)
    assert client.responses.retrieve(made.id).output_text == HELLO
    with pytest.raises(openai.BadRequestError):
        client.responses.cancel(made.id)


@pytest.mark.parametrize(
    "answer",
    [reply("<html>", content_type="text/html"), reply([]), reply("", 302, [("location", "/")]), reply("", 999)],
)
def test_what_a_vendor_says_in_the_background_is_no_answer(
    client: openai.OpenAI, vendors: Relayed, answer: Any
) -> None:
    made = client.responses.create(model="via-responses", input="Hi", background=True)
    vendors.responses.will(answer)
    with pytest.raises(openai.APIStatusError) as refused:
        client.responses.cancel(made.id)
    assert refused.value.status_code == 502
    assert client.responses.retrieve(made.id).output_text == HELLO


def test_input_items(client: openai.OpenAI) -> None:
    asked: Any = [
        {"role": "developer", "content": "Be brief."},
        *({"role": "user", "content": [{"type": "input_text", "text": str(n)}]} for n in range(5)),
    ]
    first = client.responses.create(model="via-gemini", input=asked)
    second = client.responses.create(model="via-gemini", input="Last", previous_response_id=first.id)
    page = client.responses.input_items.list(second.id, limit=3)
    listed: list[Any] = list(page)  # the client asks for the pages that follow
    assert len(page.data) == 3 and page.has_more
    assert [item.role for item in listed] == ["user", "assistant", *["user"] * 5, "developer"]
    assert [item.content[0].text for item in listed] == ["Last", HELLO, "4", "3", "2", "1", "0", "Be brief."]
    assert len({item.id for item in listed}) == 8
    upward = client.responses.input_items.list(second.id, order="asc", limit=100)
    assert [item.id for item in upward] == [item.id for item in reversed(listed)]
    assert not upward.has_more


@pytest.mark.parametrize("limit", ["0", "101", "x", "", "9" * 5000])
def test_a_limit_that_is_none(relay: Gateway, client: openai.OpenAI, limit: str) -> None:
    made = client.responses.create(model="via-gemini", input="Hi")
    status, _, body = relay.get(
        f"/v1/responses/{made.id}/input_items?limit={limit}&order=asc", {"authorization": f"Bearer {relay.key}"}
    )
    if not limit:  # as if it were not there
        assert status == 200
        return
    assert status == 400 and json.loads(body)["error"]["param"] == "limit"


@pytest.mark.parametrize("given", [5, {"a": 1}, [7, "x", {"type": []}, {"role": "user", "content": 5}]])
def test_a_vendor_that_takes_anything(relay: Gateway, responses_vendor: Vendor, given: Any) -> None:
    """What is no item is not told again; the chain goes on."""
    said = {
        "type": "message",
        "role": "assistant",
        "content": [{"type": "output_text", "text": "A", "annotations": []}],
    }
    odd = {"id": f"resp_odd_{type(given).__name__}", "object": "response", "status": "completed", "model": "m"}
    responses_vendor.will(*(reply({**odd, "id": f"{odd['id']}{n}", "output": [said, "x", 5]}) for n in range(2)))
    assert relay.post("/v1/responses", {"model": "via-responses", "input": given})[0] == 200
    next = {"model": "via-responses", "input": "Go on.", "previous_response_id": f"{odd['id']}0"}
    assert relay.post("/v1/responses", next)[0] == 200
    status, _, body = relay.get(f"/v1/responses/{odd['id']}1/input_items", {"authorization": f"Bearer {relay.key}"})
    listed = json.loads(body)["data"]
    assert status == 200 and listed[0]["content"] == [{"type": "input_text", "text": "Go on."}]
    assert listed[1]["content"] == said["content"] and all(item["id"] for item in listed)
    status, _, _ = relay.post("/v1/responses", {**next, "model": "via-gemini"})
    assert status == (200 if not isinstance(given, list) else 400)


def test_item_reference(client: openai.OpenAI, vendors: Relayed, relay: Gateway) -> None:
    first: Any = client.responses.create(model="via-gemini", input="Hi")
    item = first.output[0].id
    for reference in ({"type": "item_reference", "id": item}, {"id": item}):
        asked: Any = [{"role": "user", "content": "Hi"}, reference, {"role": "user", "content": "Again"}]
        client.responses.create(model="via-openai", input=asked)
        assert vendors.openai.last.json["messages"][1] == {"role": "assistant", "content": HELLO}
        client.responses.create(model="via-responses", input=asked)
        assert vendors.responses.last.json["input"][1] == first.output[0].to_dict()
        with openai_client(relay, api_key=NARROW_KEY) as other, pytest.raises(openai.NotFoundError) as refused:
            other.responses.create(model="via-gemini", input=asked)
        assert refused.value.param == "input[1].id"


def own_answer(name: str, **more: Any) -> Any:
    """What a vendor with ids of its own answers."""
    item = {"id": f"msg_{name}", "type": "message", "status": "completed", "role": "assistant"}
    part = {"type": "output_text", "text": HELLO, "annotations": []}
    made = {"id": f"resp_{name}", "object": "response", "status": "completed", "model": "gpt-5.4-mini"}
    return reply({**made, "created_at": 1782955817, "output": [{**item, "content": [part]}], **more})


def test_a_vendors_own_items_are_their_keys(client: openai.OpenAI, vendors: Relayed, relay: Gateway) -> None:
    vendors.responses.will(own_answer("a68"))
    first = client.responses.create(model="via-responses", input="Hi")
    asked: Any = [{"type": "item_reference", "id": "msg_a68"}, {"role": "user", "content": "Again"}]
    client.responses.create(model="via-responses", input=asked)
    assert vendors.responses.last.json["input"] == asked, "its maker knows it by its id"
    client.responses.create(model="via-openai", input=asked)
    assert vendors.openai.last.json["messages"][0] == {"role": "assistant", "content": HELLO}
    before = len(vendors.responses.seen)
    with openai_client(relay, api_key=NARROW_KEY) as other, pytest.raises(openai.NotFoundError) as refused:
        other.responses.create(model="via-responses", input=asked)
    assert (refused.value.param, refused.value.code) == ("input[0].id", "item_not_found")
    assert "Item with id 'msg_a68' not found." in refused.value.message
    client.responses.delete(first.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.create(model="via-responses", input=asked)
    assert len(vendors.responses.seen) == before


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"input": [{"type": "item_reference", "id": "msg_0e9"}]}, "input[0].id"),
        ({"input": [{"id": "msg_0e9"}]}, "input[0].id"),
        ({"input": [{"id": "msg_0e9", "status": "completed"}]}, "input[0].id"),
        ({"input": ["Hi", {"type": "reasoning", "id": "rs_0e9", "summary": []}]}, "input[1].id"),
        ({"input": [{"type": "image_generation_call", "id": "ig_0e9"}]}, "input[0].id"),
        ({"input": "Hi", "conversation": "conv_0e9"}, "conversation"),
        ({"input": "Hi", "conversation": {"id": "conv_0e9"}}, "conversation"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/responses", "/v1/responses/input_tokens"])
def test_what_was_never_handed_out(relay: Gateway, vendors: Relayed, path: str, more: Any, param: str) -> None:
    body = json.dumps({"model": "via-responses", **more})
    for sent in (body, body.replace("_", "\\u005f")):
        status, _, told = relay.post(path, sent.encode())
        assert (status, json.loads(told)["error"]["param"]) == (404, param)
    assert not vendors.responses.seen


def test_a_vendors_own_reasoning_is_its_keys(client: openai.OpenAI, vendors: Relayed) -> None:
    thought = {"id": "rs_b68", "type": "reasoning", "summary": []}
    vendors.responses.will(own_answer("b68", output=[thought]), own_answer("b69"))
    client.responses.create(model="via-responses", input="Hi")
    asked: Any = [thought, {"role": "user", "content": "Again"}]
    client.responses.create(model="via-responses", input=asked)
    assert vendors.responses.last.json["input"] == asked


def test_delete_at_the_vendor(client: openai.OpenAI, vendors: Relayed, relay: Gateway) -> None:
    auth = {"authorization": f"Bearer {relay.key}"}
    troubles: list[tuple[Any, str | None]] = [
        (reply({}, 500), "response_id"),
        (reply({}, 401), "response_id"),
        (lambda exchange: exchange.reset(), "response_id"),
        (reply({}, 404), None),
        (reply({"deleted": True}), None),
    ]
    for number, (answer, lost) in enumerate(troubles):
        vendors.responses.will(own_answer(f"d{number}"))
        vendors.responses.usual = answer
        made = client.responses.create(model="via-responses", input="Hi")
        status, headers, body = relay.ask("DELETE", f"/v1/responses/{made.id}", None, auth)
        assert (status, json.loads(body)["deleted"]) == (200, True)
        assert headers.get("x-dragoman-losses") == lost
        last = vendors.responses.asked[-1]
        assert (last.method, last.path) == ("DELETE", f"/v1/responses/{made.id}")
        with pytest.raises(openai.NotFoundError):
            client.responses.retrieve(made.id)
    own = client.responses.create(model="via-gemini", input="Hi")
    before = len(vendors.google.asked)
    client.responses.delete(own.id)
    assert len(vendors.google.asked) == before


@pytest.mark.parametrize("model", MODELS.values())
def test_deleted_in_the_middle(client: openai.OpenAI, model: str) -> None:
    first = client.responses.create(model="via-gemini", input="I am Ada.")
    second = client.responses.create(model="via-gemini", input="And I am 36.", previous_response_id=first.id)
    client.responses.delete(first.id)
    with pytest.raises(openai.NotFoundError) as refused:
        client.responses.create(model=model, input="Who am I?", previous_response_id=second.id)
    assert f"'{first.id}' not found: '{second.id}' goes on from it" in refused.value.message
    assert refused.value.code == "previous_response_not_found"
    with pytest.raises(openai.NotFoundError, match=first.id):
        client.responses.input_items.list(second.id)
    assert client.responses.retrieve(second.id).output_text == HELLO


def test_referred_items_are_kept_as_they_are(client: openai.OpenAI, vendors: Relayed) -> None:
    first: Any = client.responses.create(model="via-gemini", input="Hi")
    asked: Any = [{"type": "item_reference", "id": first.output[0].id}, {"role": "user", "content": "Again"}]
    second = client.responses.create(model="via-gemini", input=asked)
    client.responses.delete(first.id)
    client.responses.create(model="via-openai", input="And?", previous_response_id=second.id)
    told = [message["content"] for message in vendors.openai.last.json["messages"]]
    assert told == [HELLO, "Again", HELLO, "And?"]


def test_errors_name_the_callers_own_items(client: openai.OpenAI) -> None:
    first = client.responses.create(model="via-gemini", input="Hi")
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(
            model="via-gemini",
            input=[{"role": "user", "content": 7}],
            previous_response_id=first.id,  # type: ignore[typeddict-item,list-item]
        )
    assert refused.value.param == "input[0].content"


def test_broken_answers_are_not_kept(client: openai.OpenAI, google: Vendor) -> None:
    candidate = {"content": {"role": "model", "parts": [{"text": "Ha"}]}, "index": 0}
    google.will(stream(*gemini_events({"candidates": [candidate]}), finish=False))
    ids = []
    with pytest.raises(openai.APIError):
        ids.extend(
            event.response.id
            for event in client.responses.create(model="via-gemini", input="Hi", stream=True)
            if event.type == "response.created"
        )
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(ids[0])


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[tuple[Path, str, Vendor]]:
    """A data directory and a configuration of its own, for gateways that end."""
    with serving(canned.gemini) as google:
        yield tmp_path, "providers:\n" + provider("google", "gemini", google.base_url, "gemini-*"), google


def test_survives_a_restart(alone: tuple[Path, str, Vendor]) -> None:
    data, config, google = alone
    with running(data, config=config) as gateway, openai_client(gateway) as client:
        first = client.responses.create(model="gemini-2.5-flash", input="I am Ada.")
        key = gateway.key
    with running(data, config=config, key=key) as gateway, openai_client(gateway) as client:
        assert client.responses.retrieve(first.id).output_text == HELLO
        client.responses.create(model="gemini-2.5-flash", input="Who am I?", previous_response_id=first.id)
    told = [turn["parts"][0]["text"] for turn in google.last.json["contents"]]
    assert told == ["I am Ada.", HELLO, "Who am I?"]
