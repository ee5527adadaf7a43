"""A worker's ledger: entries go into its journal at once, and from there into the database, many in one transaction.

The journal is the way of every entry and not of those alone that meet a database in trouble: where it is locked, full or gone,
the journal grows and nothing else changes. Entries are told apart by their request's id, so to move one twice does nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import structlog

from dragoman.ledger.entry import Entry, decode, encode
from dragoman.ledger.journal import Journal, JournalFull

_log = structlog.get_logger(__name__)

Rows = list[list[Any]]
Put = Callable[[Rows, dict[str, str]], object]
"""Puts rows of entries into the database, and the prices that they name."""

# How long an entry waits for others to share its transaction. Nobody waits for that: it is in the journal.
_GATHER_SECONDS = 0.2
_READ_BYTES = 256 * 1024
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
_CLOSE_SECONDS = 5.0


class Ledger:
    """`put` writes rows into the database, in a thread of the ledger's own, and raises where it cannot.

    `entered`, `moved`, `failures` (of the database) and `lost` count since the start. `trouble` says why the database takes
    nothing just now."""

    def __init__(self, journal: Journal, put: Put, close: Callable[[], None] = lambda: None) -> None:
        self._journal = journal
        self._prices: set[str] = set()
        self._put = put
        self._close = close
        self._idle = True
        self._wake = threading.Event()
        self._closing = threading.Event()
        self.entered = self.moved = self.failures = self.lost = 0
        self.trouble: str | None = None
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
        self._thread.start()

    def enter(self, entry: Entry) -> None:
        """Once this returns, the entry outlives every process's death. What cannot be kept is counted and told in the log."""
        try:
            self._journal.append(encode(entry))
        except (JournalFull, OSError) as error:
            self.lost += 1
            _log.error("an entry of the ledger is lost", request_id=entry.request_id, error=str(error))
            return
        self.entered += 1
        if self._idle:
            self._idle = False
            self._wake.set()

    def know(self, price: str, detail: str) -> bool:
        """What the entries that come will name as their price; whether it is kept. To be called before the first that does."""
        if price not in self._prices:
            try:
                self._journal.append(encode([price, detail]))
            except (JournalFull, OSError):
                return False
            self._prices.add(price)
        return True

    @property
    def exhausted(self) -> bool:
        """Whether there may soon be no place for an entry any more."""
        return self._journal.exhausted

    @property
    def waiting(self) -> int:
        """Entries that are in the journal and not in the database."""
        return self.entered - self.moved

    def close(self) -> None:
        """What was entered is moved, if the database takes it; else it waits in the journal for the next start. Blocks."""
        self._closing.set()
        self._wake.set()
        self._thread.join(_CLOSE_SECONDS)
        if (
            not self._thread.is_alive()
        ):  # else it is about to mark in one of the journal's files what the database has taken
            self._journal.close()

    # The ledger's own thread.

    def _run(self) -> None:
        pause = _FIRST_PAUSE
        while not self._closing.is_set():
            self._wake.wait(_LONGEST_PAUSE if self._journal.exhausted else None)
            self._closing.wait(_GATHER_SECONDS)
            self._wake.clear()
            self._idle = True
            try:
                self._move()
            except Exception as error:
                self._failed(error)
                self._closing.wait(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
                self._wake.set()
            else:
                pause = _FIRST_PAUSE
                self._works()
        self._close()

    def _move(self) -> None:
        """All that there is."""
        while True:
            segment = self._journal.oldest()
            payloads, mark = segment.read(_READ_BYTES)
            if payloads:
                rows, prices = sorted_out(payloads)
                self._put(rows, prices)
                segment.set_mark(mark)
                self.moved += len(rows)
            with suppress(OSError):  # `exhausted` says it
                self._journal.tidy()
            if not payloads and segment is self._journal.oldest():
                return

    def _failed(self, error: Exception) -> None:
        self.failures += 1
        words = str(error).splitlines()
        first = self.trouble is None
        self.trouble = words[0] if words else type(error).__name__
        if first:
            _log.error(
                "the database takes no entries of the ledger; the journal keeps them, and this is not said again until it works",
                error=self.trouble,
            )
        with suppress(OSError):
            self._journal.sync()
        with suppress(OSError):  # `exhausted` says it
            self._journal.tidy()

    def _works(self) -> None:
        if self.trouble is not None:
            self.trouble = None
            _log.warning("the database takes the ledger's entries again", failures=self.failures, lost=self.lost)


def sorted_out(payloads: Sequence[bytes]) -> tuple[Rows, dict[str, str]]:
    """What a journal's records are: rows of entries, and the details of prices by their names."""
    rows = list(map(decode, payloads))
    if 2 not in map(len, rows):
        return rows, {}
    return [row for row in rows if len(row) != 2], {row[0]: row[1] for row in rows if len(row) == 2}
