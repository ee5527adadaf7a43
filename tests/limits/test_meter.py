"""What a meter grants, refuses and tells, case by case, over both tables."""

from __future__ import annotations

import pytest

from dragoman.limits import NANOS, Level, Limits, LocalMeter, Rule, Standing, window_at
from limits.rules import WALL, ask, granted, key, refused

FAST = Rule("model:fast", "the model 'fast'", Limits(requests_per_minute=2))


def test_requests_pass_up_to_the_limit_and_again_when_their_second_is_a_minute_past(meter: LocalMeter) -> None:
    rules = (key(requests=2),)
    granted(meter, rules, ask(), 100.9)
    granted(meter, rules, ask(), 130.0)
    no = refused(meter, rules, ask(), 130.5)
    assert (no.kind, no.limit, no.remaining, no.retry_after) == ("requests", 2, 0, 30.5)
    assert no.message == "The key 'key_01' is limited to 2 requests a minute. Try again in 31 s."
    refused(meter, rules, ask(), 160.99)
    granted(meter, rules, ask(), 161.0)
    assert refused(meter, rules, ask(), 161.0).retry_after == 30.0


def test_tokens_are_reserved_by_estimate_and_settled_by_what_was_used(meter: LocalMeter) -> None:
    rules = (key(tokens=1000),)
    grant = granted(meter, rules, ask(800), 100.0)
    no = refused(meter, rules, ask(300), 101.0)
    assert (no.kind, no.limit, no.remaining, no.retry_after) == ("tokens", 1000, 200, 60.0)
    assert "200 are left, and this request may take 300" in no.message
    meter.settle(grant, 100, None, 101.0, WALL)
    meter.settle(granted(meter, rules, ask(300), 101.0), 900, None, 102.0, WALL)  # more than it said
    assert refused(meter, rules, ask(1), 102.0).remaining == 0
    assert meter.standing(rules, 102.0).tokens == Level(1000, 0, 61.0)
    # 100 are back at 161, 300 at 162, the 600 that came unforeseen at 163.
    assert refused(meter, rules, ask(301), 161.0).remaining == 100
    granted(meter, rules, ask(400), 162.0)
    granted(meter, rules, ask(600), 163.0)


def test_tokens_of_a_minute_that_is_past_are_not_given_back_twice(meter: LocalMeter) -> None:
    rules = (key(tokens=100),)
    late = granted(meter, rules, ask(100), 100.0)
    granted(meter, rules, ask(100), 164.0)  # in the ring's same place
    meter.settle(late, 1, None, 164.0, WALL)
    assert refused(meter, rules, ask(1), 164.0).remaining == 0


def test_unknown_usage_keeps_what_was_reserved(meter: LocalMeter) -> None:
    rules = (key(tokens=1000, usd=1),)
    meter.settle(granted(meter, rules, ask(600, 0.75), 100.0), None, None, 101.0, WALL)
    assert refused(meter, rules, ask(500, 0.1), 102.0).kind == "tokens"
    no = refused(meter, rules, ask(1, 0.5), 102.0)
    assert (no.kind, no.remaining) == ("budget", 250_000_000)


def test_a_request_larger_than_the_limit_is_told_that_waiting_does_not_help(meter: LocalMeter) -> None:
    no = refused(meter, (key(tokens=1000),), ask(1001), 100.0)
    assert no.retry_after is None
    assert "this request alone may take 1,001" in no.message


def test_of_two_minutes_the_longer_wait_is_told(meter: LocalMeter) -> None:
    rules = (key(requests=2, tokens=100),)
    granted(meter, rules, ask(1), 100.0)
    granted(meter, rules, ask(99), 110.0)
    no = refused(meter, rules, ask(50), 110.0)
    assert (no.kind, no.retry_after) == ("tokens", 61.0)


def test_requests_under_way_are_bounded(meter: LocalMeter) -> None:
    rules = (key(concurrent=2),)
    first, _ = granted(meter, rules, ask(), 100.0), granted(meter, rules, ask(), 100.0)
    no = refused(meter, rules, ask(), 500.0)
    assert (no.kind, no.limit, no.remaining, no.retry_after) == ("concurrent", 2, 0, 1.0)
    meter.settle(first, 1, 0, 501.0, WALL)
    granted(meter, rules, ask(), 501.0)
    refused(meter, rules, ask(), 501.0)


def test_what_is_cancelled_was_never_there(meter: LocalMeter) -> None:
    rules = (key(1, 10, 1, usd=1), FAST)
    for _ in range(3):
        meter.cancel(granted(meter, rules, ask(10, 1), 100.0), 100.5)
    assert meter.standing(rules, 100.5) == Standing(Level(1, 1, 0.0), Level(10, 10, 0.0))
    # Given back after the minute is over, it is not given back twice.
    late = granted(meter, rules, ask(10, 1), 100.5)
    meter.settle(granted(meter, (FAST,), ask(), 161.0), 1, 0, 161.0, WALL)
    meter.cancel(late, 164.5)  # the ring's same place
    granted(meter, (FAST,), ask(), 164.5)
    refused(meter, (FAST,), ask(), 164.5)


def test_a_grant_counts_once(meter: LocalMeter) -> None:
    rules = (key(tokens=100, concurrent=1, usd=1),)
    grant = granted(meter, rules, ask(50, 0.5), 100.0)
    for _ in range(2):
        meter.settle(grant, 40, 400_000_000, 100.0, WALL)
        meter.cancel(grant, 100.0)
    assert meter.standing(rules, 100.0).tokens == Level(100, 60, 61.0)
    other = granted(meter, rules, ask(1, 0.6), 100.0)
    assert refused(meter, rules, ask(1, 0), 100.0).kind == "concurrent"
    meter.cancel(other, 100.0)


def test_rules_are_all_taken_or_none(meter: LocalMeter) -> None:
    rules = (key(10, 100, 5, usd=1), FAST)
    for _ in range(2):
        meter.settle(granted(meter, rules, ask(1, 0.1), 100.0), 1, NANOS // 10, 100.0, WALL)
    for _ in range(9):
        assert refused(meter, rules, ask(1, 0.1), 100.0).rule is FAST
    assert meter.standing(rules[:1], 100.0) == Standing(Level(10, 8, 61.0), Level(100, 98, 61.0))
    granted(meter, rules[:1], ask(1, 0.8), 100.0)


def test_a_rule_without_limits_is_not_kept(meter: LocalMeter) -> None:
    for number in range(300):
        meter.settle(granted(meter, (Rule(f"key:{number}", "x"),), ask(), 100.0), 1, 1, 100.0, WALL)


@pytest.mark.parametrize("changed", [key(requests=5), key(requests=5, tokens=10), key(5, usd=1)])
def test_a_changed_limit_holds_at_once_and_goes_on_from_what_was_counted(meter: LocalMeter, changed: Rule) -> None:
    for _ in range(3):
        granted(meter, (key(requests=3),), ask(), 100.0)
    refused(meter, (key(requests=3),), ask(), 100.0)
    for _ in range(2):
        granted(meter, (changed,), ask(), 100.0)
    refused(meter, (changed,), ask(), 100.0)
    assert refused(meter, (key(requests=1),), ask(), 100.0).retry_after == 61.0
    no = refused(meter, (key(requests=0),), ask(), 100.0)
    assert (no.retry_after, no.message) == (None, "The key 'key_01' is limited to 0 requests a minute.")


def test_standing_is_of_the_rule_with_the_least_left(meter: LocalMeter) -> None:
    rules = (key(10, 100), FAST)
    assert meter.standing(rules, 99.0) == Standing(Level(2, 2, 0.0), Level(100, 100, 0.0))
    granted(meter, rules, ask(30), 100.25)
    granted(meter, rules[:1], ask(30), 130.0)
    assert meter.standing(rules, 130.5) == Standing(Level(2, 1, 30.5), Level(100, 40, 60.5))
    assert meter.standing(rules, 161.0) == Standing(Level(2, 2, 0.0), Level(100, 70, 30.0))
    assert meter.standing(rules, 500.0) == Standing(Level(2, 2, 0.0), Level(100, 100, 0.0))
    assert meter.standing((key(usd=1),), 500.0) == Standing()


def test_what_a_vendor_says_may_be_nonsense(meter: LocalMeter) -> None:
    rules = (key(tokens=100, usd=1),)
    meter.settle(granted(meter, rules, ask(50, 0.5), 100.0), -5, -5, 100.0, WALL)
    assert meter.standing(rules, 100.0).tokens == Level(100, 100, 0.0)
    meter.settle(granted(meter, rules, ask(50, 1), 100.0), 10**40, 10**40, 100.0, WALL)
    refused(meter, rules, ask(0, 1), 100.0)
    no = refused(meter, rules, ask(0, 1), 161.0)
    assert (no.kind, no.remaining) == ("budget", 0)


def test_a_worker_that_looked_at_the_clock_before_the_others_counts_in_its_own_second(meter: LocalMeter) -> None:
    rules = (key(requests=2),)
    granted(meter, rules, ask(), 101.0)
    granted(meter, rules, ask(), 100.9)
    assert refused(meter, rules, ask(), 101.0).retry_after == 60.0


# --- budgets


def test_a_budget_reserves_the_most_that_a_request_can_cost(meter: LocalMeter) -> None:
    rules = (key(usd=1),)
    grants = [granted(meter, rules, ask(1, 0.4), 100.0) for _ in range(2)]
    no = refused(meter, rules, ask(1, 0.4), 100.0)
    assert (no.kind, no.limit, no.remaining, no.retry_after) == ("budget", NANOS, NANOS // 5, 1.0)
    assert no.message == (
        "The key 'key_01' has 1.00 USD left of its budget of 1.00 USD for this month, 0.80 USD of it reserved for requests "
        "under way; this request could cost 0.40 USD. Try again when they have ended."
    )
    for grant in grants:
        meter.settle(grant, 1, NANOS // 20, 101.0, WALL)
    granted(meter, rules, ask(1, 0.9), 101.0)


@pytest.mark.parametrize(
    ("window", "until", "wait"),
    [
        ("day", " A new one begins at 2026-11-19T00:00:00Z.", 46_400.0),
        ("month", " A new one begins at 2026-12-01T00:00:00Z.", 1_083_200.0),
        ("total", "", None),
    ],
)
def test_a_spent_budget_tells_when_the_next_begins(
    meter: LocalMeter, window: str, until: str, wait: float | None
) -> None:
    rules = (key(usd=1, window=window),)
    meter.settle(granted(meter, rules, ask(1, 1), 100.0), 1, NANOS, 100.0, WALL)
    no = refused(meter, rules, ask(1, 0.01), 100.0)
    said = {"day": "for this day", "month": "for this month", "total": "in total"}[window]
    assert no.message == f"The key 'key_01' has spent its budget of 1.00 USD {said}.{until}"
    assert (no.retry_after, no.remaining) == (wait, 0)
    assert refused(meter, rules, ask(1, None), 100.0).retry_after == wait
    granted(meter, rules, ask(1, 0), 100.0)  # what costs nothing overspends nothing


def test_a_request_dearer_than_what_is_left_is_told_so(meter: LocalMeter) -> None:
    rules = (key(usd=1, window="total"),)
    meter.settle(granted(meter, rules, ask(1, 1), 100.0), 1, NANOS - 123_000_001, 100.0, WALL)
    no = refused(meter, rules, ask(1, 0.2), 100.0)
    assert no.message == (
        "The key 'key_01' has 0.123000001 USD left of its budget of 1.00 USD in total; this request could cost 0.20 USD. "
        "Ask for fewer output tokens."
    )
    assert (no.retry_after, no.remaining) == (None, 123_000_001)


def test_a_bound_that_only_we_assumed_passes_alone_with_all_that_is_left(meter: LocalMeter) -> None:
    rules = (key(usd=1),)
    bounded = granted(meter, rules, ask(1, 0.5), 100.0)
    assert refused(meter, rules, ask(1, 5, bounded=False), 100.0).retry_after == 1.0
    small = granted(meter, rules, ask(1, 0.1, bounded=False), 100.0)  # fits as it is
    for grant in (bounded, small):
        meter.settle(grant, 1, NANOS // 10, 100.0, WALL)
    alone = granted(meter, rules, ask(1, 5, bounded=False), 100.0)
    for demand in (ask(1, 5, bounded=False), ask(1, 0.000000001)):
        no = refused(meter, rules, demand, 100.0)
        assert (no.kind, no.remaining, no.retry_after) == ("budget", 0, 1.0)
    meter.settle(alone, 1, NANOS, 100.0, WALL)
    assert "has spent its budget" in refused(meter, rules, ask(1, 5, bounded=False), 100.0).message


def test_an_unknown_price_passes_until_the_budget_is_spent_and_counts_when_known(meter: LocalMeter) -> None:
    rules = (key(usd=1),)
    for cost in (None, NANOS // 2, NANOS // 2):
        meter.settle(granted(meter, rules, ask(1, None), 100.0), 1, cost, 100.0, WALL)
    refused(meter, rules, ask(1, None), 100.0)


def test_what_the_ledger_knows_is_asked_for_once_a_window(meter: LocalMeter) -> None:
    rules = (key(usd=1, window="day"), FAST)
    [(rule, window)] = meter.unprimed(rules, WALL)
    assert (rule, window.name, window.until - window.since) == (rules[0], "2026-11-18", 86_400)
    meter.prime(rule, window, NANOS * 9 // 10, 100.0)
    assert meter.unprimed(rules, WALL) == []
    refused(meter, rules, ask(1, 0.2), 100.0)
    meter.settle(granted(meter, rules, ask(1, 0.1), 100.0), 1, NANOS // 10, 100.0, WALL)
    meter.prime(rule, window, NANOS // 2, 100.0)  # never makes less of it
    refused(meter, rules, ask(1, 0.1), 100.0)
    tomorrow = WALL + 86_400
    assert meter.unprimed(rules, tomorrow)[0][1].name == "2026-11-19"
    grant = granted(meter, rules, ask(1, 1), 200.0, tomorrow)
    meter.prime(rule, window, NANOS, 200.0)  # comes too late to matter
    meter.settle(grant, 1, NANOS // 2, 200.0, tomorrow)
    granted(meter, rules, ask(1, 0.5), 200.0, tomorrow)


def test_a_request_over_midnight_is_paid_by_the_day_it_began_in(meter: LocalMeter) -> None:
    rules = (key(usd=1, window="day"),)
    midnight = 1_795_046_400.0
    over = granted(meter, rules, ask(1, 0.75), 100.0, midnight - 1)
    assert refused(meter, rules, ask(1, 0.5), 101.0, midnight).retry_after == 1.0  # still reserved
    meter.settle(over, 1, NANOS // 2, 102.0, midnight + 1)
    meter.cancel(granted(meter, rules, ask(1, 1), 102.0, midnight + 1), 102.0)
    assert refused(meter, rules, ask(1, 0.75), 103.0, midnight - 0.5).remaining == NANOS // 2


def test_a_clock_that_is_set_back_finds_the_sums_it_left(meter: LocalMeter) -> None:
    rules = (key(usd=1, window="day"),)
    meter.prime(rules[0], window_at("day", WALL), NANOS // 2, 100.0)
    for wall in (WALL, WALL + 86_400, WALL, WALL + 86_400 * 900, WALL):
        cost = 0.1
        meter.settle(granted(meter, rules, ask(1, cost), 100.0, wall), 1, NANOS // 10, 100.0, wall)
    assert meter.unprimed(rules, WALL) == []
    assert refused(meter, rules, ask(1, 0.3), 100.0).remaining == NANOS // 5
    # Further back than is remembered: what was spent since counts on, and the ledger is asked.
    assert refused(meter, rules, ask(1, 0.9), 100.0, WALL - 86_400).remaining == NANOS // 5
    assert [window.name for _, window in meter.unprimed(rules, WALL - 86_400)] == ["2026-11-17"]


def test_another_window_begins_with_what_the_ledger_knows(meter: LocalMeter) -> None:
    daily, monthly = (key(usd=1, window="day"),), (key(usd=1),)
    meter.settle(granted(meter, daily, ask(1, 0.9), 100.0), 1, NANOS * 9 // 10, 100.0, WALL)
    [(rule, window)] = meter.unprimed(monthly, WALL)
    assert window.name == "2026-11"
    meter.prime(rule, window, NANOS // 5, 100.0)
    granted(meter, monthly, ask(1, 0.8), 100.0)
