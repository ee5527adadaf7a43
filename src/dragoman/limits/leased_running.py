"""How many requests of one rule may be under way here, of those that may be under way on all machines.

What is held there is told as a whole number each time, never as a difference: an answer that is lost does no harm. A place that
is free is kept only where there are many. Pure, as `leased_minute`.
"""

from __future__ import annotations

from dragoman.limits import refusal
from dragoman.limits.share import CHUNK, FRESH
from dragoman.limits.values import Demand, Refused, Rule

_TELL_AGAIN = 60.0  # seconds: what is held there and never told again ends, for who held it may be gone


class LeasedRunning:
    script = "running"

    def __init__(self, rule: Rule, keys: tuple[str, str], node: str) -> None:
        self.keys = keys
        self._node = node
        self.running = 0
        self.held = 0
        self._spare = 0  # so many places may be kept though nobody uses them
        self._need = 0
        self._keep = 0
        self._others = 0  # under way or held elsewhere, as last heard
        self._short = False
        self._heard = -1e9
        self._told = 0.0
        self._used = False
        self.follow(rule)

    def follow(self, rule: Rule) -> None:
        self.rule = rule
        limit = rule.limits.concurrent_requests if rule.limits is not None else None
        self.limit = -1 if limit is None else limit

    def lacks(self, now: float, trust: float) -> bool | Refused:
        if self.running < self.held or self.limit < 0:
            return False
        if self._short and now - self._heard <= trust:
            return refusal.over_concurrent(self.rule, self.limit, self._others + self.running)
        return True

    def doubts(self, now: float, nodes: int) -> Refused | None:
        """Whether a request must not be let in beyond what is held, while others may be asking for what is left."""
        left = max(0, self.limit - self._others - self.held) if now - self._heard <= FRESH else 0
        if self.limit < 0 or self.running < self.held + left // (CHUNK * nodes):
            return None
        return refusal.over_concurrent(self.rule, self.limit, self._others + self.running)

    def want(self, demand: Demand) -> None:
        self._need += 1

    def take(self) -> None:
        self.running += 1
        self._used = True

    def release(self) -> bool:
        """Whether others should be told at once."""
        self.running -= 1
        self._short = False
        return self.held - self.running > self._spare

    # --- the shared store

    def idle(self, now: float) -> bool:
        used, self._used = self._used, False
        return (self.held > self.running and not used) or (self.held > 0 and now - self._told > _TELL_AGAIN)

    def call(self, now: float, nodes: int) -> list[int | str]:
        need, self._need = self._need, 0
        spare = self._spare if self._used or need else 0
        self._keep = max(self.running, min(self.held, self.running + spare))
        self._used = False
        self._told = now
        # Places that are free already serve some of those who wait.
        need = max(0, need - (self._keep - self.running))
        self.held = self._keep
        return [self._node, nodes, self.limit, self._keep, need]

    def answered(self, answer: list[int], sent: float, now: float) -> None:
        given, self._others, self._spare, short = answer
        self.held = self._keep + given
        self._short = bool(short)
        self._heard = now

    def failed(self) -> None:
        self._need = 0

    def lost(self) -> None:
        self.held = self.running
        self._short = False
