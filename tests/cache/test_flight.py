"""Whoever waits is told once; a call that nobody wants any more is ended, once, and only then."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dragoman.cache import Answer, Cache, Flight, Outcome

ANSWER = Answer(0.0, True, (), (b"x",), "p/m", "gemini")


class Waiting:
    def __init__(self) -> None:
        self.told: list[Outcome] = []

    def __call__(self, outcome: Outcome) -> None:
        self.told.append(outcome)


@given(st.lists(st.one_of(st.just("join"), st.just("leader leaves"), st.integers(0, 5)), max_size=20), st.booleans())
def test_ended_exactly_when_nobody_is_left(steps: list[str | int], lands: bool) -> None:
    ended: list[bool] = []
    flight = Flight(lambda: ended.append(True))
    waiting: list[Waiting] = []
    gone: list[Waiting] = []
    leads = True
    for step in steps:
        if ended or (not leads and not waiting):
            break
        if step == "join":
            waiting.append(Waiting())
            flight.join(waiting[-1])
        elif isinstance(step, int):
            if step < len(waiting):
                gone.append(waiting.pop(step))
                flight.leave(gone[-1])
        elif leads:
            leads = False
            # Where nobody waits, whoever asks ends the call itself.
            assert flight.leader_leaves() == bool(waiting)
            if not waiting:
                ended.append(True)
        assert flight.waiting == len(waiting)
        assert bool(ended) == (not leads and not waiting)
    if lands:
        flight.land(ANSWER)
        assert all(one.told == [ANSWER] for one in waiting)
        for one in waiting:
            flight.leave(one)
    assert len(ended) <= 1
    assert all(not one.told for one in gone)


def test_a_cache_has_one_flight_of_a_name() -> None:
    cache = Cache(1 << 20, clock=lambda: 5.0)
    told = Waiting()
    cache.begin(b"a", lambda: None).join(told)
    assert cache.flight(b"a") is not None and cache.flight(b"b") is None
    error = ValueError("no")
    cache.land(b"a", error)
    assert cache.flight(b"a") is None and told.told == [error]


def test_a_caches_time_is_its_clocks() -> None:
    now = [0.0]
    cache = Cache(1 << 20, clock=lambda: now[0])
    assert cache.put(b"a", ANSWER, ttl=600.0)
    now[0] = 599.9
    assert cache.get(b"a") is ANSWER
    now[0] = 600.0
    assert cache.get(b"a") is None
