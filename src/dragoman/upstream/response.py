"""The caller's side of one answer: what has arrived and not been taken yet, and who waits for more.

The connection fills it and says how it ended; it outlives the connection's interest, so a body that is complete
can still be read after the connection went back to the pool.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from dragoman.upstream.base import Headers
from dragoman.upstream.errors import BodyTooLarge, ConnectionBroken, TransportError

if TYPE_CHECKING:
    from dragoman.upstream.connection import Connection

# Seconds. Loops count in milliseconds at best; what is due within half of one is due.
_TICK = 0.0005


class LeanResponse:
    """See `IncomingResponse`. `status` is 0 until the final headers are in."""

    __slots__ = (
        "_chunks",
        "_connection",
        "_ended",
        "_loop",
        "_over",
        "_timer",
        "_waiter",
        "buffered",
        "error",
        "headers",
        "status",
    )

    def __init__(self, connection: Connection) -> None:
        self.status = 0
        self.headers: Headers = []
        self.error: TransportError | None = None
        # Bytes that have arrived and not been taken: what backpressure goes by.
        self.buffered = 0
        self._connection: Connection | None = connection
        self._loop = connection.loop
        self._chunks: list[bytes] = []
        self._ended = False
        self._over: Callable[[], None] | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    # The connection's side.

    def feed(self, data: bytes) -> None:
        self._chunks.append(data)
        self.buffered += len(data)

    def end(self, error: TransportError | None = None) -> None:
        """No more bytes will come: cleanly, or with the error that the reader gets after what has arrived."""
        self._ended = True
        self._connection = None
        self.error = error
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.wake()
        over, self._over = self._over, None
        if over is not None:
            over()

    def wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    # The caller's side.

    async def arrived(self) -> None:
        """Wait until the connection has something to tell: headers, bytes or the end."""
        if self._waiter is not None:
            raise RuntimeError("two tasks wait for the same answer")
        waiter = self._waiter = self._loop.create_future()
        try:
            await waiter
        except asyncio.CancelledError:
            self.close()
            raise
        finally:
            self._waiter = None

    async def chunk(self) -> bytes:
        chunks = self._chunks
        while not chunks:
            if self._ended:
                if self.error is not None:
                    raise self.error
                return b""
            await self.arrived()
        if len(chunks) == 1:
            data = chunks[0]
        else:
            data = b"".join(chunks)
        chunks.clear()
        self.buffered = 0
        connection = self._connection
        if connection is not None and connection.paused:
            connection.resume()
        return data

    async def chunk_within(self, seconds: float) -> bytes | None:
        if not self._chunks and not self._ended:
            at = self._loop.time() + seconds
            while not self._chunks and not self._ended:
                # Most often something comes before: the timer stays where an earlier wait has set it, and is set anew when it
                # rings too soon.
                if self._timer is None or self._timer.when() > at:
                    self._ring_at(at)
                await self.arrived()
                if not self._chunks and not self._ended and self._loop.time() > at - _TICK:
                    return None
        return await self.chunk()

    def _ring_at(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(at, self._ring)

    def _ring(self) -> None:
        self._timer = None
        self.wake()

    async def read(self, limit: int) -> bytes:
        data = await self.chunk()
        if self._ended and not self._chunks and self.error is None and len(data) <= limit:
            return data
        parts, size = [], 0
        while data:
            parts.append(data)
            size += len(data)
            if size > limit:
                self.close()
                raise BodyTooLarge(f"the body is larger than {limit} bytes", limit=limit)
            data = await self.chunk()
        return b"".join(parts)

    def when_over(self, callback: Callable[[], None]) -> None:
        if self._ended:
            callback()
        else:
            self._over = callback

    def close(self) -> None:
        connection = self._connection
        if connection is not None:
            connection.close(ConnectionBroken("the answer was closed before its end"))
        elif self._chunks and self.error is None:
            # Complete, but not read to its end: later reads must not look like a clean end.
            self.error = ConnectionBroken("the answer was closed before its end was read")
        self._chunks.clear()
        self.buffered = 0
