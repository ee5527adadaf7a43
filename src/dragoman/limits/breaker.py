"""Whether what is shared is asked, or done without. Pure, given the time.

Closed: it answers, and is asked. Open: it did not, and is left alone for a while; that while doubles with each try that fails.
Half open: one try is under way. Nobody else waits for it.
"""

from __future__ import annotations

from typing import Literal

FIRST_REST = 0.1  # seconds
LONGEST_REST = 1.0

State = Literal["closed", "open", "half-open"]


class Breaker:
    """Opens at the first failure: doing without costs little here, and a second wait would cost every request."""

    def __init__(self) -> None:
        self.state: State = "open"  # until it has answered for the first time
        self._rest = FIRST_REST
        self._until = 0.0
        self._closed_at = 0.0

    def wait(self, now: float) -> float:
        """How long until the next try may begin."""
        return max(0.0, self._until - now) if self.state == "open" else 0.0

    def begin(self, now: float) -> bool:
        """Whether a try may begin now, which it then does."""
        if self.state != "open" or now < self._until:
            return False
        self.state = "half-open"
        return True

    def succeeded(self, now: float) -> None:
        if self.state != "closed":
            self._closed_at = now
        self.state = "closed"

    def failed(self, now: float) -> None:
        """After having been closed for a while the first try may begin at once: a cut connection is made anew in no time."""
        if self.state == "closed" and now - self._closed_at >= LONGEST_REST:
            self._rest = FIRST_REST
            self._until = now
        else:
            self._until = now + self._rest
            self._rest = min(2 * self._rest, LONGEST_REST)
        self.state = "open"
