"""A provider's bound: so many requests under way, so many waiting for a place, and whose turn is next.

The keys that wait have turns one after the other, whatever their numbers, and the room to wait is theirs in equal parts: where it
is full, whoever comes drives out the last of the key that has the most waiting, unless its own key has as many.

Pure: no clock and no tasks. What waits is whatever the owner takes for a waiter; seconds are told.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

W = TypeVar("W", bound=Hashable)

_FIRST_GUESS = 2.0
_WEIGHT = 0.1
_LONGEST = 60


def share(whole: int, workers: int, number: int) -> int:
    """What the worker `number`, counted from 0, has of what is for all `workers` together."""
    return whole // workers + (number < whole % workers)


class Bound(Generic[W]):
    """At most `places` in use at a time (infinity where there is no bound any more), and at most `room` waiting."""

    __slots__ = ("_lines", "_seconds", "in_use", "places", "room", "waiting")

    def __init__(self, places: float, room: int) -> None:
        self.places = places
        self.room = room
        self.in_use = 0
        self.waiting = 0
        # The keys that wait, the one whose turn it is first; who waits for each, the first to come first.
        self._lines: OrderedDict[str, OrderedDict[W, None]] = OrderedDict()
        self._seconds = _FIRST_GUESS

    def take(self) -> bool:
        """A place, where one is free."""
        if self.in_use < self.places and not self.waiting:
            self.in_use += 1
            return True
        return False

    def join(self, key: str, waiter: W) -> W | None:
        """Has `waiter` wait. Who must go for want of room: another who waits, or `waiter` itself, which then does not wait."""
        gone = None
        line = self._lines.get(key)
        if self.waiting >= self.room:
            longest = max(self._lines.values(), key=len, default=None)
            if longest is None or len(longest) <= self.waiting_of(key) + 1:
                return waiter
            gone, _ = longest.popitem()
            self.waiting -= 1
        if line is None:
            line = self._lines[key] = OrderedDict()
        line[waiter] = None
        self.waiting += 1
        return gone

    def withdraw(self, key: str, waiter: W) -> None:
        """`waiter` waits no longer; nothing where it did not."""
        line = self._lines.get(key)
        if line is None or waiter not in line:
            return
        del line[waiter]
        self.waiting -= 1
        if not line:
            del self._lines[key]

    def give_back(self) -> W | None:
        """A place is free: who has it now, where anybody waits."""
        if self.waiting and self.in_use <= self.places:
            return self._next()
        self.in_use -= 1
        return None

    def resize(self, places: float, room: int) -> list[W]:
        """From here on. Who is let in for it; of those who wait, none is sent away."""
        self.places, self.room = places, room
        let_in = []
        while self.waiting and self.in_use < places:
            self.in_use += 1
            let_in.append(self._next())
        return let_in

    def waiting_of(self, key: str) -> int:
        line = self._lines.get(key)
        return 0 if line is None else len(line)

    def took(self, seconds: float) -> None:
        """A place was in use so long."""
        self._seconds += _WEIGHT * (seconds - self._seconds)

    def retry_after(self) -> int:
        """In how many seconds all who wait now may have had their turn, from how long places were in use of late."""
        turns = (self.waiting + 1) / max(1, self.places)
        return max(1, min(_LONGEST, math.ceil(self._seconds * turns)))

    def _next(self) -> W:
        key, line = next(iter(self._lines.items()))
        waiter, _ = line.popitem(last=False)
        self.waiting -= 1
        if line:
            self._lines.move_to_end(key)
        else:
            del self._lines[key]
        return waiter
