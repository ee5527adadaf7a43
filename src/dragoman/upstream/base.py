"""The seam between the gateway and the network: one request in, one answer out, one method.

Knows no provider, no protocol and no JSON. Implementations: `lean` (the hot path) and `aiohttp_transport`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from dragoman.upstream.errors import BodyTooLarge

Headers = list[tuple[bytes, bytes]]


class FixedHeaders(list[tuple[bytes, bytes]]):
    """Headers that many requests share and nobody changes, so that a transport may keep what it made of them in `written`."""

    __slots__ = ("written",)

    def __init__(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        super().__init__(headers)
        self.written: bytes | None = None


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long to wait, in seconds.

    connect: from `send` until a connection is ready: waiting for a free one, DNS, TCP and TLS together.
    first_byte: from the start of writing until the final answer's headers are in (1xx answers do not count).
    idle: the longest silence of the peer inside a body, while we are ready to read.
    total: from `send` to the last byte of the body, the caller's own slowness included.
    """

    connect: float = 5.0
    first_byte: float = 120.0
    idle: float = 60.0
    total: float = 1800.0


@dataclass(frozen=True, slots=True)
class Origin:
    """Where to connect: scheme `http` or `https`, host name or IP literal (no brackets), port. Of the scheme `unix`, which only
    the lean transport knows, `host` is the path of a socket on this machine."""

    scheme: str
    host: str
    port: int


DEFAULT_DEADLINES = Deadlines()


@dataclass(slots=True)
class OutgoingRequest:
    """One request, ready to send.

    `target` is path and query as they go on the wire. `headers` come without Host, Content-Length,
    Transfer-Encoding and Connection, which are the transport's business; `Accept-Encoding: identity` is added
    unless one is given.
    """

    origin: Origin
    method: bytes
    target: bytes
    headers: Headers = field(default_factory=list)
    body: bytes = b""
    deadlines: Deadlines = DEFAULT_DEADLINES


class IncomingResponse(Protocol):
    """An answer whose headers are in and whose body is still coming. Header names are lower-case.

    A body that came as gzip or deflate is decoded; its `content-encoding` and `content-length` are then
    removed from `headers`.
    """

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Headers: ...

    async def chunk(self) -> bytes:
        """Wait for at least one byte and return all that has arrived since the last call, joined.

        Returns `b""` exactly at the clean end of the body (and again on later calls). What arrived before a
        failure is returned first, then the failure is raised. Cancelling the call closes the connection.

        Raises ConnectionBroken, DeadlineExceeded (idle, total), ProtocolViolation.
        """
        ...

    async def chunk_within(self, seconds: float) -> bytes | None:
        """As `chunk`; None where nothing has arrived after so many seconds. Nothing is lost by that."""
        ...

    async def read(self, limit: int) -> bytes:
        """Return the rest of the body, at most `limit` bytes.

        Raises what `chunk` raises, and BodyTooLarge past the limit.
        """
        ...

    def when_over(self, callback: Callable[[], None]) -> None:
        """`callback` is called once, when the call is over for the upstream: all of its answer has come, read or not, or
        the connection is closed. At once where that is so already.
        """
        ...

    def close(self) -> None:
        """Be done with the answer; may be called again.

        Early: the connection is closed at once. After the body is complete: the connection went back to the
        pool already.
        """
        ...


async def read_whole(answer: IncomingResponse, limit: int) -> bytes:
    """`IncomingResponse.read` by `chunk` alone, for those that know no shorter way."""
    parts, size = [], 0
    while data := await answer.chunk():
        parts.append(data)
        size += len(data)
        if size > limit:
            answer.close()
            raise BodyTooLarge(f"the body is larger than {limit} bytes", limit=limit)
    return b"".join(parts)


class Transport(Protocol):
    """Sends requests; owns the connections."""

    async def send(self, request: OutgoingRequest) -> IncomingResponse:
        """Send, and return as soon as the final answer's headers are in.

        That may be while the request's body is still being written.

        Cancelling the call closes the connection. Redirects are not followed, statuses are not judged.

        Raises any TransportError except BodyTooLarge; ValueError for a request that cannot be written (a line
        break in a header, a space in the target, a header that is the transport's business).
        """
        ...

    async def aclose(self) -> None:
        """Close all connections.

        Running answers fail with ConnectionBroken, later sends with ConnectFailed.
        """
        ...
