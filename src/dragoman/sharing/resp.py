"""The protocol that Valkey and Redis speak (RESP2), as far as it is needed here; no sockets.

Source: https://valkey.io/topics/protocol/ (read 2026-11).
"""

from __future__ import annotations

from typing import TypeAlias

Reply: TypeAlias = "int | bytes | list[Reply] | Failure | None"

LONGEST = 64 * 1024 * 1024
"""Bytes of answers that wait for their end: whoever sends more speaks another protocol."""


_NOTHING: None = None


class Failure:
    """An error that was answered instead; its first word is its kind."""

    __slots__ = ("message",)

    def __init__(self, message: str) -> None:
        self.message = message


class Garbage(Exception):
    """What was received is no answer."""


def command(*words: str | int) -> bytes:
    parts = [f"*{len(words)}\r\n".encode()]
    for word in words:
        text = str(word).encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(text), text))
    return b"".join(parts)


class Replies:
    """Bytes in, answers out, whole ones only."""

    def __init__(self) -> None:
        self._received = bytearray()

    def feed(self, data: bytes) -> list[Reply]:
        received = self._received
        received += data
        if len(received) > LONGEST:
            raise Garbage("an answer is too long")
        replies: list[Reply] = []
        start = 0
        while True:
            found = _read(received, start)
            if found is None:
                break
            reply, start = found
            replies.append(reply)
        del received[:start]
        return replies


def _read(received: bytearray, start: int) -> tuple[Reply, int] | None:
    """One answer and where it ends; None if it is not all there."""
    end = received.find(b"\r\n", start)
    if end < 0:
        return None
    kind, line = received[start : start + 1], bytes(received[start + 1 : end])
    start = end + 2
    if kind == b"+":
        return line, start
    if kind == b"-":
        return Failure(line.decode(errors="replace")), start
    try:
        number = int(line)
    except ValueError:
        raise Garbage("an answer is not of this protocol") from None
    if kind == b":":
        return number, start
    if kind == b"$":
        if number < 0:
            return _NOTHING, start
        if len(received) < start + number + 2:
            return None
        return bytes(received[start : start + number]), start + number + 2
    if kind == b"*":
        items: list[Reply] = []
        for _ in range(number):
            found = _read(received, start)
            if found is None:
                return None
            item, start = found
            items.append(item)
        return items, start
    raise Garbage("an answer is not of this protocol")
