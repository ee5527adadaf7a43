"""A provider's bound against a model that keeps who waits in a list, in the order in which they came."""

from __future__ import annotations

from collections import Counter
from math import inf

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from dragoman.routing.bound import Bound, share

KEYS = ("a", "b", "c")


class Queue(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.bound: Bound[int] = Bound(2, 5)
        self.places: float = 2
        self.room = 5
        self.in_use = 0
        self.waiting: list[tuple[str, int]] = []
        # By key that waits: how many turns others had since it began to, or had one itself.
        self.passed: dict[str, Counter[str]] = {}
        self.count = 0

    def length(self, key: str) -> int:
        return sum(1 for known, _ in self.waiting if known == key)

    def has_turn(self, waiter: int) -> None:
        key = next(known for known, one in self.waiting if one == waiter)
        first = next(one for known, one in self.waiting if known == key)
        assert waiter == first, "within a key, who came first is first"
        self.waiting.remove((key, waiter))
        for other, turns in self.passed.items():
            if other != key:
                turns[key] += 1
                assert turns[key] <= 1, f"{key} has two turns while {other} waits for one"
        self.passed[key] = Counter()
        self.forget()

    def forget(self) -> None:
        still = {key for key, _ in self.waiting}
        self.passed = {key: turns for key, turns in self.passed.items() if key in still}

    @rule(key=st.sampled_from(KEYS))
    def somebody_comes(self, key: str) -> None:
        if self.bound.take():
            assert self.in_use < self.places
            self.in_use += 1
            return
        assert self.in_use >= self.places
        self.count += 1
        waiter = self.count
        lengths = {known: self.length(known) for known in KEYS}
        gone = self.bound.join(key, waiter)
        if len(self.waiting) < self.room:
            assert gone is None
        elif gone == waiter:
            assert lengths[key] + 1 >= max(lengths.values()), "it had less than its part of the room"
            return
        else:
            (loser,) = (known for known, one in self.waiting if one == gone)
            assert lengths[loser] == max(lengths.values()) > lengths[key] + 1
            assert gone == [one for known, one in self.waiting if known == loser][-1]
            self.waiting.remove((loser, gone))
        self.waiting.append((key, waiter))
        self.passed.setdefault(key, Counter())

    @precondition(lambda self: self.in_use)
    @rule()
    def a_place_is_given_back(self) -> None:
        waiter = self.bound.give_back()
        if waiter is None:
            assert not self.waiting or self.in_use > self.places
            self.in_use -= 1
        else:
            assert self.in_use <= self.places
            self.has_turn(waiter)

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def somebody_leaves(self, data: st.DataObject) -> None:
        key, waiter = data.draw(st.sampled_from(self.waiting))
        self.bound.withdraw(key, waiter)
        self.bound.withdraw(key, waiter)
        self.waiting.remove((key, waiter))
        self.forget()

    @rule(places=st.sampled_from([1, 2, 3, inf]), room=st.integers(0, 6))
    def the_bound_is_another(self, places: float, room: int) -> None:
        self.places, self.room = places, room
        for waiter in self.bound.resize(places, room):
            self.in_use += 1
            self.has_turn(waiter)

    @invariant()
    def it_is_as_the_model_has_it(self) -> None:
        assert self.bound.in_use == self.in_use
        assert self.bound.waiting == len(self.waiting)
        assert [self.bound.waiting_of(key) for key in KEYS] == [self.length(key) for key in KEYS]
        assert not self.waiting or self.in_use >= self.places, "nobody waits beside a free place"
        assert 1 <= self.bound.retry_after() <= 60


TestQueue = Queue.TestCase
TestQueue.settings = settings(max_examples=200, stateful_step_count=60, deadline=None)


@pytest.mark.parametrize(("many", "few"), [(1000, 3), (5, 5), (7, 1)])
def test_turns_alternate_whatever_the_numbers(many: int, few: int) -> None:
    bound: Bound[tuple[str, int]] = Bound(1, many + few)
    assert bound.take()
    for number in range(many):
        assert bound.join("flood", ("flood", number)) is None
    for number in range(few):
        assert bound.join("quiet", ("quiet", number)) is None
    turns = [bound.give_back() for _ in range(many + few)]
    assert turns[: 2 * few] == [(key, number) for number in range(few) for key in ("flood", "quiet")]
    assert turns[2 * few :] == [("flood", number) for number in range(few, many)]
    assert bound.give_back() is None
    assert (bound.in_use, bound.waiting) == (0, 0)


def test_a_key_that_comes_to_a_full_room_gets_its_part_of_it() -> None:
    bound: Bound[str] = Bound(1, 4)
    assert bound.take()
    for waiter in ("a1", "a2", "a3", "a4"):
        assert bound.join("a", waiter) is None
    assert bound.join("a", "a5") == "a5"
    assert [bound.join("b", waiter) for waiter in ("b1", "b2", "b3")] == ["a4", "a3", "b3"]
    assert [bound.join("c", waiter) for waiter in ("c1", "c2")] == ["a2", "c2"]
    assert [bound.give_back() for _ in range(5)] == ["a1", "b1", "c1", "b2", None]


def test_without_room_nobody_waits() -> None:
    bound: Bound[str] = Bound(1, 0)
    assert bound.take()
    assert not bound.take()
    assert bound.join("a", "a1") == "a1"
    assert bound.give_back() is None
    assert bound.take()


def test_when_to_try_again_follows_how_long_places_are_in_use() -> None:
    bound: Bound[int] = Bound(2, 100)
    for _ in range(400):
        bound.took(4.0)
    assert bound.retry_after() == 2
    while bound.take():
        pass
    for waiter in range(8):
        bound.join("a", waiter)
    assert bound.retry_after() == 18
    for _ in range(400):
        bound.took(0.001)
    assert bound.retry_after() == 1
    for _ in range(400):
        bound.took(3600.0)
    assert bound.retry_after() == 60


@pytest.mark.parametrize("whole", [0, 1, 5, 8, 100])
@pytest.mark.parametrize("workers", [1, 2, 3, 7])
def test_the_shares_of_all_workers_are_the_whole(whole: int, workers: int) -> None:
    shares = [share(whole, workers, number) for number in range(workers)]
    assert sum(shares) == whole
    assert max(shares) - min(shares) <= 1
