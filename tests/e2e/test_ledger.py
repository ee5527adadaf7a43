"""Every request that a key made has its entry by the time that its answer has ended; what it says is what happened."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest

from dragoman.catalog.price import price_from
from dragoman.ir import Usage
from dragoman.ledger import Entry
from e2e.bookkeeper import LEAVE, SPEECH, Counts
from e2e.canned_responses import responses_events
from e2e.fixtures import NARROW_KEY, Relayed
from e2e.gateway import Gateway, wait_until
from e2e.ledger import entries_of, entry_of, price_of
from e2e.sockets import Caller
from e2e.vendor import gemini_events, hang, openai_events, reply, stream

HI = {"messages": [{"role": "user", "content": "hi"}]}
ASKED: dict[str, tuple[str, dict[str, Any]]] = {
    "openai-chat": ("/v1/chat/completions", HI),
    "openai-responses": ("/v1/responses", {"input": "hi"}),
    "anthropic": ("/v1/messages", {**HI, "max_tokens": 100}),
    "gemini": ("/v1beta/models/{}:generateContent", {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}),
}
MODELS = {
    "via-openai": ("openai", "gpt-4o"),
    "via-gemini": ("google", "gemini-2.5-flash"),
    "via-anthropic": ("anthropic", "claude-sonnet-4-5"),
    "via-responses": ("responses", "gpt-5.4-mini"),
}


def ask(relay: Gateway, protocol: str, model: str, *, streams: bool, key: str | None = None) -> tuple[int, str, bytes]:
    path, body = ASKED[protocol]
    if protocol == "gemini":
        path = path.format(model)
        if streams:
            path = path.replace(":generateContent", ":streamGenerateContent") + "?alt=sse"
    else:
        body = {**body, "model": model, "stream": streams}
    given = {"authorization": f"Bearer {key}"} if key else None
    status, headers, answer = relay.post(path, body, given)
    return status, headers["x-request-id"], answer


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("protocol", ASKED)
def test_an_answer_and_its_entry(relay: Gateway, vendors: Relayed, protocol: str, model: str, streams: bool) -> None:
    status, name, answer = ask(relay, protocol, model, streams=streams)
    assert status == 200, answer
    entry = entries_of(relay.data)[name]
    assert set(Entry.__struct_fields__) == set(entry)
    line = relay.entry(name)
    told = {
        "protocol": protocol,
        "model": model,
        "provider": MODELS[model][0],
        "target_model": MODELS[model][1],
        "operation": "generate",
        "status": 200,
        "error": None,
        "stream": int(streams),
        "attempts": 1,
        "client_closed": 0,
        "estimated": 0,
        "key_id": "root",
    }
    assert {field: entry[field] for field in told} == told
    for field in ("input_tokens", "output_tokens", "cached_input_tokens", "reasoning_tokens"):
        assert entry[field] == line.get(field, 0)
    assert entry["input_tokens"] > 0 < entry["output_tokens"]
    assert 0 < entry["first_byte_ms"] <= entry["duration_ms"]
    assert json.loads(entry["losses"] or "[]") == list(dict.fromkeys(line.get("losses", ())))


def test_what_it_cost_and_why(relay: Gateway, vendors: Relayed) -> None:
    usage = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
    usage["prompt_tokens_details"] = {"cached_tokens": 400}  # type: ignore[assignment]
    answer = {
        "id": "c",
        "object": "chat.completion",
        "model": "gpt-4o",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"}],
        "usage": usage,
    }
    vendors.openai.will(reply(answer), reply(answer))
    names = [ask(relay, protocol, "via-openai", streams=False)[1] for protocol in ("openai-chat", "anthropic")]
    entries = entries_of(relay.data)
    # The scripted vendor's address is nobody's, so that its provider's name says whose prices hold: OpenAI's for gpt-4o are
    # $2.50, $1.25 and $10 a million (platform.openai.com/docs/pricing, 2025).
    for name in names:
        assert entries[name]["cost_nanos"] == 600 * 2500 + 400 * 1250 + 100 * 10_000
        assert entries[name]["price"] == entries[names[0]]["price"]
    detail = price_of(relay.data, names[0])
    assert price_from(detail).cost(Usage(input=1000, cached_input=400, output=100)).amount == 3_000_000


def test_an_unknown_price_is_no_price(relay: Gateway, vendors: Relayed) -> None:
    _, name, _ = ask(relay, "openai-chat", "via-responses", streams=False)
    entry = entries_of(relay.data)[name]
    assert (entry["cost_nanos"], entry["price"]) == (None, None)
    assert entry["input_tokens"] > 0


def test_refusals_are_entries_too(relay: Gateway, vendors: Relayed) -> None:
    vendors.openai.will(reply({"error": {"message": "no", "type": "invalid_request_error"}}, 400), reply("<html>", 500))
    asked = [
        ask(relay, "openai-chat", "no-such-model", streams=False),
        ask(relay, "openai-chat", "via-openai", streams=False, key=NARROW_KEY),
        ask(relay, "openai-chat", "via-openai", streams=False),
        ask(relay, "gemini", "via-openai", streams=True),
    ]
    assert [status for status, _, _ in asked] == [404, 403, 400, 500]
    entries = entries_of(relay.data)
    for status, name, _ in asked:
        entry = entries[name]
        assert (entry["status"], entry["input_tokens"], entry["cost_nanos"]) == (status, None, 0)
        assert entry["error"]
    assert [entries[name]["attempts"] for _, name, _ in asked] == [0, 0, 1, 1]


def test_lists_and_counts_are_entries_and_cost_nothing(relay: Gateway, vendors: Relayed) -> None:
    vendors.anthropic.will(reply({"input_tokens": 5}))
    names = {
        "list_models": relay.get("/v1/models", {"authorization": f"Bearer {relay.key}"})[1]["x-request-id"],
        "count_tokens": relay.post("/v1/messages/count_tokens", {**HI, "model": "via-anthropic"})[1]["x-request-id"],
    }
    entries = entries_of(relay.data)
    for operation, name in names.items():
        entry = entries[name]
        assert (entry["operation"], entry["status"], entry["cost_nanos"]) == (operation, 200, 0)


def test_who_has_no_key_has_no_entry(relay: Gateway) -> None:
    status, name, _ = ask(relay, "openai-chat", "via-openai", streams=False, key="dgm_of_nobody")
    assert status == 401
    assert name not in entries_of(relay.data)


SAID = "The quick brown fox jumps over the lazy dog. " * 8


def chunk(text: str) -> dict[str, Any]:
    return {"id": "c", "model": "m", "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]}


@pytest.mark.parametrize("protocol", ["openai-chat", "gemini"])
def test_who_leaves_in_the_middle_pays_for_what_was_said(relay: Gateway, vendors: Relayed, protocol: str) -> None:
    vendors.openai.will(stream(*openai_events(*[chunk(SAID)] * 4, done=False), hold=True))
    caller = Caller(relay)
    path, body = ASKED[protocol]
    if protocol == "gemini":
        caller.post("/v1beta/models/via-openai:streamGenerateContent?alt=sse", json.dumps(body).encode())
    else:
        caller.post(path, json.dumps({**body, "model": "via-openai", "stream": True}).encode())
    got = b""
    while got.count(b"lazy dog") < 32:
        got += caller.until(b"lazy dog")
    caller.socket.close()
    found = re.search(rb"x-request-id: (\S+)", got)
    assert found is not None
    entry = entry_of(relay.data, found[1].decode())
    assert (entry["status"], entry["client_closed"], entry["estimated"]) == (499, 1, 1)
    assert entry["input_tokens"] > 0
    # 1,440 characters are about 300 tokens; a guess by the length may be off by a third.
    assert 200 <= entry["output_tokens"] <= 500
    assert vendors.openai.left.wait(10)


@pytest.mark.parametrize("vendor", SPEECH)
@pytest.mark.parametrize("protocol", ASKED)
def test_whoever_leaves_whomever(relay: Gateway, vendors: Relayed, protocol: str, vendor: str) -> None:
    """Sixteen ways, four of them untouched: the vendor is let go within a second, and the entry says what was used."""
    name, scripted = {
        "openai-chat": ("via-openai", vendors.openai),
        "openai-responses": ("via-responses", vendors.responses),
        "anthropic": ("via-anthropic", vendors.anthropic),
        "gemini": ("via-gemini", vendors.google),
    }[vendor]
    counts = Counts(input=321, cached=21, written=0, output=50, thought=0)
    path, body = ASKED[protocol]
    if protocol == "gemini":
        path = f"/v1beta/models/{name}:streamGenerateContent?alt=sse"
    else:
        body = {**body, "model": name, "stream": True}
    took = []
    while not took or (took[-1] > 1.0 and len(took) < 3):  # this machine may have been busy with something else
        scripted.reset()
        scripted.will(stream(*SPEECH[vendor][1](f"{SAID} {LEAVE}", counts)[:-1], hold=True))
        caller = Caller(relay)
        caller.post(path, json.dumps(body).encode())
        got = caller.until(LEAVE.encode())
        began = time.monotonic()
        caller.leave()
        assert scripted.left.wait(30)
        took.append(time.monotonic() - began)
        found = re.search(rb"x-request-id: (\S+)", got)
        assert found is not None
        entry = entry_of(relay.data, found[1].decode())
        told = (entry["status"], entry["error"], entry["client_closed"], entry["estimated"], entry["attempts"])
        assert told == (499, "client_closed", 1, 1, 1)
        # 360 characters are about 90 tokens.
        assert 60 <= entry["output_tokens"] <= 180
        if vendor == "anthropic":  # it tells at the beginning what it was asked
            assert (entry["input_tokens"], entry["cached_input_tokens"]) == (321, 21)
        else:
            assert 0 < entry["input_tokens"] < 100
    assert took[-1] <= 1.0, took


def test_a_vendors_own_count_is_kept_of_a_stream_that_breaks(relay: Gateway, vendors: Relayed) -> None:
    chunks = gemini_events(
        {
            "candidates": [{"content": {"role": "model", "parts": [{"text": SAID}]}, "index": 0}],
            "usageMetadata": {"promptTokenCount": 11, "candidatesTokenCount": 222, "totalTokenCount": 233},
        }
    )
    vendors.google.will(stream(*chunks, finish=False))
    status, name, _ = ask(relay, "openai-chat", "via-gemini", streams=True)
    assert status == 200
    entry = entries_of(relay.data)[name]
    assert (entry["error"], entry["input_tokens"], entry["output_tokens"]) == ("upstream_broken", 11, 222)
    assert entry["estimated"] == 1


def test_an_answer_without_counts_is_estimated_and_says_so(relay: Gateway, vendors: Relayed) -> None:
    answer = {
        "id": "c",
        "object": "chat.completion",
        "model": "gpt-4o",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": SAID}, "finish_reason": "stop"}],
    }
    vendors.openai.will(reply(answer), reply(answer))
    for protocol in ("openai-chat", "gemini"):
        status, name, _ = ask(relay, protocol, "via-openai", streams=False)
        assert status == 200
        entry = entries_of(relay.data)[name]
        assert entry["estimated"] == 1
        assert 60 <= entry["output_tokens"] <= 150


@pytest.mark.parametrize("count", [1, 3, 40, 400])
@pytest.mark.parametrize("protocol", ["openai-responses", "openai-chat"])
def test_a_beginning_that_is_long_and_says_nothing(relay: Gateway, vendors: Relayed, protocol: str, count: int) -> None:
    """OpenAI tells the whole request again before the first word of the answer."""
    begun, *middle = SPEECH["openai-responses"][1]("", None)[:-1]
    begun = begun.replace(b'"tools":[]', b'"tools":[],"instructions":"' + b"Be kind. " * 500 + b'"')
    said = {
        "type": "response.output_text.delta",
        "item_id": "msg_1",
        "output_index": 0,
        "content_index": 0,
        "logprobs": [],
    }
    words = [responses_events({**said, "delta": SAID[:45]})[0]] * count
    last = responses_events({**said, "delta": LEAVE})[0]
    vendors.responses.will(stream(begun, *middle, *words, last, hold=True))
    caller = Caller(relay)
    path, body = ASKED[protocol]
    caller.post(path, json.dumps({**body, "model": "via-responses", "stream": True}).encode())
    got = caller.until(LEAVE.encode())
    caller.leave()
    found = re.search(rb"x-request-id: (\S+)", got)
    assert found is not None
    entry = entry_of(relay.data, found[1].decode())
    true = (45 * count + len(LEAVE)) / 4
    assert true / 2 <= entry["output_tokens"] <= true * 2


@pytest.mark.parametrize("absurd", [2**31, 2**53, 2**63, 10**30])
@pytest.mark.parametrize("protocol", ["openai-chat", "anthropic"])
def test_a_vendor_that_has_lost_count(relay: Gateway, vendors: Relayed, protocol: str, absurd: int) -> None:
    """Databases have whole numbers of 64 bits, for the sums of days too: one such entry must not keep out all that follow."""
    usage = {
        "prompt_tokens": absurd,
        "completion_tokens": absurd,
        "total_tokens": absurd,
        "prompt_tokens_details": {"cached_tokens": absurd, "audio_tokens": absurd},
        "completion_tokens_details": {"reasoning_tokens": absurd},
    }
    message = {"role": "assistant", "content": "x"}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    told = {"id": "c", "object": "chat.completion", "model": "gpt-4o", "choices": [choice], "usage": usage}
    vendors.openai.will(*[reply(told)] * 20)
    names = [ask(relay, protocol, "via-openai", streams=False)[1] for _ in range(20)]
    names.append(ask(relay, protocol, "via-openai", streams=False)[1])
    entries = entries_of(relay.data)
    for name in names[:-1]:
        entry = entries[name]
        assert (entry["status"], entry["input_tokens"], entry["output_tokens"]) == (200, 2**31, 2**31)
        assert entry["cost_nanos"] > 10**12
    assert relay.get("/metrics")[0] == 200
    assert entries[names[-1]]["input_tokens"] < 100
    wait_until(lambda: relay.get("/readyz")[2] == b"ready\n", "the database takes them")


@pytest.mark.parametrize("at_once", [True, False])
def test_a_stream_without_counts_is_estimated_however_it_comes(relay: Gateway, vendors: Relayed, at_once: bool) -> None:
    last = {"id": "c", "model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    events = openai_events(chunk(SAID), last)
    for protocol in ("openai-chat", "gemini"):
        vendors.openai.will(stream(b"".join(events)) if at_once else stream(*events))
        status, name, _ = ask(relay, protocol, "via-openai", streams=True)
        assert status == 200
        entry = entries_of(relay.data)[name]
        assert (entry["estimated"], entry["error"]) == (1, None)
        assert 60 <= entry["output_tokens"] <= 150


def test_a_vendor_that_is_left_before_it_answers(relay: Gateway, vendors: Relayed) -> None:
    vendors.openai.will(hang())
    before = entries_of(relay.data).keys()
    caller = Caller(relay)
    caller.post("/v1/chat/completions", json.dumps({**HI, "model": "via-openai"}).encode())
    vendors.openai.wait_for_request()
    caller.socket.close()
    (name,) = wait_until(lambda: entries_of(relay.data).keys() - before, "its entry")
    entry = entries_of(relay.data)[name]
    assert (entry["status"], entry["client_closed"], entry["output_tokens"], entry["estimated"]) == (499, 1, 0, 1)
    assert entry["input_tokens"] > 0
