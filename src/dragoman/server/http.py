"""A caller's HTTP/1.1 connection, under uvicorn's server: bytes from the socket into requests, one served after the other.

In place of uvicorn's own for what it lacks, and for speed (seven tenths of its instructions for a
request that is answered at once, counted with cachegrind):

- A caller that leaves cancels the task that serves it. ASGI tells of a caller's leaving only to those who wait in `receive`,
  which would cost every request a task of its own.
- A bound on the size of a request's head (431) and on the time it may take to arrive (408).
- An offer to upgrade (Java's HttpClient makes one on every plain connection, of h2c) is declined by answering as if it were not
  there; the parser by itself would end the request at its head and take the body for another one.
- What is no HTTP is answered as every other mistake is: with an error that a client can read, and a line in the log.
- One timer for all that a connection waits for, which is not moved with each request but looks at what is due when it fires.

What uvicorn asks of a protocol class: its constructor's three arguments, `server_state.connections` and `.tasks` kept up to
date, `server_state.default_headers` on every answer, and `shutdown`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from math import inf
from typing import Any, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from dragoman.ir import BadRequest, CallerError, RequestTimeout
from dragoman.protocols.base import Headers
from dragoman.server.exchange import EXCHANGE, Exchange, head_of
from dragoman.server.refusal import refusal
from dragoman.server.url import parse_url, seen_urls

MAX_HEAD = 64 * 1024  # bytes
_HEAD_SECONDS = 30.0
_LINGER_SECONDS = 2.0
_STALL_SECONDS = 300.0
_MOST_WAITING = 8  # pipelined requests
_HELD_BODY = 64 * 1024  # bytes of a body that nobody takes, before reading from the socket stops

_ASGI = {"version": "3.0", "spec_version": "2.3"}


class CallerConnection(asyncio.Protocol):
    """`head_seconds` is how long a request's head may take, from the connection's opening or the head's first byte;
    `stall_seconds` how long a caller may take so little of its answer that no more can be written."""

    head_seconds = _HEAD_SECONDS
    stall_seconds = _STALL_SECONDS

    # The lines of uvicorn's headers (the date), made anew when it makes its list anew, which is once a second.
    _defaults: tuple[Any, bytes] = (None, b"")

    def __init__(
        self, config: Any, server_state: Any, app_state: Any, _loop: asyncio.AbstractEventLoop | None = None
    ) -> None:
        self.choked: asyncio.Future[None] | None = None
        self._app = config.loaded_app
        self._state = server_state
        self._keep_alive_seconds = config.timeout_keep_alive
        self.loop = _loop or asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._parser: Any = None
        self._client: Any = None
        self._scheme = "http"
        self._url = b""
        self._headers: Headers = []
        self._in_head = True
        self._room = MAX_HEAD
        self._barren = 0  # bytes since the last of a body: extensions of chunks, and trailers
        self._refused = False
        self._ending = False
        self._reading = True
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = self._due = inf
        self._stalled: asyncio.TimerHandle | None = None
        self._head_timed = True  # whether what is waited for is a head's end
        self._running: Exchange | None = None  # being served
        self._latest: Exchange | None = None  # being read
        self._waiting: deque[Exchange] = deque()

    # The server's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._client = transport.get_extra_info("peername") or None
        self._scheme = "https" if transport.get_extra_info("sslcontext") else "http"
        self._state.connections.add(self)
        self._parser = HttpRequestParser(self)
        self._wait_until(self.loop.time() + self.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        self._state.connections.discard(self)
        self._due = inf
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._parser = None
        self._waiting.clear()
        self.resume_writing()
        running = self._running
        if running is not None and not running.complete:
            running.lose()

    def retire(self) -> None:
        """What has been asked is answered, and so is one request that may be on its way by now; then the connection is closed,
        as the last answer says (RFC 9112, 9.6)."""
        self._ending = True
        if self._busy():
            cast("Exchange", self._latest).keep_alive = False

    def shutdown(self) -> None:
        self.retire()
        if not self._busy():
            self._transport.close()

    def pause_writing(self) -> None:
        if self.choked is None:
            self.choked = self.loop.create_future()
            self._stalled = self.loop.call_later(self.stall_seconds, self._transport.abort)

    def resume_writing(self) -> None:
        choked, self.choked = self.choked, None
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None
        if choked is not None and not choked.done():
            choked.set_result(None)

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            room = self._room
            if len(data) > room:
                self._receive_long(data, room)
                return
            self._room = room - len(data)
        else:
            self._barren += len(data)
        if self._refused:
            return
        self._feed(data)
        if self._barren > MAX_HEAD and not self._in_head and not self._refused:
            self._garbage()  # the parser keeps an unfinished trailer
        if self._in_head and not self._head_timed and self._room < MAX_HEAD:
            self._head_timed = True
            self._wait_until(self.loop.time() + self.head_seconds)

    def _receive_long(self, data: bytes, room: int) -> None:
        """More than the head has room for; whether some of it is body will show when the head's share is read."""
        if self._refused:
            return
        self._room = 0
        if room:
            self._feed(data[:room])
        if self._in_head and not self._room and not self._refused:
            self._refuse(
                CallerError(
                    f"The request's headers are larger than {MAX_HEAD} bytes.", status=431, code="headers_too_large"
                )
            )
        else:
            self.data_received(data[room:])

    def _feed(self, data: bytes | memoryview) -> None:
        while True:
            try:
                self._parser.feed_data(data)
            except HttpParserUpgrade as offer:
                data = memoryview(data)[offer.args[0] :]
                if self._decline() and data:
                    continue
            except HttpParserError:
                self._garbage()
            return

    def _decline(self) -> bool:
        """Reads the head again without its offer. Whether it is a request."""
        method: bytes = self._parser.get_method()
        if method == b"CONNECT":
            self._garbage()
            return False
        head = b"%b %b HTTP/%b\r\n" % (method, self._url, self._parser.get_http_version().encode())
        for name, value in self._headers:
            if name == b"connection":
                head += b"connection: close\r\n" if b"close" in value.lower() else b""
            elif name not in (b"upgrade", b"http2-settings"):
                head += name + b": " + value + b"\r\n"
        self._url, self._headers = b"", []
        self._parser = HttpRequestParser(self)
        self._feed(head + b"\r\n")
        return not self._refused

    # The parser's side.

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        parser = self._parser
        if parser.should_upgrade():
            return
        url, headers = self._url, self._headers
        path, raw_path, query = seen_urls.get(url) or parse_url(url)
        version = parser.get_http_version()
        exchange = Exchange(
            self,
            {
                "type": "http",
                "asgi": _ASGI,
                "http_version": version,
                "method": parser.get_method().decode("ascii"),
                "scheme": self._scheme,
                "path": path,
                "raw_path": raw_path,
                "query_string": query,
                "root_path": "",
                "headers": headers,
                "client": self._client,
                "server": None,
            },
            keep_alive=version != "1.0" and parser.should_keep_alive() and not self._ending,
        )
        exchange.scope[EXCHANGE] = exchange
        self._in_head = self._head_timed = False
        self._barren = 0
        self._due = inf
        self._url, self._headers = b"", []
        self._latest = exchange
        if self._busy():
            self._waiting.append(exchange)
            if len(self._waiting) > _MOST_WAITING:
                self._pause_reading()
        else:
            self._serve(exchange)

    def on_body(self, body: bytes) -> None:
        self._barren = 0
        exchange = self._latest
        if exchange is not None and not exchange.complete and exchange.feed(body) > _HELD_BODY:
            self._pause_reading()

    def on_message_complete(self) -> None:
        if self._parser.should_upgrade():
            return
        self._in_head = True
        self._room = MAX_HEAD
        if self._headers:  # trailers, which are no headers of the next request
            self._headers = []
        exchange = self._latest
        if exchange is not None:
            exchange.whole = True
            exchange.wake()
        if not self._reading and len(self._waiting) <= _MOST_WAITING:
            self.read_on()  # else nobody would see the caller leave

    # The exchange's side.

    def head(self, status: int, headers: Headers) -> bytes:
        defaults = self._state.default_headers
        known, lines = CallerConnection._defaults
        if known is not defaults:
            lines = b"".join(b"%b: %b\r\n" % header for header in defaults)
            CallerConnection._defaults = (defaults, lines)
        return head_of(status, lines, headers)

    def write(self, data: bytes) -> None:
        self._transport.write(data)

    def close(self) -> None:
        self._transport.close()

    def read_on(self) -> None:
        if not self._reading:
            self._reading = True
            self._transport.resume_reading()

    def answered(self, exchange: Exchange) -> None:
        """The whole answer is written: the next request's turn."""
        self._state.total_requests += 1
        if self._transport.is_closing():
            return
        if not exchange.keep_alive:
            self._transport.close()
            return
        self.read_on()
        if self._waiting:
            self._serve(self._waiting.popleft())
        elif not self._in_head or self._room == MAX_HEAD:  # the rest of a body that nobody wants has no longer either
            self._wait_until(self.loop.time() + self._keep_alive_seconds)

    def _serve(self, exchange: Exchange) -> None:
        self._running = exchange
        exchange.begin(self._app, self.loop, self._state.tasks)

    def _pause_reading(self) -> None:
        if self._reading:
            self._reading = False
            self._transport.pause_reading()

    def _busy(self) -> bool:
        return self._running is not None and not self._running.complete

    # Time.

    def _wait_until(self, due: float) -> None:
        self._due = due
        if due < self._timer_at:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self.loop.call_at(due, self._on_time)
            self._timer_at = due

    def _on_time(self) -> None:
        self._timer = None
        self._timer_at = inf
        due = self._due
        if due == inf:
            return
        if due > self.loop.time():
            self._wait_until(due)
            return
        self._due = inf
        if self._refused or not self._in_head or self._room == MAX_HEAD:
            self._transport.close()  # nothing was asked, nobody listens, or what comes is of no use
        else:
            self._refuse(RequestTimeout(f"The request's headers did not arrive within {self.head_seconds:g} seconds."))

    # Mistakes.

    def _garbage(self) -> None:
        """The parser could make nothing of what came."""
        busy = self._busy()
        self._refuse(BadRequest("This is no HTTP/1.1 request.", code="invalid_http"))
        exchange = self._latest
        if busy and exchange is not None and not exchange.whole:
            exchange.garbled = exchange.whole = True
            exchange.wake()

    def _refuse(self, error: CallerError) -> None:
        """Answers outside the pipeline. What is still coming is read and thrown away for a moment: closing at once would
        reset the connection, and the answer could be lost on its way."""
        self._refused = True
        self._due = inf
        if self._transport.is_closing():
            return
        if self._busy():
            # An answer is under way, and no other may be put in its middle: it is the last on this connection.
            cast("Exchange", self._latest).keep_alive = False
            return
        self._transport.write(refusal(error, self._url, self._client[0] if self._client else None))
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._wait_until(self.loop.time() + _LINGER_SECONDS)
