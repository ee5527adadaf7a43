"""The commit point of a stream: the moment from which its answer is this target's, because some of it has left for the caller.

What a vendor begins with (a role, `message_start`, `response.created`, empty deltas, pings) says nothing that another target's
answer could not begin with too. It is held until the first real output, so that a vendor that fails up to there is not seen to
fail. The first real output itself is never held, and takes what was held along. What is real, the protocols' `opening` and
`substance` know.
"""

from __future__ import annotations

from math import inf

# Above what a vendor begins with: Responses tell all instructions and tools of the request in each of their first two events.
MOST_HELD = 256 * 1024
# Seconds. A model that thinks in silence for long is not to look dead to the caller, and what lies between, for as long.
LONGEST_HELD = 10.0


class Opening:
    """What is held of one stream. `over` once nothing is any more; `until` is when all that is held must go on, at the latest."""

    __slots__ = ("_pieces", "_size", "over", "until")

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0
        self.over = False
        self.until = inf

    @property
    def begun(self) -> bool:
        """Whether anything is held or has gone on."""
        return self.over or bool(self._pieces)

    def hold(self, piece: bytes, now: float) -> bytes:
        """More that says nothing yet; an empty piece where the caller's protocol has no word for it. Returns what is to go on:
        nothing, or all, where it grows too much or too old."""
        if self.until is inf:
            self.until = now + LONGEST_HELD
        if not piece:
            return b""
        self._pieces.append(piece)
        self._size += len(piece)
        return self.end() if self._size > MOST_HELD or now >= self.until else b""

    def end(self) -> bytes:
        """All that is held; from now on nothing is."""
        self.over = True
        self.until = inf
        held = b"".join(self._pieces)
        self._pieces.clear()
        return held
