"""`kill -9` of every process at once, under load: no answer without its entry, no entry twice, every count right."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from pathlib import Path

import pytest

from e2e.gateway import Gateway, provider, running
from e2e.ledger import entries_of, sums_of
from e2e.slaughter import Account, ask_on, used, vendor
from e2e.vendor import serving

# `make kill` does it fifty times.
ROUNDS = int(os.environ.get("DRAGOMAN_KILLS", "3"))
CALLERS = 8
CONFIG = """
log: {{format: json, level: warning}}
providers:
{providers}
models:
  via-openai: {{targets: [{{provider: openai, model: gpt-4o}}]}}
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_no_answer_without_its_entry(tmp_path: Path, workers: int) -> None:
    account = Account()
    chance = random.Random(workers)
    with serving(vendor) as openai:
        config = CONFIG.format(providers=provider("openai", "openai-chat", f"{openai.base_url}/v1", "gpt-*"))
        for number in range(ROUNDS):
            gateway = Gateway(tmp_path, config=config, arguments=("--workers", str(workers)))
            gateway.wait_ready()
            stop = threading.Event()
            callers = [
                threading.Thread(target=ask_on, args=(gateway, account, stop, 1000 * number + n))
                for n in range(CALLERS)
            ]
            before = len(account.answered)
            for caller in callers:
                caller.start()
            deadline = time.monotonic() + 30
            wanted = before + chance.randrange(20, 400)
            while len(account.answered) < wanted and time.monotonic() < deadline:
                time.sleep(0.001)
            os.killpg(gateway.process.pid, signal.SIGKILL)
            for caller in callers:
                caller.join(30)
            gateway.process.wait(10)
            gateway.close()
            assert len(account.answered) >= wanted
    entries = entries_of(tmp_path)
    answered = account.answered
    assert answered.keys() <= entries.keys(), sorted(answered.keys() - entries.keys())
    for name, question in answered.items():
        entry = entries[name]
        assert (entry["input_tokens"], entry["output_tokens"]) == used(question), name
        assert (entry["status"], entry["estimated"]) == (200, 0)
    # What is beside the answered ones are those that were being answered, at most one a caller and kill.
    assert len(entries) - len(answered) <= CALLERS * ROUNDS
    sums = sums_of(tmp_path)
    assert sums["requests"] == len(entries)
    for field in ("input_tokens", "output_tokens"):
        assert sums[field] == sum(entry[field] or 0 for entry in entries.values())


def test_what_a_dead_gateway_left_is_in_the_database_after_a_start(tmp_path: Path) -> None:
    account = Account()
    with serving(vendor) as openai:
        config = CONFIG.format(providers=provider("openai", "openai-chat", f"{openai.base_url}/v1", "gpt-*"))
        gateway = Gateway(tmp_path, config=config)
        gateway.wait_ready()
        caller = threading.Thread(target=ask_on, args=(gateway, account, threading.Event(), 1))
        caller.start()
        while len(account.answered) < 50:
            time.sleep(0.001)
        os.killpg(gateway.process.pid, signal.SIGKILL)
        caller.join(30)
        gateway.process.wait(10)
        gateway.close()
        with running(tmp_path, config=config):
            assert sums_of(tmp_path)["requests"] >= len(account.answered)
    assert not list((tmp_path / "journal").iterdir())
