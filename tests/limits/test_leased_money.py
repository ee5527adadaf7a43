"""Leases of money and of places, by stores that may be slow, lose answers or forget what a dead machine held."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.limits import Budget, Demand, Limits, Refused, Rule, window_at
from dragoman.limits.leased_money import LeasedMoney
from dragoman.limits.leased_running import LeasedRunning
from limits.rules import WALL


class MoneyStore:
    """`money.lua`, as it is meant, while everybody lives."""

    def __init__(self) -> None:
        self.spent = 0
        self.held: dict[str, int] = {}
        self.own: dict[str, int] = {}

    def call(self, words: list[int | str]) -> list[int]:
        node, (nodes, limit, own, told, keep, need, wish, prime, _) = str(words[0]), [int(word) for word in words[1:]]
        self.spent = max(self.spent, prime) + max(0, own - max(told, self.own.get(node, 0)))
        others = sum(held for other, held in self.held.items() if other != node)
        left = max(0, limit - self.spent - others - keep)
        spare = left // (8 * nodes)
        given = min(left, max(need, min(spare, wish)))
        self.own[node], self.held[node] = own, keep + given
        return [given, self.spent, others, left - given, spare, int(given < need), 1]


class RunningStore:
    """`running.lua`, the same."""

    def __init__(self) -> None:
        self.held: dict[str, int] = {}

    def call(self, words: list[int | str]) -> list[int]:
        node, (nodes, limit, keep, need) = str(words[0]), [int(word) for word in words[1:]]
        others = sum(held for other, held in self.held.items() if other != node)
        left = max(0, limit - others - keep)
        spare = left // (8 * nodes)
        given = min(left, need + min(need, spare)) if need and left > need else min(left, need)
        self.held[node] = keep + given
        return [given, others, spare, int(given < need)]


def rule(nanos: int | None = None, concurrent: int | None = None) -> Rule:
    budget = None if nanos is None else Budget(nanos, "total")
    return Rule("key:1", "the key 'ci'", Limits(concurrent_requests=concurrent), budget)


def account(node: str, nanos: int) -> LeasedMoney:
    money = LeasedMoney(rule(nanos), window_at("total", WALL), ("k", "l"), node)
    money.prime(0)
    return money


def test_what_is_told_while_an_answer_is_on_its_way_is_told_in_the_next() -> None:
    money, store = account("a", 100), MoneyStore()
    words = money.call(0, 1)
    money.prime(60)  # the ledger, just now
    money.answered(store.call(words), 0, 0)
    assert money.spent_by_all == 60
    money.answered(store.call(money.call(1, 1)), 1, 1)
    assert store.spent == 60


def test_money_that_is_being_given_back_is_not_spent_meanwhile() -> None:
    money, store = account("a", 100), MoneyStore()
    demand = Demand(0, 40)
    money.want(demand)
    money.answered(store.call(money.call(0, 1)), 0, 0)
    words = money.call(0, 1)  # nobody came for it
    assert money.part(demand, 0, WALL, 0.1) is True
    money.answered(store.call(words), 0, 0)
    assert store.held == {"a": 0}


def test_a_sum_that_shrinks_there_is_told_again() -> None:
    money, store = account("a", 100), MoneyStore()
    money.want(Demand(0, 50))
    money.answered(store.call(money.call(0, 1)), 0, 0)
    money.take(50)
    money.settle(50, 50)
    money.answered(store.call(money.call(0, 1)), 0, 0)
    thrown_out = MoneyStore()
    money.answered(thrown_out.call(money.call(0, 1)), 0, 0)
    assert not money.primed  # the ledger is asked, too
    money.answered(thrown_out.call(money.call(0, 1)), 0, 0)
    assert thrown_out.spent == 50


STEP = st.tuples(
    st.integers(0, 2),
    st.sampled_from(["use", "use", "use", "tick", "lose answer", "lose call", "settle", "settle", "forget"]),
    st.integers(0, 60),
)


@given(st.integers(0, 300), st.lists(STEP, max_size=150))
@settings(max_examples=300, deadline=None)
def test_no_budget_is_overspent(budget: int, steps: list[tuple[int, str, int]]) -> None:
    store = MoneyStore()
    nodes = [account(name, budget) for name in "abc"]
    spent = 0
    open_: list[tuple[LeasedMoney, int]] = []

    def carry(money: LeasedMoney) -> None:
        money.answered(store.call(money.call(0, 3)), 0, 0)

    for who, what, asked in steps:
        money = nodes[who]
        demand = Demand(0, asked)
        if what == "use":
            part = money.part(demand, 0, WALL, -1)
            if part is True:
                money.want(demand)
                carry(money)
                part = money.part(demand, 0, WALL, 1)
            if isinstance(part, int) and part is not True:
                money.take(part)
                open_.append((money, part))
            else:
                assert isinstance(part, Refused)
        elif what == "tick":
            if money.idle(0):
                carry(money)
        elif what == "settle" and open_:
            owner, part = open_.pop(asked % len(open_))
            owner.settle(part, min(asked, part))
            spent += min(asked, part)
        elif what == "lose answer":
            money.want(demand)
            store.call(money.call(0, 3))
            money.failed()
        elif what == "lose call":
            money.want(demand)
            money.call(0, 3)
            money.failed()
        elif what == "forget":
            for node in nodes:
                carry(node)  # what was not told is told before, for a sum is known only as it was last heard
            for node in nodes:
                carry(node)
            store = MoneyStore()
            for node in nodes:
                node.lost()
            for node in nodes:
                carry(node)
        assert spent + sum(part for _, part in open_) <= budget
    for node in nodes:
        carry(node)
    assert store.spent == spent


@given(st.integers(0, 9), st.lists(STEP, max_size=150))
@settings(max_examples=200, deadline=None)
def test_no_more_are_under_way_than_may_be(limit: int, steps: list[tuple[int, str, int]]) -> None:
    store = RunningStore()
    nodes = [LeasedRunning(rule(concurrent=limit), ("k", "l"), name) for name in "abc"]

    def carry(running: LeasedRunning) -> None:
        running.answered(store.call(running.call(0, 3)), 0, 0)

    for who, what, _ in steps:
        running = nodes[who]
        if what == "use":
            found = running.lacks(0, -1)
            if found is True:
                running.want(Demand(0, 0))
                carry(running)
                found = running.lacks(0, 1)
            if found is False:
                running.take()
            else:
                assert isinstance(found, Refused)
        elif what == "settle" and running.running:
            if running.release():
                carry(running)
        elif what == "tick":
            if running.idle(0):
                carry(running)
        elif what in ("lose answer", "lose call"):
            running.want(Demand(0, 0))
            words = running.call(0, 3)
            if what == "lose answer":
                store.call(words)
            running.failed()
        elif what == "forget":
            store = RunningStore()
            for node in nodes:
                node.lost()
            for node in nodes:
                carry(node)
        assert sum(node.running for node in nodes) <= limit


def test_when_all_is_quiet_nothing_is_held() -> None:
    store = RunningStore()
    running = LeasedRunning(rule(concurrent=1000), ("k", "l"), "a")
    running.want(Demand(0, 0))
    running.answered(store.call(running.call(0, 1)), 0, 0)
    running.take()
    assert store.held["a"] > 1
    running.release()
    for _ in range(2):
        if running.idle(0):
            running.answered(store.call(running.call(0, 1)), 0, 0)
    assert store.held["a"] == 0
