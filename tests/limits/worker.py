"""A worker process of the tests: opens the table that it is told, says so, waits for a line on its stdin and sets to work.

worker.py PATH WORKER reserve COUNT RULES DEMAND   reserves so often, holds it all, and prints what came of it, a letter each
worker.py PATH WORKER hammer RULES DEMAND          reserves and settles until its stdin is closed; tells in the file
                                                   PATH.WORKER how many requests it has begun and how many it has settled
RULES and DEMAND are JSON.
"""

from __future__ import annotations

import mmap
import os
import random
import select
import sys
import time
from pathlib import Path

import msgspec

from dragoman.limits import Demand, Grant, LocalMeter, Rule, SharedTable

USED_TOKENS, USED_NANOS = 7, 3


def reserve(meter: LocalMeter, count: int, rules: tuple[Rule, ...], demand: Demand) -> None:
    answers = [meter.reserve(rules, demand, time.monotonic(), time.time()) for _ in range(count)]
    print("".join("g" if isinstance(answer, Grant) else answer.kind[0] for answer in answers), flush=True)


def hammer(meter: LocalMeter, rules: tuple[Rule, ...], demand: Demand, told: memoryview) -> None:
    open_grants: list[Grant] = []
    while True:
        if told[0] % 64 == 0 and select.select([sys.stdin], [], [], 0)[0]:
            break
        told[0] += 1
        answer = meter.reserve(rules, demand, time.monotonic(), time.time())
        if isinstance(answer, Grant):
            open_grants.append(answer)
        while len(open_grants) > random.randrange(4):
            meter.settle(open_grants.pop(0), USED_TOKENS, USED_NANOS, time.monotonic(), time.time())
            told[1] += 1
    for grant in open_grants:
        meter.cancel(grant, time.monotonic())


def main() -> None:
    path, worker, what, *rest = sys.argv[1:]
    rules = msgspec.json.decode(rest[-2], type=tuple[Rule, ...])
    demand = msgspec.json.decode(rest[-1], type=Demand)
    meter = LocalMeter(SharedTable.open(path, worker=int(worker)))
    print("ready", flush=True)
    sys.stdin.readline()
    if what == "reserve":
        reserve(meter, int(rest[0]), rules, demand)
        sys.stdin.readline()
    else:
        told = Path(f"{path}.{worker}")
        if not told.exists():
            told.write_bytes(bytes(mmap.PAGESIZE))
        with told.open("r+b") as file:
            hammer(meter, rules, demand, memoryview(mmap.mmap(file.fileno(), mmap.PAGESIZE)).cast("q"))
    os._exit(0)


if __name__ == "__main__":
    main()
