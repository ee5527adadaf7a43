"""Retries cost what successes earn; pauses are drawn from the whole of a growing span."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from dragoman.health import Policy
from dragoman.health.budget import RetryBudget, backoff

POLICY = Policy()


def test_where_nothing_succeeds_hardly_anything_is_tried_again() -> None:
    budget = RetryBudget(POLICY, 0.0)
    allowed = sum(budget.spend(n / 100) for n in range(6000))
    # Ten at once, then one each two seconds, for a minute.
    assert 38 <= allowed <= 40


@given(st.lists(st.booleans(), max_size=300))
def test_retries_are_a_share_of_what_succeeds(events: list[bool]) -> None:
    budget = RetryBudget(POLICY, 0.0)
    earned = spent = 0
    for success in events:
        if success:
            earned += 1
            budget.earn()
        else:
            spent += budget.spend(0.0)
        assert spent <= POLICY.retry_floor + POLICY.retry_share * earned + 1e-6


def test_a_share_of_nothing_leaves_the_few() -> None:
    budget = RetryBudget(Policy(retry_share=0.0), 0.0)
    for _ in range(1000):
        budget.earn()
    assert sum(budget.spend(0.0) for _ in range(100)) == 10


@given(retry=st.integers(0, 10_000), chance=st.floats(0.0, 1.0))
def test_a_pause_is_never_longer_than_its_ceiling(retry: int, chance: float) -> None:
    assert 0.0 <= backoff(retry, chance, POLICY) <= min(1.0, 0.1 * 2 ** min(retry, 10))


def test_pauses_use_the_whole_span() -> None:
    chance = Random(7).random
    pauses = [backoff(2, chance(), POLICY) for _ in range(1000)]
    assert min(pauses) < 0.02 and max(pauses) > 0.38 and 0.18 < sum(pauses) / 1000 < 0.22
