"""The breaker: what opens it, whom it lets through while it is open, and when it closes again."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from dragoman.health import Policy
from dragoman.health.breaker import Breaker

POLICY = Policy()


def opened(now: float = 0.0) -> Breaker:
    breaker = Breaker(POLICY, now)
    assert [breaker.failed(now) for _ in range(5)] == [False] * 4 + [True]
    return breaker


def passed_over(breaker: Breaker, times: int) -> None:
    for _ in range(times):
        breaker.pass_over()


def test_it_opens_at_the_fifth_failure_within_its_window() -> None:
    breaker = opened()
    assert breaker.state == "open" and not breaker.may(0.0)


def test_failures_further_apart_than_its_window_are_none() -> None:
    breaker = Breaker(POLICY, 0.0)
    for n in range(9):
        assert not breaker.failed(n * 10.1)
    # So many in a row are something after all.
    assert breaker.failed(91.0)


def test_one_in_three_failing_is_no_reason_to_open() -> None:
    breaker = Breaker(POLICY, 0.0)
    for n in range(10_000):
        breaker.succeeded(n / 100)
        breaker.succeeded(n / 100)
        assert not breaker.failed(n / 100)


def test_a_busy_target_that_dies_is_found_out_at_once() -> None:
    breaker = Breaker(POLICY, 0.0)
    for n in range(5000):
        breaker.succeeded(n / 1000)
    assert [breaker.failed(5.0) for _ in range(10)] == [False] * 9 + [True]


def test_where_no_connection_is_made_half_as_many_are_enough() -> None:
    breaker = Breaker(POLICY, 0.0)
    assert [breaker.failed(0.0, weight=2) for _ in range(3)] == [False, False, True]


def test_a_probe_goes_when_the_cool_down_is_over_and_nine_have_gone_past() -> None:
    breaker = opened()
    passed_over(breaker, 8)
    assert not breaker.may(5.0)
    passed_over(breaker, 1)
    assert not breaker.may(4.999)
    assert breaker.may(5.0)


def test_where_there_is_little_traffic_a_probe_goes_after_a_while() -> None:
    breaker = opened()
    assert not breaker.may(19.9)
    assert breaker.may(20.0)


def test_one_probe_at_a_time_and_two_good_ones_close_it() -> None:
    breaker = opened()
    assert breaker.begin(20.0) and breaker.state == "half-open"
    assert not breaker.may(20.1)
    assert not breaker.succeeded(20.2)
    assert breaker.begin(20.2) and not breaker.may(20.2)
    assert breaker.succeeded(20.3) and breaker.state == "closed"
    # What was before is forgotten.
    assert not any(breaker.failed(20.4) for _ in range(4))


def test_a_probe_that_fails_opens_it_again() -> None:
    breaker = opened()
    assert breaker.begin(20.0)
    assert breaker.failed(20.1, probe=True)
    passed_over(breaker, 100)
    assert not breaker.may(25.0) and breaker.may(25.1)


def test_a_probe_that_takes_long_holds_nobody_up_for_more_than_a_cool_down() -> None:
    breaker = opened()
    assert breaker.begin(20.0)
    assert not breaker.may(24.9) and breaker.may(25.0)


def test_a_probe_that_tells_nothing_makes_room_for_another() -> None:
    breaker = opened()
    assert breaker.begin(20.0)
    breaker.released()
    assert breaker.may(20.0)


@pytest.mark.parametrize("state", ["open", "half-open"])
def test_a_straggler_does_not_put_off_the_next_probe(state: str) -> None:
    breaker = opened()
    if state == "half-open":
        breaker.begin(20.0)
        breaker.released()
    assert not breaker.failed(20.0)
    assert breaker.may(20.0)


def test_who_answers_as_the_last_resort_is_tried_at_once() -> None:
    breaker = opened()
    assert not breaker.succeeded(1.0)
    assert breaker.may(1.0) and breaker.begin(1.0)
    assert breaker.succeeded(1.1) and breaker.state == "closed"


class Machine(RuleBasedStateMachine):
    """Any history of a target: what is sent is let through, and the counts behind the states are kept a second time."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.breaker = Breaker(POLICY, 0.0)
        self.under_way: list[tuple[bool, float]] = []  # whether a probe, since when
        self.bad: list[float] = []  # when, while closed
        self.opened_at = -1.0
        self.past = 0

    @rule(seconds=st.floats(0.0, 30.0))
    def time_goes_by(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def a_request_comes(self) -> None:
        before = self.breaker.state
        if not self.breaker.may(self.now):
            assert before != "closed"
            if before == "open":
                rested = self.now - self.opened_at
                assert rested < POLICY.cool_down or (self.past < POLICY.passed_over and rested < POLICY.longest_pause)
            self.breaker.pass_over()
            self.past += 1
            return
        if before == "open":
            rested = self.now - self.opened_at
            assert rested >= POLICY.cool_down and (self.past >= POLICY.passed_over or rested >= POLICY.longest_pause)
        if before == "half-open":
            young = [since for probe, since in self.under_way if probe and self.now - since < POLICY.cool_down]
            assert not young
        probe = self.breaker.begin(self.now)
        assert probe == (before != "closed")
        self.under_way.append((probe, self.now))

    @precondition(lambda self: self.under_way)
    @rule(which=st.integers(0, 1000), end=st.sampled_from(["good", "bad", "nothing"]))
    def one_ends(self, which: int, end: str) -> None:
        probe, _ = self.under_way.pop(which % len(self.under_way))
        before = self.breaker.state
        if end == "good":
            closed = self.breaker.succeeded(self.now)
            assert closed == (before != "closed" and self.breaker.state == "closed")
            if before != "closed":
                # Whoever is awaited is no longer waited for.
                self.under_way = [(False, since) for _, since in self.under_way]
            if closed:
                self.bad.clear()
        elif end == "bad":
            if before == "closed":
                self.bad.append(self.now)
            if self.breaker.failed(self.now, probe=probe):
                assert before == "half-open" or (before == "closed" and len(self.bad) >= POLICY.failures)
                self.opened_at, self.past = self.now, 0
                self.bad.clear()
                self.under_way = [(False, since) for _, since in self.under_way]
        elif probe:
            self.breaker.released()
            self.under_way = [(False, since) for _, since in self.under_way]

    @rule(times=st.integers(5, 12))
    def it_fails_again_and_again(self, times: int) -> None:
        for _ in range(times):
            before = self.breaker.state
            if before == "closed":
                self.bad.append(self.now)
            if self.breaker.failed(self.now):
                assert before == "closed"
                self.opened_at, self.past = self.now, 0
                self.bad.clear()
                self.under_way = [(False, since) for _, since in self.under_way]
        if times >= POLICY.in_a_row:
            assert self.breaker.state != "closed"

    @invariant()
    def it_never_stays_shut(self) -> None:
        """Whatever happened, somebody may try within the longest pause."""
        assert self.breaker.may(self.now + POLICY.longest_pause + 1e-6)


Machine.TestCase.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
test_any_history = Machine.TestCase
