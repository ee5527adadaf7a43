"""A machine's share of a limit, for the time in which the machines cannot count together.

Rounded down, so that all shares together are no more than the limit; but never less than one request, one at a time or one
token, for a key of a small limit shall not be dead meanwhile.
"""

from __future__ import annotations

from dragoman.limits.values import Budget, Limits, Refused, Rule

FRESH = 2.0  # seconds for which what was heard of a limit still says more than a share of it
CHUNK = 8  # of its part of what is left, a machine that cannot ask takes an eighth at most while others may be asking

LINGER = 10.0  # seconds for which a machine that is seen no more still counts: it may be only late


class Machines:
    """How many there are: as many as were seen, and of those that are missing, none before they are missing for long."""

    def __init__(self, count: int = 1) -> None:
        self.count = max(1, count)
        self._fewer = 0
        self._since: float | None = None

    def seen(self, count: int, now: float) -> None:
        count = max(1, count)
        if count >= self.count:
            self.count, self._since = count, None
        elif self._since is None:
            self._fewer, self._since = count, now
        else:
            self._fewer = max(self._fewer, count)
            if now - self._since >= LINGER:
                self.count, self._since = self._fewer, None


def _part(limit: int | None, machines: int) -> int | None:
    return None if limit is None else min(limit, max(1, limit // machines))


def share_of(rule: Rule, machines: int, spent: int) -> Rule:
    """The same rule, for one of several machines. `spent` is what was spent by all under its budget when they parted."""
    limits, budget = rule.limits, rule.budget
    if limits is not None:
        limits = Limits(
            _part(limits.requests_per_minute, machines),
            _part(limits.tokens_per_minute, machines),
            _part(limits.concurrent_requests, machines),
        )
    if budget is not None:
        budget = Budget(min(budget.nanos, spent + max(0, budget.nanos - spent) // machines), budget.window)
    return Rule(rule.id, rule.name, limits, budget)


def told(refused: Refused, rule: Rule, machines: int) -> Refused:
    """A refusal by a share says so, and names the rule itself."""
    said = f" This is one machine's share: what {machines:,} of them share cannot be reached now."
    message = refused.message + (said if machines > 1 else "")
    return Refused(rule, refused.kind, refused.limit, refused.remaining, refused.retry_after, message)


def doubted(refused: Refused) -> Refused:
    """A refusal in the moment in which nobody can tell what others take."""
    message = f"{refused.message} What the machines share does not answer at this moment."
    return Refused(refused.rule, refused.kind, refused.limit, refused.remaining, refused.retry_after, message)
