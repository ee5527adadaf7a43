"""Kept answers that two machines have together through Valkey; and what is left of it where Valkey is not."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e import canned
from e2e.gateway import Gateway, provider, running, wait_until
from e2e.ledger import entries_of
from e2e.vendor import Vendor, serving
from soak import soak
from valkey_server import ValkeyServer

pytestmark = soak

KEYS = {name: f"dgm_{name}_key_of_the_tests_of_the_shared_cache" for name in ("one", "two")}
CONFIG = """
log: {{format: json, level: info}}
shared: {shared}
providers:
{providers}
models:
  fast: {{targets: [{{provider: openai, model: gpt-4o}}], price: {{input: "1", output: "1"}}, cache: {{ttl: 1h}}}}
keys:
  - {{name: one, key: {one}}}
  - {{name: two, key: {two}}}
"""


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with serving(canned.openai) as vendor:
        yield vendor


@pytest.fixture
def machines(tmp_path: Path, vendor: Vendor, valkey: ValkeyServer) -> Iterator[tuple[Gateway, Gateway]]:
    config = CONFIG.format(
        providers=provider("openai", "openai-chat", f"{vendor.base_url}/v1", "gpt-*"), shared=valkey.url, **KEYS
    )
    with running(tmp_path / "a", config=config) as first, running(tmp_path / "b", config=config) as second:
        yield first, second


def ask(gateway: Gateway, said: str, key: str = "one", stream: bool = False) -> tuple[str, bytes, Any]:
    body = {"model": "fast", "messages": [{"role": "user", "content": said}], "stream": stream}
    status, headers, answer = gateway.post("/v1/chat/completions", body, {"authorization": f"Bearer {KEYS[key]}"})
    assert status == 200, answer
    return headers["x-dragoman-cache"], answer, headers


def test_what_one_machine_made_another_gives_again(machines: tuple[Gateway, Gateway], vendor: Vendor) -> None:
    first, second = machines
    numbers = itertools.count()

    def shared(stream: bool) -> Any:
        # It is put there behind the first one's answer, and on a busy machine perhaps not in time.
        said = f"shared {next(numbers)}"
        made = ask(first, said, stream=stream)
        assert made[0] == "miss"
        again = ask(second, said, stream=stream)
        if again[0] == "miss":
            return None
        assert again[1] == made[1]
        calls = len(vendor.seen)
        # From here on in its own memory, and never for another key.
        assert ask(second, said, stream=stream)[0] == "hit"
        assert len(vendor.seen) == calls
        assert ask(second, said, key="two", stream=stream)[0] == "miss"
        return again[2]

    for stream in (False, True):
        headers = wait_until(lambda stream=stream: shared(stream))
        entry = entries_of(second.data)[headers["x-request-id"]]
        assert (entry["attempts"], entry["input_tokens"], entry["output_tokens"], entry["cost_nanos"]) == (0, 0, 0, 0)


def test_without_valkey_each_has_its_own(machines: tuple[Gateway, Gateway], valkey: ValkeyServer) -> None:
    valkey.kill()
    for gateway in machines:
        assert ask(gateway, "alone")[0] == "miss"
        assert ask(gateway, "alone")[0] == "hit"
        gateway.wait_for_log(lambda line: "kept answers are not shared" in line.get("event", ""))


def test_a_valkey_that_hangs_stalls_nobody(machines: tuple[Gateway, Gateway], valkey: ValkeyServer) -> None:
    valkey.hang()
    try:
        for number in range(20):
            assert ask(machines[0], f"hanging {number}")[0] == "miss"
    finally:
        valkey.go_on()


def test_what_is_no_answer_is_asked_again(machines: tuple[Gateway, Gateway], valkey: ValkeyServer) -> None:
    first, second = machines
    assert ask(first, "garbled")[0] == "miss"

    def names() -> list[str]:
        found = valkey.ask("KEYS {dragoman}:cache:*").decode().split()
        return [
            one for one in found if one.startswith("{dragoman}:cache:") and len(one) == len("{dragoman}:cache:") + 64
        ]

    for name in wait_until(names):
        valkey.ask(f"SET {name} garbled")
    assert ask(second, "garbled")[0] == "miss"
