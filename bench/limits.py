"""What limits cost a request: reserve and settle, timed in this process; and how many requests two workers get through that do
nothing else.

The key has all three limits and a budget, its model a limit of requests, and none of them is ever reached.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import subprocess
import sys
import tempfile
import time
import timeit
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.figures import Results, Row
from bench.process import GATEWAY_CORE, LOAD_CORE, BenchError
from dragoman.limits import (
    Budget,
    Demand,
    Grant,
    Limits,
    LocalMeter,
    Meter,
    Rule,
    SharedTable,
    Table,
    Wanting,
    window_at,
)
from dragoman.sharing import SharedMeter, address_of

MEMORY_MOST = 4.0  # µs
SHARED_MOST = 8.0

_REPEATS = 25
_NUMBER = 4000
_WALL = 1_795_000_000.0
_SECONDS = 2.0
_SHARED_REQUESTS = 40_000
_TURN = 8  # requests of one node before the loop goes round, as many as come in one look at the sockets

RULES = (
    Rule("key:bench", "the key 'bench'", Limits(10**9, 10**12, 1000), Budget(10**15, "month")),
    Rule("model:bench", "the model 'bench'", Limits(requests_per_minute=10**9)),
)


def request(meter: Meter) -> Callable[[], None]:
    """One after the other, a tenth of a millisecond apart, so that seconds pass as they do."""
    now = 1000.0
    demand = Demand(1200, 500_000)

    def work() -> None:
        nonlocal now
        now += 0.0001
        grant = meter.reserve(RULES, demand, now, _WALL)
        assert isinstance(grant, Grant)
        meter.settle(grant, 900, 400_000, now, _WALL)

    return work


def run(results: Results, say: Callable[[str], None]) -> None:
    say("limits, in memory")
    memory = LocalMeter(Table())
    _row(results, "memory", "reserve and settle, one worker (memory)", _time(request(memory)), MEMORY_MOST)
    with tempfile.TemporaryDirectory(prefix="dragoman-bench-") as scratch:
        path = Path(scratch) / "limits"
        SharedTable.create(path, workers=2).close()
        say("limits, in a shared file")
        shared = LocalMeter(SharedTable.open(path, worker=0))
        _row(
            results,
            "shared",
            "reserve and settle, one of two workers (shared file)",
            _time(request(shared)),
            SHARED_MOST,
        )
        say("limits, two workers at once")
        rate = _together(path)
        results.rows.append(
            Row("limits, two workers", "reserve and settle by two workers at once, both", f"{rate:,.0f} requests/s")
        )
    try:
        server = importlib.import_module("tests.valkey_server").ValkeyServer  # what the tests start
    except ImportError as error:
        results.notes.append(f"limits, Valkey: not measured: {error}")
    else:
        say("limits, Valkey")
        _leased(server, results)
    shared.prime(RULES[0], window_at("month", _WALL), 0, 1000.0)
    headers = _time(lambda: shared.standing(RULES, 1000.0))
    _row(results, "headers", "what the headers of an answer tell", headers)
    known = _time(lambda: shared.unprimed(RULES, _WALL))
    _row(results, "budget", "whether what was spent of a budget is known", known)


def _leased(start: Callable[[Path], Any], results: Results) -> None:
    with tempfile.TemporaryDirectory(prefix="dragoman-bench-") as scratch:
        os.sched_setaffinity(0, {GATEWAY_CORE})
        server = start(Path(scratch))
        os.sched_setaffinity(0, {LOAD_CORE})
        try:
            took, calls = asyncio.run(_two_nodes(server.url))
        finally:
            server.close()
    _row(results, "Valkey", "reserve and settle, one of two nodes that share by Valkey (their side alone)", took)
    results.rows.append(Row("limits, Valkey, calls", "of which Valkey was asked", f"{calls * 1000:.1f} in a thousand"))


async def _two_nodes(url: str) -> tuple[float, float]:
    """Microseconds of CPU a request, leases fetched and told of included, and how many calls of a script it took."""
    nodes = [SharedMeter(LocalMeter(Table()), address_of(url), f"{number}/0", lambda change: None) for number in "ab"]
    for node in nodes:
        node.start()
    try:
        async with asyncio.timeout(10):
            while not all(node.up and node.figures.machines == len(nodes) for node in nodes):
                await asyncio.sleep(0.01)
        demand = Demand(1200, 500_000)
        for node in nodes:
            for rule, window in node.unprimed(RULES, time.time()):
                node.prime(rule, window, 0, time.monotonic())
        asked, began, count = sum(node.figures.calls for node in nodes), time.process_time(), 0
        while count < _SHARED_REQUESTS:
            node = nodes[count // _TURN % len(nodes)]
            now, wall = time.monotonic(), time.time()
            grant = node.reserve(RULES, demand, now, wall)
            if isinstance(grant, Wanting):
                grant = await grant.decide()
            if not isinstance(grant, Grant):
                raise BenchError(f"a request of the case `limits` was refused: {grant.message}")
            node.settle(grant, 900, 400_000, now, wall)
            count += 1
            if not count % _TURN:
                await asyncio.sleep(0)
        took = time.process_time() - began
        return took / count * 1e6, (sum(node.figures.calls for node in nodes) - asked) / count
    finally:
        for node in nodes:
            await node.close()


def _row(results: Results, name: str, work: str, took: float, most: float | None = None) -> None:
    results.rows.append(
        Row(
            f"limits, {name}",
            work,
            f"{took:.1f} µs",
            target="" if most is None else f"≤ {most:.0f} µs",
            met=None if most is None else took <= most,
        )
    )


def _time(work: Callable[[], object]) -> float:
    """Microseconds of CPU, the best of several: what disturbs only ever adds."""
    work()
    return min(timeit.repeat(work, timer=time.process_time, number=_NUMBER, repeat=_REPEATS)) / _NUMBER * 1e6


def _together(path: Path) -> float:
    """Requests a second of two processes that contend for the lock all the time."""
    command = [sys.executable, "-m", "bench.limits", str(path)]
    # Each finds a core: ours is pinned, and its children with it.
    processes = [
        subprocess.Popen(["taskset", "-c", str(number), *command, str(number)], stdout=subprocess.PIPE, text=True)
        for number in range(2)
    ]
    counts = [process.communicate(timeout=60)[0] for process in processes]
    if any(process.returncode for process in processes):
        raise BenchError("a worker of the case `limits` failed")
    return sum(int(count) for count in counts) / _SECONDS


def _worker(path: str, number: str) -> None:
    work = request(LocalMeter(SharedTable.open(path, worker=int(number))))
    end = time.monotonic() + _SECONDS
    count = 0
    while time.monotonic() < end:
        for _ in range(100):
            work()
        count += 100
    print(count)


if __name__ == "__main__":
    _worker(*sys.argv[1:])
