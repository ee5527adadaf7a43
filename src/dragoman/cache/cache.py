"""What is kept and what is under way, by name; and how often there was something."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from dragoman.cache.answer import Answer
from dragoman.cache.flight import Flight, Outcome
from dragoman.cache.store import Store


class Cache:
    """Of one process, for one thread. `hits` are answers that no vendor was asked for, `misses` those that were looked for and
    had to be made."""

    def __init__(self, capacity: int = 0, clock: Callable[[], float] = monotonic) -> None:
        self.store = Store(capacity)
        self.clock = clock
        self.hits = 0
        self.misses = 0
        self._flights: dict[bytes, Flight] = {}

    def get(self, name: bytes) -> Answer | None:
        return self.store.get(name, self.clock())

    def put(self, name: bytes, answer: Answer, ttl: float) -> bool:
        now = self.clock()
        return self.store.put(name, answer, now + ttl, now)

    def resize(self, capacity: int) -> None:
        self.store.resize(capacity, self.clock())

    def flight(self, name: bytes) -> Flight | None:
        return self._flights.get(name)

    def begin(self, name: bytes, end: Callable[[], object]) -> Flight:
        """There must be none of that name."""
        assert name not in self._flights
        flight = self._flights[name] = Flight(end)
        return flight

    def land(self, name: bytes, outcome: Outcome) -> None:
        self._flights.pop(name).land(outcome)
