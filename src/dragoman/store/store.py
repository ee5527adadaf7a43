"""What is kept, put in and got out. Nothing here blocks the event loop: one thread writes, two read.

What is to be written and cannot be is counted and told in the log when it begins; the request that it belonged to goes on.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

import structlog

from dragoman.store.database import Database
from dragoman.store.location import Location
from dragoman.store.rows import StoredResponse
from dragoman.store.writer import StoreUnavailable, Writer

if TYPE_CHECKING:
    from sqlalchemy import Connection

_log = structlog.get_logger(__name__)
T = TypeVar("T")

SIGNATURES_KEPT_SECONDS = 3 * 24 * 3600
RESPONSES_KEPT_SECONDS = 30 * 24 * 3600
# How long an answer waits for the disk before it goes out without.
_WRITE_SECONDS = 1.0
_READ_SECONDS = 1.0
# Without what was spent, a request with a budget is refused; and with the first of them, SQLAlchemy may be imported yet.
_SPENT_SECONDS = 5.0
# The first to write waits for SQLAlchemy's import, while other processes may be starting: the database is not to blame.
_OPEN_SECONDS = 10.0
# And while it is known that the disk does not do its part.
_UNWELL_SECONDS = 0.05
_CLOSE_SECONDS = 5.0


class Store:
    """`failures` counts what could not be written or read since the start."""

    def __init__(self, location: Location) -> None:
        self._location = location
        self._writer = Writer(Database(location, writing=True), _doing_prune)
        self._readers = ThreadPoolExecutor(2, thread_name_prefix="store-reader")
        self._reading = Database(location, writing=False)
        # "read", "write": a disk that is full is read well, so neither is told from the other.
        self._unwell: set[str] = set()
        self.failures = 0

    @classmethod
    def open(cls, location: Location) -> Store:
        """Within a running loop. The database, migrated already, is opened with the first use or by `warm`."""
        return cls(location)

    async def warm(self) -> None:
        """Opens the database now, in its thread, so that nobody waits for it later."""
        await self._write(lambda _: None, _OPEN_SECONDS)
        with suppress(StoreUnavailable):
            await self._read(lambda _: None, _SPENT_SECONDS)

    async def put_response(self, response: StoredResponse, made: Sequence[str] = ()) -> bool:
        """Whether it is kept; when it is, a `kill -9` does not lose it. `made` are the ids of its items, where those are to be
        found by themselves."""
        return await self._write(_doing("put_response", response, tuple(made)))

    async def get_response(self, owner: str, id: str) -> StoredResponse | None:
        """Raises StoreUnavailable."""
        return await self._read(_doing("get_response", owner, id, int(time.time())))

    async def responses_with(self, owner: str, ids: Sequence[str]) -> dict[str, str]:
        """The responses that those of the items belong to that the owner has, by the items' ids. Raises StoreUnavailable."""
        return await self._read(_doing("responses_with", owner, list(ids), int(time.time())))

    async def delete_response(self, owner: str, id: str) -> bool:
        """Whether there was one. Raises StoreUnavailable."""
        try:
            async with asyncio.timeout(_WRITE_SECONDS):
                began = time.monotonic()
                done = self._writer.submit(_doing("delete_response", owner, id, int(time.time())))
                done.add_done_callback(lambda done: self._ended("write", done, began, _WRITE_SECONDS))
                found: bool = await done
        except (StoreUnavailable, TimeoutError) as error:
            raise self._failed("write", error) from None
        return found

    async def spent(self, key_id: str, since_day: int) -> int:
        """What the key has spent from a day on, in nanodollars; days since 1970, in UTC. Raises StoreUnavailable."""

        def job(connection: Connection) -> int:
            from dragoman.store import ledger_statements

            return ledger_statements.spent(connection, key_id, since_day)

        return await self._read(job, _SPENT_SECONDS)

    async def put_signatures(self, owner: str, blobs: Mapping[str, bytes]) -> bool:
        """`blobs` by the call's id. Whether they are kept."""
        return await self._write(_doing("put_signatures", owner, dict(blobs), int(time.time())))

    async def get_signatures(self, owner: str, calls: Sequence[str]) -> dict[str, bytes] | None:
        """Those that there are of `calls`; None where the database does not answer."""
        try:
            found: dict[str, bytes] = await self._read(_doing("get_signatures", owner, list(calls)))
        except StoreUnavailable:
            return None
        return found

    async def aclose(self) -> None:
        """What was handed in is written first."""
        await asyncio.get_running_loop().run_in_executor(None, self._writer.close, _CLOSE_SECONDS)
        self._readers.shutdown(wait=False, cancel_futures=True)
        self._reading.close()

    async def _write(self, job: Callable[[Connection], Any], longest: float | None = None) -> bool:
        began = time.monotonic()
        done = self._writer.submit(job)
        done.add_done_callback(lambda done: self._ended("write", done, began, longest or _WRITE_SECONDS))
        await asyncio.wait((done,), timeout=_UNWELL_SECONDS if "write" in self._unwell else longest or _WRITE_SECONDS)
        error = done.exception() if done.done() else TimeoutError()
        if error is not None:
            self._failed("write", error)
        return error is None

    def _ended(self, what: str, done: asyncio.Future[Any], began: float, patience: float) -> None:
        """Told of late ones too: in the short time that is left while all is not well, a slow disk would never be found well."""
        if not done.cancelled() and done.exception() is None and time.monotonic() - began < patience:
            self._works(what)

    async def _read(self, job: Callable[[Connection], T], longest: float | None = None) -> T:
        """Nobody waits for more than `longest` seconds, if it is given."""
        began = time.monotonic()
        try:
            reading = self._readers.submit(self._read_here, job)
        except RuntimeError as error:  # closed
            raise self._failed("read", error) from None
        done = asyncio.wrap_future(reading)
        done.add_done_callback(lambda done: self._ended("read", done, began, longest or _READ_SECONDS))
        unwell = _UNWELL_SECONDS if longest is None else _READ_SECONDS
        try:
            await asyncio.wait((done,), timeout=unwell if "read" in self._unwell else longest or _READ_SECONDS)
        finally:
            reading.cancel()  # what no thread has begun by now, nobody waits for
        if not done.done():
            raise self._failed("read", TimeoutError())
        try:
            return done.result()
        except Exception as error:
            raise self._failed("read", error) from None

    def _read_here(self, job: Callable[[Connection], T]) -> T:
        with self._reading.begin() as connection:
            return job(connection)

    def _failed(self, what: str, error: BaseException) -> StoreUnavailable:
        self.failures += 1
        words = str(error).splitlines()
        why = words[0] if words else "it took too long"
        if what not in self._unwell:
            self._unwell.add(what)
            _log.error(
                f"the database does not {what}; requests go on without it, and this is not said again until it works",
                database=self._location.shown,
                error=why,
            )
        return StoreUnavailable(why)

    def _works(self, what: str) -> None:
        if what in self._unwell:
            self._unwell.remove(what)
            _log.warning(f"the database does {what} again", database=self._location.shown, failures=self.failures)


def _doing(name: str, *given: Any) -> Callable[[Connection], Any]:
    """A statement for a thread to execute, which imports SQLAlchemy there."""

    def job(connection: Connection) -> Any:
        from dragoman.store import statements

        return getattr(statements, name)(connection, *given)

    return job


def _doing_prune(connection: Connection) -> bool:
    from dragoman.store import statements

    now = int(time.time())
    return statements.prune(connection, now=now, signatures_before=now - SIGNATURES_KEPT_SECONDS)
