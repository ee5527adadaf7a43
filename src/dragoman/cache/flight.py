"""A call that is under way and that others wait for, who asked the same in the meantime.

Who began it leads it. A leader whose caller leaves goes on as long as anybody waits; with the last of them the call ends.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from dragoman.cache.answer import Answer

# The answer; the error that all are told; None where each must ask for itself.
Outcome: TypeAlias = Answer | Exception | None
Tell = Callable[[Outcome], None]


class Flight:
    """`end` ends the leader's call; it is called once at most, and only when nobody wants the answer any more."""

    __slots__ = ("_end", "_landed", "_waiting", "left")

    def __init__(self, end: Callable[[], object]) -> None:
        self._end = end
        self._waiting: set[Tell] = set()
        self._landed = False
        self.left = False

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def join(self, tell: Tell) -> None:
        """`tell` is called once, when it lands, unless `leave` comes first."""
        self._waiting.add(tell)

    def leave(self, tell: Tell) -> None:
        """Of one who waited, or had been told already."""
        self._waiting.discard(tell)
        if self.left and not self._waiting and not self._landed:
            self._landed = True
            self._end()

    def leader_leaves(self) -> bool:
        """Whether the call is to go on without its own caller."""
        self.left = True
        return bool(self._waiting)

    def land(self, outcome: Outcome) -> None:
        self._landed = True
        waiting, self._waiting = self._waiting, set()
        for tell in waiting:
            tell(outcome)
