"""Bodies that came compressed although identity was asked for: gzip and deflate, decoded as they are read.

Decoding happens when the reader asks, never more than a bounded piece at a time, so a small body that unpacks to
gigabytes costs no more memory than its reader lets it: the rest waits compressed, and backpressure does the rest.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable
from functools import partial

from dragoman.upstream.base import Headers, IncomingResponse, read_whole
from dragoman.upstream.errors import ProtocolViolation

_PIECE = 256 * 1024
# Pieces in a row that may come of bytes that are here already, before others get their turn in the loop.
_AT_ONCE = 8
_GZIP = 16 + zlib.MAX_WBITS
_KNOWN = {b"gzip": b"gzip", b"x-gzip": b"gzip", b"deflate": b"deflate", b"identity": b"", b"": b""}


def coding_of(headers: Headers) -> bytes:
    """Return `gzip`, `deflate` or nothing. Raises ProtocolViolation for any other content coding, or for two."""
    codings = [_KNOWN.get(v.strip().lower()) for n, v in headers if n == b"content-encoding"]
    if None in codings:
        raise ProtocolViolation("the body has a content-encoding that was not asked for")
    found = [coding for coding in codings if coding]
    if len(found) > 1:
        raise ProtocolViolation("the body is encoded more than once")
    return found[0] if found else b""


class Decoder:
    """Bytes in by `feed`, bytes out by `take`, at most `_PIECE` at a time."""

    __slots__ = ("_coding", "_engine", "_pending", "_started")

    def __init__(self, coding: bytes) -> None:
        self._coding = coding
        self._pending = b""
        self._started = False
        self._engine = zlib.decompressobj(_GZIP if coding == b"gzip" else zlib.MAX_WBITS)

    def feed(self, data: bytes) -> None:
        self._pending += data

    def take(self) -> bytes:
        """Return the next piece, nothing when more input is needed. Raises ProtocolViolation."""
        engine = self._engine
        while True:
            if engine.eof:
                if not self._pending:
                    return b""
                if self._coding != b"gzip":
                    raise ProtocolViolation("bytes after the end of a deflate body")
                # A gzip file may be several, one after the other (RFC 1952, 2.2).
                engine = self._engine = zlib.decompressobj(_GZIP)
            if not self._started and self._pending:
                self._started = True
                # "deflate" means zlib's format, but some servers send it bare (RFC 9110, 8.4.1.2).
                if self._coding == b"deflate" and self._pending[0] & 0x0F != zlib.DEFLATED:
                    engine = self._engine = zlib.decompressobj(-zlib.MAX_WBITS)
            try:
                out = engine.decompress(self._pending, _PIECE)
            except zlib.error as error:
                raise ProtocolViolation(f"the body is not the {self._coding.decode()} it says: {error}") from error
            self._pending = engine.unused_data if engine.eof else engine.unconsumed_tail
            if out or not self._pending:
                return out

    def finish(self) -> None:
        """The compressed body ended. Raises ProtocolViolation if it was cut short."""
        if self._started and not self._engine.eof:
            raise ProtocolViolation(f"the {self._coding.decode()} body is cut short")


class DecodedResponse:
    """An answer whose body is decoded on the way out; see `IncomingResponse`."""

    __slots__ = ("_decoder", "_inner", "_taken", "headers", "status")

    def __init__(self, inner: IncomingResponse, coding: bytes) -> None:
        self.status = inner.status
        dropped = (b"content-encoding", b"content-length")
        self.headers: Headers = [header for header in inner.headers if header[0] not in dropped]
        self._inner = inner
        self._decoder = Decoder(coding)
        self._taken = 0

    async def chunk(self) -> bytes:
        data = await self._next(self._inner.chunk)
        assert data is not None
        return data

    async def chunk_within(self, seconds: float) -> bytes | None:
        return await self._next(partial(self._inner.chunk_within, seconds))

    async def _next(self, pull: Callable[[], Awaitable[bytes | None]]) -> bytes | None:
        try:
            await self._rest()
            while not (out := self._decoder.take()):
                data = await pull()
                if data is None:
                    return None
                if not data:
                    self._decoder.finish()
                    return b""
                self._decoder.feed(data)
        except (ProtocolViolation, asyncio.CancelledError):
            self.close()
            raise
        return out

    async def _rest(self) -> None:
        self._taken += 1
        if self._taken % _AT_ONCE == 0:
            await asyncio.sleep(0)

    async def read(self, limit: int) -> bytes:
        return await read_whole(self, limit)

    def when_over(self, callback: Callable[[], None]) -> None:
        self._inner.when_over(callback)

    def close(self) -> None:
        self._inner.close()
