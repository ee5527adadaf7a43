"""The table in a file that several processes of one machine map into their memory.

The kernel's lock on the file (flock) is let go when its holder dies, however it dies. It belongs to the open file: a process must
open the table itself and not inherit it by fork. With one worker nothing is locked, for nobody else changes the table while it
lives; what it counted outlives it all the same.
"""

from __future__ import annotations

import fcntl
import mmap
import os
from pathlib import Path

from dragoman.limits.layout import HEADER, MAGIC, MARK, WORKERS, table_words
from dragoman.limits.layout import SLOTS as SLOTS_WORD
from dragoman.limits.table import SLOTS, Table


class SharedTable(Table):
    """Made by `create`, once; opened by `open` in each worker."""

    def __init__(self, file: int, slots: int, workers: int, worker: int) -> None:
        self._file = file
        pages = mmap.mmap(file, 8 * table_words(slots, workers))
        self._lay(pages, slots, workers=workers, worker=worker)

    @classmethod
    def create(cls, path: Path | str, *, workers: int, slots: int = SLOTS) -> SharedTable:
        """A new file, seen by this user alone. Its room on the disk is taken at once: a page that found none later would kill
        its process. Raises FileExistsError and what else the system says."""
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.posix_fallocate(file, 0, 8 * table_words(slots, workers))
            table = cls(file, slots, workers, 0)
        except BaseException:
            os.close(file)
            os.unlink(path)
            raise
        table.words[WORKERS] = workers
        table.words[SLOTS_WORD] = slots
        table.words[MARK] = MAGIC
        return table

    @classmethod
    def open(cls, path: Path | str, *, worker: int) -> SharedTable:
        """As one of its workers, counted from 0. Raises ValueError if the file is no table or has no such worker."""
        file = os.open(path, os.O_RDWR)
        try:
            head = memoryview(os.pread(file, 8 * HEADER, 0).ljust(8 * HEADER, b"\0")).cast("q")
            slots, workers = head[SLOTS_WORD], head[WORKERS]
            if head[MARK] != MAGIC or os.fstat(file).st_size != 8 * table_words(slots, workers):
                raise ValueError(f"{path} is no table of limits, or one of another version")
            return cls(file, slots, workers, worker)
        except BaseException:
            os.close(file)
            raise

    @property
    def lock(self) -> int | None:
        return self._file if self.workers > 1 else None

    def acquire(self) -> None:
        if self.workers > 1:
            fcntl.flock(self._file, fcntl.LOCK_EX)

    def release(self) -> None:
        if self.workers > 1:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        super().close()
        os.close(self._file)
