"""The hot path's transport: HTTP/1.1 on asyncio.Protocol and httptools, no more than a gateway needs.

Leaves to others: proxies and redirects (`aiohttp_transport`), retries of whole requests, what a status means.
"""

from __future__ import annotations

import asyncio
import ssl

from dragoman.upstream.base import IncomingResponse, Origin, OutgoingRequest
from dragoman.upstream.decoding import DecodedResponse
from dragoman.upstream.errors import ConnectFailed, ConnectionBroken, Phase, TransportError
from dragoman.upstream.pool import Pool
from dragoman.upstream.request_head import encode_head
from dragoman.upstream.response import LeanResponse

# From this many origins on, those without connections are forgotten when a new one comes.
_MANY_ORIGINS = 256


class LeanTransport:
    """See `Transport`. Belongs to the event loop in which it is first used.

    max_connections_per_origin: open connections to one scheme, host and port; further requests wait in order.
    keep_alive: seconds that an unused connection is kept; shorter than vendors' load balancers keep theirs (60 s
      and more), so that it is mostly we who hang up.
    ssl_context: for https; by default the system's authorities. Its ALPN list is set to http/1.1.
    max_header_bytes: status line and headers of one answer together.
    high_water: bytes of a body held for a slow reader before reading from the socket stops.
    """

    def __init__(
        self,
        *,
        max_connections_per_origin: int = 1000,
        keep_alive: float = 45.0,
        ssl_context: ssl.SSLContext | None = None,
        max_header_bytes: int = 64 * 1024,
        high_water: int = 256 * 1024,
    ) -> None:
        self._limit = max_connections_per_origin
        self._keep_alive = keep_alive
        self._ssl_context = ssl_context
        self._max_header_bytes = max_header_bytes
        self._high_water = high_water
        self._pools: dict[Origin, Pool] = {}
        self._closed = False
        self._loop: asyncio.AbstractEventLoop | None = None
        if ssl_context is not None:
            ssl_context.set_alpn_protocols(["http/1.1"])

    async def send(self, request: OutgoingRequest) -> IncomingResponse:
        # Kept, because asking asyncio for it costs a system call (getpid, against forks) each time.
        loop = self._loop
        if loop is None:
            loop = self._loop = asyncio.get_running_loop()
        deadlines = request.deadlines
        start = loop.time()
        total_at = start + deadlines.total
        pool = self._pools.get(request.origin) or self._pool(request.origin, loop)
        head = encode_head(request, pool.host)
        if pool.idle:
            connection, reused = pool.idle.pop(), True
        else:
            connection, reused = await pool.acquire(*_connect_by(start, request))
        while True:
            response = LeanResponse(connection)
            connection.start(response, request.method, head, request.body, deadlines, total_at)
            await response.arrived()
            if response.status:
                if connection.coding:
                    return DecodedResponse(response, connection.coding)
                return response
            error = response.error
            assert error is not None
            # The keep-alive race: the peer hung up on an idle connection just when we used it. It has not begun to
            # answer, so it is taken not to have begun to work (RFC 9112, 9.3.1); once only, and on a new one.
            if not reused or connection.heard or self._closed or not isinstance(error, ConnectionBroken):
                raise error
            pool = self._pool(request.origin, loop)
            try:
                connection, reused = await pool.acquire(*_connect_by(loop.time(), request, total_at), fresh=True)
            except TransportError as failure:
                failure.sent = True
                raise

    async def aclose(self) -> None:
        self._closed = True
        pools = list(self._pools.values())
        self._pools.clear()
        for pool in pools:
            await pool.aclose()

    def _pool(self, origin: Origin, loop: asyncio.AbstractEventLoop) -> Pool:
        if self._closed:
            raise ConnectFailed("the transport has been closed", reason="closed")
        pool = self._pools.get(origin)
        if pool is None:
            tls = None
            if origin.scheme == "https":
                tls = self._tls()
            elif origin.scheme not in ("http", "unix"):
                raise ValueError(f"{origin.scheme!r} is not a scheme that can be sent to")
            if len(self._pools) >= _MANY_ORIGINS:
                self._pools = {known: pool for known, pool in self._pools.items() if not pool.empty}
            pool = self._pools[origin] = Pool(
                origin,
                loop=loop,
                tls=tls,
                limit=self._limit,
                keep_alive=self._keep_alive,
                max_head=self._max_header_bytes,
                high_water=self._high_water,
            )
        return pool

    def _tls(self) -> ssl.SSLContext:
        # Made late: reading the system's authorities takes 20 ms and more, and not everybody speaks TLS.
        if self._ssl_context is None:
            self._ssl_context = ssl.create_default_context()
            self._ssl_context.set_alpn_protocols(["http/1.1"])
        return self._ssl_context


def _connect_by(now: float, request: OutgoingRequest, total_at: float | None = None) -> tuple[float, Phase]:
    """Return until when a connection must be there, in the loop's time, and which deadline says so."""
    connect_at = now + request.deadlines.connect
    if total_at is None:
        total_at = now + request.deadlines.total
    return (connect_at, "connect") if connect_at <= total_at else (total_at, "total")
