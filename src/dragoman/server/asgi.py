"""The ASGI face of the pipeline: a request's scope, receive and send, as the Caller that the pipeline knows."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from dragoman.ir import BadRequest, RequestTimeout, TooLarge
from dragoman.pipeline.bodies import Bodies
from dragoman.protocols.base import Headers
from dragoman.server.exchange import EXCHANGE, Exchange

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_DISCARD_BYTES = 256 * 1024 * 1024
_DISCARD_SECONDS = 5.0


class AsgiCaller:
    """`started` is true once a byte of the answer may have left; `lingers` where `linger` is to be awaited after the answer. What
    is read of a body that was not there with its head is `held` in `bodies`."""

    __slots__ = (
        "_exchange",
        "_receive",
        "_send",
        "_unread",
        "bodies",
        "headers",
        "held",
        "lingers",
        "method",
        "path",
        "query",
        "remote",
        "started",
    )

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.query: bytes = scope["query_string"]
        headers: Headers = scope["headers"]
        self.headers: dict[bytes, bytes] = dict(headers)
        if len(self.headers) != len(headers):
            self.headers = _joined(headers)
        client = scope.get("client")
        self.remote: str = client[0] if client else ""
        self.started = False
        self.lingers = False
        self.bodies: Bodies | None = None
        self.held = 0
        self._exchange: Exchange = scope[EXCHANGE]
        self._receive = receive
        self._send = send
        self._unread = True

    @property
    def leaving(self) -> Callable[[], bool] | None:
        return self._exchange.leaving

    @leaving.setter
    def leaving(self, asked: Callable[[], bool] | None) -> None:
        self._exchange.leaving = asked

    async def body(self, limit: int, timeout: float) -> bytes:
        length = self.headers.get(b"content-length", b"")
        if length.isdigit() and int(length) > limit:
            raise _too_large(limit)
        exchange = self._exchange
        if exchange.whole:
            return self._complete(exchange.take(), limit)
        if self.bodies is not None:
            self.bodies.check(int(length) if length.isdigit() else 0)
        message = await self._next(timeout)
        if not message.get("more_body"):
            body: bytes = message.get("body", b"")
            return self._complete(body, limit)
        pieces = [message["body"]]
        size = len(pieces[0])
        self._hold(size)
        async with _deadline(timeout):
            while True:
                message = await self._receive()
                if message["type"] == "http.disconnect":
                    raise asyncio.CancelledError("the caller left")
                piece = message.get("body", b"")
                size += len(piece)
                if size > limit:
                    raise _too_large(limit)
                self._hold(len(piece))
                pieces.append(piece)
                if not message.get("more_body"):
                    return self._complete(b"".join(pieces), limit)

    def _hold(self, size: int) -> None:
        if self.bodies is not None:
            self.bodies.check(size)
            self.bodies.hold(size)
            self.held += size

    def _complete(self, body: bytes, limit: int) -> bytes:
        self._unread = False
        if len(body) > limit:
            raise _too_large(limit)
        if self._exchange.garbled:
            raise BadRequest("The request body breaks HTTP/1.1's rules for chunks.", code="invalid_http")
        return body

    async def _next(self, timeout: float) -> MutableMapping[str, Any]:
        async with _deadline(timeout):
            message = await self._receive()
        if message["type"] == "http.disconnect":
            raise asyncio.CancelledError("the caller left")
        return message

    async def answer(self, status: int, headers: Headers, body: bytes) -> None:
        self.started = True
        headers = [*headers, (b"content-length", b"%d" % len(body))]
        if self._unread and self.method == "POST" and (not self._exchange.whole or self._exchange.garbled):
            # The answer is all there, but its end is not told yet: that would close the connection.
            self.lingers = True
            headers.append((b"connection", b"close"))
            await self._send({"type": "http.response.start", "status": status, "headers": headers})
            await self._send({"type": "http.response.body", "body": body, "more_body": True})
            return
        if self._exchange.answer(status, headers, body):
            return
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        await self._send({"type": "http.response.body", "body": b"" if self.method == "HEAD" else body})

    async def linger(self) -> None:
        """Ends an answer to somebody who is still sending. Closing at once would reset the connection and lose the answer on
        its way, so what still comes is read and thrown away for a while."""
        thrown = 0
        try:
            async with asyncio.timeout(_DISCARD_SECONDS):
                while thrown < _DISCARD_BYTES:
                    message = await self._receive()
                    if message["type"] == "http.disconnect" or not message.get("more_body"):
                        break
                    thrown += len(message.get("body", b""))
        except (TimeoutError, asyncio.CancelledError):
            pass
        await self._send({"type": "http.response.body", "body": b""})

    async def start(self, status: int, headers: Headers) -> None:
        self.started = True
        self._exchange.start(status, headers)

    async def write(self, data: bytes) -> None:
        exchange = self._exchange
        if exchange.choked:
            await exchange.drained()
        exchange.write(data)

    def nudge(self, data: bytes) -> None:
        if not self._exchange.choked:
            self._exchange.write(data)

    async def finish(self) -> None:
        self._exchange.finish()


def _joined(headers: Headers) -> dict[bytes, bytes]:
    """What comes in several lines is one list (RFC 9110, 5.3): Go's client of Anthropic's writes a line for each beta. A name
    that has no lists, as a key has none, is then what no one can mistake for one of the two."""
    found: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        values = found.setdefault(name, [])
        if value not in values:
            values.append(value)
    return {name: b", ".join(values) for name, values in found.items()}


class _deadline:
    """`asyncio.timeout` whose end is the caller's fault."""

    __slots__ = ("_seconds", "_timeout")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    async def __aenter__(self) -> None:
        self._timeout = asyncio.timeout(self._seconds)
        await self._timeout.__aenter__()

    async def __aexit__(self, *exc: Any) -> None:
        try:
            await self._timeout.__aexit__(*exc)
        except TimeoutError:
            raise RequestTimeout(f"The request body did not arrive within {self._seconds:g} seconds.") from None


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The request body is larger than {limit} bytes, the most this gateway takes (server.max_body).")
