"""What may be spent here of one rule's budget in one window, of what is left of it on all machines.

Held there for us is what is reserved for requests under way, what they spent and is not told yet, and little more. What was spent
is told as our whole sum and grows there by what is new in it, so that an answer that is lost does no harm. Pure, as
`leased_minute`.
"""

from __future__ import annotations

from dragoman.limits import refusal
from dragoman.limits.share import CHUNK, FRESH
from dragoman.limits.values import Budget, Demand, Refused, Rule
from dragoman.limits.windows import Window

_TRUST = 0.1  # seconds


class LeasedMoney:
    script = "money"

    def __init__(self, rule: Rule, window: Window, keys: tuple[str, str], node: str) -> None:
        self.keys = keys
        self.window = window
        self._node = node
        self.reserved = 0
        self.held = 0
        self.spent = 0  # by all, as last heard
        self._own = 0  # spent by us
        self._own_told = 0  # of that, what is counted there for certain
        self._own_sent = 0
        self._others = 0  # held elsewhere
        self._left = 0  # of the budget, after what is spent and held
        self._spare = 0
        self._need = 0
        self._drawn = 0  # since more was needed last, or since all was quiet
        self._keep = 0
        self._known = False
        self._short = False
        self._heard = -1e9
        self._used = False
        # What was spent before, until it is told there; and whether the ledger was asked.
        self._prime: int | None = None
        self._prime_sent: int | None = None
        self.primed = False
        self.follow(rule)

    def follow(self, rule: Rule) -> None:
        assert rule.budget is not None
        self.rule = rule
        self.budget: Budget = rule.budget

    @property
    def spent_by_all(self) -> int:
        return max(self.spent + self._own - self._own_told, self._prime or 0)

    @property
    def spent_at_parting(self) -> int:
        """The same without what we have spent since: it stays while nothing is heard."""
        return max(self.spent, self._prime or 0)

    @property
    def _free(self) -> int:
        return self.held - self.reserved - (self._own - self._own_told)

    def part(self, demand: Demand, now: float, wall: float, trust: float) -> int | bool | Refused:
        """What to reserve; True if more must be had first."""
        if not self._known or self._prime is not None:
            return True
        free = self._free
        # What is spent does not come back.
        believed = now - self._heard <= (max(trust, _TRUST) if self.spent_by_all >= self.budget.nanos else trust)
        if demand.nanos is None:
            if self.spent_by_all < self.budget.nanos:
                return 0
        elif demand.nanos <= free or demand.nanos <= 0:
            return max(demand.nanos, 0)
        elif not demand.bounded and free > 0 and not self.reserved and not self._others and self._left <= 0:
            return free  # all that is left, and nobody else is there
        if believed and (demand.nanos is None or (self._short and demand.nanos > free + self._left)):
            reserved = self.reserved + self._others
            return refusal.over_budget(self.rule, self.budget, demand, self.spent_by_all, reserved, wall)
        return True

    def doubts(self, demand: Demand, now: float, wall: float, nodes: int) -> Refused | None:
        """Whether a request must not be let in beyond what is held, while others may be asking for what is left."""
        known = self._known and self._prime is None
        left = self._left // (CHUNK * nodes) if known and now - self._heard <= FRESH else 0
        if demand.nanos is None:
            fits = known and self.spent_by_all < self.budget.nanos
        else:
            fits = demand.nanos <= max(0, self._free + left)
        reserved = self.reserved + self._others
        return None if fits else refusal.over_budget(self.rule, self.budget, demand, self.spent_by_all, reserved, wall)

    def want(self, demand: Demand) -> None:
        self._need += max(demand.nanos or 0, 0)

    def take(self, part: int) -> None:
        self.reserved += part
        self._drawn += part
        self._used = True

    def settle(self, part: int, used: int) -> bool:
        """Whether others should be told soon."""
        self.reserved -= part
        self._own += used
        self._short = False
        return used > 0 or self._free > self._spare

    def prime(self, spent: int) -> bool:
        """Whether it is news."""
        news = not self.primed or spent > self.spent_by_all
        self.primed = True
        if news:
            self._prime = max(spent, self._prime or 0)
        return news

    # --- the shared store

    def idle(self, now: float) -> bool:
        used, self._used = self._used, False
        if not used:
            self._drawn = 0
        return (self._free > 0 and not used) or self._own > self._own_told or self._prime is not None

    def done(self) -> bool:
        """Of a window that is past: whether nothing of it is open any more."""
        return not self.reserved and not self.held and self._own == self._own_told and self._prime is None

    def call(self, now: float, nodes: int) -> list[int | str]:
        need, self._need = self._need, 0
        free = max(0, self._free)
        kept = min(free, max(self._spare, need)) if self._used or need else 0
        self._used = False
        self._keep = self.reserved + kept
        self._own_sent = self._own
        self.held = self._keep + self._own - self._own_told
        self._prime_sent = self._prime
        prime = -1 if self._prime is None else self._prime
        limit = min(self.budget.nanos, 2**62)
        wish = need + self._drawn if need else 0
        if need:
            self._drawn = 0
        need = max(0, need - kept)
        return [self._node, nodes, limit, self._own, self._own_told, self._keep, need, wish, prime, int(self.primed)]

    def answered(self, answer: list[int], sent: float, now: float) -> None:
        given, spent, self._others, self._left, self._spare, short, primed = answer
        if spent < self.spent:  # it was forgotten there: such keys may be thrown out where memory is short
            self._prime = self.spent + self._own_sent - self._own_told
            self.primed = False
        elif self._prime == self._prime_sent:
            self._prime = None
        self.spent = spent
        self.held = self._keep + given
        self._own_told = self._own_sent
        self.primed = self.primed and bool(primed)
        self._short = bool(short)
        self._known = True
        self._heard = now

    def failed(self) -> None:
        self._need = 0

    def lost(self) -> None:
        """What was spent is known from what was heard last, until the ledger tells more; what we have not told is told then."""
        self._prime = self.spent_at_parting
        self.held = self.reserved
        self.primed = False
        self._short = False
