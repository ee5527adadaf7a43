"""A file of the journal: room on the disk taken beforehand, filled record by record, and marked as they reach the database.

What is here is bytes and their place; what they mean and when they are moved on is left to the others. A record is stored in the
file's pages without waiting for the disk: that outlives the death of every process. `sync` makes it outlive the machine's.
"""

from __future__ import annotations

import fcntl
import os
import struct
from pathlib import Path
from zlib import crc32

from dragoman.ledger.mapping import mapped

SUFFIX = ".journal"
# Magic and version, generation, mark.
_HEAD = struct.Struct("<8sQQ")
_MAGIC = b"DRAGJNL1"
START = 64
_FRAME = struct.Struct("<II")
FRAME = _FRAME.size


class Segment:
    """`end` is where the next record goes, `mark` where the first one is that is not in the database yet.

    A record's checksum is seeded with the file's generation: when a file is used anew, what it held before is no record."""

    __slots__ = ("_fd", "_generation", "_pages", "end", "mark", "path", "size")

    def __init__(self, path: Path, fd: int, size: int, generation: int) -> None:
        self.path = path
        self.size = size
        self.mark = self.end = START
        self._fd = fd
        self._pages = mapped(fd, size)
        self._generation = generation

    @classmethod
    def create(cls, path: Path, size: int) -> Segment:
        """Raises OSError where the disk has no room for it. It is locked for as long as this process lives, and has its name
        only then: what has the name and no lock is a dead process's."""
        making = path.with_suffix(".new")
        fd = os.open(making, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.posix_fallocate(fd, 0, size)
            segment = cls(path, fd, size, _fresh_generation())
            segment._write_head()
            making.rename(path)
        except BaseException:
            os.close(fd)
            making.unlink(missing_ok=True)
            raise
        return segment

    def append(self, payload: bytes) -> bool:
        """Whether there was room. Raises OSError."""
        length = len(payload)
        at = self.end
        end = at + FRAME + length
        if end > self.size:
            return False
        record = _FRAME.pack(length, crc32(payload, self._generation)) + payload
        if self._pages is not None:
            self._pages[at:end] = record
        elif os.pwrite(self._fd, record, at) != len(record):
            raise OSError(f"{self.path} was cut short")
        self.end = end
        return True

    def read(self, most: int) -> tuple[list[bytes], int]:
        """About `most` bytes of records from the mark on, and where the next one begins."""
        at, end = self.mark, self.end
        if end - at > most:
            end = at + most
        data = os.pread(self._fd, end - at, at)
        found, used = records(data, self._generation)
        if not found and at < self.end:  # one record longer than `most`
            data = os.pread(self._fd, self.end - at, at)
            found, used = records(data, self._generation)
        return found, at + used

    def set_mark(self, mark: int) -> None:
        self.mark = mark
        self._write_head()

    def reuse(self) -> None:
        """Empty again, under a new generation."""
        self._generation = _fresh_generation()
        self.mark = self.end = START
        self._write_head()

    def sync(self) -> None:
        os.fdatasync(self._fd)

    def close(self, *, remove: bool) -> None:
        if remove:
            self.path.unlink(missing_ok=True)
        if self._pages is not None:
            self._pages.close()
        os.close(self._fd)

    def _write_head(self) -> None:
        os.pwrite(self._fd, _HEAD.pack(_MAGIC, self._generation, self.mark), 0)


def records(data: bytes, generation: int) -> tuple[list[bytes], int]:
    """The whole records that `data` begins with, and how many bytes they take."""
    found: list[bytes] = []
    at, size = 0, len(data)
    unpack = _FRAME.unpack_from
    while at + FRAME <= size:
        length, sum_ = unpack(data, at)
        start = at + FRAME
        payload = data[start : start + length]
        if not length or len(payload) != length or crc32(payload, generation) != sum_:
            break
        found.append(payload)
        at = start + length
    return found, at


def unmarked(data: bytes) -> list[bytes]:
    """The records of a whole file's bytes that are not marked as being in the database. A file that is none of ours, or whose
    owner died while making it, has none."""
    if len(data) < START:
        return []
    magic, generation, mark = _HEAD.unpack_from(data)
    if magic != _MAGIC or not START <= mark <= len(data):
        return []
    return records(data[mark:], generation)[0]


def has_unmarked(fd: int) -> bool:
    """Whether a file has a record that is not marked, by a look at its mark alone: mostly there is none."""
    head = os.pread(fd, _HEAD.size, 0)
    if len(head) < _HEAD.size:
        return False
    _, generation, mark = _HEAD.unpack(head)
    frame = os.pread(fd, FRAME, mark) if mark < 2**62 else b""
    if len(frame) < FRAME:
        return False
    length, _ = _FRAME.unpack(frame)
    size = os.fstat(fd).st_size
    return 0 < length <= size and bool(records(os.pread(fd, FRAME + length, mark), generation)[0])


def _fresh_generation() -> int:
    return int.from_bytes(os.urandom(4), "little")
