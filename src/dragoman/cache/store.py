"""The kept answers of one process: bounded by bytes, each until its time; who was asked for longest ago goes first.

What is being recorded counts as well, so that the bound holds for all of it together.
"""

from __future__ import annotations

from collections import OrderedDict

from dragoman.cache.answer import Answer, size_of

# Of all room, the most that one answer may take, and the most that is for answers still being recorded.
LARGEST_SHARE = 8
HELD_SHARE = 2


class Store:
    """`now` and `until` are seconds of any clock that is never set back. `taken` is in bytes; `evicted` counts answers that went
    for want of room before their time."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.evicted = 0
        self._kept: OrderedDict[bytes, tuple[Answer, int, float]] = OrderedDict()
        self._bytes = 0
        self._held = 0

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def taken(self) -> int:
        return self._bytes + self._held

    @property
    def largest(self) -> int:
        """The most bytes that one answer may have."""
        return self.capacity // LARGEST_SHARE

    def get(self, name: bytes, now: float) -> Answer | None:
        found = self._kept.get(name)
        if found is None:
            return None
        answer, _, until = found
        if until <= now:
            self._drop(name)
            return None
        self._kept.move_to_end(name)
        return answer

    def put(self, name: bytes, answer: Answer, until: float, now: float) -> bool:
        """False where it is too large, or too late, and is not kept."""
        size = size_of(answer)
        if name in self._kept:
            self._drop(name)
        if until <= now or size > self.largest:
            return False
        self._kept[name] = answer, size, until
        self._bytes += size
        self._make_room(now)
        return name in self._kept

    def hold(self, size: int, now: float) -> bool:
        """Room for so many bytes more of what is being recorded; False where there is none to be had."""
        if self._held + size > self.capacity // HELD_SHARE:
            return False
        self._held += size
        self._make_room(now)
        return True

    def release(self, size: int) -> None:
        self._held -= size

    def resize(self, capacity: int, now: float) -> None:
        self.capacity = capacity
        self._make_room(now)

    def _make_room(self, now: float) -> None:
        while self._kept and self._bytes + self._held > self.capacity:
            name, (_, _, until) = next(iter(self._kept.items()))
            self._drop(name)
            if until > now:
                self.evicted += 1

    def _drop(self, name: bytes) -> None:
        _, size, _ = self._kept.pop(name)
        self._bytes -= size
