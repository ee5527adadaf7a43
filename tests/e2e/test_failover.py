"""Targets that fail while others answer: callers do not notice, and what fails is left alone."""

from __future__ import annotations

import http.client
import json
import random
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e import canned
from e2e.gateway import Gateway, provider, running, wait_until
from e2e.vendor import Exchange, Vendor, openai_events, reply, reset, serving, stream

CHAT = "/v1/chat/completions"
REFUSED = {"error": {"message": "The key is not good.", "type": "invalid_request_error", "code": "invalid_api_key"}}
BUSY = {"error": {"message": "Slow down.", "type": "rate_limit_error", "code": "rate_limit_exceeded"}}
BROKEN = {"error": {"message": "The moon is full tonight.", "type": "server_error", "code": None}}


def chat(model: str, **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "hi"}], **more}


def asked_with(vendor: Vendor) -> list[str]:
    return [(seen.header("authorization") or "").removeprefix("Bearer ") for seen in vendor.seen]


@pytest.fixture
def first() -> Iterator[Vendor]:
    with serving(canned.openai) as vendor:
        yield vendor


@pytest.fixture
def second() -> Iterator[Vendor]:
    with serving(canned.openai) as vendor:
        yield vendor


def house(first: str, second: str | None, *, keys: int = 1, more: str = "", priority: int = 2) -> str:
    """Two providers in order, or one; the model `m` leads to them."""
    told = {
        "protocols": ["openai-chat"],
        "base_url": f"{first}/v1",
        "api_keys": [f"key-of-first-{n}" for n in range(keys)],
    }
    targets = [{"provider": "first", "model": "gpt-4o"}]
    lines = f"providers:\n  first: {json.dumps(told)}\n"
    if second is not None:
        lines += provider("second", "openai-chat", f"{second}/v1", "gpt-*")
        targets.append({"provider": "second", "model": "gpt-4o", "priority": priority})
    return lines + f"models:\n  m: {json.dumps({'targets': targets})}\n" + more


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address where connections are refused, and stay refused."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


def ask(gateway: Gateway, model: str = "m", **more: Any) -> tuple[int, Any, bytes]:
    return gateway.post(CHAT, chat(model, **more))


@pytest.mark.parametrize("stream", [False, True])
def test_a_target_that_cannot_be_reached_is_passed_over(
    nobody: str, second: Vendor, tmp_path: Path, stream: bool
) -> None:
    with running(tmp_path, config=house(nobody, second.base_url)) as gateway:
        answers = [ask(gateway, stream=stream) for _ in range(50)]
        assert [status for status, _, _ in answers] == [200] * 50
        attempts = [headers["x-dragoman-attempts"] for _, headers, _ in answers]
        # Three refusals weigh as six failures; after that nobody tries it before its cool-down is over.
        assert attempts == ["2"] * 3 + ["1"] * 47
        opened = gateway.wait_for_log(
            lambda line: line.get("target") == "first/gpt-4o" and "passed over" in line["event"]
        )
        assert opened["level"] == "error"
        told = gateway.wait_for_log(lambda line: line["event"] == "answered after others failed")
        assert told["before"] == ["first/gpt-4o: upstream_unreachable"] and told["target"] == "second/gpt-4o"
        metrics = gateway.get("/metrics")[2].decode()
        assert 'dragoman_target_healthy{provider="first",target="gpt-4o"} 0.0' in metrics
        assert 'dragoman_target_healthy{provider="second",target="gpt-4o"} 1.0' in metrics
        assert 'dragoman_target_transitions_total{provider="first",target="gpt-4o",to="open"} 1.0' in metrics


def test_the_same_target_is_asked_again_where_there_is_no_other(first: Vendor, tmp_path: Path) -> None:
    with running(tmp_path, config=house(first.base_url, None)) as gateway:
        first.will(reply(BROKEN, 500), reply(BROKEN, 503))
        status, headers, _ = ask(gateway)
        assert (status, headers["x-dragoman-attempts"], len(first.seen)) == (200, "3", 3)
        assert gateway.entry(headers["x-request-id"])["attempts"] == 3


def test_a_failure_is_told_soon_in_the_vendors_words(first: Vendor, tmp_path: Path) -> None:
    first.usual = reply(BROKEN, 500)
    with running(tmp_path, config=house(first.base_url, None)) as gateway:
        status, headers, body = ask(gateway)
        assert status == 500 and b"The moon is full tonight." in body
        # What has failed a request five times is not asked for it again.
        assert (headers["x-dragoman-attempts"], len(first.seen)) == ("5", 5)
        for _ in range(4):
            ask(gateway)
        # Its breaker is open after five requests: it is asked rather than nobody, once a request.
        assert ask(gateway)[1]["x-dragoman-attempts"] == "1"
        first.usual = canned.openai
        assert ask(gateway)[0] == 200


def test_a_wait_that_a_vendor_asked_for_is_kept(first: Vendor, second: Vendor, tmp_path: Path) -> None:
    with running(tmp_path, config=house(first.base_url, second.base_url)) as gateway:
        first.will(reply(BUSY, 429, [("retry-after", "60")]))
        answers = [ask(gateway) for _ in range(20)]
        assert [(status, headers["x-dragoman-target"]) for status, headers, _ in answers] == [
            (200, "second/gpt-4o")
        ] * 20
        assert len(first.seen) == 1


def test_where_everybody_asks_to_wait_the_caller_is_told_to(first: Vendor, second: Vendor, tmp_path: Path) -> None:
    with running(tmp_path, config=house(first.base_url, second.base_url)) as gateway:
        first.will(reply(BUSY, 429, [("retry-after", "60")]))
        second.will(reply(BUSY, 429, [("retry-after", "30")]))
        for _ in range(3):
            status, headers, body = ask(gateway)
            assert status == 429 and 25 <= int(headers["retry-after"]) <= 30
            assert b"Slow down." in body
        assert (len(first.seen), len(second.seen)) == (1, 1)


def test_a_short_wait_is_waited(first: Vendor, tmp_path: Path) -> None:
    with running(tmp_path, config=house(first.base_url, None)) as gateway:
        first.will(reply(BUSY, 429, [("retry-after-ms", "200")]))
        status, headers, _ = ask(gateway)
        assert (status, headers["x-dragoman-attempts"]) == (200, "2")


def test_another_credential_is_taken_where_one_is_at_its_limit(first: Vendor, second: Vendor, tmp_path: Path) -> None:
    with running(tmp_path, config=house(first.base_url, second.base_url, keys=3)) as gateway:
        first.will(reply(BUSY, 429, [("retry-after", "60")]))
        answers = [ask(gateway) for _ in range(10)]
        assert [(status, headers["x-dragoman-target"]) for status, headers, _ in answers] == [
            (200, "first/gpt-4o")
        ] * 10
        limited, *others = asked_with(first)
        assert limited not in others and len(set(others)) == 2
        assert not second.seen


@pytest.mark.parametrize("status", [401, 402, 403])
def test_a_credential_that_is_refused_is_used_no_more(first: Vendor, tmp_path: Path, status: int) -> None:
    with running(tmp_path, config=house(first.base_url, None, keys=2)) as gateway:
        first.will(reply(REFUSED, status))
        assert [ask(gateway)[0] for _ in range(10)] == [200] * 10
        bad, *others = asked_with(first)
        assert bad not in others and len(others) == 10
        line = gateway.wait_for_log(lambda line: "refuses a credential" in line["event"])
        assert line["level"] == "error" and line["credential"] == "providers.first.api_keys[0]"
        metrics = gateway.get("/metrics")[2].decode()
        assert 'dragoman_credential_accepted{credential="providers.first.api_keys[0]",provider="first"} 0.0' in metrics


def test_the_callers_key_is_not_blamed_where_no_credential_is_left(
    first: Vendor, second: Vendor, tmp_path: Path
) -> None:
    first.usual = second.usual = reply(REFUSED, 401)
    with running(tmp_path, config=house(first.base_url, second.base_url, keys=2)) as gateway:
        status, headers, body = ask(gateway)
        assert (status, json.loads(body)["error"]["code"]) == (502, "upstream_credentials_exhausted")
        assert headers["x-dragoman-attempts"] == "3"
        # As soon as one is accepted again, callers are answered.
        second.usual = canned.openai
        assert ask(gateway)[0] == 200


def test_what_is_the_callers_fault_is_told_at_once(first: Vendor, second: Vendor, tmp_path: Path) -> None:
    with running(tmp_path, config=house(first.base_url, second.base_url)) as gateway:
        for status in (400, 404, 413, 422):
            first.will(reply({"error": {"message": "That is no request.", "type": "invalid_request_error"}}, status))
            assert ask(gateway)[0] == status
        assert (len(first.seen), len(second.seen)) == (4, 0)
        assert ask(gateway)[1]["x-dragoman-target"] == "first/gpt-4o"


def test_what_is_too_long_for_one_goes_to_another(first: Vendor, second: Vendor, tmp_path: Path) -> None:
    too_long = {
        "error": {"message": "This model's maximum context length is 10 tokens.", "type": "invalid_request_error"}
    }
    with running(tmp_path, config=house(first.base_url, second.base_url)) as gateway:
        first.will(reply(too_long, 400))
        status, headers, _ = ask(gateway)
        assert (status, headers["x-dragoman-target"]) == (200, "second/gpt-4o")
        # Where it is too long for all, that is what is told.
        first.will(reply(too_long, 400))
        second.will(reply(too_long, 400))
        status, _, body = ask(gateway)
        assert status == 400 and b"maximum context length" in body


PIECE = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o"}
HELLO = {**PIECE, "choices": [{"index": 0, "delta": {"role": "assistant", "content": "hello"}, "finish_reason": None}]}


def test_what_has_begun_to_leave_is_not_begun_again(first: Vendor, second: Vendor, tmp_path: Path) -> None:
    with running(tmp_path, config=house(first.base_url, second.base_url)) as gateway:
        # Before anything has left, a broken stream is as good as none.
        first.will(stream(finish=False), reset())
        for _ in range(2):
            status, headers, _ = ask(gateway, stream=True)
            assert (status, headers["x-dragoman-target"]) == (200, "second/gpt-4o")
        second.reset()
        first.will(stream(*openai_events(HELLO, done=False), finish=False))
        status, headers, body = ask(gateway, stream=True)
        assert (status, headers["x-dragoman-target"], headers["x-dragoman-attempts"]) == (200, "first/gpt-4o", "1")
        assert b"hello" in body and b"upstream_broken" in body and not second.seen
        # It counts all the same: with two before it, and two after, the breaker opens.
        first.will(*[stream(*openai_events(HELLO, done=False), finish=False)] * 2)
        assert [ask(gateway, stream=True)[1]["x-dragoman-target"] for _ in range(3)] == [
            "first/gpt-4o",
            "first/gpt-4o",
            "second/gpt-4o",
        ]


def health(gateway: Gateway, name: str) -> dict[str, Any]:
    status, _, body = gateway.get("/admin/v1/providers", {"authorization": f"Bearer {gateway.key}"})
    assert status == 200
    found: dict[str, Any] = next(row["health"] for row in json.loads(body)["data"] if row["name"] == name)
    return found


def test_operators_see_what_any_worker_sees(nobody: str, second: Vendor, tmp_path: Path) -> None:
    second.will(reply(REFUSED, 401))
    with running(tmp_path, config=house(nobody, second.base_url, more="server: {workers: 2}\n")) as gateway:
        assert health(gateway, "first")["targets"] == []
        assert ask(gateway)[0] == 502  # the one is gone, and the other refuses our key
        for _ in range(8):
            ask(gateway)
        wait_until(lambda: {"model": "gpt-4o", "healthy": False} in health(gateway, "first")["targets"])
        assert health(gateway, "first")["credentials"] == [{"name": "providers.first.api_key", "accepted": True}]
        wait_until(lambda: {"model": "gpt-4o", "healthy": True} in health(gateway, "second")["targets"])


def test_a_reload_gives_a_refused_credential_another_chance(first: Vendor, tmp_path: Path) -> None:
    with running(tmp_path, config=house(first.base_url, None, keys=2)) as gateway:
        first.will(reply(REFUSED, 401))
        assert ask(gateway)[0] == 200
        name = "providers.first.api_keys[0]"
        wait_until(lambda: {"name": name, "accepted": False} in health(gateway, "first")["credentials"])
        root = {"authorization": f"Bearer {gateway.key}"}
        assert gateway.ask("POST", "/admin/v1/config/reload", b"", root)[0] == 200
        first.seen.clear()
        assert [ask(gateway)[0] for _ in range(4)] == [200] * 4
        assert set(asked_with(first)) == {"key-of-first-0", "key-of-first-1"}
        wait_until(lambda: {"name": name, "accepted": True} in health(gateway, "first")["credentials"])


def test_a_third_of_all_calls_failing_is_seen_by_no_caller(tmp_path: Path) -> None:
    chance, one_at_a_time = random.Random(5), threading.Lock()

    def moody(exchange: Exchange) -> None:
        with one_at_a_time:
            fails, how = chance.random() < 0.3, chance.randrange(3)
        answer = [reply(BROKEN, 500), reset(), reply("<html>", 502)][how] if fails else canned.openai
        answer(exchange)

    seen: list[int] = []

    def ask_on_and_on(gateway: Gateway) -> None:
        connection = gateway.connect()
        headers = {"content-type": "application/json", "authorization": f"Bearer {gateway.key}"}
        for _ in range(150):
            connection.request("POST", CHAT, json.dumps(chat("m")), headers)
            answer: http.client.HTTPResponse = connection.getresponse()
            answer.read()
            seen.append(answer.status)
        connection.close()

    with serving(moody) as a, serving(moody) as b, serving(moody) as c:
        vendors = {"a": a, "b": b, "c": c}
        config = "providers:\n" + "".join(
            provider(name, "openai-chat", f"{vendor.base_url}/v1", "gpt-*") for name, vendor in vendors.items()
        )
        targets = [{"provider": name, "model": "gpt-4o"} for name in vendors]
        with running(tmp_path, config=f"{config}models:\n  m: {json.dumps({'targets': targets})}\n") as gateway:
            callers = [threading.Thread(target=ask_on_and_on, args=(gateway,)) for _ in range(8)]
            for caller in callers:
                caller.start()
            for caller in callers:
                caller.join()
    assert seen == [200] * 1200


def test_a_model_may_go_by_speed(first: Vendor, second: Vendor, tmp_path: Path) -> None:
    never = threading.Event()

    def slowly(exchange: Exchange) -> None:
        never.wait(0.5)
        canned.openai(exchange)

    first.usual = slowly
    config = house(first.base_url, second.base_url, priority=1).replace(
        '"model": "gpt-4o"}', '"model": "gpt-4o", "weight": 9}'
    )
    with running(tmp_path, config=config.replace('{"targets"', '{"strategy": "least_latency", "targets"')) as gateway:
        assert [ask(gateway)[0] for _ in range(20)] == [200] * 20
    # Each once to begin with; then the quick one, but for one request in twenty or so.
    assert len(second.seen) >= 14 and len(first.seen) >= 1
