"""One HTTP/1.1 connection: bytes from the socket into one answer at a time, and the request's bytes out.

Asked by a pool and told where to put the answer; does not know which request it carries beyond its method. All
callbacks run in the loop, nothing here awaits. The connection has one timer for all that it waits for: most
deadlines pass unneeded, so the timer is not moved when a byte comes; when it fires, it looks at what is due.
"""

from __future__ import annotations

import asyncio
from math import inf
from typing import TYPE_CHECKING, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from dragoman.upstream.base import Deadlines, Headers
from dragoman.upstream.decoding import coding_of
from dragoman.upstream.errors import (
    ConnectionBroken,
    DeadlineExceeded,
    Phase,
    ProtocolViolation,
    TransportError,
)
from dragoman.upstream.response import LeanResponse

if TYPE_CHECKING:
    from dragoman.upstream.pool import Pool

# Bodies up to this size are joined to their head and written at once; larger ones go out in slices as the socket
# takes them, so that the loop's write buffer never holds a copy of a whole upload.
_SLICE = 64 * 1024
_WRITE_HIGH = 256 * 1024
_FRAMING = frozenset((b"content-length", b"transfer-encoding", b"content-encoding"))


class Connection(asyncio.Protocol):
    """A connection of one pool; `closed` is final, `heard` is whether the present answer has begun.

    max_head: bytes allowed for the status line and headers of an answer, interim (1xx) ones included.
    high_water: bytes of body held for a slow reader before reading from the socket stops.
    """

    __slots__ = (
        "_barren",
        "_body",
        "_deadlines",
        "_done",
        "_head_by",
        "_head_only",
        "_head_room",
        "_headers",
        "_high_water",
        "_idle_until",
        "_in_head",
        "_keep_alive",
        "_last",
        "_leftover",
        "_max_head",
        "_out",
        "_parser",
        "_pool",
        "_refusal",
        "_response",
        "_spent",
        "_timer",
        "_timer_at",
        "_total_at",
        "_transport",
        "_until_close",
        "_write_paused",
        "closed",
        "coding",
        "heard",
        "loop",
        "lost",
        "on_body",
        "paused",
    )

    def __init__(self, pool: Pool, loop: asyncio.AbstractEventLoop, max_head: int, high_water: int) -> None:
        self.closed = False
        self.heard = False
        self.paused = False
        self.coding = b""
        self.lost: asyncio.Future[None] = loop.create_future()
        self._pool = pool
        self.loop = loop
        self._max_head = max_head
        self._high_water = high_water
        self._transport: asyncio.Transport
        self._response: LeanResponse | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = inf
        self._idle_until = inf
        self._out: memoryview | None = None
        self._write_paused = False
        # The parser appends body pieces straight to this list, without a Python frame for each.
        self._body: list[bytes] = []
        self.on_body = self._body.append
        self._parser = HttpResponseParser(self)
        self._spent = False

    # The pool's side.

    def start(
        self, response: LeanResponse, method: bytes, head: bytes, body: bytes, deadlines: Deadlines, total_at: float
    ) -> None:
        """Write a request and direct the answer to `response`. `total_at` is in the loop's time."""
        if self._spent:
            self._parser = HttpResponseParser(self)
            self._spent = False
        self._response = response
        self._deadlines = deadlines
        self._total_at = total_at
        self._head_by = self.loop.time() + deadlines.first_byte
        self._head_only = method == b"HEAD"
        self._head_room = self._max_head
        self._headers: Headers = []
        self._barren = 0
        self._in_head = True
        self._done = self._leftover = self._until_close = self.heard = False
        self._refusal: ProtocolViolation | None = None
        self._arm(min(self._head_by, total_at))
        if len(body) <= _SLICE:
            self._transport.write(head + body if body else head)
        else:
            self._transport.write(head)
            self._out = memoryview(body)
            self._pump()

    def park(self, until: float) -> None:
        """Wait in the pool for the next request, at most until the given time of the loop."""
        self._idle_until = until
        self._arm(until)

    def resume(self) -> None:
        """Read from the socket again after the reader took what was held for it."""
        self.paused = False
        if not self.closed:
            self._last = self.loop.time()
            self._transport.resume_reading()
            self._arm(self._last + self._deadlines.idle)

    def close(self, error: TransportError | None = None) -> None:
        """Close at once; the answer that is still coming, if any, ends with `error`.

        Always by abort: where the framing is complete there is nothing to say goodbye for, and a TLS shutdown
        would keep the socket for as long as the peer likes.
        """
        if self.closed:
            return
        self.closed = True
        self._out = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        response, self._response = self._response, None
        self._transport.abort()
        self._pool.discard(self)
        if response is not None:
            response.end(error or ConnectionBroken("the connection was closed"))

    # The loop's side: reading.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=_WRITE_HIGH)
        self._pool.sockets.add(self)

    def data_received(self, data: bytes) -> None:
        response = self._response
        if response is None:
            # Nothing was asked: an unsolicited 408, or a peer that counts differently. Not to be trusted again.
            self.close()
            return
        self.heard = True
        self._last = self.loop.time()
        try:
            if self._in_head:
                self._feed_head(data)
            else:
                self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            if not self._done and self._refusal is None:
                self._refusal = ProtocolViolation(f"the upstream's answer is not HTTP/1.1: {error}")
            self._leftover = True
        if self._refusal is not None:
            self._flush(response)
            self.close(self._refusal)
        elif self._done:
            self._finish(response)
        elif self._in_head:
            return
        else:
            if self._body:
                self._flush(response)
                self._barren = 0
                if response.buffered > self._high_water and not self.paused:
                    self.paused = True
                    self._transport.pause_reading()
            else:
                self._count_barren(len(data))
            response.wake()

    def eof_received(self) -> None:
        self._ended(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended(exc)
        self._pool.sockets.discard(self)
        if not self.lost.done():
            self.lost.set_result(None)

    def _feed_head(self, data: bytes) -> None:
        room = self._head_room
        if len(data) <= room:
            self._head_room = room - len(data)
            self._parser.feed_data(data)
            return
        # Up to the limit first, so that what counts as too large does not hang on how the bytes were split.
        self._head_room = 0
        self._parser.feed_data(data[:room])
        if self._in_head:
            self._refusal = ProtocolViolation(f"the answer's head is larger than {self._max_head} bytes")
        elif self._refusal is None:
            self._parser.feed_data(data[room:])

    def _count_barren(self, size: int) -> None:
        # Chunk extensions and trailers: bytes without a body. The parser keeps an unfinished trailer line.
        self._barren += size
        if self._barren > self._max_head:
            self.close(ProtocolViolation(f"more than {self._max_head} bytes of trailers or chunk extensions"))

    def _flush(self, response: LeanResponse) -> None:
        body = self._body
        if body:
            # A status of 0 is an answer that was refused at its head.
            if response.status:
                response.feed(body[0] if len(body) == 1 else b"".join(body))
            body.clear()

    def _finish(self, response: LeanResponse) -> None:
        self._response = None
        if self._leftover or self._body or self._out is not None or not self._keep_alive:
            self.close()
        else:
            if self.paused:
                self.paused = False
                self._transport.resume_reading()
            self._pool.release(self)
        response.end()

    def _ended(self, exc: Exception | None) -> None:
        if self.closed:
            return
        response = self._response
        if response is None:
            self.close()
        elif exc is None and self._until_close:
            self._response = None
            self.close()
            response.end()
        else:
            where = "before the answer's headers" if self._in_head else "inside the answer's body"
            cause = f": {exc}" if exc else ""
            self.close(ConnectionBroken(f"the upstream closed the connection {where}{cause}"))

    # The parser's side.

    def on_message_begin(self) -> None:
        if self._done:
            self._leftover = True

    def on_header(self, name: bytes, value: bytes) -> None:
        # Trailers come here too; nobody may act on them, so they are not kept.
        if self._in_head:
            self._headers.append((name.lower(), value.rstrip()))

    def on_headers_complete(self) -> None:
        if self._done:
            return
        status = self._parser.get_status_code()
        if status < 200:
            if status == 101 or status < 100:
                self._refusal = ProtocolViolation(f"the upstream answered with status {status}")
            self._headers = []
            return
        self._in_head = False
        self._keep_alive = self._parser.should_keep_alive()
        bodiless = self._head_only or status == 204 or status == 304
        sized = encoded = False
        for name, value in self._headers:
            if name in _FRAMING:
                if name == b"content-encoding":
                    encoded = True
                else:
                    sized = True
                    if name == b"transfer-encoding" and value.lower() != b"chunked":
                        self._refusal = ProtocolViolation("the answer has a transfer coding other than chunked")
                        return
        self.coding = b""
        if encoded and not bodiless:
            try:
                self.coding = coding_of(self._headers)
            except ProtocolViolation as error:
                self._refusal = error
                return
        response = self._response
        assert response is not None
        response.status = status
        response.headers = self._headers
        self._until_close = not sized and not bodiless
        self._arm(min(self._last + self._deadlines.idle, self._total_at))
        if self._head_only:
            # The parser cannot be told that no body follows; it has done its work.
            self._spent = True
            self._done = True

    def on_message_complete(self) -> None:
        if not self._in_head and not self._done:
            self._done = True
            assert self._response is not None
            self._flush(self._response)

    # The loop's side: writing.

    def pause_writing(self) -> None:
        self._write_paused = True

    def resume_writing(self) -> None:
        self._write_paused = False
        self._pump()

    def _pump(self) -> None:
        while (out := self._out) is not None and not self._write_paused:
            # Set first: write() may call back.
            self._out = out[_SLICE:] if len(out) > _SLICE else None
            self._transport.write(out[:_SLICE])

    # Deadlines.

    def _arm(self, at: float) -> None:
        if at < self._timer_at:
            if self._timer is not None:
                self._timer.cancel()
            self._timer_at = at
            self._timer = self.loop.call_at(at, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._timer_at = inf
        if self.closed:
            return
        at, phase = self._due()
        # Loops count in milliseconds at best; what is due within half of one is due.
        if at - self.loop.time() > 0.0005:
            self._arm(at)
        elif phase is None:
            self.close()
        else:
            self.close(DeadlineExceeded(f"the upstream passed its {phase} deadline", phase=phase))

    def _due(self) -> tuple[float, Phase | None]:
        if self._response is None:
            return self._idle_until, None
        at: float
        phase: Phase
        if self._in_head:
            at, phase = self._head_by, "first_byte"
        elif self.paused:
            at, phase = inf, "idle"
        else:
            at, phase = self._last + self._deadlines.idle, "idle"
        return (at, phase) if at <= self._total_at else (self._total_at, "total")
