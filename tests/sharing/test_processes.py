"""Several machines' worth of processes over one real Valkey: exact while they race, and after one is killed."""

from __future__ import annotations

import time
from collections import Counter

import pytest

from dragoman.limits import NANOS, Limits, Rule
from limits.rules import ask, key
from sharing.conftest import Machine, Machines
from soak import soak

pytestmark = soak

FAST = Rule("model:fast", "the model 'fast'", Limits(requests_per_minute=10**6))
TWO = ("a/0", "b/0")
FOUR = ("a/0", "a/1", "b/0", "b/1")


def race(started: list[Machine], count: int, rules: tuple[Rule, ...], demand: object) -> Counter[str]:
    for one in started:
        one.tell("reserve", count // len(started), rules, demand)
    return Counter("".join(one.answer() for one in started))


@pytest.mark.parametrize("nodes", [TWO, FOUR], ids=["two", "four"])
def test_of_300_requests_at_once_60_pass_where_60_a_minute_may(machines: Machines, nodes: tuple[str, ...]) -> None:
    started = machines.start(*nodes)
    assert race(started, 300, (key(requests=60), FAST), ask()) == {"g": 60, "r": 240}
    # A moment later there are still none.
    assert race(started, 40, (key(requests=60), FAST), ask()) == {"r": 40}


@pytest.mark.parametrize("nodes", [TWO, FOUR], ids=["two", "four"])
def test_tokens_are_never_more_than_the_limit(machines: Machines, nodes: tuple[str, ...]) -> None:
    started = machines.start(*nodes)
    counts = race(started, 200, (key(tokens=10_000),), ask(tokens=500))
    assert 19 <= counts["g"] <= 20


@pytest.mark.parametrize("nodes", [TWO, FOUR], ids=["two", "four"])
def test_no_more_are_under_way_than_may_be(machines: Machines, nodes: tuple[str, ...]) -> None:
    started = machines.start(*nodes)
    rules = (key(concurrent=8),)
    assert race(started, 100, rules, ask())["g"] == 8
    for one in started:
        one.ask("settle", 1, 0)
    assert race(started, 100, rules, ask())["g"] == 8


def test_a_place_that_one_machine_gives_up_is_at_once_anothers(machines: Machines) -> None:
    first, second = machines.start(*TWO)
    rules = (key(concurrent=1),)
    for _ in range(20):
        for one in (first, second):
            assert one.reserve(1, rules, ask()) == "g"
            one.ask("settle", 1, 0)


@pytest.mark.parametrize("nodes", [TWO, FOUR], ids=["two", "four"])
def test_200_requests_against_a_budget_for_10(machines: Machines, nodes: tuple[str, ...]) -> None:
    started = machines.start(*nodes)
    rules = (key(usd=0.01, window="total"),)
    assert race(started, 200, rules, ask(usd=0.001)) == {"g": 10, "b": 190}
    for one in started:
        one.ask("settle", 1, NANOS // 2000)  # half of what was reserved
    passed = 10
    for _ in range(20):  # what is left comes back when it is told, a moment later
        passed += race(started, 40, rules, ask(usd=0.001))["g"]
        for one in started:
            one.ask("settle", 1, NANOS // 1000)
    assert passed == 15
    assert machines.valkey.ask("HGET {dragoman}:key:key_01:money:total spent") == b"$8\r\n10000000\r\n"


def test_what_is_given_back_may_be_had_again(machines: Machines) -> None:
    first, second = machines.start(*TWO)
    rules = (key(requests=60),)
    assert first.reserve(100, rules, ask()).count("g") == 60
    first.ask("cancel")
    until = time.monotonic() + 10
    passed = 0
    while passed < 60 and time.monotonic() < until:
        passed += second.reserve(10, rules, ask()).count("g")
    assert passed == 60


def test_a_killed_machine_holds_nothing_after_its_time(machines: Machines) -> None:
    first, second = machines.start(*TWO)
    rules = (key(concurrent=4, usd=1),)
    assert first.reserve(4, rules, ask(usd=0.2)) == "gggg"
    assert second.reserve(1, rules, ask(usd=0.2)) == "c"
    first.process.kill()
    first.process.wait()
    killed = time.monotonic()
    while second.reserve(1, rules, ask(usd=0.2)) == "c":
        assert time.monotonic() - killed < 15
    assert time.monotonic() - killed > 3  # it might only have been slow
    assert second.reserve(4, rules, ask(usd=0.2)) == "gggc"


def test_a_worker_that_ends_in_order_gives_back_all_at_once(machines: Machines) -> None:
    first, second = machines.start(*TWO)
    rules = (key(concurrent=4, requests=10, usd=1),)
    assert first.reserve(4, rules, ask(usd=0.25)) == "gggg"
    first.ask("cancel")
    assert first.process.stdin is not None
    first.process.stdin.close()
    first.process.wait(20)
    assert second.reserve(5, rules, ask(usd=0.25)) == "ggggc"
