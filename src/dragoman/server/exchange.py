"""One request of a connection and its answer: an ASGI application's `scope`, `receive` and `send`, and shorter ways past them.

An application that knows where it runs takes the body and gives the answer through the exchange itself, found in its scope
under EXCHANGE, and so saves a message and a coroutine for each of them. The answer's framing is settled here; what a request
is, the connection knows.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any

import structlog
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from dragoman.protocols.base import Headers

if TYPE_CHECKING:
    from dragoman.server.http import CallerConnection

# Where a request's scope has its exchange.
EXCHANGE = "dragoman.exchange"

_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # a token, RFC 9110, 5.6.2
_BREAKS = re.compile(rb"[\r\n\0]")
_NO_BODY = (204, 304)

_log = structlog.get_logger(__name__)


class Exchange:
    """`whole`: all of the body is here. `garbled`: the body stopped being HTTP on its way. `started` and `complete` are said of
    the answer. `left`: the caller is gone; `leaving` is asked then whether its request is to be served all the same."""

    __slots__ = (
        "_begun",
        "_chunked",
        "_connection",
        "_expects",
        "_flows",
        "_news",
        "_owed",
        "_pieces",
        "_size",
        "_tasks",
        "_waiter",
        "complete",
        "garbled",
        "keep_alive",
        "leaving",
        "left",
        "scope",
        "started",
        "task",
        "whole",
    )

    def __init__(self, connection: CallerConnection, scope: dict[str, Any], *, keep_alive: bool) -> None:
        self.scope = scope
        self.keep_alive = keep_alive
        self.whole = self.garbled = False
        self.started = self.complete = self.left = False
        self.task: asyncio.Task[None] | None = None
        self.leaving: Callable[[], bool] | None = None
        self._begun = False
        self._connection = connection
        self._expects = True  # for all that is known until somebody waits for the body
        self._pieces: list[bytes] = []
        self._size = 0
        self._news = False
        self._waiter: asyncio.Future[None] | None = None
        self._flows = self._chunked = False
        self._owed = 0

    # The connection's side.

    def feed(self, piece: bytes) -> int:
        """More of the body. Returns how much of it waits to be taken."""
        self._pieces.append(piece)
        self._size += len(piece)
        self.wake()
        return self._size

    def wake(self) -> None:
        """Something has changed that `receive` would tell."""
        self._news = True
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def lose(self) -> None:
        """The caller is gone: whoever serves it need not go on."""
        self.left = True
        self.wake()
        if self.task is not None and (self.leaving is None or not self.leaving()):
            self.task.cancel()
            if not self._begun:  # and never will
                self._tasks.discard(self.task)

    def begin(self, app: Any, loop: asyncio.AbstractEventLoop, tasks: set[asyncio.Task[None]]) -> None:
        """Serves the request in a task of its own, which is among `tasks` until it ends."""
        self._tasks = tasks
        self.task = task = loop.create_task(self._run(app))
        tasks.add(task)

    async def _run(self, app: Any) -> None:
        self._begun = True
        try:
            await app(self.scope, self.receive, self.send)
            if not self.complete and not self.left:
                raise RuntimeError("the application ended before its answer")
        except Exception:
            _log.exception("a request was not answered")
            self.keep_alive = False
            if not self.answer(500, [(b"content-type", b"text/plain"), (b"content-length", b"0")], b""):
                self._connection.close()
        finally:
            if self.task is not None:
                self._tasks.discard(self.task)

    # The application's side, the short ways.

    @property
    def choked(self) -> bool:
        """Whether the caller reads more slowly than we write; then await `drained` before the next `write`."""
        return self._connection.choked is not None

    async def drained(self) -> None:
        if self._connection.choked is not None:
            await self._connection.choked

    def take(self) -> bytes:
        """The whole body, where it is all here."""
        pieces = self._pieces
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        self._size = 0
        self._news = self._expects = False
        return body

    def answer(self, status: int, headers: Headers, body: bytes) -> bool:
        """The whole answer in one write. `headers` hold the body's length. False, and nothing is done, where `send` must."""
        connection = self._connection
        if self.left or self.started or connection.choked is not None or self.scope["method"] == "HEAD":
            return False
        self._begin(status, headers if self.keep_alive else [*headers, (b"connection", b"close")], body)
        self._end()
        return True

    def start(self, status: int, headers: Headers) -> None:
        """The answer's head, of a body that comes in pieces and has no length."""
        if self.left:
            return
        framing = [] if self.keep_alive else [(b"connection", b"close")]
        if self.scope["method"] != "HEAD" and status not in _NO_BODY:
            self._flows = True
            # Before 1.1 there are no chunks: the body ends with its connection.
            if self.scope["http_version"] >= "1.1":
                framing.append((b"transfer-encoding", b"chunked"))
                self._chunked = True
        self._begin(status, [*headers, *framing])

    def write(self, data: bytes) -> None:
        """More of the body that `start` began."""
        if not data or self.left:
            return
        if self._chunked:
            self._connection.write(b"%x\r\n%b\r\n" % (len(data), data))
        elif self._flows:
            self._connection.write(data)

    def finish(self) -> None:
        """The end of the body that `start` began."""
        if self.left or self.complete:
            return
        if self._chunked:
            self._connection.write(b"0\r\n\r\n")
        self._end()

    # The application's side, as ASGI has it.

    async def receive(self) -> dict[str, Any]:
        if self._expects:
            self._expects = False
            if not self.whole and self._asks_to_go_on():
                self._connection.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if not self._news and not self.left and not self.complete:
            self._connection.read_on()
            self._waiter = self._connection.loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        self._news = False
        if self.left or self.complete:
            return {"type": "http.disconnect"}
        body = b"".join(self._pieces)
        self._pieces.clear()
        self._size = 0
        return {"type": "http.request", "body": body, "more_body": not self.whole}

    async def send(self, message: Any) -> None:
        await self.drained()
        if self.left:
            return
        if message["type"] == "http.response.start" and not self.started:
            self._send_head(message["status"], list(message.get("headers", ())))
        elif message["type"] == "http.response.body" and self.started and not self.complete:
            self._send_body(message.get("body", b""), more=message.get("more_body", False))
        else:
            raise RuntimeError(f"the message {message['type']!r} does not fit here")

    def _send_head(self, status: int, headers: Headers) -> None:
        length = None
        for name, value in headers:
            if name == b"content-length":
                length = int(value)
            elif name == b"connection" and value == b"close":
                self.keep_alive = False
                headers = [header for header in headers if header[0] != b"connection"]
        if length is None:
            self.start(status, headers)
            return
        self._owed = 0 if self.scope["method"] == "HEAD" else length
        self._begin(status, headers if self.keep_alive else [*headers, (b"connection", b"close")])

    def _send_body(self, body: bytes, *, more: bool) -> None:
        if self._flows:
            self.write(body)
            if not more:
                self.finish()
        elif self.scope["method"] == "HEAD":
            if not more:
                self._end()
        else:
            self._owed -= len(body)
            if self._owed < 0 or (self._owed and not more):
                raise RuntimeError("the answer's body is not as long as its head says")
            self._connection.write(body)
            if not more:
                self._end()

    def _asks_to_go_on(self) -> bool:
        """Whether the caller sends its body once it is told to, in any case of letters (RFC 9110, 10.1.1)."""
        return self.scope["http_version"] >= "1.1" and any(
            name == b"expect" and value.lower() == b"100-continue" for name, value in self.scope["headers"]
        )

    def _begin(self, status: int, headers: Headers, body: bytes = b"") -> None:
        head = self._connection.head(status, headers)
        self._expects = False
        self.started = True
        self._connection.write(head + body)

    def _end(self) -> None:
        self.complete = True
        if self._waiter is not None:
            self.wake()
        self._connection.answered(self)


def head_of(status: int, defaults: bytes, headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """An answer's head; `defaults` are lines of it, written already. Raises ValueError for a header that would break out of
    its line."""
    head = _form(len(headers)) % (STATUS_LINE[status], defaults, *chain.from_iterable(headers))
    breaks = defaults.count(b"\n") + len(headers) + 2
    if head.count(b"\n") != breaks or head.count(b"\r") != breaks or head.find(b"\0") >= 0:
        bad = [name for name, value in headers if not _NAME.fullmatch(name) or _BREAKS.search(value)]
        raise ValueError(f"a header cannot be written: {bad}")
    return head


@lru_cache(maxsize=64)
def _form(headers: int) -> bytes:
    return b"%b%b" + b"%b: %b\r\n" * headers + b"\r\n"
