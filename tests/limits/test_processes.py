"""Several real processes over one file: exact while they race, and after they are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from dragoman.limits import Demand, Limits, LocalMeter, Rule, SharedTable
from dragoman.limits.layout import COLUMNS, CURRENT, HEADER, REQUESTS, RING, SECONDS, TAG, TOKENS
from limits import worker as worker_module
from limits.rules import ask, key
from soak import soak

pytestmark = soak

FAST = Rule("model:fast", "the model 'fast'", Limits(requests_per_minute=10**6))


class Crew:
    """Workers over one table, all of them ended with the test."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.processes: list[subprocess.Popen[str]] = []

    def start(self, number: int, *words: str, rules: tuple[Rule, ...], demand: Demand) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, worker_module.__file__, str(self.path), str(number), *words]
            + [msgspec.json.encode(value).decode() for value in (rules, demand)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.processes.append(process)
        return process

    def end(self) -> None:
        for process in self.processes:
            with process:
                process.kill()


@pytest.fixture
def crew(tmp_path: Path) -> Iterator[Crew]:
    crew = Crew(tmp_path / "limits")
    yield crew
    crew.end()


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def race(crew: Crew, workers: int, count: int, rules: tuple[Rule, ...], demand: Demand) -> Counter[str]:
    SharedTable.create(crew.path, workers=workers).close()
    processes = [
        crew.start(number, "reserve", str(count // workers), rules=rules, demand=demand) for number in range(workers)
    ]
    assert [line(process) for process in processes] == ["ready"] * workers
    for process in processes:
        go(process)
    return Counter("".join(line(process) for process in processes))


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_of_300_requests_at_once_60_pass_where_60_a_minute_may(crew: Crew, workers: int) -> None:
    assert race(crew, workers, 300, (key(requests=60), FAST), ask()) == {"g": 60, "r": 240}


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_concurrent_requests_and_tokens_are_exact_too(crew: Crew, workers: int) -> None:
    assert race(crew, workers, 300, (FAST, key(10**6, 9999, 50)), ask(100)) == {"g": 50, "c": 250}


def test_tokens_a_minute_are_exact(crew: Crew) -> None:
    assert race(crew, 2, 300, (FAST, key(tokens=9999)), ask(100)) == {"g": 99, "t": 201}


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_of_200_requests_as_many_as_the_budget_can_pay_are_under_way(crew: Crew, workers: int) -> None:
    rules = (key(usd=1), FAST)
    assert race(crew, workers, 200, rules, ask(1, 0.1)) == {"g": 10, "b": 190}
    table = SharedTable.open(crew.path, worker=0)
    [slot] = [slot for slot in slots(table) if table.reserved(slot)]
    assert table.reserved(slot) == 10**9


def test_kill_9_in_the_middle_leaves_the_sums_right(crew: Crew) -> None:
    keeper = SharedTable.create(crew.path, workers=2, slots=16)
    rules = (key(10**9, 10**12, 100, usd=1000, window="total"), FAST)
    demand = ask(9, 0.00000001)
    started = []
    for number in range(2):
        started.append(crew.start(number, "hammer", rules=rules, demand=demand))
        assert line(started[number]) == "ready"
        go(started[number])
    survivor, victim = started
    deaths = 10
    for death in range(deaths):
        wait_for(crew, 1, (death + 1) * 1000 + death * 37)
        os.kill(victim.pid, signal.SIGKILL)
        assert victim.wait() == -signal.SIGKILL
        keeper.forget_worker(1)
        before = told(crew, 0)[0]
        wait_for(crew, 0, before + 200)  # the other goes on: no lock is left behind
        if death < deaths - 1:
            victim = crew.start(1, "hammer", rules=rules, demand=demand)
            assert line(victim) == "ready"
            go(victim)
    assert survivor.stdin is not None
    survivor.stdin.close()
    assert survivor.wait() == 0

    settled = told(crew, 0)[1] + told(crew, 1)[1]
    found = list(slots(keeper))
    assert len(found) == 2
    for slot in found:
        assert not any(keeper.words[slot + COLUMNS : slot + COLUMNS + 4])
        assert keeper.words[slot + REQUESTS] == sum(keeper.words[slot + RING : slot + RING + SECONDS])
        assert keeper.words[slot + TOKENS] == sum(keeper.words[slot + RING + SECONDS : slot + RING + 2 * SECONDS])
    # What was settled is there, and of each death at most the one settlement that was not told any more.
    [spent] = [spent for slot in found if (spent := keeper.words[slot + keeper.words[slot + CURRENT] + 1])]
    assert settled <= spent / worker_module.USED_NANOS <= settled + deaths
    meter = LocalMeter(keeper)
    standing = meter.standing((rules[0],), time.monotonic()).requests
    assert standing is not None and standing.remaining >= 10**9 - told(crew, 0)[0] - told(crew, 1)[0]


def slots(table: SharedTable) -> Iterator[int]:
    for number in range(table.slots):
        slot = HEADER + number * table.size
        if table.words[slot + TAG]:
            yield slot


def told(crew: Crew, number: int) -> list[int]:
    data = Path(f"{crew.path}.{number}").read_bytes()[:16]
    return list(memoryview(data).cast("q"))


def wait_for(crew: Crew, number: int, begun: int) -> None:
    deadline = time.monotonic() + 60
    while not Path(f"{crew.path}.{number}").exists() or told(crew, number)[0] < begun:
        assert time.monotonic() < deadline
        os.sched_yield()
