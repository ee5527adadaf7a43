"""Where log lines go: a bounded buffer that one thread writes out, so that a reader who stalls never stalls the event loop.

Lines beyond the bound are dropped and counted, and the count is logged when lines flow again. This file knows nothing of
what the lines say.
"""

import os
import select
import stat
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

_Line = TypeVar("_Line")

# How long a line may wait for company. Waking the thread for each line would cost the event loop more than the line itself.
GATHER = 0.05
_BATCH = 256


class Sink(Generic[_Line]):
    """Takes lines from any thread, in order.

    `spell` turns a batch into whole lines of bytes (in the writing thread); `notice` makes the line that tells how many were
    dropped. `fd` is written to directly: blocking or not, a pipe, file or terminal.
    """

    def __init__(
        self,
        fd: int,
        spell: Callable[[list[_Line]], list[bytes]],
        notice: Callable[[int], bytes],
        *,
        bound: int = 10_000,
        gather: float = GATHER,
    ) -> None:
        self._fd = fd
        self._spell = spell
        self._notice = notice
        self._bound = bound
        self._gather = gather
        self._atomic = _atomic_size(fd)
        self._lines: deque[_Line] = deque()
        self._idle = False
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._counting = threading.Lock()
        self._dropped = 0
        self._told = 0
        self._deadline: float | None = None
        self._thread: threading.Thread | None = None

    @property
    def dropped(self) -> int:
        """Lines dropped since the start."""
        return self._dropped

    def put(self, line: _Line) -> None:
        """Queue `line`; never blocks. It belongs to the sink from here on."""
        lines = self._lines
        if len(lines) >= self._bound:
            self._drop(1)
            return
        lines.append(line)
        if self._idle:
            self._idle = False
            self._wake.set()
        elif self._thread is None:
            self._start()

    def close(self, timeout: float = 2.0) -> None:
        """Write what is queued, for at most `timeout` seconds if the reader stalls, and end. Lines put later are dropped."""
        self._bound = 0
        with self._counting:
            thread, self._deadline = self._thread, time.monotonic() + timeout
        self._closing.set()
        self._wake.set()
        if thread is not None and thread is not threading.current_thread():
            # A blocking write can't be called off; the thread is a daemon and dies with the process.
            thread.join(timeout + 0.1)

    def _start(self) -> None:
        with self._counting:
            if self._thread is None and not self._closing.is_set():
                self._thread = threading.Thread(target=self._run, name="log", daemon=True)
                self._thread.start()

    def _drop(self, count: int) -> None:
        with self._counting:
            self._dropped += count

    def _run(self) -> None:
        lines = self._lines
        while True:
            if not lines:
                if self._closing.is_set():
                    break
                # In this order: a line that comes between the two is seen by the second look.
                self._wake.clear()
                self._idle = True
                if not lines:
                    self._wake.wait()
                self._idle = False
                self._closing.wait(self._gather)
            batch: list[_Line] = []
            while lines and len(batch) < _BATCH:
                batch.append(lines.popleft())
            if batch:
                self._flush(batch)
            self._tell()
        self._tell()

    def _flush(self, batch: list[_Line]) -> None:
        try:
            pieces = self._spell(batch)
        except Exception:
            # One line that can't be spelled must not take its neighbours, let alone this thread, along.
            if len(batch) == 1:
                self._drop(1)
                return
            for line in batch:
                self._flush([line])
            return
        whole = b"".join(pieces)
        if len(whole) <= self._atomic:
            self._write(whole, len(pieces))
            return
        pending = bytearray()
        count = 0
        for piece in pieces:
            # Workers share one pipe: what is no longer than its atomic size can't be torn by another's line.
            if pending and len(pending) + len(piece) > self._atomic:
                self._write(bytes(pending), count)
                pending.clear()
                count = 0
            pending += piece
            count += 1
        if pending:
            self._write(bytes(pending), count)

    def _tell(self) -> None:
        """Log how many were dropped since last told, once there is room again."""
        missing = self._dropped - self._told
        if missing and len(self._lines) <= self._bound // 2:
            self._told += missing
            if not self._write(self._notice(missing), 0):
                self._told -= missing

    def _write(self, data: bytes, lines: int) -> bool:
        """Write all of `data`; a broken pipe or full disk loses it, counted as `lines`."""
        rest = memoryview(data)
        while rest:
            try:
                # Past the deadline the descriptor may be somebody else's: a thread that was stuck must not write to it again.
                if self._late() or (self._deadline is not None and not self._writable()):
                    self._drop(lines)
                    return False
                rest = rest[os.write(self._fd, rest) :]
            except BlockingIOError:
                if not self._writable():
                    self._drop(lines)
                    return False
            except OSError:
                self._drop(lines)
                return False
        return True

    def _writable(self) -> bool:
        """Wait until the descriptor takes bytes; False when closing and out of time."""
        poll = select.poll()
        poll.register(self._fd, select.POLLOUT)
        while True:
            deadline = self._deadline
            left = 1.0 if deadline is None else max(0.0, deadline - time.monotonic())
            if poll.poll(min(left, 1.0) * 1000):
                return True
            if self._late():
                return False

    def _late(self) -> bool:
        return self._deadline is not None and time.monotonic() >= self._deadline


def _atomic_size(fd: int) -> int:
    try:
        mode = os.fstat(fd).st_mode
    except OSError:
        return select.PIPE_BUF
    return select.PIPE_BUF if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) else 65536
