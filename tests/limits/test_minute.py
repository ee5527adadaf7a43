"""The sliding minute as a property: never over in any 60 seconds, hardly under at full demand."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.limits import Grant, LocalMeter, Table
from limits.rules import WALL, ask, key

gaps = st.lists(
    st.one_of(st.floats(0, 0.5), st.floats(0, 20), st.sampled_from([1.0, 59.0, 60.0, 61.0, 63.0, 64.0, 125.0]))
)


@settings(max_examples=200, deadline=None)
@given(start=st.floats(0, 1e6), gaps=gaps, limit=st.integers(1, 6))
def test_no_sixty_seconds_hold_more_than_the_limit(start: float, gaps: list[float], limit: int) -> None:
    meter, rules = LocalMeter(Table(4)), (key(limit, 10 * limit),)
    times: list[float] = []
    now = start
    for gap in gaps:
        now += gap
        for _ in range(3):
            answer = meter.reserve(rules, ask(10), now, WALL)
            if isinstance(answer, Grant):
                meter.settle(answer, 10, None, now, WALL)
                times.append(now)
    assert all(later - earlier > 60 for earlier, later in zip(times, times[limit:], strict=False))


@settings(max_examples=200, deadline=None)
@given(gaps=gaps, asked=st.lists(st.integers(0, 60), min_size=1))
def test_waiting_as_told_is_enough_and_less_is_not(gaps: list[float], asked: list[int]) -> None:
    meter, rules = LocalMeter(Table(4)), (key(5, 100),)
    now = 1000.0
    for number, gap in enumerate(gaps):
        now += gap
        demand = ask(asked[number % len(asked)])
        answer = meter.reserve(rules, demand, now, WALL)
        if not isinstance(answer, Grant):
            assert answer.retry_after is not None and answer.retry_after > 0
            if int(now + answer.retry_after) - 1 >= int(now):
                early = meter.reserve(rules, demand, now + answer.retry_after - 0.5, WALL)
                assert not isinstance(early, Grant)
            now += answer.retry_after
            assert isinstance(meter.reserve(rules, demand, now, WALL), Grant)


@pytest.mark.parametrize("limit", [1, 7, 60, 600])
@pytest.mark.parametrize("every", [0.05, 0.3])
def test_full_demand_gets_95_percent_or_all_but_one(limit: int, every: float) -> None:
    meter, rules = LocalMeter(Table(4)), (key(limit),)
    minutes = 10
    passed = sum(
        isinstance(meter.reserve(rules, ask(), 1000.5 + number * every, WALL), Grant)
        for number in range(int(minutes * 60 / every))
    )
    possible = min(limit, int(60 / every)) * minutes
    assert min(0.95 * possible, possible - 1) <= passed <= possible


def test_a_table_of_one_minute_shows_in_the_next() -> None:
    """Every distance between two uses, also those that meet in the ring's same place."""
    for apart in range(200):
        meter, rules = LocalMeter(Table(4)), (key(3, 300),)
        for _ in range(2):
            meter.reserve(rules, ask(100), 1000.0, WALL)
        meter.reserve(rules, ask(100), 1000.0 + apart, WALL)
        standing = meter.standing(rules, 1000.0 + apart)
        assert standing.requests is not None and standing.tokens is not None
        assert standing.requests.remaining == (0 if apart <= 60 else 2)
        assert standing.tokens.remaining == (0 if apart <= 60 else 200)
        assert standing.requests.reset == 61.0
