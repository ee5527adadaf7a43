"""A provider's bound and the gateway's own, from outside: the vendor counts what is under way, the callers what they are told."""

from __future__ import annotations

import collections
import contextlib
import json
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e import canned
from e2e.gateway import ONCE, Gateway, provider, running, wait_until
from e2e.ledger import entries_of
from e2e.sockets import Caller, calling
from e2e.vendor import PATIENCE, Exchange, Vendor, hang, openai_events, raw, reply, serving, stream
from soak import soak

pytestmark = soak

KEYS = {name: f"dgm_{name}_key_of_the_tests_of_load" for name in ("flood", "quiet", "third")}
HI = [{"role": "user", "content": "hi"}]
BOUND = 3
CONFIG = """
log: {{format: json, level: info}}
providers:
{providers}
models:
  fast: {{targets: [{{provider: narrow, model: m}}]}}
  either: {{targets: [{{provider: narrow, model: m, priority: 1}}, {{provider: wide, model: m, priority: 2}}]}}
  single: {{targets: [{{provider: one, model: m}}]}}
  nobody: {{targets: [{{provider: one, model: m}}, {{provider: gone, model: m, priority: 2}}]}}
keys:
  - {{name: flood, key: {flood}}}
  - {{name: quiet, key: {quiet}}}
  - {{name: third, key: {third}}}
"""
PATHS: dict[str, tuple[str, dict[str, Any]]] = {
    "openai-chat": ("/v1/chat/completions", {"model": "single", "messages": HI}),
    "openai-responses": ("/v1/responses", {"model": "single", "input": "hi"}),
    "anthropic": ("/v1/messages", {"model": "single", "messages": HI, "max_tokens": 50}),
    "gemini": ("/v1beta/models/single:generateContent", {"contents": [{"parts": [{"text": "hi"}]}]}),
}


class Counting:
    """A vendor's answer that waits for `go`, and knows how many of it were under way at most, and in which order they came."""

    def __init__(self) -> None:
        self.now = self.most = self.done = 0
        self.lock = threading.Lock()
        self.go = threading.Event()
        self.said: list[str] = []

    def __call__(self, exchange: Exchange) -> None:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
            self.said.append(exchange.seen.json["messages"][0]["content"])
        self.go.wait(PATIENCE)
        # Before the answer, for the gateway lets the next one in as soon as it has it.
        with self.lock:
            self.now -= 1
            self.done += 1
        canned.openai(exchange)


class Loaded:
    def __init__(self, gateway: Gateway, narrow: Vendor, wide: Vendor, one: Vendor) -> None:
        self.gateway, self.narrow, self.wide, self.one = gateway, narrow, wide, one

    def ask(self, key: str = "quiet", model: str = "fast", **more: Any) -> tuple[int, Any, bytes]:
        body = {"model": model, "messages": HI, **more}
        return self.gateway.post("/v1/chat/completions", body, {"authorization": f"Bearer {KEYS[key]}"})

    def figure(self, name: str, provider: str) -> float:
        text = self.gateway.get("/metrics")[2].decode()
        mark = f'{name}{{provider="{provider}"}} '
        return float(text.partition(mark)[2].partition("\n")[0] or "-1")

    def wait_for(self, provider: str, *, in_use: int | None = None, waiting: int | None = None) -> None:
        if in_use is not None:
            wait_until(lambda: self.figure("dragoman_provider_places_in_use", provider) == in_use, f"{in_use} in use")
        if waiting is not None:
            wait_until(
                lambda: self.figure("dragoman_provider_requests_waiting", provider) == waiting, f"{waiting} waiting"
            )

    @contextlib.contextmanager
    def asking(self, count: int, key: str = "quiet", model: str = "fast", **more: Any) -> Iterator[collections.Counter]:
        """So many at once, each on a connection of its own; their statuses are whole at the end of the block."""
        found: collections.Counter[int] = collections.Counter()
        lock = threading.Lock()

        def ask() -> None:
            status = self.ask(key, model, **more)[0]
            with lock:
                found[status] += 1

        threads = [threading.Thread(target=ask) for _ in range(count)]
        for thread in threads:
            thread.start()
        yield found
        for thread in threads:
            thread.join()


@pytest.fixture(scope="module")
def _loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loaded]:
    with serving(canned.openai) as narrow, serving(canned.openai) as wide, serving(canned.openai) as one:
        named = {"narrow": narrow, "wide": wide, "one": one}
        bounds: dict[str, dict[str, Any]] = {
            "narrow": {"max_concurrent_requests": BOUND, "max_queued_requests": 40},
            "wide": {},
            "one": {"max_concurrent_requests": 1, "max_queued_requests": 1},
        }
        entries = [
            provider(name, "openai-chat", f"{vendor.base_url}/v1", name, **bounds[name])
            for name, vendor in named.items()
        ]
        entries.append(provider("gone", "openai-chat", "http://127.0.0.1:1/v1", "gone"))
        config = ONCE + CONFIG.format(providers="".join(entries), **KEYS)
        with running(tmp_path_factory.mktemp("load"), config=config) as gateway:
            yield Loaded(gateway, narrow, wide, one)


@pytest.fixture
def loaded(_loaded: Loaded) -> Iterator[Loaded]:
    for vendor in (_loaded.narrow, _loaded.wide, _loaded.one):
        vendor.reset()
        vendor.usual = canned.openai
    yield _loaded
    for name in ("narrow", "one"):
        _loaded.wait_for(name, in_use=0, waiting=0)  # whatever was done, all places are given back


def test_the_vendor_never_sees_more_at_a_time_and_all_are_answered(loaded: Loaded) -> None:
    counting = loaded.narrow.usual = Counting()
    with loaded.asking(30) as found:
        loaded.wait_for("narrow", in_use=BOUND, waiting=30 - BOUND)
        wait_until(lambda: counting.now == BOUND, "they are with the vendor")
        counting.go.set()
    assert found == {200: 30}
    assert counting.most == BOUND


def test_a_flood_of_one_key_does_not_starve_another(loaded: Loaded) -> None:
    counting = loaded.narrow.usual = Counting()
    flood = [{"role": "user", "content": "flood"}]
    quiet = [{"role": "user", "content": "quiet"}]
    with loaded.asking(60, "flood", messages=flood) as many:
        loaded.wait_for("narrow", in_use=BOUND, waiting=40)
        with loaded.asking(5, "quiet", messages=quiet) as few:
            wait_until(lambda: many[429] == 60 - 40 - BOUND + 5, "the flood makes room for the other key")
            counting.go.set()
    assert few == {200: 5}
    assert many == {200: 35 + BOUND, 429: 25 - BOUND}
    # Turns alternate; how three under way at once reach the vendor, their connections decide.
    assert max(at for at, said in enumerate(counting.said) if said == "quiet") < BOUND + 2 * 5 + BOUND


@pytest.mark.parametrize("form", ["whole", "stream"])
def test_a_caller_that_leaves_frees_its_place(loaded: Loaded, form: str) -> None:
    chunk = {"id": "c", "model": "m", "choices": [{"index": 0, "delta": {"content": "x"}, "finish_reason": None}]}
    loaded.one.will(hang() if form == "whole" else stream(*openai_events(chunk, done=False), hold=True))
    body = json.dumps({"model": "single", "messages": HI, "stream": form == "stream"}).encode()
    caller = Caller(loaded.gateway)
    caller.post("/v1/chat/completions", body)
    loaded.one.wait_for_request()
    if form == "stream":
        caller.until(b"data:")
    with loaded.asking(1, model="single") as found:
        loaded.wait_for("one", in_use=1, waiting=1)
        caller.leave()
    assert found == {200: 1}


def test_a_thousand_callers_that_leave_the_queue_leave_nothing_behind(loaded: Loaded) -> None:
    counting = loaded.narrow.usual = Counting()
    body = json.dumps({"model": "fast", "messages": HI}).encode()
    with loaded.asking(BOUND) as found:
        loaded.wait_for("narrow", in_use=BOUND)
        for _ in range(25):
            callers = [Caller(loaded.gateway) for _ in range(40)]
            for caller in callers:
                caller.post("/v1/chat/completions", body)
            loaded.wait_for("narrow", waiting=40)
            for caller in callers:
                caller.leave()
            loaded.wait_for("narrow", in_use=BOUND, waiting=0)
        counting.go.set()
    assert found == {200: BOUND}
    assert len(loaded.narrow.seen) == BOUND


def test_whatever_ends_a_call_frees_its_place(loaded: Loaded) -> None:
    chunk = {"id": "c", "model": "m", "choices": [{"index": 0, "delta": {"content": "x"}, "finish_reason": None}]}
    loaded.one.will(
        reply({"error": {"message": "no", "type": "server_error"}}, 500),
        reply({"error": {"message": "slower", "type": "rate_limit"}}, 429),
        reply(b"garbage"),
        raw(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort"),
        stream(*openai_events(chunk, done=False), finish=False),
    )
    statuses = [loaded.ask(model="single", stream=number == 4)[0] for number in range(5)]
    assert statuses == [500, 429, 502, 502, 200]
    asked = {"model": "single", "messages": HI}
    assert loaded.gateway.post("/v1/messages/count_tokens", asked)[0] == 400  # the vendor has no such call
    assert loaded.ask(model="single")[0] == 200


def test_a_full_provider_is_passed_over_for_the_next_target(loaded: Loaded) -> None:
    counting = loaded.narrow.usual = Counting()
    with loaded.asking(BOUND):
        loaded.wait_for("narrow", in_use=BOUND)
        status, headers, _ = loaded.ask(model="either")
        assert (status, headers["x-dragoman-target"], headers["x-dragoman-attempts"]) == (200, "wide/m", "1")
        counting.go.set()


def test_a_full_provider_is_waited_for_when_the_others_fail(loaded: Loaded) -> None:
    counting = loaded.narrow.usual = Counting()
    loaded.wide.usual = reply({"error": {"message": "no", "type": "server_error"}}, 500)
    with loaded.asking(BOUND), loaded.asking(1, model="either") as found:
        loaded.wide.wait_for_request()
        loaded.wait_for("narrow", in_use=BOUND, waiting=1)
        counting.go.set()
    assert found == {200: 1}


@pytest.mark.parametrize("protocol", PATHS)
@pytest.mark.parametrize("why", ["full", "share"])
def test_a_refusal_is_told_in_the_callers_words(loaded: Loaded, protocol: str, why: str) -> None:
    counting = loaded.one.usual = Counting()
    path, body = PATHS[protocol]
    with loaded.asking(1, "third", "single"):
        loaded.wait_for("one", in_use=1)
        with loaded.asking(1, "flood", "single"):
            loaded.wait_for("one", waiting=1)
            key = KEYS["flood" if why == "share" else "quiet"]
            status, headers, told = loaded.gateway.post(path, body, {"authorization": f"Bearer {key}"})
            counting.go.set()
    assert 1 <= int(headers["retry-after"]) <= 60
    assert "x-dragoman-target" not in headers
    error = json.loads(told)["error"]
    assert "'one'" in error["message"]
    match protocol:
        case "gemini":
            assert (status, error["status"]) == ((503, "UNAVAILABLE") if why == "full" else (429, "RESOURCE_EXHAUSTED"))
            assert "RetryInfo" in {detail["@type"].rpartition(".")[2] for detail in error["details"]}
        case "anthropic":
            assert (status, error["type"]) == (
                (529, "overloaded_error") if why == "full" else (429, "rate_limit_error")
            )
        case _:
            assert (status, error["code"]) == (
                (503, "provider_busy") if why == "full" else (429, "rate_limit_exceeded")
            )
    entry = entries_of(loaded.gateway.data)[headers["x-request-id"]]
    assert (entry["attempts"], entry["cost_nanos"]) == (0, 0)
    assert len(loaded.one.seen) == 2


def test_what_is_refused_is_counted(loaded: Loaded) -> None:
    text = loaded.gateway.get("/metrics")[2].decode()
    assert 'dragoman_provider_requests_refused_total{provider="one",reason="full"}' in text
    assert 'dragoman_provider_requests_refused_total{provider="one",reason="share"}' in text


def test_two_workers_have_a_share_each(tmp_path: Path) -> None:
    with serving(canned.openai) as vendor:
        counting = vendor.usual = Counting()
        with running(tmp_path, config=narrow_only(vendor, BOUND), arguments=("--workers", "2")) as gateway:
            loaded = Loaded(gateway, vendor, vendor, vendor)
            with loaded.asking(40) as found:
                # The kernel may give all connections to one of them, which has its share and no more.
                wait_until(lambda: counting.now >= 1)
                wait_until(
                    lambda: (
                        loaded.figure("dragoman_provider_places_in_use", "narrow")
                        + loaded.figure("dragoman_provider_requests_waiting", "narrow")
                        == 40
                    )
                )
                counting.go.set()
            assert found == {200: 40}
            assert counting.most <= BOUND


def narrow_only(vendor: Vendor, bound: int) -> str:
    entry = provider("narrow", "openai-chat", f"{vendor.base_url}/v1", "fast", max_concurrent_requests=bound)
    return "server: {drain_timeout: 1s}\nproviders:\n" + entry + "keys: [{name: quiet, key: " + KEYS["quiet"] + "}]\n"


def test_a_wider_bound_lets_in_who_waits(tmp_path: Path) -> None:
    with serving(canned.openai) as vendor, running(tmp_path, config=narrow_only(vendor, 1)) as gateway:
        counting = vendor.usual = Counting()
        loaded = Loaded(gateway, vendor, vendor, vendor)
        with loaded.asking(4) as found:
            loaded.wait_for("narrow", in_use=1, waiting=3)
            gateway.config.write_text(narrow_only(vendor, 3))
            gateway.signal(signal.SIGHUP)
            loaded.wait_for("narrow", in_use=3, waiting=1)
            wait_until(lambda: counting.now == 3, "they are with the vendor")
            counting.go.set()
        assert found == {200: 4}
        assert counting.most == 3


def test_who_waits_is_told_when_the_gateway_ends(tmp_path: Path) -> None:
    with serving(hang()) as vendor, running(tmp_path, config=narrow_only(vendor, 1)) as gateway:
        loaded = Loaded(gateway, vendor, vendor, vendor)
        with loaded.asking(3) as found:
            loaded.wait_for("narrow", in_use=1, waiting=2)
            assert gateway.stop() == 0
        assert found == {503: 3}
        assert len(vendor.seen) == 1


# --- the gateway's own bound


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, Vendor]]:
    with serving(hang()) as vendor:
        config = "server: {max_in_flight_requests: 2}\nproviders:\n" + provider(
            "one", "openai-chat", f"{vendor.base_url}/v1", "single"
        )
        with running(tmp_path_factory.mktemp("small"), config=config) as gateway:
            yield gateway, vendor


@contextlib.contextmanager
def full(gateway: Gateway, vendor: Vendor) -> Iterator[None]:
    vendor.reset()
    with calling(gateway) as one, calling(gateway) as two:
        for caller in (one, two):
            caller.post("/v1/chat/completions", json.dumps({"model": "single", "messages": HI}).encode())
        vendor.wait_for_request(2)
        yield
    wait_until(lambda: b"dragoman_requests_in_flight 0" in gateway.get("/metrics")[2], "they have left")


@pytest.mark.parametrize("protocol", PATHS)
def test_what_is_beyond_is_refused_before_its_body_comes(small: tuple[Gateway, Vendor], protocol: str) -> None:
    gateway, vendor = small
    path, _ = PATHS[protocol]
    with full(gateway, vendor), calling(gateway) as third:
        third.post(path, b"", "content-length: 30000000", head_only=True)
        third.peek_until(b"\r\n\r\n")
        head = third.socket.recv(65536).partition(b"\r\n\r\n")[0].decode().lower()
        assert head.startswith("http/1.1 529" if protocol == "anthropic" else "http/1.1 503")
        assert "retry-after: 1" in head
        assert "connection: close" in head
    assert len(vendor.seen) == 2


@pytest.mark.parametrize("protocol", PATHS)
def test_it_is_told_in_the_callers_words(small: tuple[Gateway, Vendor], protocol: str) -> None:
    gateway, vendor = small
    path, body = PATHS[protocol]
    with full(gateway, vendor):
        status, headers, told = gateway.post(path, body)
        error = json.loads(told)["error"]
        assert "server.max_in_flight_requests" in error["message"]
        assert headers["retry-after"] == "1"
        match protocol:
            case "gemini":
                assert (status, error["status"]) == (503, "UNAVAILABLE")
            case "anthropic":
                assert (status, error["type"]) == (529, "overloaded_error")
            case _:
                assert (status, error["code"]) == (503, "gateway_busy")
        line = gateway.entry(headers["x-request-id"])
        assert (line["status"], line["error"], line["protocol"]) == (status, "gateway_busy", protocol)
        assert headers["x-request-id"] not in entries_of(gateway.data)


def test_a_refused_caller_keeps_its_connection(small: tuple[Gateway, Vendor]) -> None:
    gateway, vendor = small
    with full(gateway, vendor), calling(gateway) as third:
        for _ in range(3):
            third.post("/v1/chat/completions", json.dumps({"model": "single", "messages": HI}).encode())
            told = third.answer()
            assert told.status == 503
            assert "connection" not in told.headers


def test_probes_metrics_and_administration_are_always_answered(small: tuple[Gateway, Vendor]) -> None:
    gateway, vendor = small
    with full(gateway, vendor):
        assert gateway.get("/v1/models")[0] == 503
        for path in ("/livez", "/readyz", "/metrics"):
            assert gateway.get(path)[0] == 200
        found = wait_until(lambda: _admin(gateway), "the admin process")
        assert found[0] == 200
        shed = gateway.get("/metrics")[2].decode().partition("\ndragoman_requests_shed_total ")[2]
        assert float(shed.partition("\n")[0]) >= 1
    assert gateway.get("/v1/models", {"authorization": f"Bearer {gateway.key}"})[0] == 200


def _admin(gateway: Gateway) -> tuple[int, Any, bytes] | None:
    found = gateway.get("/admin/v1/models", {"authorization": f"Bearer {gateway.key}"})
    return None if found[0] == 503 else found


# --- and of bodies


def large(size: int) -> bytes:
    return json.dumps({"model": "single", "messages": [{"role": "user", "content": "x" * size}]}).encode()


def shed_of(gateway: Gateway) -> float:
    return float(gateway.get("/metrics")[2].decode().partition("\ndragoman_requests_shed_total ")[2].partition("\n")[0])


@pytest.mark.parametrize("form", ["with a length", "in chunks"])
def test_bodies_under_way_are_bounded_together(tmp_path: Path, form: str) -> None:
    with serving(hang()) as vendor:
        config = "server: {max_in_flight_bytes: 1MiB}\nproviders:\n" + provider(
            "one", "openai-chat", f"{vendor.base_url}/v1", "single"
        )
        with running(tmp_path, config=config) as gateway:
            for _ in range(3):  # what is held is given back
                vendor.reset()
                shed = shed_of(gateway)
                with calling(gateway) as one, calling(gateway) as two, calling(gateway) as three:
                    one.post("/v1/chat/completions", large(700_000))
                    vendor.wait_for_request(1)
                    if form == "with a length":
                        two.post("/v1/chat/completions", b"", "content-length: 700000", head_only=True)
                    else:
                        body = large(700_000)
                        two.post("/v1/chat/completions", b"", "transfer-encoding: chunked", head_only=True)
                        for at in range(0, 500_000, 50_000):
                            with contextlib.suppress(OSError):  # it may be told before it has sent all
                                two.send(b"c350\r\n" + body[at : at + 50_000] + b"\r\n")
                    two.peek_until(b"gateway_busy")
                    assert two.socket.recv(12, socket.MSG_PEEK) == b"HTTP/1.1 503"
                    assert b"server.max_in_flight_bytes" in two.socket.recv(65536, socket.MSG_PEEK)
                    assert shed_of(gateway) == shed + 1
                    three.post("/v1/chat/completions", large(100))  # small ones still come in
                    vendor.wait_for_request(2)
                wait_until(lambda: b"dragoman_requests_in_flight 0" in gateway.get("/metrics")[2], "they have left")


def test_a_place_is_not_kept_through_a_pause(tmp_path: Path) -> None:
    """The vendor asks to wait; who waited for a place meanwhile, pauses too, and leaves."""
    release = threading.Event()

    def slow_down(exchange: Exchange) -> None:
        release.wait(PATIENCE)
        reply({"error": {"message": "slower", "type": "rate_limit"}}, 429, [("retry-after-ms", "1500")])(exchange)

    with serving(canned.openai) as vendor, running(tmp_path, config=narrow_only(vendor, 1)) as gateway:
        loaded = Loaded(gateway, vendor, vendor, vendor)
        vendor.will(slow_down)
        with loaded.asking(1) as found:
            vendor.wait_for_request()
            leaver = Caller(gateway)
            body = json.dumps({"model": "fast", "messages": HI}).encode()
            leaver.post("/v1/chat/completions", body)
            loaded.wait_for("narrow", in_use=1, waiting=1)
            release.set()
            loaded.wait_for("narrow", in_use=0, waiting=0)
            leaver.leave()
        assert found == {200: 1}
        assert loaded.ask()[0] == 200
        loaded.wait_for("narrow", in_use=0)
