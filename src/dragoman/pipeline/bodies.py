"""The bodies that a worker holds for its requests under way: counted as they come, and bounded together."""

from __future__ import annotations

from dragoman.ir import Overloaded
from dragoman.observe.metrics import Tally

_SOON = 1.0


class Bodies:
    """`held` and `limit` in bytes. Whoever has read holds until it tells `forget`."""

    __slots__ = ("_tally", "held", "limit")

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self.held = 0
        self.limit = 0

    def check(self, more: int) -> None:
        """Raises Overloaded where there is no room for so many bytes more."""
        if self.held + more > self.limit:
            self._tally.shed()
            raise Overloaded(
                "The bodies of the requests under way are as large as this gateway holds (server.max_in_flight_bytes). Try again "
                "shortly.",
                code="gateway_busy",
                retry_after=_SOON,
            )

    def hold(self, size: int) -> None:
        self.held += size

    def forget(self, size: int) -> None:
        self.held -= size
