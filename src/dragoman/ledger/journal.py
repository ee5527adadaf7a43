"""A worker's journal: where an entry goes before the last byte of its answer leaves.

Files of a fixed size, one of them being filled and one lying ready, so that a full disk takes nothing from entries that still
come. The loop's thread appends; one other thread reads, marks and makes ready. What has reached the database is used again.
"""

from __future__ import annotations

import os
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

from dragoman.ledger.segment import SUFFIX, Segment

SEGMENT_BYTES = 4 * 2**20
# One is filled, one lies ready.
FILES = 2


def make_room(directory: Path, journals: int) -> None:
    """Raises OSError where the disk has no room for so many journals to begin with."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryFile(dir=directory) as file:
        os.posix_fallocate(file.fileno(), 0, journals * FILES * SEGMENT_BYTES)


class JournalFull(Exception):
    """The journal has grown to its bound, or the disk has no room for more of it."""


class Journal:
    """`limit` bounds the bytes that the files take together."""

    def __init__(self, directory: Path, *, limit: int, segment_bytes: int = SEGMENT_BYTES) -> None:
        """Raises OSError where there is no room for a single file."""
        self._directory = directory
        self._segment_bytes = segment_bytes
        self._most = max(FILES, limit // segment_bytes)
        self._count = 0
        # Whether half of the last file that there will be is full, for now.
        self.exhausted = False
        self._half = segment_bytes // 2
        # Guards the lists below; held for moments, never while the disk is waited for.
        self._turning = threading.Lock()
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._filling = self._create()
        self._ready: Segment | None = None
        self._full: list[Segment] = []
        with suppress(OSError):  # `exhausted` says it
            self._make_ready()

    def append(self, payload: bytes) -> None:
        """Raises JournalFull, OSError."""
        if not self._filling.append(payload):
            self._turn()
            if not self._filling.append(payload):
                raise JournalFull(f"an entry of {len(payload)} bytes is longer than a file of the journal")
        elif self._ready is None and self._filling.end > self._half and not self.exhausted:
            # The other thread may be waiting for a database that does not answer.
            with suppress(OSError):
                self._make_ready()

    # The other thread's side.

    def oldest(self) -> Segment:
        """The file with the first entries that are not in the database; the one being filled where all others are."""
        with self._turning:
            return self._full[0] if self._full else self._filling

    def tidy(self) -> None:
        """Gives up the files whose entries are all in the database, and has one ready. Raises OSError where it cannot."""
        done: list[Segment] = []
        with self._turning:
            while self._full and self._full[0].mark == self._full[0].end:
                done.append(self._full.pop(0))
        for segment in done:
            segment.reuse()
            self._lay_ready(segment)
        self._make_ready()

    def sync(self) -> None:
        with self._turning:
            segments = [*self._full, self._filling]
        for segment in segments:
            segment.sync()

    def close(self) -> None:
        """Files with nothing left to tell are removed; the others wait for whoever starts next."""
        with self._turning:
            for segment in (*self._full, self._filling):
                segment.close(remove=segment.mark == segment.end)
            if self._ready is not None:
                self._ready.close(remove=True)
                self._ready = None

    def _turn(self) -> None:
        """The file being filled is full: on with the one that lies ready."""
        with self._turning:
            ready, self._ready = self._ready, None
        if ready is None:
            if self._count >= self._most:
                raise JournalFull("the journal has grown to its bound (ledger.journal_limit)")
            try:
                ready = self._create()
            except OSError as error:
                raise JournalFull(f"the disk has no room for more of the journal: {error.strerror or error}") from None
        with self._turning:
            self._full.append(self._filling)
            self._filling = ready

    def _make_ready(self) -> None:
        """For either thread. Raises OSError."""
        try:
            if self._ready is None and self._count < self._most:
                self._lay_ready(self._create())
        finally:
            self.exhausted = self._ready is None and self._filling.end > self._half

    def _lay_ready(self, segment: Segment) -> None:
        """An empty file; removed where the other thread was quicker with one."""
        with self._turning:
            if self._ready is None:
                self._ready = segment
                return
            self._count -= 1
        segment.close(remove=True)

    def _create(self) -> Segment:
        name = f"{os.getpid()}-{os.urandom(6).hex()}{SUFFIX}"
        segment = Segment.create(self._directory / name, self._segment_bytes)
        with self._turning:
            self._count += 1
        return segment
