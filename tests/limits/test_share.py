"""The breaker and the shares by which a machine goes on alone."""

from __future__ import annotations

import pytest

from dragoman.limits import NANOS, Budget, Limits, Refused
from dragoman.limits.breaker import FIRST_REST, LONGEST_REST, Breaker
from dragoman.limits.share import LINGER, Machines, share_of, told
from limits.rules import key


def test_a_breaker_rests_longer_each_time_and_no_longer_than_its_longest() -> None:
    breaker, now = Breaker(), 0.0
    rests = []
    for _ in range(6):
        assert breaker.begin(now)
        assert breaker.state == "half-open"
        assert not breaker.begin(now)  # one try at a time
        breaker.failed(now)
        rests.append(breaker.wait(now))
        assert not breaker.begin(now + rests[-1] - 0.001)
        now += rests[-1]
    assert rests == pytest.approx([FIRST_REST, 0.2, 0.4, 0.8, LONGEST_REST, LONGEST_REST])


def test_after_it_was_closed_for_a_while_the_first_try_is_at_once() -> None:
    breaker = Breaker()
    breaker.begin(0.0)
    breaker.succeeded(0.0)
    breaker.failed(0.5)
    assert breaker.wait(0.5) == pytest.approx(FIRST_REST)  # it had only just closed
    breaker.begin(0.6)
    breaker.succeeded(0.6)
    breaker.failed(10.0)
    assert breaker.wait(10.0) == 0.0
    assert breaker.begin(10.0)


@pytest.mark.parametrize(
    ("machines", "spent", "limits", "budget"),
    [
        (1, 0, Limits(60, 1000, 9), 10),
        (2, 0, Limits(30, 500, 4), 5),
        (2, 8, Limits(30, 500, 4), 9),
        (7, 10, Limits(8, 142, 1), 10),
        (100, 12, Limits(1, 10, 1), 10),
    ],
)
def test_a_share_is_rounded_down_and_never_nothing(machines: int, spent: int, limits: Limits, budget: int) -> None:
    share = share_of(key(60, 1000, 9, usd=10), machines, spent * NANOS)
    assert (share.limits, share.budget) == (limits, Budget(budget * NANOS, "month"))


def test_a_share_of_nothing_is_nothing() -> None:
    assert share_of(key(0, 0, 0, usd=0), 3, 0) == key(0, 0, 0, usd=0)
    assert share_of(key(), 3, 0) == key()


def test_a_machine_that_is_missing_counts_for_a_while() -> None:
    machines = Machines()
    machines.seen(3, 0.0)
    machines.seen(1, 1.0)
    machines.seen(2, LINGER)
    assert machines.count == 3
    machines.seen(1, 1.0 + LINGER)
    assert machines.count == 2  # the most that were seen meanwhile
    machines.seen(4, 20.0)
    assert machines.count == 4


def test_one_machine_says_nothing_of_shares() -> None:
    refused = Refused(key(2), "requests", 2, 0, 3.0, "No.")
    assert told(refused, key(2), 1).message == "No."
    assert told(refused, key(4), 2) == Refused(
        key(4), "requests", 2, 0, 3.0, "No. This is one machine's share: what 2 of them share cannot be reached now."
    )
