"""What repeats in a stream: from one event to the next often nothing differs but one text.

What stands around that text is learnt from an event that was read in full. An event with the same bytes around it, and one JSON
string in between, means the same but for the text, so that string is all that need be read.
"""

import re

import msgspec
from msgspec import Raw, Struct

_STRING = re.compile(rb'\s*("(?:[^"\\]|\\.)*")')

decode_text = msgspec.json.Decoder(str).decode
_decode_texts = msgspec.json.Decoder(list[str]).decode

# What no event begins with: the mould of a stream that has none.
NOTHING = b"\0"
# How often a stream may be tried to be learnt from: some vendors put random bytes into every event.
TRIES = 3


def around(event: bytes, key: bytes, text: str) -> tuple[bytes, bytes] | None:
    """What stands before and after the JSON string that follows `key` (`"text":`), where that string is `text`."""
    at = event.find(key)
    found = _STRING.match(event, at + len(key)) if at >= 0 else None
    if found is None or decode_text(found[1]) != text:
        return None
    return event[: found.start(1)], event[found.end(1) :]


class Counted(Struct, array_like=True, forbid_unknown_fields=True, gc=False):
    """A text, and the counts that came with it."""

    text: str
    counts: Raw


_decode_counted = msgspec.json.Decoder(list[Counted]).decode


class Run:
    """Reads a piece of the stream that holds whole events of one mould and nothing else, all of them at once.

    The events are cut at their blank lines and what differs is cut out by its place; where putting all together again gives
    the same bytes, nothing else was there. Between what is decoded together stands a tab, which no JSON string may
    hold, so that none goes on from one event into the next.
    """

    __slots__ = ("_after", "_before", "_between", "_blank", "_end", "_head", "_seam", "_tail")

    def __init__(self, before: bytes, after: bytes, between: bytes = b"") -> None:
        """The mould of events that are one line, `data: …`. `between` stands before the counts, where there are any."""
        line = after.rstrip(b"\r\n")  # of a line's end there may be all, half or nothing: see `EventSplitter.split`
        blank = b"\n\n" if line == after else b"\r\n\r\n"
        self._blank = blank + before[:6]
        self._end = -len(blank)
        self._before = len(before) - 6
        self._after = -len(line)
        self._between = between
        self._head = before
        self._tail = line + blank
        self._seam = self._tail + before

    def texts(self, data: bytes) -> list[str] | None:
        """The events' texts. None where the piece is anything else."""
        cuts = self._cut(data)
        if cuts is None:
            return None
        try:
            told = _decode_texts(b"[" + b",\t".join(cuts) + b"]")
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        return told if len(told) == len(cuts) else None

    def counted(self, data: bytes) -> list[Counted] | None:
        """The events' texts and counts. None where the piece is anything else."""
        cuts = self._cut(data)
        if cuts is None:
            return None
        between = self._between
        pairs = b"],\t[".join(cuts)
        # What stands between holds bare quotation marks, so it can be in no string.
        told = pairs.replace(between, b",")
        if len(pairs) - len(told) != len(cuts) * (len(between) - 1):
            return None
        try:
            counted = _decode_counted(b"[[" + told + b"]]")
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        return counted if len(counted) == len(cuts) else None

    def _cut(self, data: bytes) -> list[bytes] | None:
        if not data.startswith(self._head):
            return None
        before, after = self._before, self._after
        cuts = [event[before:after] for event in data[6 : self._end].split(self._blank)]
        return cuts if self._head + self._seam.join(cuts) + self._tail == data else None
