"""The disk is full to the last byte, under load: requests go on, what they were is kept, and all of it is in the database once
there is room again."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.disk import Disk, small_disk
from e2e.gateway import Gateway, provider, running, wait_until
from e2e.ledger import entries_of, sums_of
from e2e.processes import workers
from e2e.slaughter import Account, ask_on, check_counts, load, vendor
from e2e.test_kill import CONFIG
from e2e.vendor import serving
from soak import soak

pytestmark = soak

MEGABYTES = 40
# Fields that cannot be carried make entries of 12 KB: a journal is full after hundreds of them and not after tens of thousands.
UNKNOWN = {f"x{number}{'y' * 250}": 1 for number in range(50)}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with small_disk(tmp_path / "disk", MEGABYTES) as made:
        yield made


def ask_at_length(gateway: Gateway, account: Account, stop: threading.Event, _: int) -> None:
    headers = {"authorization": f"Bearer {gateway.key}", "content-type": "application/json"}
    connection = gateway.connect()
    try:
        while not stop.is_set():
            number = account.next()
            told = {"role": "user", "content": str(number)}
            body = {"model": "via-openai", "messages": [told], "max_tokens": 10_000, **UNKNOWN}
            connection.request("POST", "/v1/messages", json.dumps(body), headers)
            answer = connection.getresponse()
            answer.read()
            if answer.status == 200:
                account.note(answer.headers["x-request-id"], number)
    except (OSError, http.client.HTTPException):
        return  # a worker was killed
    finally:
        connection.close()


CALLERS = [ask_on] * 3 + [ask_at_length] * 2


def ready(gateway: Gateway) -> tuple[int, str]:
    status, _, told = gateway.get("/readyz")
    return status, told.decode()


def metric(gateway: Gateway, name: str) -> float:
    found = re.search(rf"^dragoman_ledger_{name} (\S+)$", gateway.get("/metrics")[2].decode(), re.MULTILINE)
    return float(found[1]) if found else 0.0


@pytest.mark.parametrize("when_full", ["refuse", "continue"])
def test_requests_go_on_and_nothing_is_lost_unsaid(disk: Disk, when_full: str) -> None:
    account = Account()
    data = disk.path / "data"
    with serving(vendor) as openai:
        config = CONFIG.format(providers=provider("openai", "openai-chat", f"{openai.base_url}/v1", "gpt-*"))
        config += f"ledger: {{when_full: {when_full}}}\n"
        with running(data, config=config) as gateway:
            with load(gateway, account, CALLERS) as more:
                more(50)
                disk.fill()
                wait_until(lambda: "full" in ready(gateway)[1], "the database finds the disk full")
                more(50)
                assert ready(gateway)[0] == 200, "it is still ready: the journal has room"
                wait_until(lambda: metric(gateway, "queue_length") > 0, "entries wait")
                wait_until(lambda: metric(gateway, "write_failures_total") > 0, "failures are counted")
                if when_full == "refuse":
                    wait_until(lambda: ready(gateway)[0] == 503, "no room is left")
                    assert ready(gateway)[1].startswith("full; there is no more room for the ledger's journal")
                else:
                    wait_until(lambda: metric(gateway, "entries_lost_total") > 0, "an entry finds no place")
                    assert ready(gateway)[0] == 200
                    more(50)
            disk.free()
            wait_until(lambda: ready(gateway) == (200, "ready\n"), "all is well again")
            with load(gateway, account, CALLERS) as more:
                more(50)
            wait_until(lambda: metric(gateway, "queue_length") == 0, "nothing waits any more")
            lost = int(metric(gateway, "entries_lost_total"))
    entries = entries_of(data)
    answered = account.answered
    if when_full == "refuse":
        assert lost == 0
        assert answered.keys() == entries.keys(), (
            "each answer has its entry, and what was refused for want of room has none"
        )
    else:
        assert lost > 0
        assert len(answered) == account.asked == len(entries) + lost
        assert entries.keys() < answered.keys()
    check_counts(account, entries, sums_of(data))


def test_a_worker_that_dies_meanwhile_comes_back_with_the_room(disk: Disk) -> None:
    account = Account()
    data = disk.path / "data"
    with serving(vendor) as openai:
        config = CONFIG.format(providers=provider("openai", "openai-chat", f"{openai.base_url}/v1", "gpt-*"))
        with running(data, config=config, arguments=("--workers", "2")) as gateway:
            wait_until(lambda: len(list((data / "journal").glob("*.journal"))) == 4, "both workers have their journals")
            with load(gateway, account, CALLERS) as more:
                more(50)
                disk.fill()
                wait_until(lambda: "full" in ready(gateway)[1], "the database finds the disk full")
                os.kill(workers(gateway.process.pid)[0], signal.SIGKILL)
            disk.fill()  # what the dead one left has made some room
            with load(gateway, account, [ask_on], first=9) as more:
                more(20)  # of the other worker
            disk.free()
            wait_until(lambda: len(workers(gateway.process.pid)) == 2 and everybody_is_well(gateway), "both are well")
    entries = entries_of(data)
    assert account.answered.keys() <= entries.keys()
    assert len(entries) <= account.asked
    check_counts(account, entries, sums_of(data))


def test_a_worker_without_a_journal_is_tried_again(tmp_path: Path) -> None:
    account = Account()
    with serving(vendor) as openai:
        config = CONFIG.format(providers=provider("openai", "openai-chat", f"{openai.base_url}/v1", "gpt-*"))
        with running(tmp_path, config=config) as gateway:
            with load(gateway, account, CALLERS) as more:
                more(50)
                (tmp_path / "journal").rename(tmp_path / "elsewhere")
                (tmp_path / "journal").write_text("no directory")
                os.kill(workers(gateway.process.pid)[0], signal.SIGKILL)
            gateway.wait_for_log(lambda line: "cannot start without a journal" in line["event"])
            (tmp_path / "journal").unlink()
            (tmp_path / "elsewhere").rename(tmp_path / "journal")
            wait_until(lambda: everybody_is_well(gateway), "it is back")
            with load(gateway, account, CALLERS) as more:
                more(50)
    entries = entries_of(tmp_path)
    assert account.answered.keys() <= entries.keys()
    check_counts(account, entries, sums_of(tmp_path))


def everybody_is_well(gateway: Gateway) -> bool:
    try:
        return all(ready(gateway) == (200, "ready\n") for _ in range(10))
    except (OSError, http.client.HTTPException):
        return False


@pytest.mark.parametrize("leaving", [0, 2**20])
def test_a_start_without_room_says_what_is_missing(disk: Disk, leaving: int) -> None:
    data = disk.path / "data"
    with serving(vendor) as openai:
        config = CONFIG.format(providers=provider("openai", "openai-chat", f"{openai.base_url}/v1", "gpt-*"))
        with running(data, config=config):
            pass
        disk.fill(leaving)
        gateway = Gateway(data, arguments=("--config", str(data / "dragoman.yaml")))
        assert gateway.process.wait(60) == 1
        gateway.close()
        assert f"There is no room for the ledger's journal in {data}" in gateway.text
        assert "Traceback" not in gateway.text
        disk.free()
        with running(data, config=config):
            pass
