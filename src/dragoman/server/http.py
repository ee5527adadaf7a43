"""uvicorn's HTTP/1.1 connection, with what it lacks:

- A caller that leaves cancels the task that serves it. ASGI tells of a caller's leaving only to those who wait in `receive`,
  which would cost every request a task of its own.
- A bound on the size of a request's head (431) and on the time it may take to arrive (408).
- An offer to upgrade (Java's HttpClient makes one on every plain connection, of h2c) is declined by answering as if it were not
  there; the parser by itself would end the request at its head and take the body for another one.
- What is no HTTP is answered as every other mistake is: with an error that a client can read, and a line in the log.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import structlog
from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from dragoman.ir import BadRequest, CallerError, RequestTimeout
from dragoman.observe.ids import request_id
from dragoman.protocols.base import Headers
from dragoman.protocols.known import PROTOCOLS

# Where a request's scope has the task that serves it.
TASK = "dragoman.task"
# Set where a request's body stopped being HTTP on its way.
GARBLED = "dragoman.garbled"
# Set where a request's body is all here, so that nothing of it need be waited for.
WHOLE = "dragoman.whole"
# Where the application finds how to answer at once: `answer_at_once` of its request.
AT_ONCE = "dragoman.at_once"

MAX_HEAD = 64 * 1024  # bytes
_HEAD_SECONDS = 30.0
_LINGER_SECONDS = 2.0
_MOST_WAITING = 8  # pipelined requests

_log = structlog.get_logger(__name__)


class CallerConnection(HttpToolsProtocol):
    """`head_seconds` is how long a request's head may take, from the connection's opening or the head's first byte."""

    head_seconds = _HEAD_SECONDS

    _in_head = True
    _room = MAX_HEAD
    _timer: asyncio.TimerHandle | None = None
    _refused = False
    _running: Any = None

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        self._running = cycle
        cycle.scope[AT_ONCE] = partial(answer_at_once, cycle)
        task = self.loop.create_task(cycle.run_asgi(app))
        cycle.scope[TASK] = task
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._timer = self.loop.call_later(self.head_seconds, self._too_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        running = self._running
        super().connection_lost(exc)
        self.pipeline.clear()
        if running is not None and not running.response_complete:
            # uvicorn tells only the request that came last, which may be waiting behind this one.
            running.disconnected = True
            running.message_event.set()
            task: asyncio.Task[Any] | None = running.scope.get(TASK)
            if task is not None:
                task.cancel()

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            room = self._room
            if len(data) > room:
                self._receive_long(data, room)
                return
            self._room = room - len(data)
        if self._refused:
            return
        self._feed(data)
        if self._in_head and self._timer is None and self._room < MAX_HEAD:
            self._timer = self.loop.call_later(self.head_seconds, self._too_slow)

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

    def _feed(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except HttpParserUpgrade as offer:
            self._decline(data[offer.args[0] :])
        except HttpParserError:
            self._garbage()

    def _decline(self, rest: bytes) -> None:
        method: bytes = self.parser.get_method()
        if method == b"CONNECT":
            self._garbage()
            return
        head = b"%b %b HTTP/1.1\r\n" % (method, self.url)
        for name, value in self.headers:
            if name not in (b"connection", b"upgrade", b"http2-settings"):
                head += name + b": " + value + b"\r\n"
        self.parser = HttpRequestParser(self)
        self._feed(head + b"\r\n")
        if rest and not self._refused:
            self._feed(rest)

    def on_headers_complete(self) -> None:
        if self.parser.should_upgrade():
            return
        self._in_head = False
        self._stop_timer()
        super().on_headers_complete()
        if self.pipeline and len(self.pipeline) <= _MOST_WAITING:
            # uvicorn stops reading while a request waits behind another, and would not notice that both were left.
            self.flow.resume_reading()

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():
            return
        self._in_head = True
        self._room = MAX_HEAD
        cycle: Any = self.cycle
        if cycle is not None:
            cycle.scope[WHOLE] = True
        super().on_message_complete()

    def _garbage(self) -> None:
        """The parser could make nothing of what came."""
        busy = self._busy()
        self._refuse(BadRequest("This is no HTTP/1.1 request.", code="invalid_http"))
        cycle: Any = self.cycle
        if busy and cycle.more_body:
            cycle.scope[GARBLED] = True
            cycle.more_body = False
            cycle.message_event.set()

    def _too_slow(self) -> None:
        self._timer = None
        if self._room == MAX_HEAD:
            self.transport.close()  # nothing was asked
        else:
            self._refuse(RequestTimeout(f"The request's headers did not arrive within {self.head_seconds:g} seconds."))

    def _refuse(self, error: CallerError) -> None:
        """Answers outside the pipeline. What is still coming is read and thrown away for a moment: closing at once would
        reset the connection, and the answer could be lost on its way."""
        self._refused = True
        self._stop_timer()
        if self.transport.is_closing():
            return
        if self._busy():
            # An answer is under way, and no other may be put in its middle: it is the last on this connection.
            self.cycle.keep_alive = False
            return
        found = error.request_id = request_id()
        status, headers, body = PROTOCOLS[_spoken_at(getattr(self, "url", b""))].write_error(error, None)
        _log.warning(
            "a request was refused before it was understood",
            request_id=found,
            status=status,
            error=error.code,
            remote=self.client[0] if self.client else None,
        )
        headers = [
            *headers,
            (b"x-request-id", found.encode()),
            (b"content-length", b"%d" % len(body)),
            (b"connection", b"close"),
        ]
        lines = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
        self.transport.write(STATUS_LINE[status] + lines + b"\r\n" + body)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._timer = self.loop.call_later(_LINGER_SECONDS, self.transport.close)

    def _busy(self) -> bool:
        return self._running is not None and not self._running.response_complete

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _spoken_at(url: bytes) -> str:
    """The protocol of whoever asks there, as far as the path alone tells."""
    if url.startswith(b"/v1/messages"):
        return "anthropic"
    if url.startswith((b"/v1beta/", b"/v1alpha/")) and not url.startswith(b"/v1beta/openai/"):
        return "gemini"
    return "openai-chat"


def answer_at_once(cycle: Any, status: int, headers: Headers, body: bytes) -> bool:
    """What uvicorn's `send` does for an answer that is all there, in one write to the socket in place of two and with one look
    at all headers in place of two at each. False, and nothing is done, where the answer has to go the usual way.

    `headers` hold the content length, and neither `connection` nor `transfer-encoding`."""
    if (
        cycle.disconnected
        or cycle.response_started
        or cycle.flow.write_paused
        or not cycle.keep_alive
        or cycle.scope["method"] == "HEAD"
    ):
        return False
    lines = [STATUS_LINE[status]]
    for name, value in (*cycle.default_headers, *headers):
        lines += (name, b": ", value, b"\r\n")
    lines.append(b"\r\n")
    head = b"".join(lines)
    breaks = len(cycle.default_headers) + len(headers) + 2
    if head.count(b"\n") != breaks or head.count(b"\r") != breaks or b"\0" in head:
        return False  # uvicorn says what is wrong with it
    cycle.waiting_for_100_continue = False
    cycle.response_started = cycle.response_complete = True
    cycle.transport.write(head + body)
    cycle.message_event.set()
    cycle.on_response()
    return True
