"""How often the same target may be asked again, over all requests: a share of what succeeds there, and a little beside it.

A target in trouble is not helped by three times the requests. Only successes earn, so where nothing succeeds, next to nothing
is retried.
"""

from __future__ import annotations

from dragoman.health.policy import Policy


class RetryBudget:
    __slots__ = ("_left", "_policy", "_when")

    def __init__(self, policy: Policy, now: float) -> None:
        self._policy = policy
        self._left = policy.retry_floor
        self._when = now

    def earn(self) -> None:
        """A call succeeded."""
        policy = self._policy
        if self._left < 10 * policy.retry_floor:
            self._left += policy.retry_share

    def spend(self, now: float) -> bool:
        """Whether a retry may be made, which then is."""
        policy = self._policy
        if self._left < policy.retry_floor:
            self._left = min(policy.retry_floor, self._left + (now - self._when) / policy.retry_every)
        self._when = now
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True


def backoff(retry: int, chance: float, policy: Policy) -> float:
    """How long to wait before the `retry`-th retry, from 0 on: anything up to a ceiling that doubles, so that those who failed
    together do not come again together. `chance` is uniform from 0 to 1."""
    return chance * min(policy.last_backoff, policy.first_backoff * 2.0 ** min(retry, 30))
