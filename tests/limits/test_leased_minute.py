"""Leases of a minute, by a clock of the test and a store that may be slow, lose answers or forget everything."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.limits import Demand, Limits, Refused, Rule
from dragoman.limits.leased_minute import SPAN, VALID, LeasedMinute
from sharing.store import MinuteStore

OFFSET = 1_795_000_000.25  # of the store's clock


def rule(requests: int | None = None, tokens: int | None = None) -> Rule:
    return Rule("key:1", "the key 'ci'", Limits(requests, tokens))


def carry(minute: LeasedMinute, store: MinuteStore, now: float, nodes: int = 1) -> None:
    words = [int(word) for word in minute.call(now, nodes)]
    there = now + OFFSET
    minute.answered(store.call(int(there), int(there % 1 * 1e6), words), now, now)


def nonzero(counts: dict[int, int]) -> dict[int, int]:
    return {second: count for second, count in counts.items() if count}


def test_a_lease_is_good_for_a_second_and_what_is_left_of_it_goes_back() -> None:
    minute, store = LeasedMinute(rule(requests=60), "m"), MinuteStore()
    for _ in range(3):
        minute.want(Demand(0, 0))
    carry(minute, store, 10.0)
    assert minute.lacks(Demand(0, 0), 10.0, 0.1) is False
    minute.take(0)
    assert minute.lacks(Demand(0, 0), 10.99, 0.1) is False
    assert minute.lacks(Demand(0, 0), 11.0, 0.1) is True
    assert minute.idle(11.0)
    carry(minute, store, 11.0)
    assert sum(store.requests.values()) == 1


def test_a_lease_that_nobody_uses_goes_back_before_it_ends() -> None:
    minute, store = LeasedMinute(rule(requests=60), "m"), MinuteStore()
    minute.want(Demand(0, 0))
    carry(minute, store, 10.0)
    assert minute.idle(10.1)
    carry(minute, store, 10.1)
    assert sum(store.requests.values()) == 0
    assert not minute.idle(10.2)


def test_who_gets_less_than_needed_learns_when_there_is_more() -> None:
    store = MinuteStore()
    first, second = LeasedMinute(rule(tokens=1000), "m"), LeasedMinute(rule(tokens=1000), "m")
    first.want(Demand(900, 0))
    carry(first, store, 10.0)
    first.take(900)
    second.want(Demand(200, 0))
    carry(second, store, 20.0)
    refused = second.lacks(Demand(200, 0), 20.05, 0.1)
    assert isinstance(refused, Refused)
    assert (refused.kind, refused.limit, refused.remaining) == ("tokens", 1000, 100)
    assert refused.retry_after is not None
    # The first was charged at second 0.25 of its clock's second 10, which is given back 62 seconds after its start.
    assert abs(refused.retry_after - (10 - 0.25 + SPAN + 1 - 20.05)) < 1e-3
    assert second.lacks(Demand(100, 0), 20.05, 0.1) is False
    assert second.lacks(Demand(200, 0), 20.2, 0.1) is True  # that is too long ago to be believed
    # More than the whole limit cannot be waited for.
    never = second.lacks(Demand(2000, 0), 20.05, 0.1)
    assert isinstance(never, Refused)
    assert never.retry_after is None


def test_true_usage_replaces_what_was_reserved() -> None:
    minute, store = LeasedMinute(rule(tokens=1000), "m"), MinuteStore()
    minute.want(Demand(500, 0))
    carry(minute, store, 10.0)
    second = minute.take(500)
    assert minute.settle(second, -400, 15.0)
    carry(minute, store, 15.0)
    assert sum(store.tokens.values()) == 100
    assert minute.settle(second, 700, 20.0)
    carry(minute, store, 20.0)
    assert nonzero(store.tokens) == {int(10 + OFFSET): 100, int(20 + OFFSET): 700}


def test_lost_answers_count_too_much_and_never_too_little() -> None:
    minute, store = LeasedMinute(rule(requests=60, tokens=1000), "m"), MinuteStore()
    minute.want(Demand(500, 0))
    carry(minute, store, 10.0)
    second = minute.take(500)
    minute.settle(second, -400, 12.0)  # given back
    minute.settle(second, 50, 12.0)  # used beyond
    minute.call(12.0, 1)
    minute.failed()
    carry(minute, store, 12.5)
    assert sum(store.tokens.values()) == 550


def test_a_store_that_has_forgotten_everything_is_told_again() -> None:
    minute, store = LeasedMinute(rule(requests=60, tokens=1000), "m"), MinuteStore()
    for now in (10.0, 11.0):
        for _ in range(2):
            minute.want(Demand(100, 0))
        carry(minute, store, now)
        minute.take(100)
    minute.owe(30, 12.0)
    empty = MinuteStore()
    minute.lost()
    carry(minute, empty, 13.0)
    assert sum(empty.requests.values()) == 3
    assert sum(empty.tokens.values()) == 230
    assert nonzero(empty.requests) == {int(10 + OFFSET): 1, int(11 + OFFSET): 1, int(12 + OFFSET): 1}


def test_in_an_outage_of_a_moment_nobody_takes_what_all_have_used_up() -> None:
    minute, store = LeasedMinute(rule(requests=10, tokens=1000), "m"), MinuteStore()
    minute.want(Demand(100, 0))
    carry(minute, store, 10.0, 2)  # 9 requests and 900 tokens are left, half of them for each of two
    demand = Demand(100, 0)
    passed = 0
    while minute.forbids(demand, 10.5, 2) is None:
        minute.owe(100, 10.5)
        passed += 1
    assert passed == 1 + 9 // 2
    refused = minute.forbids(demand, 10.5, 2)
    assert refused is not None
    assert (refused.kind, refused.limit, refused.remaining) == ("requests", 10, 0)
    assert minute.forbids(demand, 12.1, 2) is None  # by then the machine's share is what is to go by
    carry(minute, store, 12.2, 2)
    assert sum(store.requests.values()) == passed


STEP = st.tuples(
    st.integers(0, 2),  # whose turn it is
    st.sampled_from([0.0, 0.0, 0.01, 0.2, 0.5, 0.999, 1.0, 7.3, 30.0]),  # seconds later
    st.sampled_from(["use", "use", "use", "use", "tick", "lose answer", "lose call", "settle", "cancel", "forget"]),
    st.integers(0, 40),
)


@given(st.integers(1, 8), st.integers(20, 200), st.lists(STEP, max_size=120))
@settings(max_examples=300, deadline=None)
def test_no_minute_holds_more_than_the_limit(
    requests: int, tokens: int, steps: list[tuple[int, float, str, int]]
) -> None:
    store, now = MinuteStore(), 100.0
    nodes = [LeasedMinute(rule(requests, tokens), "m") for _ in range(3)]
    used: list[list[float]] = []  # when, tokens reserved or used, whether it counts as a request
    open_: list[tuple[int, int, list[float]]] = []
    for who, later, what, asked in steps:
        now += later
        minute = nodes[who]
        demand = Demand(asked, 0)
        if what == "use":
            found = minute.lacks(demand, now, 0.1)
            if found is True:
                minute.want(demand)
                carry(minute, store, now, 3)
                found = minute.lacks(demand, now, 0.1)
            if found is False:
                second = minute.take(asked)
                used.append([now, asked, 1])
                open_.append((who, second, used[-1]))
        elif what == "tick":
            if minute.idle(now):
                carry(minute, store, now, 3)
        elif what == "lose answer":
            minute.want(demand)
            store.call(int(now + OFFSET), 0, [int(word) for word in minute.call(now, 3)])
            minute.failed()
        elif what == "lose call":
            minute.want(demand)
            minute.call(now, 3)
            minute.failed()
        elif what == "forget":
            store = MinuteStore()
            for node in nodes:
                node.lost()
                carry(node, store, now, 3)
        elif open_:
            owner, second, counted = open_.pop()
            if what == "cancel":
                nodes[owner].cancel(second, int(counted[1]), now)
                counted[1] = counted[2] = 0
            elif asked <= counted[1]:
                nodes[owner].settle(second, asked - int(counted[1]), now)
                counted[1] = asked
        window = [one for one in used if one[0] > now - 60]
        assert sum(one[2] for one in window) <= requests
        assert sum(one[1] for one in window) <= tokens


def test_at_full_demand_all_but_a_twentieth_passes() -> None:
    for limit in (1, 7, 60, 600):
        store = MinuteStore()
        nodes = [LeasedMinute(rule(limit), "m") for _ in range(4)]
        passed = 0
        demand = Demand(0, 0)
        for tick in range(600 * 50):  # ten minutes, fifty requests a second
            now = 100 + tick / 50
            minute = nodes[tick % 4]
            found = minute.lacks(demand, now, 0.1)
            if found is True:
                minute.want(demand)
                carry(minute, store, now, 4)
                found = minute.lacks(demand, now, 0.1)
            if found is False:
                minute.take(0)
                passed += 1
            if tick % 12 == 0:
                for node in nodes:
                    if node.idle(now):
                        carry(node, store, now, 4)
        assert passed >= min(10 * limit * 0.95, 10 * limit - 10), (limit, passed)
        assert passed <= 10 * limit + limit


def test_a_lease_ends_as_long_before_its_second_does_as_a_minute_needs() -> None:
    assert SPAN >= 60 + VALID
