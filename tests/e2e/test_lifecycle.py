"""Draining, reloading, and what becomes of a gateway whose processes die."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from e2e.gateway import Gateway, provider, running, wait_until, with_local_model
from e2e.processes import of_session, workers
from e2e.sockets import Caller, calling
from e2e.vendor import Exchange, Vendor, hang, openai_events, reply, serving, stream

CHAT = "/v1/chat/completions"
ANSWER = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}]}
FIRST, LAST = openai_events(
    {"id": "c", "model": "m", "choices": [{"index": 0, "delta": {"content": "hello"}, "finish_reason": None}]},
    {"id": "c", "model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    done=False,
)
DONE = b"data: [DONE]\n\n"


def body(streams: bool = True, model: str = "gpt-4o") -> bytes:
    return json.dumps({"model": model, "stream": streams, "messages": [{"role": "user", "content": "hi"}]}).encode()


def config(vendor: Vendor, server: str = "", models: str = "gpt-*") -> str:
    return f"server: {{{server}}}\nproviders:\n" + provider("openai", "openai-chat", f"{vendor.base_url}/v1", models)


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with serving(reply(ANSWER)) as found:
        yield found


def open_stream(gateway: Gateway, vendor: Vendor, *rest: bytes | threading.Event, hold: bool = False) -> Caller:
    """A caller whose stream has begun."""
    vendor.will(stream(FIRST, *rest, hold=hold))
    caller = Caller(gateway)
    caller.post(CHAT, body())
    caller.peek_until(b"hello")
    return caller


def refuses(gateway: Gateway) -> bool:
    """Whether nobody listens any more."""
    where = urlsplit(gateway.base_url)
    try:
        socket.create_connection((where.hostname, where.port), timeout=1).close()
    except ConnectionRefusedError:
        return True
    return False


# --- draining


@pytest.mark.parametrize("count", [1, 2])
def test_a_stop_lets_streams_end(tmp_path: Path, vendor: Vendor, count: int) -> None:
    with running(tmp_path, config=config(vendor, f"drain_timeout: 4s, workers: {count}")) as gateway:
        release = threading.Event()
        caller = open_stream(gateway, vendor, release, LAST, DONE)
        gateway.signal(signal.SIGTERM)
        if count == 1:
            wait_until(lambda: gateway.get("/readyz")[0] == 503, "/readyz tells of the end")
            assert gateway.get("/livez")[0] == 200
            assert gateway.post(CHAT, body(streams=False))[0] == 200
        wait_until(lambda: refuses(gateway), "the port is given up while the stream goes on")
        release.set()
        answer = caller.answer()
        caller.leave()
        assert answer.body == FIRST + LAST + DONE
        assert gateway.process.wait(10) == 0
        assert gateway.entry(answer.headers["x-request-id"]).get("error") is None


def test_a_stream_that_does_not_end_is_told_so(tmp_path: Path, vendor: Vendor) -> None:
    with running(tmp_path, config=config(vendor, "drain_timeout: 300ms")) as gateway:
        caller = open_stream(gateway, vendor, hold=True)
        waiting = Caller(gateway)
        vendor.will(hang())
        waiting.post(CHAT, body(streams=False))
        vendor.wait_for_request(2)
        gateway.signal(signal.SIGTERM)
        answer = caller.answer()
        error = json.loads(answer.body.removeprefix(FIRST).removeprefix(b"data: "))["error"]
        assert "shutting down" in error["message"]
        refusal = waiting.answer()
        assert (refusal.status, refusal.headers["retry-after"]) == (503, "1")
        assert "shutting down" in refusal.json["error"]["message"]
        assert gateway.process.wait(10) == 0
        for told in (answer, refusal):
            assert gateway.entry(told.headers["x-request-id"])["error"] == "service_unavailable"
        caller.leave()
        waiting.leave()


def test_a_request_on_its_way_as_we_end_is_answered(tmp_path: Path, vendor: Vendor) -> None:
    """By a sender that pauses between two requests, and so may find its connection idle when it ends."""
    with running(tmp_path, config=config(vendor, "drain_timeout: 60s")) as gateway, calling(gateway) as caller:
        gateway.signal(signal.SIGTERM)
        last = False
        while not last:
            caller.post(CHAT, body(streams=False))
            answer = caller.answer()
            assert answer.status == 200
            last = answer.headers.get("connection") == "close"
            time.sleep(0.05)
        assert gateway.process.wait(10) == 0


def test_a_second_stop_hurries(tmp_path: Path, vendor: Vendor) -> None:
    with running(tmp_path, config=config(vendor, "drain_timeout: 60s")) as gateway:
        caller = open_stream(gateway, vendor, hold=True)
        gateway.signal(signal.SIGTERM)
        wait_until(lambda: gateway.get("/readyz")[0] == 503)
        began = time.monotonic()
        gateway.signal(signal.SIGINT)
        assert b"shutting down" in caller.answer().body
        assert gateway.process.wait(10) == 0
        assert time.monotonic() - began < 5
        caller.leave()


def test_callers_that_never_pause_are_sent_away_between_two_requests(tmp_path: Path, vendor: Vendor) -> None:
    with running(tmp_path, config=config(vendor, "drain_timeout: 60s")) as gateway:
        wrong: list[Any] = []

        def takes_its_time(exchange: Exchange) -> None:
            time.sleep(0.05)  # there is no moment in which nothing is asked
            reply(ANSWER)(exchange)

        def ask_on_and_on() -> None:
            # The connection's end.
            with calling(gateway) as caller, contextlib.suppress(OSError, http.client.HTTPException):
                while True:
                    caller.post(CHAT, body(streams=False))
                    answer = caller.answer()
                    if answer.status != 200:
                        wrong.append(answer.status)
                    if answer.headers.get("connection") == "close":
                        return

        vendor.usual = takes_its_time
        callers = [threading.Thread(target=ask_on_and_on, daemon=True) for _ in range(6)]
        for caller in callers:
            caller.start()
        vendor.wait_for_request(30)
        gateway.signal(signal.SIGTERM)
        assert gateway.process.wait(15) == 0
        for caller in callers:
            caller.join(5)
        assert not wrong


def test_an_idle_gateway_stops_at_once(tmp_path: Path, vendor: Vendor) -> None:
    with running(tmp_path, config=config(vendor)) as gateway, calling(gateway) as kept:
        kept.post(CHAT, body(streams=False))
        assert kept.answer().status == 200
        began = time.monotonic()
        assert gateway.stop() == 0
        assert time.monotonic() - began < 2


# --- reload


def reload(gateway: Gateway) -> tuple[int, Any]:
    status, _, told = gateway.post("/admin/v1/config/reload", b"")
    return status, json.loads(told)


def status_of(gateway: Gateway, model: str) -> int:
    return gateway.post(CHAT, body(streams=False, model=model))[0]


def test_reload(tmp_path: Path, vendor: Vendor) -> None:
    """By signal, by the file's change and by call; with a bad file; with a stream open all the while."""
    with running(tmp_path, config=config(vendor)) as gateway:
        release = threading.Event()
        caller = open_stream(gateway, vendor, release, LAST, DONE)

        gateway.config.write_text(config(vendor, models="one"))
        assert reload(gateway) == (200, {"reloaded": True, "needs_restart": []})
        assert (status_of(gateway, "one"), status_of(gateway, "gpt-4o")) == (200, 404)

        gateway.config.write_text(config(vendor, models="two"))
        gateway.signal(signal.SIGHUP)
        wait_until(lambda: status_of(gateway, "two") == 200)

        gateway.config.write_text(config(vendor, models="three"))
        wait_until(lambda: status_of(gateway, "three") == 200)

        gateway.config.write_text(config(vendor, models="four") + "serve: 1\nmodels: {a: 1}\n")
        status, told = reload(gateway)
        assert status == 422 and "nothing was changed" in told["error"]["message"]
        assert len(told["problems"]) >= 2
        assert all(re.match(re.escape(str(gateway.config)) + r":\d+:\d+ ", problem) for problem in told["problems"])
        gateway.signal(signal.SIGHUP)
        gateway.wait_for_log(lambda line: line.get("asked_by") == "signal" and line.get("problem"))
        assert (status_of(gateway, "three"), status_of(gateway, "four")) == (200, 404)
        wait_until(lambda: "dragoman_config_last_reload_success 0" in metrics(gateway))

        gateway.config.write_text(config(vendor, "workers: 3"))
        for _ in range(2):  # it is not forgotten by the next one
            assert reload(gateway)[1]["needs_restart"] == ["server.workers"]

        release.set()
        assert caller.answer().body == FIRST + LAST + DONE
        caller.leave()


def test_a_reload_by_call_has_an_id_and_a_line(tmp_path: Path, vendor: Vendor) -> None:
    with running(tmp_path, config=config(vendor)) as gateway:
        path = "/admin/v1/config/reload"
        for asked, status, key in (
            (gateway.post(path, b""), 200, "root"),
            (gateway.ask("POST", path, b"", {"authorization": "Bearer nobody"}), 401, None),
            (gateway.get(path), 405, None),
        ):
            line = gateway.entry(asked[1]["x-request-id"])
            assert (asked[0], line["status"], line.get("key"), line["path"]) == (status, status, key, path)
            assert line["operation"] == "reload"


def test_a_signal_and_a_changed_file_are_one_reload(tmp_path: Path, vendor: Vendor) -> None:
    with running(tmp_path, config=config(vendor)) as gateway:
        gateway.config.write_text(config(vendor, models="one"))
        gateway.signal(signal.SIGHUP)
        gateway.wait_for_log(lambda line: line.get("asked_by") == "signal")
        gateway.config.write_text(config(vendor, models="second"))
        gateway.wait_for_log(lambda line: line.get("asked_by") == "file change")
        assert [line["asked_by"] for line in gateway.log if "asked_by" in line] == ["signal", "file change"]


def test_a_running_stream_keeps_what_it_began_with(tmp_path: Path, vendor: Vendor) -> None:
    with running(tmp_path, config=config(vendor)) as gateway:
        release = threading.Event()
        secret = b"vendor-secret-of-openai"
        told = b'data: {"error":{"message":"No more for ' + secret + b'","type":"server_error"}}\n\n'
        caller = open_stream(gateway, vendor, release, told)
        gateway.config.write_text(config(vendor).replace("vendor-secret-of-openai", "another-secret-of-openai"))
        assert reload(gateway)[0] == 200
        assert gateway.post(CHAT, body(streams=False))[0] == 200
        assert vendor.last.header("authorization") == "Bearer another-secret-of-openai"
        release.set()
        assert caller.answer().body.endswith(b'{"message":"No more for [redacted]","type":"server_error"}}\n\n')
        caller.leave()


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [("POST", {}, 401), ("POST", {"authorization": "Bearer dgm_wrong_key"}, 401), ("GET", None, 405)],
)
def test_who_may_reload(relay: Gateway, method: str, headers: dict[str, str] | None, status: int) -> None:
    found, got, told = relay.ask(method, "/admin/v1/config/reload", headers=headers or {})
    assert found == status
    assert json.loads(told)["error"]["message"]
    assert (got.get("allow") == "POST") is (status == 405)


# --- several workers, and their deaths


def metrics(gateway: Gateway) -> str:
    return gateway.get("/metrics")[2].decode()


def requests_counted(gateway: Gateway) -> int:
    return int(
        sum(
            float(line.rpartition(" ")[2])
            for line in metrics(gateway).splitlines()
            if line.startswith("dragoman_requests_total{") and 'status="200"' in line
        )
    )


def test_two_workers(tmp_path: Path, vendor: Vendor) -> None:
    """Their counters are summed and never go down; one that is killed is started again and the other goes on."""
    with running(tmp_path, config=config(vendor, "workers: 2")) as gateway:
        before = wait_until(lambda: len(found := workers(gateway.process.pid)) == 2 and found)
        callers = [Caller(gateway) for _ in range(16)]
        for caller in callers:
            caller.post(CHAT, body(streams=False))
        assert [caller.answer().status for caller in callers] == [200] * 16
        wait_until(lambda: requests_counted(gateway) == 16, "both workers' requests are counted")
        for caller in callers:
            caller.leave()
        # What a worker counted in its last second may be lost with it; all here has been seen by the other.
        os.kill(before[0], signal.SIGKILL)
        gateway.wait_for_log(lambda line: line.get("pid") == before[0])
        for _ in range(4):
            assert status_of(gateway, "gpt-4o") == 200
            assert requests_counted(gateway) >= 16
        after = wait_until(lambda: len(found := workers(gateway.process.pid)) == 2 and found)
        assert before[1] in after and before[0] not in after
        wait_until(lambda: requests_counted(gateway) == 20)


def test_the_only_worker_dies(tmp_path: Path, vendor: Vendor) -> None:
    with running(tmp_path, config=config(vendor)) as gateway:
        assert status_of(gateway, "gpt-4o") == 200
        caller = open_stream(gateway, vendor, hold=True)
        (pid,) = workers(gateway.process.pid)
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(Exception):  # noqa: B017 - cut off, in whatever way
            caller.answer()
        caller.leave()
        assert vendor.left.wait(5)
        # Nobody is refused meanwhile: the port stays open, and whoever connects is answered by the next worker.
        assert status_of(gateway, "gpt-4o") == 200
        assert gateway.stop() == 0


def test_no_process_outlives_the_supervisor(tmp_path: Path, local_model_file: Path) -> None:
    data = with_local_model(tmp_path, local_model_file)
    gateway = Gateway(data, arguments=("--workers", "2"))
    try:
        gateway.wait_ready()
        asked = {"model": "any", "max_tokens": 2, "messages": [{"role": "user", "content": "Hi"}]}
        assert gateway.post(CHAT, asked)[0] == 200
        family = of_session(gateway.process.pid)
        assert len(family) >= 4 and any("local" in line for line in family.values())
        os.kill(gateway.process.pid, signal.SIGKILL)
        gateway.process.wait(5)
        wait_until(lambda: not of_session(gateway.process.pid), "all have ended", 10)
    finally:
        gateway.close()
