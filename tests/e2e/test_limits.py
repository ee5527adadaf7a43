"""Limits and budgets, hammered from outside: what passes is counted at the callers, and by the vendor."""

from __future__ import annotations

import collections
import http.client
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from e2e.gateway import Gateway, provider, running, wait_until
from e2e.ledger import entries_of
from e2e.processes import workers
from e2e.vendor import Exchange, Vendor, openai_events, reply, serving, slow, stream

GIVEN, SAID = 10, 20
USAGE = {"prompt_tokens": GIVEN, "completion_tokens": SAID, "total_tokens": GIVEN + SAID}
# One dollar a million of either: an answer costs 30 microdollars.
COST = (GIVEN + SAID) * 1000
CONFIG = """
log: {{format: json, level: info}}
failover: {{health: ignore, retries: 0}}
providers:
{providers}
models:
  fast: {{targets: [{{provider: openai, model: m}}], price: {{input: "1", output: "1"}}}}
  free-of-price: {{targets: [{{provider: openai, model: m}}]}}
  narrow: {{targets: [{{provider: openai, model: m}}], limits: {{requests_per_minute: 3}}}}
keys:
  - {{name: sixty, key: {sixty}, limits: {{requests_per_minute: 60}}}}
  - {{name: four, key: {four}, limits: {{concurrent_requests: 4}}}}
  - {{name: tokens, key: {tokens}, limits: {{tokens_per_minute: 1000}}}}
  - {{name: ten, key: {ten}, budget: {{usd: "0.000300", window: day}}}}
  - {{name: all, key: {all}, limits: {{requests_per_minute: 100, tokens_per_minute: 100000, concurrent_requests: 9}}}}
"""
KEYS = {name: f"dgm_{name}_key_of_the_tests_of_limits" for name in ("sixty", "four", "tokens", "ten", "all")}
HI = [{"role": "user", "content": "hi"}]


def answer(exchange: Exchange) -> None:
    if exchange.seen.json.get("stream"):
        chunks = [
            {"id": "c", "model": "m", "choices": [{"index": 0, "delta": {"content": "x"}, "finish_reason": None}]},
            {"id": "c", "model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
            {"id": "c", "model": "m", "choices": [], "usage": USAGE},
        ]
        stream(*openai_events(*chunks))(exchange)
        return
    choice = {"index": 0, "message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"}
    reply({"id": "c", "object": "chat.completion", "model": "m", "choices": [choice], "usage": USAGE})(exchange)


class Limited:
    def __init__(self, gateway: Gateway, vendor: Vendor) -> None:
        self.gateway = gateway
        self.vendor = vendor

    def ask(self, key: str, **more: Any) -> tuple[int, Any, bytes]:
        body = {"model": "fast", "messages": HI, **more}
        return self.gateway.post("/v1/chat/completions", body, {"authorization": f"Bearer {KEYS[key]}"})

    def at_once(self, count: int, key: str, **more: Any) -> collections.Counter[int]:
        """Statuses of requests that set out together, each on a connection of its own."""
        body = json.dumps({"model": "fast", "messages": HI, **more}).encode()
        found: collections.Counter[int] = collections.Counter()
        gate = threading.Barrier(count)
        lock = threading.Lock()

        def ask() -> None:
            connection = self.gateway.connect()
            connection.connect()
            gate.wait()
            connection.request("POST", "/v1/chat/completions", body, {"authorization": f"Bearer {KEYS[key]}"})
            response = connection.getresponse()
            response.read()
            with lock:
                found[response.status] += 1
            connection.close()

        threads = [threading.Thread(target=ask) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return found


@pytest.fixture(scope="module", params=[1, 2], ids=["one-worker", "two-workers"])
def _limited(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Limited]:
    with serving(answer) as vendor:
        config = CONFIG.format(providers=provider("openai", "openai-chat", f"{vendor.base_url}/v1", "m"), **KEYS)
        arguments = ("--workers", str(request.param))
        with running(tmp_path_factory.mktemp("limits"), config=config, arguments=arguments) as gateway:
            yield Limited(gateway, vendor)


@pytest.fixture
def limited(_limited: Limited) -> Limited:
    _limited.vendor.reset()
    _limited.vendor.usual = answer
    return _limited


def test_sixty_of_three_hundred_pass(limited: Limited) -> None:
    assert limited.at_once(300, "sixty") == {200: 60, 429: 240}
    assert len(limited.vendor.seen) == 60


def test_the_vendor_never_sees_more_at_a_time(limited: Limited) -> None:
    running_now, most = [0], [0]
    lock = threading.Lock()

    def counting(exchange: Exchange) -> None:
        with lock:
            running_now[0] += 1
            most[0] = max(most[0], running_now[0])
        time.sleep(0.05)
        # Before the answer, for the gateway may let the next one in as soon as it has it.
        with lock:
            running_now[0] -= 1
        answer(exchange)

    limited.vendor.usual = counting
    found = limited.at_once(40, "four", stream=True)
    assert most[0] == 4
    assert found[200] >= 4
    assert found[200] + found[429] == 40
    assert limited.ask("four")[0] == 200  # all of them are given back


def test_a_budget_for_ten_is_not_overspent(limited: Limited) -> None:
    found = limited.at_once(200, "ten", max_tokens=SAID)
    assert found[200] + found[429] == 200
    # As long as there is money, there are answers: what is reserved and not used is given back.
    while limited.ask("ten", max_tokens=SAID)[0] == 200:
        pass
    entries = [e for e in entries_of(limited.gateway.data).values() if e["key_id"] == "file:ten"]
    spent = sum(entry["cost_nanos"] for entry in entries)
    assert spent == COST * len(limited.vendor.seen)
    assert 300_000 - 2 * COST <= spent <= 300_000
    status, headers, body = limited.ask("ten", max_tokens=SAID)
    assert status == 429
    error = json.loads(body)["error"]
    assert "the key 'ten'" in error["message"].lower()
    assert float(headers["retry-after"]) > 0


def test_tokens_are_settled_by_what_was_used(limited: Limited) -> None:
    # An assumed bound would let in one at a time; 30 are used by each.
    for _ in range(8):
        assert limited.ask("tokens", max_tokens=100)[0] == 200
    _, headers, _ = limited.ask("tokens", max_tokens=100)
    assert int(headers["x-ratelimit-limit-tokens"]) == 1000
    assert 1000 - 9 * 30 - 150 <= int(headers["x-ratelimit-remaining-tokens"]) <= 1000 - 8 * 30
    status, headers, body = limited.ask("tokens", max_tokens=5000)
    assert status == 429
    assert "5,0" in json.loads(body)["error"]["message"]


def test_a_models_own_limit_holds_for_every_key(limited: Limited) -> None:
    statuses = [limited.ask(key, model="narrow")[0] for key in ("four", "all", "four", "all")]
    assert statuses == [200, 200, 200, 429]


def test_a_price_nobody_knows_is_not_for_a_budget(limited: Limited) -> None:
    status, _, body = limited.ask("ten", model="free-of-price", max_tokens=5)
    assert status == 403
    assert json.loads(body)["error"]["code"] == "price_unknown"
    assert limited.ask("all", model="free-of-price")[0] == 200


PATHS: dict[str, tuple[str, dict[str, Any]]] = {
    "openai-chat": ("/v1/chat/completions", {"model": "fast", "messages": HI}),
    "openai-responses": ("/v1/responses", {"model": "fast", "input": "hi"}),
    "anthropic": ("/v1/messages", {"model": "fast", "messages": HI, "max_tokens": 50}),
    "gemini": ("/v1beta/models/fast:generateContent", {"contents": [{"parts": [{"text": "hi"}]}]}),
}


@pytest.mark.parametrize("protocol", PATHS)
def test_what_is_left_is_told_in_the_callers_words(limited: Limited, protocol: str) -> None:
    path, body = PATHS[protocol]
    status, headers, _ = limited.gateway.post(path, body, {"authorization": f"Bearer {KEYS['all']}"})
    assert status == 200
    told = {name.lower(): value for name, value in headers.items() if "ratelimit" in name.lower()}
    if protocol == "gemini":
        assert told == {}
        return
    if protocol == "anthropic":
        assert told["anthropic-ratelimit-requests-limit"] == "100"
        assert 0 <= int(told["anthropic-ratelimit-tokens-remaining"]) < 100_000
        assert datetime.fromisoformat(told["anthropic-ratelimit-requests-reset"]).tzinfo is not None
        assert len(told) == 6
        return
    assert told["x-ratelimit-limit-requests"] == "100"
    assert 0 <= int(told["x-ratelimit-remaining-requests"]) < 100
    assert told["x-ratelimit-reset-requests"].endswith("s")
    assert len(told) == 6


@pytest.mark.parametrize("protocol", PATHS)
def test_a_refusal_is_told_in_the_callers_words(limited: Limited, protocol: str) -> None:
    limited.at_once(61, "sixty")
    path, body = PATHS[protocol]
    status, headers, told = limited.gateway.post(path, body, {"authorization": f"Bearer {KEYS['sixty']}"})
    assert status == 429
    assert 1 <= int(headers["retry-after"]) <= 62
    error = json.loads(told)["error"]
    assert "60 requests a minute" in error["message"]
    match protocol:
        case "gemini":
            assert error["status"] == "RESOURCE_EXHAUSTED"
            kinds = {detail["@type"].rpartition(".")[2] for detail in error["details"]}
            assert kinds == {"QuotaFailure", "RetryInfo"}
        case "anthropic":
            assert error["type"] == "rate_limit_error"
        case _:
            assert error["code"] == "rate_limit_exceeded"


def test_refusals_are_counted_and_entered(limited: Limited) -> None:
    limited.at_once(61, "sixty")
    status, headers, _ = limited.ask("sixty")
    assert status == 429
    entry = entries_of(limited.gateway.data)[headers["x-request-id"]]
    assert (entry["status"], entry["error"], entry["attempts"], entry["cost_nanos"]) == (
        429,
        "rate_limit_exceeded",
        0,
        0,
    )
    wait_until(
        lambda: b'dragoman_limit_rejections_total{limit="requests"}' in limited.gateway.get("/metrics")[2],
        "the metric",
    )


def test_who_is_refused_by_the_vendor_pays_nothing(limited: Limited) -> None:
    limited.vendor.will(reply({"error": {"message": "no", "type": "server_error"}}, 500))
    assert limited.ask("four")[0] == 500
    assert limited.at_once(4, "four") == {200: 4}


def test_a_killed_worker_gives_back_what_it_held(limited: Limited) -> None:
    release = threading.Event()
    for _ in range(4):
        limited.vendor.script.append(slow(release, answer))
    callers = [threading.Thread(target=_quietly, args=(limited,)) for _ in range(4)]
    for caller in callers:
        caller.start()
    limited.vendor.wait_for_request(4)
    assert limited.ask("four")[0] == 429
    session = limited.gateway.process.pid
    for pid in workers(session):
        os.kill(pid, signal.SIGKILL)
    release.set()
    for caller in callers:
        caller.join()
    wait_until(lambda: _status(limited) == 200, "another is let in")


def _quietly(limited: Limited) -> None:
    try:
        limited.ask("four")
    except (OSError, http.client.HTTPException):
        return


def _status(limited: Limited) -> int:
    try:
        return limited.ask("four")[0]
    except (OSError, http.client.HTTPException):
        return 0


def test_what_was_spent_is_known_after_a_restart(tmp_path_factory: pytest.TempPathFactory) -> None:
    data = tmp_path_factory.mktemp("spent")
    with serving(answer) as vendor:
        config = CONFIG.format(providers=provider("openai", "openai-chat", f"{vendor.base_url}/v1", "m"), **KEYS)
        statuses = []
        for _ in range(3):
            with running(data, config=config) as gateway:
                limited = Limited(gateway, vendor)
                statuses += [limited.ask("ten", max_tokens=SAID)[0] for _ in range(4)]
                os.killpg(gateway.process.pid, signal.SIGKILL)
    passed = statuses.count(200)
    assert 8 <= passed <= 10
    assert statuses == [200] * passed + [429] * (12 - passed)
    assert sum(entry["cost_nanos"] for entry in entries_of(data).values()) == passed * COST <= 300_000
