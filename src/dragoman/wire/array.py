"""A JSON array that arrives in pieces (Gemini's streams without `alt=sse`), split into its elements without I/O."""

import re

from dragoman.ir.errors import UpstreamBroken

_STRUCTURE = re.compile(rb'["{}\[\]\\]')
MAX_ELEMENT = 64 * 1024 * 1024  # bytes
# From this size on an unfinished element is kept in pieces: joining it to each read anew would cost the square of its size.
_LONG = 256 * 1024


class ArraySplitter:
    """Feeds on bytes of `[{…},\\r\\n{…}]`, gives each element (an object or array) once it is whole."""

    __slots__ = ("_at", "_depth", "_in_string", "_limit", "_opened", "_pending", "_pieces", "_size", "closed")

    def __init__(self, limit: int = MAX_ELEMENT) -> None:
        self._pending = b""
        self._pieces: list[bytes] = []
        self._size = 0
        self._at = 0
        self._depth = 0
        self._in_string = False
        self._opened = False
        self._limit = limit
        self.closed = False

    @property
    def opened(self) -> bool:
        """Whether the array's opening bracket was seen."""
        return self._opened

    @property
    def size(self) -> int:
        """The length of `pending`."""
        return self._size

    @property
    def pending(self) -> bytes:
        """What was fed after the last whole element."""
        if self._pieces:
            self._pending = b"".join([self._pending, *self._pieces])
            self._pieces.clear()
            self._at = len(self._pending)
        return self._pending

    def feed(self, data: bytes) -> list[bytes]:
        if len(self._pending) >= _LONG and self._at == len(self._pending) and not _STRUCTURE.search(data):
            self._pieces.append(data)
            self._size += len(data)
            self._check()
            return []
        data = self.pending + data
        at = self._at
        start = 0
        elements: list[bytes] = []
        while found := _STRUCTURE.search(data, at):
            mark = data[found.start()]
            at = found.end()
            if self._in_string:
                if mark == 0x5C:  # a backslash shields the next byte
                    if at >= len(data):
                        at = found.start()
                        break
                    at += 1
                elif mark == 0x22:
                    self._in_string = False
            elif mark == 0x22:
                self._in_string = True
            elif mark in b"{[":
                if not self._opened:
                    if mark != 0x5B:
                        raise UpstreamBroken("The upstream sent something other than a JSON array.")
                    self._opened = True
                    start = at
                    continue
                if self._depth == 0:
                    start = found.start()
                self._depth += 1
            elif mark in b"}]":
                if self._depth == 0:
                    self.closed = True
                    start = at
                    continue
                self._depth -= 1
                if self._depth == 0:
                    elements.append(data[start:at])
                    start = at
        else:
            at = len(data)
        self._pending = data[start:]
        self._at = at - start
        self._size = len(self._pending)
        self._check()
        return elements

    def _check(self) -> None:
        if self._size > self._limit:
            raise UpstreamBroken(f"The upstream sent an element of more than {self._limit} bytes.")
