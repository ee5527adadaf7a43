"""The order of a model's targets."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from dragoman.routing.plan import order, ranked


@dataclass(eq=False)
class One:
    name: str
    weight: int = 1
    priority: int = 1
    credit: int = 0


def names(found: object) -> str:
    return "".join(one.name for one in found)  # type: ignore[attr-defined]


def test_turns_are_smooth() -> None:
    targets = [One("a", 3), One("b", 1)]
    assert "".join(order(targets)[0].name for _ in range(8)) == "aabaaaba"


def test_the_next_in_turn_follows() -> None:
    targets = [One("a", 2), One("b", 1), One("c", 1)]
    assert [names(order(targets)) for _ in range(4)] == ["abc", "bca", "cab", "abc"]


def test_lesser_priorities_come_later_and_take_no_turns() -> None:
    targets = [One("x", 100, 2), One("a"), One("b"), One("y", 1, 3)]
    assert [names(order(targets)) for _ in range(2)] == ["abxy", "baxy"]
    assert targets[0].credit == targets[3].credit == 0


def test_who_is_passed_over_stands_last_and_the_others_share_its_turns() -> None:
    a, b, c = targets = [One("a", 2), One("b", 1), One("c", 1)]
    firsts = Counter(order(targets, [a])[0].name for _ in range(100))
    assert firsts == {"b": 50, "c": 50}
    assert names(order(targets, [a]))[-1] == "a"
    # It comes back to its share, and no more than that.
    assert Counter(order(targets)[0].name for _ in range(100)) == {"a": 50, "b": 25, "c": 25}
    assert names(order(targets, [a, b, c])) == "abc"


def test_where_all_of_a_priority_are_passed_over_the_next_one_takes_turns() -> None:
    a, *_ = targets = [One("a"), One("b", 1, 2), One("c", 1, 2)]
    assert [names(order(targets, [a])) for _ in range(2)] == ["bca", "cba"]


_TARGETS = st.lists(st.tuples(st.integers(1, 9), st.integers(1, 3), st.booleans()), min_size=2, max_size=10)


@given(_TARGETS)
def test_every_plan_holds_all_and_turns_follow_weights(given_targets: list[tuple[int, int, bool]]) -> None:
    targets = [One(str(n), weight, priority) for n, (weight, priority, _) in enumerate(given_targets)]
    aside = [one for one, (_, _, passed) in zip(targets, given_targets, strict=True) if passed]
    ready = [one for one in targets if one not in aside] or targets
    best = min(one.priority for one in ready)
    equals = [one for one in ready if one.priority == best]
    total = sum(one.weight for one in equals)
    firsts: Counter[str] = Counter()
    for _ in range(total):
        found = order(targets, aside)
        assert sorted(map(id, found)) == sorted(map(id, targets))
        heads = list(found)[: len(targets) - len(aside)]
        assert [one.priority for one in heads] == sorted(one.priority for one in heads)
        assert aside == [] or len(aside) == len(targets) or heads == [one for one in found if one not in aside]
        firsts[found[0].name] += 1
    if len(aside) < len(targets):
        assert firsts == {one.name: one.weight for one in equals}


def test_ranks_hold_within_a_priority() -> None:
    a, b, *_ = targets = [One("a"), One("b"), One("c", 1, 2), One("d", 1, 2)]
    rank = {"a": 2.0, "b": 1.0, "c": 0.5, "d": 0.1}
    assert names(ranked(order(targets), lambda one: rank[one.name])) == "badc"
    assert names(ranked(order(targets), lambda one: rank[one.name], [b])) == "adcb"
    # Equals stay in turn.
    firsts = [ranked(order([a, b]), lambda one: 1.0)[0].name for _ in range(4)]
    assert Counter(firsts) == {"a": 2, "b": 2}
