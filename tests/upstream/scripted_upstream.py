"""A server that does what a test tells it, byte by byte, on a real socket.

A script is a coroutine function that gets a `Peer` for each connection and may read a request, send bytes, wait,
reset or close. What a script raises fails the test.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

from dragoman.upstream.base import Origin

Script = Callable[["Peer"], Awaitable[None]]


class Peer:
    """The server's end of one connection; `number` counts connections from 0."""

    def __init__(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.number = number
        self.reader = reader
        self.writer = writer

    async def request(self) -> bytes:
        """Read one request and return its bytes, head and body."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        size = 0
        for line in head.split(b"\r\n"):
            if line.lower().startswith(b"content-length:"):
                size = int(line.split(b":")[1])
        return head + await self.reader.readexactly(size)

    async def send(self, *pieces: bytes) -> None:
        """Send pieces one by one, each handed to the kernel and given the reader's turn before the next."""
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            for _ in range(3):
                await asyncio.sleep(0)

    async def gone(self) -> bool:
        """Wait until the client has closed its end, one way or the other."""
        with contextlib.suppress(OSError):
            while await self.reader.read(65536):
                pass
        return True

    def reset(self) -> None:
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    def close(self) -> None:
        self.writer.close()


class Upstream:
    """A running scripted server: where it is, how many connections it has had, what its scripts raised."""

    def __init__(self, script: Script) -> None:
        self.origin: Origin
        self.accepted = 0
        self.failures: list[BaseException] = []
        self._script = script
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.append(writer)
        number, self.accepted = self.accepted, self.accepted + 1
        try:
            await self._script(Peer(number, reader, writer))
        except (asyncio.IncompleteReadError, OSError, asyncio.CancelledError):
            pass
        except BaseException as error:
            self.failures.append(error)
        finally:
            self._tasks.discard(task)
            writer.close()

    async def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        for writer in self._writers:
            # In early releases of 3.11 a TLS transport that has closed already stumbles over this.
            with contextlib.suppress(AttributeError):
                writer.transport.abort()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await asyncio.wait_for(writer.wait_closed(), 5)
        if self.failures:
            raise self.failures[0]


@contextlib.asynccontextmanager
async def running(script: Script, tls: ssl.SSLContext | None = None, backlog: int = 100) -> AsyncIterator[Upstream]:
    """Serve the script on a free loopback port, with TLS when a context is given."""
    upstream = Upstream(script)
    server = await asyncio.start_server(upstream._serve, "127.0.0.1", 0, ssl=tls, backlog=backlog)
    port = server.sockets[0].getsockname()[1]
    upstream.origin = Origin("https" if tls else "http", "127.0.0.1", port)
    try:
        yield upstream
    finally:
        server.close()
        await upstream.stop()
        await server.wait_closed()


def splits(wire: bytes) -> Iterable[tuple[bytes, bytes]]:
    """Every way to cut the bytes in two."""
    return ((wire[:at], wire[at:]) for at in range(1, len(wire)))


def sized(body: bytes, *headers: bytes) -> bytes:
    """A 200 answer with a Content-Length."""
    lines = b"".join(header + b"\r\n" for header in headers)
    return b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\n\r\n%b" % (lines, len(body), body)


def chunked(*pieces: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    """A 200 answer in chunks."""
    body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body + end
