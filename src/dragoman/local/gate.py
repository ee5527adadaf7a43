"""Bounded admission to the model: so many at once, so many waiting in order, the rest told when to come back.

Pure asyncio, for one event loop; each worker has its own, so the model sees at most `workers × parallel` at
once.
"""

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_FIRST_GUESS = 2.0
_WEIGHT = 0.2
_LONGEST = 60


class Busy(Exception):
    """Every place is taken; `retry_after_seconds` is a whole number ≥ 1, from how long requests took of late."""

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__(f"The local model is busy. Try again in {retry_after_seconds} s.")
        self.retry_after_seconds = retry_after_seconds


class Gate:
    """At most `parallel` requests under way and `queue` waiting, first come first served.

    `async with gate.enter():` waits for a place, raises Busy when the queue is full, and gives the place
    back at the end. A waiter that is cancelled frees its place in the queue.
    """

    def __init__(self, parallel: int, queue: int) -> None:
        if parallel < 1 or queue < 0:
            raise ValueError("parallel must be at least 1 and queue at least 0")
        self.parallel = parallel
        self.queue = queue
        self.under_way = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._seconds = _FIRST_GUESS

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        return len(self._waiting)

    @asynccontextmanager
    async def enter(self) -> AsyncIterator[None]:
        """Hold a place for the length of the block."""
        await self.acquire()
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            yield
        finally:
            self._seconds += _WEIGHT * (clock() - began - self._seconds)
            self.release()

    async def acquire(self) -> None:
        """Wait for a place; raises Busy. Each acquire wants one `release`."""
        if self.under_way < self.parallel and not self._waiting:
            self.under_way += 1
            return
        if len(self._waiting) >= self.queue:
            raise Busy(self._retry_after())
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.release()  # the place was handed over in the moment of leaving: hand it on
            else:
                self._waiting.remove(turn)
            raise

    def release(self) -> None:
        """Give a place back: to the longest waiting if there is one."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)  # the place passes over, `under_way` stays
                return
        self.under_way -= 1

    def _retry_after(self) -> int:
        rounds = (len(self._waiting) + self.parallel) / self.parallel
        return max(1, min(_LONGEST, math.ceil(self._seconds * rounds / 2)))
