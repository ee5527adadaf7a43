"""A process of the tests that is one worker of one machine: connects to Valkey, says so, and does what its stdin tells, a JSON
line each, answering with a line each.

machine.py URL NODE PATIENCE LONGEST MACHINES

["reserve", COUNT, RULES, DEMAND]   so many at once, all of them held; answers with a letter each
["settle", TOKENS, NANOS]           all that is held
["cancel"]                          all that is held
["hammer", SECONDS, RULES, DEMAND]  eight that ask, settle and ask again; answers with how many passed, how many were refused and
                                    how long the longest waited
["up"]                              waits until machines count together, true or false
["figures"]
"""

from __future__ import annotations

import asyncio
import sys
from time import monotonic, time
from typing import Any

import msgspec

from dragoman.limits import Demand, Grant, LocalMeter, Refused, Rule, Table, Wanting
from dragoman.sharing import SharedMeter, address_of

RULES = tuple[Rule, ...]
PRIMED: set[str] = set()


async def ask(meter: SharedMeter, rules: tuple[Rule, ...], demand: Demand) -> Grant | Refused:
    """As the pipeline does it."""
    for rule, window in meter.unprimed(rules, time()):
        meter.prime(rule, window, 0, monotonic())
    answer = meter.reserve(rules, demand, monotonic(), time())
    return await answer.decide() if isinstance(answer, Wanting) else answer


async def hammer(meter: SharedMeter, seconds: float, rules: tuple[Rule, ...], demand: Demand) -> dict[str, Any]:
    told = {"passed": 0, "refused": 0, "longest": 0.0}
    until = monotonic() + seconds

    async def one() -> None:
        while (begun := monotonic()) < until:
            answer = await ask(meter, rules, demand)
            told["longest"] = max(told["longest"], monotonic() - begun)
            if isinstance(answer, Grant):
                told["passed"] += 1
                await asyncio.sleep(0.001)
                meter.settle(answer, demand.tokens, demand.nanos, monotonic(), time())
            else:
                told["refused"] += 1
                await asyncio.sleep(0.005)

    await asyncio.gather(*(one() for _ in range(8)))
    return told


async def main() -> None:
    url, node, patience, longest, machines = sys.argv[1:]
    meter = SharedMeter(
        LocalMeter(Table(64)),
        address_of(url),
        node,
        lambda change: None,
        patience=float(patience),
        longest=float(longest),
        machines=int(machines),
    )
    meter.start()
    held: list[Grant] = []
    loop = asyncio.get_running_loop()
    print("ready", flush=True)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        what, *rest = msgspec.json.decode(line)
        told: Any = None
        if what in ("reserve", "hammer"):
            rules, demand = msgspec.convert(rest[1], RULES), msgspec.convert(rest[2], Demand)
        if what == "reserve":
            answers = await asyncio.gather(*(ask(meter, rules, demand) for _ in range(rest[0])))
            held += [answer for answer in answers if isinstance(answer, Grant)]
            told = "".join("g" if isinstance(answer, Grant) else answer.kind[0] for answer in answers)
        elif what == "hammer":
            told = await hammer(meter, rest[0], rules, demand)
        elif what == "settle":
            for grant in held:
                meter.settle(grant, rest[0], rest[1], monotonic(), time())
            held.clear()
        elif what == "cancel":
            for grant in held:
                meter.cancel(grant, monotonic())
            held.clear()
        elif what == "up":
            while meter.up is not rest[0]:
                await asyncio.sleep(0.005)
        elif what == "figures":
            told = msgspec.to_builtins(meter.figures)
        print(msgspec.json.encode(told).decode(), flush=True)
    await meter.close()


if __name__ == "__main__":
    asyncio.run(main())
