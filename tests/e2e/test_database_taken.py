"""The database's file under load: held by another process, taken away, put back. Requests go on, and in the end all of them are
in it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from e2e.gateway import Gateway, provider, running, wait_until
from e2e.slaughter import Account, ask_on, check_all_answered_and_entered, load, vendor
from e2e.test_kill import CONFIG
from e2e.vendor import serving
from soak import soak

pytestmark = soak

CALLERS = [ask_on] * 6
HOLDER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60)
connection.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.read()
"""


def ready(gateway: Gateway) -> str:
    return gateway.get("/readyz")[2].decode()


def test_one_that_another_process_holds(tmp_path: Path) -> None:
    account = Account()
    with serving(vendor) as openai:
        config = CONFIG.format(providers=provider("openai", "openai-chat", f"{openai.base_url}/v1", "gpt-*"))
        with running(tmp_path, config=config) as gateway, load(gateway, account, CALLERS) as more:
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
    check_all_answered_and_entered(account, tmp_path)


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
        with running(tmp_path, config=config) as gateway, load(gateway, account, CALLERS) as more:
            more(100)
            move(tmp_path, taken)
            wait_until(lambda: "takes no entries" in ready(gateway), "it is missed")
            more(100)
            assert gateway.get("/readyz")[0] == 200
            assert not (tmp_path / "dragoman.db").exists(), "an empty one is not put in its place"
            move(taken, tmp_path)
            wait_until(lambda: ready(gateway) == "ready\n", "all is well again")
            more(100)
    check_all_answered_and_entered(account, tmp_path)


def test_one_that_is_deleted_is_made_anew_by_a_start_with_all_that_came_since(tmp_path: Path) -> None:
    account = Account()
    with serving(vendor) as openai:
        config = CONFIG.format(providers=provider("openai", "openai-chat", f"{openai.base_url}/v1", "gpt-*"))
        with running(tmp_path, config=config) as gateway:
            for path in tmp_path.glob("dragoman.db*"):
                path.unlink()
            with load(gateway, account, CALLERS) as more:
                more(200)
            wait_until(lambda: "takes no entries" in ready(gateway), "it is missed")
        with running(tmp_path, config=config) as gateway:
            pass
    check_all_answered_and_entered(account, tmp_path)
