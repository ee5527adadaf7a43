"""The one thread of a worker that writes: what has come in while it wrote is one transaction, so a commit serves many.

Its queue has a bound: where the disk does not keep up, what is to be kept is refused at once and nobody waits.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, Full, Queue
from typing import TYPE_CHECKING, Any

from dragoman.store.database import Database

if TYPE_CHECKING:
    from sqlalchemy import Connection

_MOST_WAITING = 2048
_MOST_AT_ONCE = 256
_PRUNE_SECONDS = 600.0

Job = Callable[["Connection"], Any]


class StoreUnavailable(Exception):
    """The database did not do what it was asked for; the message says why."""


class Writer:
    """`prune` deletes some of what is too old and says whether there may be more."""

    def __init__(self, database: Database, prune: Callable[[Connection], bool]) -> None:
        self._database = database
        self._prune = prune
        self._queue: Queue[tuple[Job, asyncio.Future[Any]] | None] = Queue(_MOST_WAITING)
        self._loop = asyncio.get_running_loop()
        self._thread: threading.Thread | None = None
        self._prune_at = 0.0

    def submit(self, job: Job) -> asyncio.Future[Any]:
        """What the job returns, once it is committed; StoreUnavailable where it is not."""
        done: asyncio.Future[Any] = self._loop.create_future()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
            self._thread.start()
        try:
            self._queue.put_nowait((job, done))
        except Full:
            done.set_exception(StoreUnavailable("the disk does not keep up"))
        return done

    def close(self, patience: float) -> None:
        """Writes what has been handed in and ends the thread. Blocks."""
        if self._thread is None:
            return
        try:
            self._queue.put(None, timeout=patience)
        except Full:
            return
        self._thread.join(patience)

    def _run(self) -> None:
        going = True
        while going:
            batch, going = self._gather()
            if batch:
                self._write(batch)
            elif going:
                self._tidy()
        self._database.close()

    def _gather(self) -> tuple[list[tuple[Job, asyncio.Future[Any]]], bool]:
        """What waits, and whether more may come; nothing where it is time to tidy up."""
        batch: list[tuple[Job, asyncio.Future[Any]]] = []
        try:
            item = self._queue.get(timeout=max(0.0, self._prune_at - time.monotonic()))
            while item is not None:
                batch.append(item)
                if len(batch) == _MOST_AT_ONCE:
                    return batch, True
                item = self._queue.get_nowait()
        except Empty:
            return batch, True
        return batch, False

    def _write(self, batch: list[tuple[Job, asyncio.Future[Any]]]) -> None:
        """All in one transaction. Where one of them is at fault and not the database, the others must not pay for it."""
        results: list[Any] | StoreUnavailable
        try:
            with self._database.begin() as connection:
                results = [job(connection) for job, _ in batch]
        except Exception as error:
            # Two workers that put the same rows in another order wait for each other, until the server ends one of them.
            if len(batch) > 1 and (type(error).__name__ != "OperationalError" or _is_deadlock(error)):
                for one in batch:
                    self._write([one])
                return
            results = StoreUnavailable(str(error).splitlines()[0] if str(error) else type(error).__name__)
        self._tell([done for _, done in batch], results)

    def _tell(self, waiting: list[asyncio.Future[Any]], results: list[Any] | StoreUnavailable) -> None:
        with suppress(RuntimeError):  # the loop is gone, and so is everybody who waited
            self._loop.call_soon_threadsafe(_settle, waiting, results)

    def _tidy(self) -> None:
        self._prune_at = time.monotonic() + _PRUNE_SECONDS
        try:
            more = True
            while more and self._queue.empty():
                with self._database.begin() as connection:
                    more = self._prune(connection)
        except Exception:
            return  # the next write will say what is wrong; the next round tries again


def _is_deadlock(error: BaseException) -> bool:
    return getattr(getattr(error, "orig", None), "sqlstate", None) == "40P01"


def _settle(waiting: list[asyncio.Future[Any]], results: list[Any] | StoreUnavailable) -> None:
    for number, done in enumerate(waiting):
        if done.done():
            continue
        if isinstance(results, StoreUnavailable):
            done.set_exception(results)
        else:
            done.set_result(results[number])
