"""A caller whose answer is recorded on its way: what it was sent is what another may be sent again."""

from __future__ import annotations

from dragoman.cache import Answer, Cache
from dragoman.cache.answer import PIECE_BYTES
from dragoman.pipeline.call import Call
from dragoman.pipeline.caller import Caller
from dragoman.protocols.base import Headers

# An answer's headers that are not of the one exchange.
_OF_CONTENT = frozenset((b"content-type", b"cache-control", b"x-accel-buffering"))


class Recorder:
    """Stands before `caller`. What is too large for the cache goes by unrecorded; `close` gives back the room that was held."""

    def __init__(self, caller: Caller, cache: Cache) -> None:
        self.method = caller.method
        self.path = caller.path
        self.query = caller.query
        self.headers = caller.headers
        self.remote = caller.remote
        self.started = caller.started
        self.leaving = caller.leaving
        self._caller = caller
        self._cache = cache
        self._store = cache.store
        self._pieces: list[bytes] | None = []
        self._held = 0
        self._content: tuple[tuple[bytes, bytes], ...] = ()
        self._status = 0
        self._whole = self._complete = False

    async def body(self, limit: int, timeout: float) -> bytes:
        return await self._caller.body(limit, timeout)

    async def answer(self, status: int, headers: Headers, body: bytes) -> None:
        self.started = self._whole = self._complete = True
        self._begin(status, headers)
        self._keep(body)
        await self._caller.answer(status, headers, body)

    async def start(self, status: int, headers: Headers) -> None:
        self.started = True
        self._begin(status, headers)
        await self._caller.start(status, headers)

    async def write(self, data: bytes) -> None:
        self._keep(data)
        await self._caller.write(data)

    def nudge(self, data: bytes) -> None:
        self._caller.nudge(data)  # of this exchange alone

    async def finish(self) -> None:
        self._complete = True
        await self._caller.finish()

    def recorded(self, call: Call) -> Answer | None:
        """The whole answer, if it was a good one and came to its end."""
        if self._status != 200 or not self._complete or not self._pieces or call.error is not None or call.step is None:
            return None
        step = call.step
        losses = tuple(call.losses)
        return Answer(call.when, self._whole, self._content, tuple(self._pieces), step.label, step.named, losses)

    def close(self) -> None:
        self._pieces = None
        self._store.release(self._held)
        self._held = 0

    def _begin(self, status: int, headers: Headers) -> None:
        self._status = status
        self._content = tuple(header for header in headers if header[0] in _OF_CONTENT)

    def _keep(self, piece: bytes) -> None:
        if self._pieces is None or not piece:
            return
        size = len(piece) + PIECE_BYTES
        if self._held + size > self._store.largest or not self._store.hold(size, self._cache.clock()):
            self.close()
            return
        self._held += size
        self._pieces.append(piece)
