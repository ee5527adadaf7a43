"""Requests and tokens of one rule's minute, leased from what all machines share.

A lease is charged there when it is taken, to the second in which it is taken, and may be used for `VALID` seconds from when it
was asked for. The shared window is longer by as much; so no 60 seconds hold more uses than the limit. What is not used goes back
to the second it was charged to. Pure: what is sent to the shared store and what it answers are lists of numbers.

At most once goes what lowers counts there, at least once what raises them: where an answer is lost, too much is counted.
"""

from __future__ import annotations

from dragoman.limits import refusal
from dragoman.limits.share import CHUNK, FRESH
from dragoman.limits.values import Demand, Level, Refused, Rule

VALID = 1.0  # seconds
SPAN = 61  # seconds before the present one that count: a minute, and as long as a lease is valid
_KEPT = 3 * SPAN

# By second of the shared store's clock: requests and tokens.
Seconds = dict[int, list[int]]


def _add(seconds: Seconds, second: int, requests: int, tokens: int) -> None:
    counts = seconds.get(second)
    if counts is None:
        seconds[second] = [requests, tokens]
    else:
        counts[0] += requests
        counts[1] += tokens


class LeasedMinute:
    script = "minute"

    def __init__(self, rule: Rule, key: str, clock: float = 0.0) -> None:
        self.keys = (key,)
        self.rule = rule
        # The lease: what is left of it.
        self.requests = 0
        self.tokens = 0
        self.second = 0
        self.until = 0.0
        # What those who wait for it need.
        self._need_requests = 0
        self._need_tokens = 0
        self._used_requests = 0
        self._used_tokens = 0
        # What is left of the limits, in nobody's lease, as last heard.
        self._left_requests = 0
        self._left_tokens = 0
        self._heard = -1e9
        self._short: list[int] | None = None  # the seconds that count, if the last answer gave less than was needed
        # Of what was left then, so much is ours while nothing more is heard; None before that is asked for.
        self._part: list[int] | None = None
        self._clock = clock  # the shared store's clock less ours
        self._credit: Seconds = {}
        self._debit: Seconds = {}
        self._sent: list[Seconds] = []
        self._charged: Seconds = {}  # what is counted there for us
        self.follow(rule)

    def follow(self, rule: Rule) -> None:
        """The rule may have other limits now."""
        limits = rule.limits
        self.rule = rule
        self.requests_limit = -1 if limits is None or limits.requests_per_minute is None else limits.requests_per_minute
        self.tokens_limit = -1 if limits is None or limits.tokens_per_minute is None else limits.tokens_per_minute

    # --- requests

    def lacks(self, demand: Demand, now: float, trust: float) -> bool | Refused:
        """Whether the lease does not do for a request; a refusal if more was asked for and not given, no longer ago than
        `trust`."""
        valid = now < self.until
        requests = self.requests if valid else 0
        tokens = self.tokens if valid else 0
        if (self.requests_limit < 0 or requests >= 1) and (
            self.tokens_limit < 0 or (tokens >= demand.tokens and valid) or not demand.tokens
        ):
            return False
        if self._short is None or now - self._heard > trust:
            return True
        refusals = []
        if self.requests_limit >= 0 and self._left_requests + requests < 1:
            refusals.append(self._refused("requests", self.requests_limit, self._left_requests + requests, 1, now))
        if self.tokens_limit >= 0 and self._left_tokens + tokens < demand.tokens:
            refusals.append(self._refused("tokens", self.tokens_limit, self._left_tokens + tokens, demand.tokens, now))
        return max(refusals, key=lambda refused: refused.retry_after or 1e9) if refusals else True

    def _refused(self, kind: refusal.PerMinute, limit: int, left: int, asked: int, now: float) -> Refused:
        return refusal.over(self.rule, kind, limit, left, asked, self._wait(kind, asked - left, now))

    def _wait(self, kind: str, needed: int, now: float) -> float | None:
        place = 1 if kind == "requests" else 2
        ring = self._short or []
        for at in range(0, len(ring), 3):
            needed -= ring[at + place]
            if needed <= 0:
                return max(0.0, ring[at] + SPAN + 1 - self._clock - now)
        return None

    def want(self, demand: Demand) -> None:
        self._need_requests += 1
        self._need_tokens += demand.tokens

    def take(self, tokens: int) -> int:
        """For one request; the second that it is charged to."""
        if self.requests_limit >= 0:
            self.requests -= 1
            self._used_requests += 1
        if self.tokens_limit >= 0:
            self.tokens -= tokens
            self._used_tokens += tokens
        return self.second

    def forbids(self, demand: Demand, now: float, nodes: int) -> Refused | None:
        """Whether a request must not be let in without a lease either. An outage of a moment must not have every machine take its
        share of what all have used up together just now."""
        if now - self._heard > FRESH:
            return None
        if self._part is None:
            valid = now < self.until
            self._part = [
                (self.requests if valid else 0) + self._left_requests // nodes,
                (self.tokens if valid else 0) + self._left_tokens // nodes,
            ]
        return self._beyond(self._part, demand)

    def doubts(self, demand: Demand, now: float, nodes: int) -> Refused | None:
        """The same while others may be asking there: what is leased is used first, and nothing else is sure."""
        if self.lacks(demand, now, -1.0) is False:
            return None
        if self._part is None:
            most = CHUNK * nodes
            fresh = now - self._heard <= FRESH
            self._part = [self._left_requests // most, self._left_tokens // most] if fresh else [0, 0]
        return self._beyond(self._part, demand)

    def _beyond(self, part: list[int], demand: Demand) -> Refused | None:
        requests, tokens = part
        if self.requests_limit >= 0 and requests < 1:
            return refusal.over(self.rule, "requests", self.requests_limit, 0, 1, FRESH)
        if self.tokens_limit >= 0 and tokens < demand.tokens:
            return refusal.over(self.rule, "tokens", self.tokens_limit, tokens, demand.tokens, FRESH)
        return None

    def owe(self, tokens: int, now: float) -> int:
        """A request that was let in without a lease."""
        if self._part is not None:
            self._part[0] -= 1
            self._part[1] -= tokens
        second = int(now + self._clock)
        self._raise(second, 1, tokens)
        return second

    def settle(self, second: int, more: int, now: float) -> bool:
        """So many more tokens than were reserved; fewer where it is negative. Whether there is something to tell."""
        if self.tokens_limit < 0 or not more:
            return False
        if more > 0:
            self._raise(int(now + self._clock), 0, more)
            return True
        return self._give_back(second, 0, -more, now)

    def cancel(self, second: int, tokens: int, now: float) -> bool:
        return self._give_back(second, 1, tokens, now)

    def _give_back(self, second: int, requests: int, tokens: int, now: float) -> bool:
        requests = requests if self.requests_limit >= 0 else 0
        tokens = tokens if self.tokens_limit >= 0 else 0
        if second == self.second and now < self.until:
            self.requests += requests
            self.tokens += tokens
            return False
        _add(self._credit, second, -requests, -tokens)
        return True

    def _raise(self, second: int, requests: int, tokens: int) -> None:
        _add(self._debit, second, requests if self.requests_limit >= 0 else 0, tokens if self.tokens_limit >= 0 else 0)
        if len(self._debit) > _KEPT:
            self._debit = {at: counts for at, counts in self._debit.items() if at >= second - SPAN}

    def level(self, kind: str, now: float) -> Level | None:
        """None if nothing was heard that still holds."""
        if now - self._heard > SPAN:
            return None
        valid = now < self.until
        if kind == "requests":
            limit, left = self.requests_limit, self._left_requests + (self.requests if valid else 0)
        else:
            limit, left = self.tokens_limit, self._left_tokens + (self.tokens if valid else 0)
        if limit < 0:
            return None
        left = min(max(left, 0), limit)
        return Level(limit, left, 0.0 if left == limit else max(0.0, self._heard + SPAN + 1 - now))

    # --- the shared store

    def idle(self, now: float) -> bool:
        """Whether there is something to give back or to tell. A lease that is in use is kept while it is valid."""
        if (self.requests > 0 or self.tokens > 0) and (
            now >= self.until or not (self._used_requests or self._used_tokens)
        ):
            return True
        return bool(self._credit or self._debit)

    def call(self, now: float, nodes: int) -> list[int | str]:
        need, used = self._need_requests, self._used_requests
        need_tokens, used_tokens = self._need_tokens, self._used_tokens
        if need or now >= self.until or not (used or used_tokens):
            if self.requests > 0 or self.tokens > 0:
                _add(self._credit, self.second, -max(0, self.requests), -max(0, self.tokens))
            self.requests = self.tokens = 0
            self.until = 0.0
        self._need_requests = self._need_tokens = self._used_requests = self._used_tokens = 0
        self._sent = [self._credit, self._debit]
        self._credit, self._debit = {}, {}
        words: list[int | str] = [SPAN, nodes, self.requests_limit, need, need + used if need else 0]
        words += [self.tokens_limit, need_tokens, need_tokens + used_tokens if need else 0]
        for seconds in self._sent:
            for second, (requests, tokens) in seconds.items():
                words += [second, requests, tokens]
        return words

    def answered(self, answer: list[int], sent: float, now: float) -> None:
        second, micros, requests, self._left_requests, tokens, self._left_tokens, *ring = answer
        # It was not asked before it was sent: our clock may lead by the way there, never lag.
        self._clock = second + micros / 1e6 - sent
        self._heard = now
        self._part = None
        self._short = ring or None
        for seconds in self._sent:
            for at, (less_requests, less_tokens) in seconds.items():
                _add(self._charged, at, less_requests, less_tokens)
        self._sent = []
        if requests or tokens:
            self.requests, self.tokens = requests, tokens
            self.second, self.until = second, sent + VALID
            _add(self._charged, second, requests, tokens)
        if len(self._charged) > _KEPT:
            self._charged = {at: counts for at, counts in self._charged.items() if at >= second - SPAN}

    def failed(self) -> None:
        """Whether it was carried out is not known."""
        for second, (requests, tokens) in self._sent[1].items() if self._sent else ():
            _add(self._debit, second, requests, tokens)
        self._sent = []
        self._need_requests = self._need_tokens = 0

    def lost(self) -> None:
        """The shared store has forgotten everything: what we had taken of the minute is told again, less what is left."""
        if self.requests > 0 or self.tokens > 0:
            _add(self._charged, self.second, -max(0, self.requests), -max(0, self.tokens))
        self.requests = self.tokens = 0
        self.until = 0.0
        self._short = None
        for seconds in (self._charged, self._credit):
            for second, (requests, tokens) in seconds.items():
                _add(self._debit, second, requests, tokens)
        self._debit = {at: [max(0, counts[0]), max(0, counts[1])] for at, counts in self._debit.items()}
        self._charged, self._credit = {}, {}
