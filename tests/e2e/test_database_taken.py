"""The database's file under load: held by another process, taken away, put back. Requests go on, and in the end all of them are
in it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from e2e.gateway import Gateway, provider, running, wait_until
from e2e.ledger import entries_of, sums_of
from e2e.slaughter import Account, ask_on, used, vendor
from e2e.test_kill import CONFIG
from e2e.vendor import serving

CALLERS = 6
HOLDER = """
import sqlite3, sys
from soak import soak

pytestmark = soak
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60)
connection.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def load(gateway: Gateway, account: Account) -> Iterator[Callable[[int], None]]:
    stop = threading.Event()
    callers = [threading.Thread(target=ask_on, args=(gateway, account, stop, seed)) for seed in range(CALLERS)]
    for caller in callers:
        caller.start()

    def more(count: int) -> None:
        wanted = len(account.answered) + count
        wait_until(lambda: len(account.answered) >= wanted, "more answers")

    try:
        yield more
    finally:
        stop.set()
        for caller in callers:
            caller.join(60)


def ready(gateway: Gateway) -> str:
    return gateway.get("/readyz")[2].decode()


def check(data: Path, account: Account) -> None:
    assert len(account.answered) == account.asked, "nobody was refused or left without an answer"
    entries = entries_of(data)
    assert entries.keys() == account.answered.keys()
    for name, number in account.answered.items():
        entry = entries[name]
        assert (entry["input_tokens"], entry["output_tokens"], entry["status"]) == (*used(number), 200)
    sums = sums_of(data)
    assert sums["requests"] == len(entries)
    for field in ("input_tokens", "output_tokens"):
        assert sums[field] == sum(entry[field] for entry in entries.values())


def test_one_that_another_process_holds(tmp_path: Path) -> None:
    account = Account()
    with serving(vendor) as openai:
        config = CONFIG.format(providers=provider("openai", "openai-chat", f"{openai.base_url}/v1", "gpt-*"))
        with running(tmp_path, config=config) as gateway, load(gateway, account) as more:
            more(100)
            holding = [sys.executable, "-c", HOLDER, str(tmp_path / "dragoman.db")]
            with subprocess.Popen(holding, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
                assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
                # Longer than a lock is waited for: once it is told, that time is over.
                wait_until(lambda: "locked" in ready(gateway), "it is told of")
                more(300)
                assert gateway.get("/readyz")[0] == 200
                holder.communicate()
            wait_until(lambda: ready(gateway) == "ready\n", "all is well again")
            more(100)
    check(tmp_path, account)


def move(source: Path, target: Path) -> None:
    """The file itself last, so that nobody makes it without the others."""
    for name in ("dragoman.db-wal", "dragoman.db-shm", "dragoman.db"):
        if (source / name).exists():
            os.rename(source / name, target / name)


def test_one_that_is_taken_away_and_put_back(tmp_path: Path) -> None:
    account = Account()
    taken = tmp_path / "taken"
    taken.mkdir()
    with serving(vendor) as openai:
        config = CONFIG.format(providers=provider("openai", "openai-chat", f"{openai.base_url}/v1", "gpt-*"))
        with running(tmp_path, config=config) as gateway, load(gateway, account) as more:
            more(100)
            move(tmp_path, taken)
            wait_until(lambda: "takes no entries" in ready(gateway), "it is missed")
            more(100)
            assert gateway.get("/readyz")[0] == 200
            assert not (tmp_path / "dragoman.db").exists(), "an empty one is not put in its place"
            move(taken, tmp_path)
            wait_until(lambda: ready(gateway) == "ready\n", "all is well again")
            more(100)
    check(tmp_path, account)


def test_one_that_is_deleted_is_made_anew_by_a_start_with_all_that_came_since(tmp_path: Path) -> None:
    account = Account()
    with serving(vendor) as openai:
        config = CONFIG.format(providers=provider("openai", "openai-chat", f"{openai.base_url}/v1", "gpt-*"))
        with running(tmp_path, config=config) as gateway:
            for path in tmp_path.glob("dragoman.db*"):
                path.unlink()
            with load(gateway, account) as more:
                more(200)
            wait_until(lambda: "takes no entries" in ready(gateway), "it is missed")
        with running(tmp_path, config=config) as gateway:
            pass
    check(tmp_path, account)
