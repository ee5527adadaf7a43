"""Server-sent events (WHATWG HTML, section 9.2), split and read without I/O.

Lines end in LF, CRLF or CR and nothing else (U+2028 is ordinary text); a blank line ends an event. Bytes are split before
they are decoded, so a character cut in two by the network is whole again when it is read.
"""

import re

from dragoman.ir.errors import UpstreamBroken
from dragoman.wire.json import NotJson, decode

MAX_EVENT = 64 * 1024 * 1024  # bytes; an image can ride in one event
# From this size on an unfinished event is kept in pieces, and only what is new is searched for its end: to join it to each
# read and walk its lines anew would cost the square of its size.
_LONG = 4 * 1024
# As a number: CPython takes what is looked for with `in` for one, and makes an error that it throws away where it is bytes.
_CR = 0x0D
_BLANK_LINE = re.compile(rb"\n[\r\n]|\r\r")


class EventSplitter:
    """Cuts a stream into whole raw events, each with its closing blank line, so that joined they are the stream again."""

    __slots__ = ("_limit", "_pending", "_pieces", "_size")

    def __init__(self, limit: int = MAX_EVENT) -> None:
        self._pending = b""
        self._pieces: list[bytes] = []
        self._size = 0
        self._limit = limit

    @property
    def pending(self) -> bytes:
        """The unfinished event at the end of what was fed."""
        if self._pieces:
            self._pending = b"".join([self._pending, *self._pieces])
            self._pieces.clear()
        return self._pending

    @property
    def idle(self) -> bool:
        """Whether what was fed so far ended with an event."""
        return not self._pending

    def feed(self, data: bytes) -> list[bytes]:
        events, end = self._cut(data)
        return [event + end for event in events] if end else events

    def split(self, data: bytes) -> list[bytes]:
        """As `feed`, for those who only read: with or without the closing blank line, as it comes cheaper."""
        return self._cut(data)[0]

    def _cut(self, data: bytes) -> tuple[list[bytes], bytes]:
        """The events, and the blank line that is still to be put behind each."""
        if self._pending:
            if len(self._pending) >= _LONG and self._holds_back(data):
                return [], b""
            data = self.pending + data
        # Nearly every vendor's stream: one line an event, and each with a blank line behind it. To split at one byte and look
        # at what stands between costs two thirds or less of splitting at two or four.
        lines = data.split(b"\n")
        rest = lines.pop()
        blank = lines[1::2]
        if _CR in data:
            # Google ends its lines in CRLF.
            if len(lines) % 2 or _CR in rest or blank.count(b"\r") != len(blank) or data.count(b"\r") != len(lines):
                return self._feed_any_newline(data), b""
            self._keep(rest)
            return lines[::2], b"\n\r\n"
        if len(lines) % 2 or any(blank):
            events = data.split(b"\n\n")
            self._keep(events.pop())
            return events, b"\n\n"
        self._keep(rest)
        return lines[::2], b"\n\n"

    def _holds_back(self, data: bytes) -> bool:
        """Whether a long event goes on: no blank line ends in `data`."""
        last = self._pieces[-1] if self._pieces else self._pending
        if _BLANK_LINE.search(last[-3:] + data):
            return False
        self._pieces.append(data)
        self._size += len(data)
        self._check(self._size)
        return True

    def _feed_any_newline(self, data: bytes) -> list[bytes]:
        events: list[bytes] = []
        start = 0
        at = 0
        size = len(data)
        while at < size:
            newline = _next_newline(data, at)
            if newline < 0:
                break
            after = _after_newline(data, newline)
            if after < 0 or after >= size:
                break  # a CR at the very end may be half of a CRLF
            if data[after] in b"\r\n":
                end = _after_newline(data, after)
                if end < 0:  # the blank line's CR ends the data; waiting for its LF would hold the event back
                    end = size
                events.append(data[start:end])
                start = end
                at = end
            else:
                at = after
        self._keep(data[start:])
        return events

    def _keep(self, rest: bytes) -> None:
        self._pending = rest
        self._size = len(rest)
        self._check(self._size)

    def _check(self, size: int) -> None:
        if size > self._limit:
            raise UpstreamBroken(f"The upstream sent an event of more than {self._limit} bytes.")


def _next_newline(data: bytes, at: int) -> int:
    lf = data.find(b"\n", at)
    cr = data.find(b"\r", at, lf if lf >= 0 else len(data))
    return cr if cr >= 0 else lf


def _after_newline(data: bytes, at: int) -> int:
    """Where the line after the newline at `at` begins; -1 where a CR is the last byte and may be half of a CRLF."""
    if data[at] == 0x0A:
        return at + 1
    if at + 1 >= len(data):
        return -1
    return at + 2 if data[at + 1] == 0x0A else at + 1


def payload(event: bytes) -> bytes:
    """The `data` of a raw event, its lines joined by LF; empty for comments and blank events."""
    if event.startswith(b"data: "):
        if b"\n" not in event:
            value = event[6:].removesuffix(b"\r")
            if b"\r" not in value:
                return value
        elif event.endswith(b"\n\n") and event.count(b"\n") == 2 and b"\r" not in event:
            return event[6:-2]
    return b"\n".join(_values(event))


def last_event(pending: bytes, *, end_mark: bytes = b"[DONE]") -> bytes:
    """The event that a stream ended in, with the blank line that it lacks. Empty where it was cut off, being neither JSON nor
    the end mark: what follows must not be glued to it."""
    event = pending.rstrip(b"\r\n") + b"\n\n"
    body = payload(event).strip()
    if not body:
        return b""
    if body != end_mark:
        try:
            decode(body)
        except NotJson:
            return b""
    return event


def _values(event: bytes) -> list[bytes]:
    found: list[bytes] = []
    for line in event.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n"):
        if line.startswith(b"data:"):
            value = line[5:]
            found.append(value[1:] if value.startswith(b" ") else value)
    return found
