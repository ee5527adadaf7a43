"""The second transport, by aiohttp: for forward proxies and for servers that the lean one does not get on with.

Three times the cost of `lean` and the same behaviour, but for what aiohttp does not show (3.14):
- bytes that came together with a failure may be lost;
- a body without a length that ends in a reset looks complete;
- a chunk that goes bad after good ones shows only as a passed idle deadline;
- bytes that come on an unused connection are taken for the next answer;
- after the keep-alive race a request is sent again although a part of an answer's head had come;
- idle time counts only while somebody waits for a chunk.
"""

from __future__ import annotations

import asyncio
import io
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from urllib.request import getproxies, proxy_bypass
from weakref import WeakSet

import aiohttp
from yarl import URL

from dragoman.upstream.base import Headers, IncomingResponse, Origin, OutgoingRequest, read_whole
from dragoman.upstream.decoding import DecodedResponse, coding_of
from dragoman.upstream.errors import (
    ConnectFailed,
    ConnectionBroken,
    DeadlineExceeded,
    Phase,
    PoolExhausted,
    ProtocolViolation,
    TransportError,
)
from dragoman.upstream.request_head import encode_head

_NO_TIMEOUT = aiohttp.ClientTimeout(total=None, connect=None, sock_read=None, sock_connect=None)
_NOT_BY_ITSELF = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
# aiohttp complains about larger bodies given as bytes; a file it sends in pieces.
_FILE_FROM = 64 * 1024


class AiohttpTransport:
    """See `Transport`. Belongs to the event loop in which it is first used.

    trust_env: take forward proxies from HTTP_PROXY, HTTPS_PROXY, NO_PROXY; nothing from ~/.netrc, whose entry for a vendor
    would stand against our own credential.
    resolver: for callers that must decide which addresses a name may have.
    The rest: see `LeanTransport`; max_header_bytes bounds each line here, and then all of them together.
    """

    def __init__(
        self,
        *,
        max_connections_per_origin: int = 1000,
        keep_alive: float = 45.0,
        ssl_context: ssl.SSLContext | None = None,
        max_header_bytes: int = 64 * 1024,
        high_water: int = 256 * 1024,
        trust_env: bool = False,
        resolver: aiohttp.abc.AbstractResolver | None = None,
    ) -> None:
        self._limit = max_connections_per_origin
        self._keep_alive = keep_alive
        self._ssl_context = ssl_context
        self._max_header_bytes = max_header_bytes
        self._high_water = high_water
        self._trust_env = trust_env
        self._resolver = resolver
        self._session: aiohttp.ClientSession | None = None
        # Never reuses a connection: for the second try after the keep-alive race.
        self._fresh: aiohttp.ClientSession | None = None
        self._closed = False
        self._open_answers: WeakSet[AiohttpResponse] = WeakSet()
        if ssl_context is not None:
            ssl_context.set_alpn_protocols(["http/1.1"])

    async def send(self, request: OutgoingRequest) -> IncomingResponse:
        if self._closed:
            raise ConnectFailed("the transport has been closed", reason="closed")
        encode_head(request, b"")
        loop = asyncio.get_running_loop()
        total_at = loop.time() + request.deadlines.total
        if self._session is None:
            self._session = self._open(fresh=False)
        try:
            return await self._attempt(self._session, request, total_at)
        except _Stale:
            if self._closed:
                raise
            if self._fresh is None:
                self._fresh = self._open(fresh=True)
        try:
            return await self._attempt(self._fresh, request, total_at)
        except TransportError as error:
            error.sent = True
            raise

    async def aclose(self) -> None:
        self._closed = True
        for response in list(self._open_answers):
            response.close()
        for session in (self._session, self._fresh):
            if session is not None:
                await session.close()

    async def _attempt(
        self, session: aiohttp.ClientSession, request: OutgoingRequest, total_at: float
    ) -> IncomingResponse:
        loop = asyncio.get_running_loop()
        connect_at = loop.time() + request.deadlines.connect
        call = _Call(request.deadlines.first_byte, total_at)
        call.limit = asyncio.timeout_at(None)
        body = request.body
        try:
            async with call.limit:
                call.enter("connect", connect_at)
                answer = await session.request(
                    request.method.decode("ascii"),
                    _url(request.origin, request.target),
                    headers=_headers(request.headers),
                    proxy=_proxy_to(request.origin) if self._trust_env else None,
                    data=io.BytesIO(body) if len(body) > _FILE_FROM else body or None,
                    allow_redirects=False,
                    trace_request_ctx=call,
                )
        except (aiohttp.ClientError, OSError) as error:
            raise self._mapped(error, call) from error
        response = AiohttpResponse(answer, request.deadlines.idle, total_at)
        self._open_answers.add(response)
        try:
            size = sum(len(name) + len(value) + 4 for name, value in response.headers)
            if size > self._max_header_bytes:
                raise ProtocolViolation(f"the answer's head is larger than {self._max_header_bytes} bytes")
            if answer.status == 101:
                raise ProtocolViolation("the upstream answered with status 101")
            if answer.method != "HEAD" and answer.status not in (204, 304) and (coding := coding_of(response.headers)):
                return DecodedResponse(response, coding)
        except ProtocolViolation:
            response.close()
            raise
        return response

    def _mapped(self, error: aiohttp.ClientError | OSError, call: _Call) -> Exception:
        sent = call.phase == "first_byte"
        if isinstance(error, TimeoutError) and call.limit.expired():
            if call.queued and call.reason == "connect":
                return PoolExhausted(f"all {self._limit} connections stayed busy")
            return DeadlineExceeded(f"the upstream passed its {call.reason} deadline", phase=call.reason, sent=sent)
        match error:
            case aiohttp.InvalidURL():
                return ValueError(str(error))
            case aiohttp.ClientConnectorDNSError():
                return ConnectFailed(str(error), reason="dns")
            case aiohttp.ClientSSLError():
                return ConnectFailed(str(error), reason="tls")
            case aiohttp.ClientConnectorError(os_error=ConnectionRefusedError()):
                return ConnectFailed(str(error), reason="refused")
            case aiohttp.ClientConnectorError(os_error=ssl.SSLError() | ConnectionResetError()):
                # aiohttp connects with a socket of its own, so a reset at this stage is one inside the handshake.
                return ConnectFailed(str(error), reason="tls")
            case aiohttp.ClientHttpProxyError() | aiohttp.ClientConnectorError():
                return ConnectFailed(str(error), reason="unreachable")
            case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError() if call.reused:
                return _Stale(str(error))
            case aiohttp.ClientResponseError():
                return ProtocolViolation(f"the upstream's answer is not HTTP/1.1: {error.message}", sent=sent)
            case _:
                return ConnectionBroken(f"the upstream closed the connection: {error}", sent=sent)

    def _open(self, *, fresh: bool) -> aiohttp.ClientSession:
        if self._ssl_context is None:
            self._ssl_context = ssl.create_default_context()
            self._ssl_context.set_alpn_protocols(["http/1.1"])
        connector = aiohttp.TCPConnector(
            limit=0,
            limit_per_host=self._limit,
            ssl=self._ssl_context,
            force_close=fresh,
            resolver=self._resolver,
            keepalive_timeout=None if fresh else self._keep_alive,
        )
        session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=_NO_TIMEOUT,
            # Ours is bounded, and notices a body that was cut short.
            auto_decompress=False,
            skip_auto_headers=_NOT_BY_ITSELF,
            read_bufsize=self._high_water // 2,
            max_line_size=self._max_header_bytes,
            max_field_size=self._max_header_bytes,
            trace_configs=[_tracing()],
        )
        # It would send again whatever is called idempotent, also what broke on a new connection.
        session._retry_connection = False
        return session


def _proxy_to(origin: Origin) -> str | None:
    if proxy_bypass(origin.host):
        return None
    return getproxies().get(origin.scheme)


class AiohttpResponse:
    """See `IncomingResponse`."""

    def __init__(self, answer: aiohttp.ClientResponse, idle: float, total_at: float) -> None:
        self.status = answer.status
        self.headers: Headers = [(name.lower(), value.rstrip()) for name, value in answer.raw_headers]
        self._answer = answer
        self._idle = idle
        self._silent = 0.0  # seconds that `chunk_within` has waited in vain since something came
        self._error: TransportError | None = None
        self._over: Callable[[], None] | None = None
        self._timer = asyncio.get_running_loop().call_at(total_at, self._expire)

    async def chunk(self) -> bytes:
        data = await self._take(None)
        assert data is not None
        return data

    async def chunk_within(self, seconds: float) -> bytes | None:
        if seconds >= self._idle - self._silent:
            return await self.chunk()
        return await self._take(seconds)

    async def _take(self, seconds: float | None) -> bytes | None:
        """Waits so long for bytes, or to the idle deadline."""
        content = self._answer.content
        if self._error is not None:
            raise self._error
        try:
            while True:
                async with asyncio.timeout(self._idle - self._silent if seconds is None else seconds) as limit:
                    data = await content.readany()
                if data:
                    self._silent = 0.0
                    return data
                if content.at_eof():
                    self._timer.cancel()
                    return b""
        except asyncio.CancelledError:
            self.close()
            raise
        except (aiohttp.ClientError, aiohttp.http.HttpProcessingError, OSError) as error:
            if self._error is None:
                if seconds is not None and isinstance(error, TimeoutError) and limit.expired():
                    self._silent += seconds
                    return None
                if isinstance(error, TimeoutError) and limit.expired():
                    self._error = DeadlineExceeded("the upstream passed its idle deadline", phase="idle")
                else:
                    self._error = _body_error(error)
            self.close()
            raise self._error from error

    async def read(self, limit: int) -> bytes:
        return await read_whole(self, limit)

    def when_over(self, callback: Callable[[], None]) -> None:
        self._over = callback
        if self._error is not None:
            self._end()
        else:
            self._answer.content.on_eof(self._end)

    def close(self) -> None:
        self._timer.cancel()
        if self._error is None and not self._answer.content.at_eof():
            self._error = ConnectionBroken("the answer was closed before its end")
        self._answer.close()
        self._end()

    def _end(self) -> None:
        over, self._over = self._over, None
        if over is not None:
            over()

    def _expire(self) -> None:
        if not self._answer.content.is_eof():
            self._error = DeadlineExceeded("the upstream passed its total deadline", phase="total")
            self._answer.close()
            self._end()


class _Stale(ConnectionBroken):
    """A connection from the pool had been closed by the peer before it answered."""


@dataclass(slots=True, init=False)
class _Call:
    """How far one attempt has come; aiohttp's tracing moves it on."""

    limit: asyncio.Timeout
    phase: Phase
    reason: Phase
    queued: bool
    reused: bool
    first_byte: float
    total_at: float

    def __init__(self, first_byte: float, total_at: float) -> None:
        self.first_byte = first_byte
        self.total_at = total_at
        self.queued = self.reused = False

    def enter(self, phase: Phase, at: float) -> None:
        self.phase = phase
        self.reason = phase if at <= self.total_at else "total"
        self.limit.reschedule(min(at, self.total_at))


def _tracing() -> aiohttp.TraceConfig:
    async def queued(session: object, context: SimpleNamespace, params: object) -> None:
        context.trace_request_ctx.queued = True

    async def unqueued(session: object, context: SimpleNamespace, params: object) -> None:
        context.trace_request_ctx.queued = False

    async def connected(session: object, context: SimpleNamespace, params: object) -> None:
        call: _Call = context.trace_request_ctx
        call.enter("first_byte", asyncio.get_running_loop().time() + call.first_byte)

    async def reused(session: object, context: SimpleNamespace, params: object) -> None:
        context.trace_request_ctx.reused = True
        await connected(session, context, params)

    tracing = aiohttp.TraceConfig()
    tracing.on_connection_queued_start.append(queued)
    tracing.on_connection_queued_end.append(unqueued)
    tracing.on_connection_create_end.append(connected)
    tracing.on_connection_reuseconn.append(reused)
    return tracing


def _url(origin: Origin, target: bytes) -> URL:
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    try:
        path = target.decode("ascii")
    except UnicodeDecodeError as error:
        raise ValueError("the target is not ASCII") from error
    return URL(f"{origin.scheme}://{host}:{origin.port}{path}", encoded=True)


def _headers(headers: Headers) -> list[tuple[str, str]]:
    lines = [(name.decode("ascii"), value.decode("utf-8", "replace")) for name, value in headers]
    if not any(name.lower() == "accept-encoding" for name, _ in lines):
        lines.append(("Accept-Encoding", "identity"))
    return lines


def _body_error(error: Exception) -> TransportError:
    """A failure inside the body. aiohttp has one type for bad bytes and for a missing rest; the cause tells them apart."""
    if "Not enough data" in f"{error} {error.__cause__}" or not isinstance(
        error, (aiohttp.ClientPayloadError, aiohttp.http.HttpProcessingError)
    ):
        return ConnectionBroken(f"the upstream closed the connection inside the answer's body: {error}")
    return ProtocolViolation(f"the answer's body is not HTTP/1.1: {error}")
