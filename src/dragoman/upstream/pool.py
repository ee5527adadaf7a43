"""The connections of one origin: at most so many, the most recently used first, waiters in order.

Counts connections that are open or being opened. Last in, first out keeps the busy ones warm and lets the others
grow old and close.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque

from dragoman.upstream.base import Origin
from dragoman.upstream.connection import Connection
from dragoman.upstream.dial import dial
from dragoman.upstream.errors import ConnectFailed, DeadlineExceeded, Phase, PoolExhausted
from dragoman.upstream.request_head import host_line


class Pool:
    """limit: connections at most. keep_alive: seconds that an unused one is kept. The rest: see `Connection`."""

    def __init__(
        self,
        origin: Origin,
        *,
        loop: asyncio.AbstractEventLoop,
        tls: ssl.SSLContext | None,
        limit: int,
        keep_alive: float,
        max_head: int,
        high_water: int,
    ) -> None:
        self.host = host_line(origin)
        self.idle: list[Connection] = []
        self._origin = origin
        self._loop = loop
        self._tls = tls
        self._limit = limit
        self._keep_alive = keep_alive
        self._max_head = max_head
        self._high_water = high_water
        self._count = 0
        # Every open socket, so that closing can wait for it; of these, the ones that hold a place in `_count`.
        self.sockets: set[Connection] = set()
        self._counted: set[Connection] = set()
        # A waiter gets a connection, or None: the right to open one, already counted.
        self._waiters: deque[asyncio.Future[Connection | None]] = deque()
        self._closed = False

    @property
    def empty(self) -> bool:
        """Whether no connection is open, being opened or waited for."""
        return not self._count and not self._waiters

    async def acquire(self, at: float, phase: Phase, *, fresh: bool = False) -> tuple[Connection, bool]:
        """Return a connection and whether it has been used before; `fresh` asks for one that has not.

        `at` is the deadline in the loop's time. Raises ConnectFailed, PoolExhausted, DeadlineExceeded.
        """
        while True:
            if self._closed:
                raise _closed()
            if self.idle:
                if not fresh:
                    return self.idle.pop(), True
                if self._count >= self._limit:
                    self.idle[0].close()
            if self._count < self._limit:
                self._count += 1
                return await self._open(at, phase), False
            connection = await self._wait(at, phase)
            if connection is None:
                return await self._open(at, phase), False
            if connection.closed:
                continue
            if not fresh:
                return connection, True
            connection.close()

    def release(self, connection: Connection) -> None:
        """Take back a connection that is ready for another request."""
        connection.park(self._loop.time() + self._keep_alive)
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return
        self.idle.append(connection)

    def discard(self, connection: Connection) -> None:
        """Forget a connection that has closed, and let the first waiter open another."""
        if connection in self.idle:
            self.idle.remove(connection)
        if connection in self._counted:
            self._counted.remove(connection)
            self._free()

    async def aclose(self) -> None:
        """Close all connections and wait until the sockets are closed."""
        self._closed = True
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_exception(_closed())
        self._waiters.clear()
        sockets = list(self.sockets)
        for connection in sockets:
            connection.close()
        if sockets:
            await asyncio.wait([connection.lost for connection in sockets], timeout=1.0)

    def _free(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self._count -= 1

    async def _open(self, at: float, phase: Phase) -> Connection:
        try:
            connection = await dial(self._origin, self._make, self._tls, at, phase)
        except BaseException:
            self._free()
            raise
        if self._closed or connection.closed:
            connection.close()
            self._free()
            if self._closed:
                raise _closed()
            raise ConnectFailed(f"{self._origin.host} closed the connection at once", reason="refused")
        self._counted.add(connection)
        return connection

    def _make(self) -> Connection:
        return Connection(self, self._loop, self._max_head, self._high_water)

    async def _wait(self, at: float, phase: Phase) -> Connection | None:
        waiter: asyncio.Future[Connection | None] = self._loop.create_future()
        self._waiters.append(waiter)
        timer = self._loop.call_at(at, self._expire, waiter, phase)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                # Given to us and not wanted any more: the next one's turn.
                connection = waiter.result()
                if connection is None:
                    self._free()
                elif not connection.closed:
                    self.release(connection)
            raise
        finally:
            timer.cancel()
            if waiter in self._waiters:
                self._waiters.remove(waiter)

    def _expire(self, waiter: asyncio.Future[Connection | None], phase: Phase) -> None:
        if waiter.done():
            return
        message = f"all {self._limit} connections to {self._origin.host} stayed busy"
        if phase == "total":
            waiter.set_exception(DeadlineExceeded(message, phase=phase, sent=False))
        else:
            waiter.set_exception(PoolExhausted(message))


def _closed() -> ConnectFailed:
    return ConnectFailed("the transport has been closed", reason="closed")
