"""One target's breaker: closed, open, half-open.

Closed: it is asked. Open: it has failed too often, and is left alone until its cool-down is over and enough requests have gone
past it. Half-open: one request at a time tries it; the first failure opens it again, enough successes close it.
"""

from __future__ import annotations

from typing import Literal

from dragoman.health.policy import Policy

State = Literal["closed", "open", "half-open"]


class Breaker:
    """Times as given, in seconds of any one clock. Reports of requests that began before it opened may come at any time."""

    __slots__ = ("_bad", "_good", "_last_bad", "_last_good", "_opened", "_passed", "_probing", "_row", "_turned", "_wins",
                 "policy", "state")  # fmt: skip

    def __init__(self, policy: Policy, now: float) -> None:
        self.policy = policy
        self.state: State = "closed"
        # Outcomes of the half window that runs, and of the one before it.
        self._good = self._bad = self._last_good = self._last_bad = 0
        self._turned = now
        self._row = 0
        self._opened = now
        self._passed = 0
        self._probing: float | None = None  # since when
        self._wins = 0

    def may(self, now: float) -> bool:
        """Whether a request may go to the target; one that does must say so by `begin`."""
        if self.state == "closed":
            return True
        policy = self.policy
        if self.state == "open":
            rested = now - self._opened
            return rested >= policy.cool_down and (self._passed >= policy.passed_over or rested >= policy.longest_pause)
        # An answer may take minutes: one that is awaited for longer than a cool-down holds nobody up.
        return self._probing is None or now - self._probing >= policy.cool_down

    def begin(self, now: float) -> bool:
        """A request goes to the target. Whether it is a probe, which it has to say when it reports."""
        if self.state == "closed" or not self.may(now):
            return False
        if self.state == "open":
            self.state = "half-open"
            self._wins = 0
        self._probing = now
        return True

    def pass_over(self) -> None:
        """A request went past the target because of its breaker."""
        self._passed += 1

    def succeeded(self, now: float) -> bool:
        """Whether that closed it."""
        if self.state == "closed":
            self._row = 0
            if now - self._turned >= self.policy.window / 2:
                self._turn(now)
            self._good += 1
            return False
        # Also where nobody was to ask: whoever was asked as the last resort and answered is worth a probe at once.
        self._probing = None
        self._wins = self._wins + 1 if self.state == "half-open" else 1
        self.state = "half-open"
        if self._wins < self.policy.probes:
            return False
        self.state = "closed"
        self._good = self._bad = self._last_good = self._last_bad = self._row = 0
        self._turned = now
        return True

    def failed(self, now: float, *, probe: bool = False, weight: int = 1) -> bool:
        """Whether that opened it. `weight` is how many failures it counts for."""
        if self.state == "closed":
            if now - self._turned >= self.policy.window / 2:
                self._turn(now)
            self._bad += weight
            self._row += weight
            if not self._is_too_much():
                return False
        elif self.state == "open" or not probe:
            # A straggler tells of the time before, and must not put off the next probe.
            return False
        self.state = "open"
        self._opened = now
        self._passed = 0
        self._probing = None
        return True

    def released(self) -> None:
        """A probe ended and tells nothing."""
        self._probing = None

    def _is_too_much(self) -> bool:
        policy = self.policy
        if self._row >= policy.in_a_row:
            return True
        bad = self._bad + self._last_bad
        return bad >= policy.failures and bad >= policy.share * (bad + self._good + self._last_good)

    def _turn(self, now: float) -> None:
        if now - self._turned >= self.policy.window:
            self._last_good = self._last_bad = 0
        else:
            self._last_good, self._last_bad = self._good, self._bad
        self._good = self._bad = 0
        self._turned = now
