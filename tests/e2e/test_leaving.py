"""Callers that leave, and callers that do not read: the vendor is let go at once, or made to wait."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from e2e.fixtures import Vendors
from e2e.gateway import Gateway, provider, running, wait_until
from e2e.processes import resident, workers
from e2e.sockets import Caller, calling
from e2e.vendor import Exchange, Vendor, gemini_events, hang, openai_events, serving, stream

PATHS = {
    "chat": ("/v1/chat/completions", {"messages": [{"role": "user", "content": "hi"}]}),
    "events": ("/v1beta/models/{}:streamGenerateContent?alt=sse", {"contents": [{"parts": [{"text": "hi"}]}]}),
    "array": ("/v1beta/models/{}:streamGenerateContent", {"contents": [{"parts": [{"text": "hi"}]}]}),
    "one": ("/v1beta/models/{}:generateContent", {"contents": [{"parts": [{"text": "hi"}]}]}),
}


def ask(caller: Caller, form: str, model: str) -> None:
    path, body = PATHS[form]
    asked: dict[str, Any] = {**body, "model": model, "stream": True} if form == "chat" else body
    caller.post(path.format(model), json.dumps(asked).encode())


def beginning(vendor: str) -> bytes:
    if vendor == "via-gemini":
        return gemini_events({"candidates": [{"content": {"role": "model", "parts": [{"text": "hello"}]}}]})[0]
    chunk = {"id": "c", "model": "m", "choices": [{"index": 0, "delta": {"content": "hello"}, "finish_reason": None}]}
    return openai_events(chunk, done=False)[0]


def left(gateway: Gateway, after: int) -> dict[str, Any]:
    """The line of a request that was left, behind the first `after` ones."""
    return wait_until(
        lambda: [line for line in gateway.log if line.get("client_closed")][after:], "a line for who left"
    )[0]


def lines_of_left(gateway: Gateway) -> int:
    return sum(1 for line in gateway.log if line.get("client_closed"))


@pytest.mark.parametrize("how", ["closes", "resets"])
@pytest.mark.parametrize("model", ["via-gemini", "via-openai"])
@pytest.mark.parametrize("form", ["chat", "events", "one"])
def test_before_the_vendors_headers(relay: Gateway, vendors: Vendors, form: str, model: str, how: str) -> None:
    vendor = vendors.google if model == "via-gemini" else vendors.openai
    vendor.will(hang())
    before = lines_of_left(relay)
    caller = Caller(relay)
    ask(caller, form, model)
    vendor.wait_for_request()
    caller.leave() if how == "closes" else caller.reset()
    assert vendor.left.wait(1.0)
    line = left(relay, before)
    assert (line["status"], line["error"], line["target"].partition("/")[0]) == (
        499,
        "client_closed",
        "google" if model == "via-gemini" else "openai",
    )


@pytest.mark.parametrize("model", ["via-gemini", "via-openai"])
@pytest.mark.parametrize("form", ["chat", "events"])
def test_in_the_middle_of_a_stream(relay: Gateway, vendors: Vendors, form: str, model: str) -> None:
    vendor = vendors.google if model == "via-gemini" else vendors.openai
    vendor.will(stream(beginning(model), hold=True))
    before = lines_of_left(relay)
    caller = Caller(relay)
    ask(caller, form, model)
    caller.until(b"hello")
    caller.leave()
    assert vendor.left.wait(1.0)
    line = left(relay, before)
    assert (line["status"], line["error"], line["stream"]) == (499, "client_closed", True)


def test_with_a_second_request_waiting_behind(relay: Gateway, openai_vendor: Vendor) -> None:
    openai_vendor.will(hang())
    caller = Caller(relay)
    ask(caller, "chat", "gpt-4o")
    ask(caller, "chat", "gpt-4o")
    openai_vendor.wait_for_request()
    caller.leave()
    assert openai_vendor.left.wait(1.0)
    assert len(openai_vendor.seen) == 1


def test_while_the_body_is_on_its_way(relay: Gateway, vendors: Vendors) -> None:
    before = lines_of_left(relay)
    caller = Caller(relay)
    caller.post("/v1/chat/completions", b'{"model"', "content-length: 100")
    wait_until(lambda: "dragoman_requests_in_flight 1" in relay.get("/metrics")[2].decode().replace(".0", ""))
    caller.leave()
    assert left(relay, before)["status"] == 499
    assert not vendors.openai.seen


def test_one_who_leaves_ends_nobody_elses_stream(relay: Gateway, openai_vendor: Vendor) -> None:
    release = threading.Event()
    openai_vendor.will(stream(beginning("gpt"), release, b"data: [DONE]\n\n"), stream(beginning("gpt"), hold=True))
    with calling(relay) as stays:
        ask(stays, "chat", "gpt-4o")
        stays.until(b"hello")
        leaves = Caller(relay)
        ask(leaves, "chat", "gpt-4o")
        leaves.until(b"hello")
        leaves.leave()
        assert openai_vendor.left.wait(1.0)
        release.set()
        assert stays.until(b"[DONE]")


# --- callers that do not read


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, dict[str, Vendor]]]:
    with serving(hang()) as google, serving(hang()) as openai:
        config = (
            "providers:\n"
            + provider("google", "gemini", google.base_url, "via-gemini", timeouts={"idle": "60s"})
            + provider("openai", "openai-chat", f"{openai.base_url}/v1", "via-openai")
        )
        with running(tmp_path_factory.mktemp("wide"), config=config) as gateway:
            yield gateway, {"via-gemini": google, "via-openai": openai}


@pytest.mark.parametrize(
    ("form", "model"),
    [("chat", "via-openai"), ("events", "via-openai"), ("chat", "via-gemini"), ("array", "via-gemini")],
)
def test_a_caller_that_does_not_read_makes_the_vendor_wait(
    wide: tuple[Gateway, dict[str, Vendor]], form: str, model: str
) -> None:
    gateway, vendors = wide
    vendor = vendors[model]
    vendor.reset()
    text = "x" * 60_000
    if model == "via-openai":
        piece = openai_events(
            {"id": "c", "model": "m", "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]},
            done=False,
        )[0]
    else:
        piece = json.dumps({"candidates": [{"content": {"role": "model", "parts": [{"text": text}]}}]}).encode()
        piece = b",\r\n" + piece if form == "array" else b"data: " + piece + b"\r\n\r\n"
    sent = [0]

    def endless(exchange: Exchange) -> None:
        kind = "application/json" if form == "array" else "text/event-stream"
        exchange.head(200, [("content-type", kind), ("transfer-encoding", "chunked")])
        if form == "array":
            exchange.chunk(b'[{"candidates":[]}')
        while sent[0] < 200_000_000:
            exchange.chunk(piece)
            sent[0] += len(piece)

    vendor.will(endless)
    (worker,) = workers(gateway.process.pid)
    before = resident(worker)
    caller = Caller(gateway)
    try:
        ask(caller, form, model)
        vendor.wait_for_request()
        last = [-1, time.monotonic()]

        def rests() -> bool:
            if sent[0] != last[0]:
                last[:] = [sent[0], time.monotonic()]
            return sent[0] > 0 and time.monotonic() - last[1] > 0.4

        wait_until(rests, "the vendor is made to wait")
        assert sent[0] < 40_000_000
        assert resident(worker) - before < 24_000_000  # the first request's own needs included
    finally:
        caller.leave()
    assert vendor.left.wait(1.0)
