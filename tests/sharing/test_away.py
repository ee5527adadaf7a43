"""Valkey that hangs, dies, comes back or comes back empty, under load: nobody waits, nothing is unlimited, all ends by itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from time import monotonic

import pytest

from dragoman.limits import NANOS, Grant, LocalMeter, Refused, Rule, Table
from dragoman.sharing import Change, SharedMeter, address_of
from limits.rules import ask, key
from sharing.conftest import Machines
from sharing.machine import ask as reserve
from soak import soak
from valkey_server import ValkeyServer

pytestmark = soak

TWO = ("a/0", "b/0")
# A request's own bound is a tenth of a second. This machine has others to serve; a stall would be seconds.
NO_STALL = 0.5


def counted(told: list[dict[str, float]]) -> float:
    return sum(one["passed"] for one in told)


@pytest.mark.parametrize("how", ["hangs", "dies"])
def test_under_load_nobody_waits_while_valkey_is_away(machines: Machines, how: str) -> None:
    valkey = machines.valkey
    started = machines.start(*TWO, patience=0.05, longest=0.1)
    for one in started:
        one.ask("up", True)
    rules = (key(requests=10**6, tokens=10**9, concurrent=1000, usd=1000, window="day"),)
    for one in started:
        one.tell("hammer", 3, rules, ask(tokens=10, usd=0.00001))
    time.sleep(0.7)
    valkey.hang() if how == "hangs" else valkey.kill()
    time.sleep(1)
    valkey.go_on() if how == "hangs" else valkey.start()
    told = [one.answer() for one in started]
    assert max(one["longest"] for one in told) < NO_STALL
    assert sum(one["refused"] for one in told) == 0
    for one in started:
        one.ask("up", True)
        figures = one.ask("figures")
        assert figures["failures"] >= 1
        assert figures["alone"] > 100
        assert figures["forgotten"] == (how == "dies")
    # Not a nanodollar was lost on the way.
    spent = counted(told) * 10_000
    until = monotonic() + 10
    day = time.strftime("%Y-%m-%d", time.gmtime())
    while monotonic() < until:
        said = valkey.ask(f"HGET {{dragoman}}:key:key_01:money:{day} spent")
        if int(said.split(b"\r\n")[1]) >= spent:
            break
    assert int(said.split(b"\r\n")[1]) == pytest.approx(spent, abs=spent * (0.05 if how == "dies" else 0))


def test_alone_each_machine_has_its_share(machines: Machines) -> None:
    started = machines.start(*TWO, patience=0.05, longest=0.1)
    until = monotonic() + 10
    while any(one.ask("figures")["machines"] < 2 for one in started):
        assert monotonic() < until
    machines.valkey.kill()
    for one in started:
        one.ask("up", False)
        assert one.reserve(50, (key(requests=60, id="key:r"),), ask()).count("g") == 30
        assert one.reserve(50, (key(concurrent=9, id="key:c"),), ask()).count("g") == 4
        assert one.reserve(50, (key(tokens=1000, id="key:t"),), ask(tokens=100)).count("g") == 5
        assert one.reserve(50, (key(usd=1, id="key:b"),), ask(usd=0.1)).count("g") == 5
        assert one.reserve(5, (key(requests=1, id="key:one"),), ask()) == "grrrr"


def test_what_passed_alone_counts_when_machines_count_together_again(machines: Machines) -> None:
    valkey = machines.valkey
    started = machines.start(*TWO, patience=0.2, longest=0.4)
    until = monotonic() + 10
    while any(one.ask("figures")["machines"] < 2 for one in started):
        assert monotonic() < until
    rules = (key(requests=60),)
    assert started[0].reserve(10, rules, ask()).count("g") == 10
    valkey.hang()
    for one in started:  # whoever asks finds out
        one.reserve(1, (key(requests=10**6, id="key:other"),), ask())
        one.ask("up", False)
    assert [one.reserve(50, rules, ask()).count("g") for one in started] == [20, 30]
    valkey.go_on()
    for one in started:
        one.ask("up", True)
    assert sum(one.reserve(60, rules, ask()).count("g") for one in started) == 0


def test_a_store_that_comes_back_empty_is_told_what_was_used(machines: Machines) -> None:
    valkey = machines.valkey
    started = machines.start(*TWO, patience=0.2, longest=0.4)
    until = monotonic() + 10
    while any(one.ask("figures")["machines"] < 2 for one in started):
        assert monotonic() < until
    rules = (key(requests=60, concurrent=60, usd=1),)
    assert [one.reserve(20, rules, ask(usd=0.01)).count("g") for one in started] == [20, 20]
    valkey.kill()
    valkey.start()
    for one in started:
        one.ask("up", False)
    for one in started:
        one.ask("up", True)
    assert sum(one.reserve(60, rules, ask(usd=0.01)).count("g") for one in started) == 20
    assert sum(one.reserve(60, (key(concurrent=60),), ask()).count("g") for one in started) == 0


# --- in this process


@pytest.fixture
async def told() -> list[Change]:
    return []


@pytest.fixture
async def meter(valkey: ValkeyServer, told: list[Change]) -> AsyncIterator[SharedMeter]:
    meter = SharedMeter(LocalMeter(Table(64)), address_of(valkey.url), "here/0", told.append)
    meter.start()
    yield meter
    await meter.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.002)


async def test_each_change_is_told_once(valkey: ValkeyServer, meter: SharedMeter, told: list[Change]) -> None:
    await until(lambda: meter.up)
    valkey.kill()
    await until(lambda: not meter.up)
    valkey.start()
    await until(lambda: meter.up)
    assert [(change.up, change.machines) for change in told] == [(True, 1), (False, 1), (True, 1)]
    assert told[1].why.startswith("the connection")
    assert told[2].why == "it answers"


async def test_no_request_waits_longer_than_a_tenth_of_a_second(valkey: ValkeyServer, meter: SharedMeter) -> None:
    await until(lambda: meter.up)
    valkey.hang()
    begun = monotonic()
    answers = await asyncio.gather(*(reserve(meter, (key(requests=10),), ask()) for _ in range(20)))
    assert monotonic() - begun < NO_STALL
    assert sum(isinstance(answer, Grant) for answer in answers) == 10
    assert not meter.up
    begun = monotonic()
    assert isinstance(meter.reserve((key(requests=10),), ask(), monotonic(), time.time()), Refused)
    assert monotonic() - begun < 0.05
    valkey.go_on()
    await until(lambda: meter.up)


async def test_without_valkey_from_the_start_a_machine_is_alone() -> None:
    told: list[Change] = []
    meter = SharedMeter(LocalMeter(Table(64)), address_of("valkey://127.0.0.1:9"), "here/0", told.append, machines=3)
    meter.start()
    answers = [await reserve(meter, (key(requests=30),), ask()) for _ in range(12)]
    assert sum(isinstance(answer, Grant) for answer in answers) == 10
    refused = answers[-1]
    assert isinstance(refused, Refused)
    assert refused.rule == key(requests=30)
    assert refused.message.endswith(" This is one machine's share: what 3 of them share cannot be reached now.")
    standing = meter.standing((key(requests=30),), monotonic())
    assert standing.requests is not None
    assert (standing.requests.limit, standing.requests.remaining) == (10, 0)
    await meter.close()
    assert told == []


async def test_a_wrong_password_is_told_of_and_limits_are_kept(valkey: ValkeyServer) -> None:
    meter = SharedMeter(
        LocalMeter(Table(64)), address_of(valkey.url.replace("secret", "wrong")), "here/0", lambda change: None
    )
    meter.start()
    await until(lambda: meter.figures.failures > 1)
    assert not meter.up
    assert isinstance(await reserve(meter, (key(requests=1),), ask()), Grant)
    await meter.close()


async def test_headers_show_what_is_left_of_all(valkey: ValkeyServer, meter: SharedMeter) -> None:
    other = SharedMeter(LocalMeter(Table(64)), address_of(valkey.url), "there/0", lambda change: None)
    other.start()
    await until(lambda: meter.up and other.up)
    rules: tuple[Rule, ...] = (key(requests=100, tokens=10_000),)
    for _ in range(30):
        assert isinstance(await reserve(other, rules, ask(tokens=100)), Grant)
    await reserve(meter, rules, ask(tokens=100))
    standing = meter.standing(rules, monotonic())
    assert standing.requests is not None and standing.tokens is not None
    # What the other has leased and not used may still be missing.
    assert 69 - 12 <= standing.requests.remaining <= 69
    assert standing.requests.limit == 100
    assert 0 < standing.requests.reset <= 62
    assert standing.tokens.remaining <= 6_900
    await other.close()


async def test_a_budget_is_primed_from_the_ledger(valkey: ValkeyServer, meter: SharedMeter) -> None:
    await until(lambda: meter.up)
    rule = key(usd=1)
    ((asked, window),) = meter.unprimed((rule,), time.time())
    assert asked is rule
    meter.prime(rule, window, NANOS * 9 // 10, monotonic())
    assert meter.unprimed((rule,), time.time()) == []
    assert isinstance(await reserve(meter, (rule,), ask(usd=0.2)), Refused)
    assert isinstance(await reserve(meter, (rule,), ask(usd=0.1)), Grant)


async def test_of_a_bound_that_is_only_assumed_all_that_is_left_is_reserved(meter: SharedMeter) -> None:
    await until(lambda: meter.up)
    rules = (key(usd=1),)
    alone = await reserve(meter, rules, ask(usd=5, bounded=False))
    assert isinstance(alone, Grant)
    assert isinstance(await reserve(meter, rules, ask(usd=5, bounded=False)), Refused)
    meter.settle(alone, 1, NANOS // 4, monotonic(), time.time())
    rest = await reserve(meter, rules, ask(usd=0.75))
    assert isinstance(rest, Grant)
    meter.cancel(rest, monotonic())
    assert isinstance(await reserve(meter, rules, ask(usd=None)), Grant)


async def test_what_is_left_is_told_of_all_and_alone_of_the_share(valkey: ValkeyServer, meter: SharedMeter) -> None:
    await until(lambda: meter.up)
    rules = (key(requests=100),)
    first = await reserve(meter, rules, ask())
    assert isinstance(first, Grant)
    left = meter.left(first)
    assert left.requests is not None
    assert (left.requests.limit, left.requests.remaining) == (100, 99)
    valkey.kill()
    await until(lambda: not meter.up)
    second = await reserve(meter, rules, ask())
    assert isinstance(second, Grant)
    left = meter.left(second)
    assert left.requests is not None
    assert (left.requests.limit, left.requests.remaining) == (100, 98)
