"""A hundred streams are open while the configuration is swapped, targets and providers changed and removed: none breaks."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from e2e.gateway import Gateway, provider, running, wait_until
from e2e.sockets import Caller
from e2e.speech import PROTOCOLS, asked, is_whole, question, read_events, speech
from e2e.vendor import Exchange, Vendor, serving
from soak import soak

pytestmark = soak

STREAMS = 100
WORDS, SPARE = "first words 世界", "spare words"
# How far a stream has come when it all happens: the vendor has not answered, has only begun, has said something; or it breaks
# off afterwards, behind what only begins, and another target is to answer that is not in the configuration any more.
STAGES = ("asked", "begun", "said", "fails")
FORMS = {**dict.fromkeys(PROTOCOLS, "events"), "gemini": "array"}


class Vendors:
    """Who goes on when told to."""

    def __init__(self) -> None:
        self.release = threading.Event()

    def usual(self, exchange: Exchange) -> None:
        told = asked(exchange)
        if told.place == "spare":
            said = speech(told.protocol, SPARE, array=told.array)
            exchange.head(200, [("content-type", said.kind), ("transfer-encoding", "chunked")])
            exchange.chunk(said.opening + said.words + said.end)
            exchange.end()
            return
        said = speech(told.protocol, WORDS, array=told.array)
        stage = exchange.seen.body.decode().partition("stage ")[2].partition(".")[0]
        if stage == "asked":
            assert self.release.wait(60)
        exchange.head(200, [("content-type", said.kind), ("transfer-encoding", "chunked")])
        exchange.chunk(said.opening)
        if stage == "said":
            exchange.chunk(said.words)
        assert self.release.wait(60)
        if stage == "fails":
            exchange.keep = False
            return
        exchange.chunk(b"" if stage == "said" else said.words)
        exchange.chunk(said.end)
        exchange.end()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[tuple[Gateway, Vendor, Vendors]]:
    vendors = Vendors()
    with serving(vendors.usual) as vendor, running(tmp_path, config=config(vendor)) as gateway:
        try:
            yield gateway, vendor, vendors
        finally:
            vendors.release.set()


def root(vendor: Vendor, place: str, protocol: str) -> str:
    return f"{vendor.base_url}/{place}" + ("/v1" if protocol.startswith("openai") else "")


def config(vendor: Vendor, *, secret: str = "one", without: tuple[str, ...] = (), spares: bool = True) -> str:
    """A provider for each protocol but those left `without`, and a spare one for all of them."""
    told = "log: {format: json, level: warning}\nproviders:\n"
    models = "models:\n"
    for name in PROTOCOLS:
        targets: list[dict[str, Any]] = []
        if name not in without:
            told += provider(name, name, root(vendor, "first", name), "m", api_key=f"secret-{secret}-of-{name}")
            targets.append({"provider": name, "model": "m"})
        if spares:
            told += provider(f"spare-{name}", name, root(vendor, "spare", name), "spare")
            targets.append({"provider": f"spare-{name}", "model": "spare", "priority": 2})
        if targets:
            models += f"  to-{name}: {json.dumps({'targets': targets})}\n"
    return told + models


def reload(gateway: Gateway, text: str) -> None:
    gateway.config.write_text(text)
    status, _, told = gateway.post("/admin/v1/config/reload", b"")
    assert status == 200, told


def test_no_stream_breaks(house: tuple[Gateway, Vendor, Vendors]) -> None:
    gateway, vendor, vendors = house
    callers: list[tuple[Caller, str, str]] = []
    for number in range(STREAMS):
        caller, to = PROTOCOLS[number % 4], PROTOCOLS[number // 4 % 4]
        stage = STAGES[number // 16 % 4]
        path, body = question(caller, f"to-{to}", FORMS[caller], f"stage {stage}.")
        connection = Caller(gateway)
        connection.post(path, json.dumps(body).encode())
        callers.append((connection, caller, stage))
    vendor.wait_for_request(STREAMS)
    for connection, _, stage in callers:
        if stage == "said":
            connection.peek_until(b"first words")
    # Other keys; two providers gone; all of them, and the spare ones too; and back.
    reload(gateway, config(vendor, secret="two"))
    reload(gateway, config(vendor, secret="two", without=PROTOCOLS[:2]))
    gateway_only = "log: {format: json, level: warning}\nproviders:\n"
    other = provider("other", "openai-chat", root(vendor, "spare", "openai-chat"), "other")
    reload(gateway, gateway_only + other)
    path, body = question("openai-chat", "to-openai-chat", "one")
    assert gateway.post(path, body)[0] == 404
    reload(gateway, config(vendor, secret="three", spares=False))
    reload(gateway, gateway_only + other)
    assert len(vendor.seen) == STREAMS
    vendors.release.set()
    with ThreadPoolExecutor(STREAMS) as pool:
        answers = list(pool.map(lambda one: one[0].answer(), callers))
    for (connection, caller, stage), answer in zip(callers, answers, strict=True):
        connection.leave()
        assert answer.status == 200, answer.body
        values = read_events(caller, FORMS[caller], answer.body)
        assert is_whole(caller, values), values
        told = json.dumps(values, ensure_ascii=False)
        assert (SPARE if stage == "fails" else WORDS) in told
        assert (WORDS if stage == "fails" else SPARE) not in told
    secrets = {seen.header(name) for seen in vendor.seen for name in ("authorization", "x-api-key", "x-goog-api-key")}
    assert not [secret for secret in secrets if secret and ("two" in secret or "three" in secret)]
    wait_until(lambda: "dragoman_requests_in_flight 0" in gateway.get("/metrics")[2].decode().replace(".0", ""))
    assert "Traceback" not in gateway.text
