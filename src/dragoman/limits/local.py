"""The meter of one machine: counts in a table, this process's own or one shared with the other workers.

This runs twice in every request, so it is short in instructions: no call for what is common, no object but the grant. Sums are
raised before the seconds that make them up, and lowered after them: whoever is killed in between leaves them too high.
"""

from __future__ import annotations

from fcntl import LOCK_EX, LOCK_UN, flock

from dragoman.limits import money, refusal
from dragoman.limits.layout import COLUMNS, CURRENT, GENERATION, REQUESTS, RING, SECOND, SECONDS, TOKENS, Words
from dragoman.limits.meter import Grant, Place
from dragoman.limits.minute import SPAN, advance, counted, seconds_until_empty
from dragoman.limits.table import Table
from dragoman.limits.values import Demand, Level, Refused, Rule, Standing
from dragoman.limits.windows import PRIMED, Today, Window, today_at, window_at

_MASK = SECONDS - 1
_TOKENS_RING = RING + SECONDS
# A vendor's figure beyond this is no figure; sums of them stay within a word.
_MOST = 2**50
_MINUTE = float(SPAN)
_ENDLESS = 2**62  # nanodollars: what a word can hold


def _sane(figure: int) -> int:
    return min(max(figure, 0), _MOST)


def _level(words: Words, total: int, found: tuple[int, int, int], now: float) -> Level:
    left, limit, slot = found
    return Level(limit, left if left > 0 else 0, 0.0 if left == limit else seconds_until_empty(words, slot, total, now))


class LocalMeter:
    """For one thread. What a rule does not limit is not counted, except which requests are under way."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._words = table.words
        self._lock = table.lock
        self._alone = table.workers == 1
        self._running = COLUMNS + table.worker
        self._reserved = COLUMNS + table.workers + table.worker
        self._places: dict[str, Place] = {}
        self._generation = self._words[GENERATION]
        self._today: Today = today_at(0.0)

    def reserve(self, rules: tuple[Rule, ...], demand: Demand, now: float, wall: float) -> Grant | Refused:
        words = self._words
        second = int(now)
        asked = demand.tokens
        places: list[Place] = []
        held: list[tuple[int, int, int]] | None = None
        lock = self._lock
        if lock is not None:
            flock(lock, LOCK_EX)
        try:
            if words[GENERATION] != self._generation:
                self._look_again()
            known = self._places
            for rule in rules:
                place = known.get(rule.id)
                if place is None or place[0] is not rule:
                    place = self._place(rule, second)
                    if place is None:
                        return refusal.no_room(rule, self._table.slots)
                _, slot, requests, tokens, concurrent, budget, period = place
                if not slot:
                    continue
                if words[slot + SECOND] < second:
                    advance(words, slot, second)
                if (requests is not None and words[slot + REQUESTS] >= requests) or (
                    tokens is not None and words[slot + TOKENS] + asked > tokens
                ):
                    refused = refusal.over_minute(rule, words, slot, demand, now)
                    if refused is not None:
                        return refused
                if concurrent is not None:
                    running = words[slot + COLUMNS] if self._alone else self._table.running(slot)
                    if running >= concurrent:
                        return refusal.over_concurrent(rule, concurrent, running)
                if budget is not None:
                    today = self._today
                    if not today.since <= wall < today.until:
                        self._today = today = today_at(wall)
                    code = today.codes[period]
                    record = slot + words[slot + CURRENT]
                    if words[record] | PRIMED != code:
                        record = money.turn_to(words, slot, code)
                    spent = words[record + 1]
                    reserved = words[slot + COLUMNS + 1] if self._alone else self._table.reserved(slot)
                    part = demand.nanos
                    if part is None or part > budget - spent - reserved:
                        part = money.held_for(demand, budget, spent, reserved)
                        if part < 0:
                            assert rule.budget is not None
                            return refusal.over_budget(rule, rule.budget, demand, spent, reserved, wall)
                    if held is None:
                        held = [(slot, part, code)]
                    else:
                        held.append((slot, part, code))
                places.append(place)
            at = RING + (second & _MASK)
            mine = self._running
            for _, slot, requests, tokens, _, _, _ in places:
                words[slot + mine] += 1
                if requests is not None:
                    words[slot + REQUESTS] += 1
                    words[slot + at] += 1
                if tokens is not None:
                    words[slot + TOKENS] += asked
                    words[slot + at + SECONDS] += asked
            if held is not None:
                for slot, part, _ in held:
                    words[slot + self._reserved] += part
        finally:
            if lock is not None:
                flock(lock, LOCK_UN)
        return Grant(second, asked, places, held)

    def settle(self, grant: Grant, tokens: int | None, nanos: int | None, now: float, wall: float) -> None:
        places = grant.places
        if places is None:
            return
        grant.places = None
        words = self._words
        more = 0 if tokens is None else (tokens if 0 <= tokens <= _MOST else _sane(tokens)) - grant.tokens
        running = self._running
        lock = self._lock
        if lock is not None:
            flock(lock, LOCK_EX)
        try:
            for place in places:
                slot = place[1]
                if more and place[3] is not None:
                    if more > 0:
                        self._count_more(slot, more, int(now))
                    elif words[slot + SECOND] - grant.second <= SPAN:  # else it is given back already
                        words[slot + _TOKENS_RING + (grant.second & _MASK)] += more
                        words[slot + TOKENS] += more
                words[slot + running] -= 1
            if grant.money is not None:
                for slot, part, code in grant.money:
                    used = part if nanos is None else nanos if 0 <= nanos <= _MOST else _sane(nanos)
                    record = slot + words[slot + CURRENT]
                    if words[record] | PRIMED != code:
                        record = money.record_of(words, slot, code)
                    if record:
                        words[record + 1] += used
                    words[slot + self._reserved] -= part
        finally:
            if lock is not None:
                flock(lock, LOCK_UN)

    def cancel(self, grant: Grant, now: float) -> None:
        places = grant.places
        if places is None:
            return
        grant.places = None
        words = self._words
        self._table.acquire()
        try:
            for _, slot, requests, tokens, _, _, _ in places:
                if requests is not None:
                    self._give_back(slot, REQUESTS, RING, 1, grant.second)
                if tokens is not None:
                    self._give_back(slot, TOKENS, _TOKENS_RING, grant.tokens, grant.second)
            for slot, part, _ in grant.money or ():
                words[slot + self._reserved] -= part
            for place in places:
                words[place[1] + self._running] -= 1
        finally:
            self._table.release()

    def left(self, grant: Grant) -> Standing:
        """For the headers of an answer that was just let in: so nothing is forgotten before a whole minute is over."""
        words = self._words
        requests: Level | None = None
        tokens: Level | None = None
        for _, slot, most_requests, most_tokens, _, _, _ in grant.places or ():
            if most_requests is not None:
                left = most_requests - words[slot + REQUESTS]
                if requests is None or left < requests.remaining:
                    requests = Level(most_requests, left if left > 0 else 0, _MINUTE)
            if most_tokens is not None:
                left = most_tokens - words[slot + TOKENS]
                if tokens is None or left < tokens.remaining:
                    tokens = Level(most_tokens, left if left > 0 else 0, _MINUTE)
        return Standing(requests, tokens)

    def standing(self, rules: tuple[Rule, ...], now: float) -> Standing:
        """Looks without the lock: others may be counting meanwhile, and a header may be a moment old."""
        words = self._words
        second = int(now)
        # What is left, of how much, and where it is counted.
        requests: tuple[int, int, int] | None = None
        tokens: tuple[int, int, int] | None = None
        for rule in rules:
            limits = rule.limits
            if limits is None:
                continue
            slot = self._slot(rule, second)
            fresh = slot and words[slot + SECOND] == second
            limit = limits.requests_per_minute
            if limit is not None:
                left = limit - (words[slot + REQUESTS] if fresh else counted(words, slot, REQUESTS, second))
                if requests is None or left < requests[0]:
                    requests = (left, limit, slot)
            limit = limits.tokens_per_minute
            if limit is not None:
                left = limit - (words[slot + TOKENS] if fresh else counted(words, slot, TOKENS, second))
                if tokens is None or left < tokens[0]:
                    tokens = (left, limit, slot)
        return Standing(
            None if requests is None else _level(words, REQUESTS, requests, now),
            None if tokens is None else _level(words, TOKENS, tokens, now),
        )

    def unprimed(self, rules: tuple[Rule, ...], wall: float) -> list[tuple[Rule, Window]]:
        """Looks without the lock, too."""
        found: list[tuple[Rule, Window]] = []
        for rule in rules:
            budget = rule.budget
            if budget is None:
                continue
            if not self._today.since <= wall < self._today.until:
                self._today = today_at(wall)
            code = self._today.codes[budget.window]
            slot = self._slot(rule, 0)
            if not slot or self._words[slot + self._words[slot + CURRENT]] != code:
                record = money.record_of(self._words, slot, code) if slot else 0
                if not record or self._words[record] != code:
                    found.append((rule, window_at(budget.window, wall)))
        return found

    def prime(self, rule: Rule, window: Window, spent: int, now: float) -> None:
        second = int(now)
        self._table.acquire()
        try:
            slot = self._table.find(rule.id, second, claim=True)
            if slot is not None:
                if self._words[slot + SECOND] < second:
                    advance(self._words, slot, second)
                money.prime(self._words, slot, window.code, min(max(spent, 0), _ENDLESS))
        finally:
            self._table.release()

    # --- places

    def _look_again(self) -> None:
        """Slots have changed their owners."""
        self._places.clear()
        self._generation = self._words[GENERATION]

    def _place(self, rule: Rule, second: int) -> Place | None:
        """Of a rule that is new to this process, or has other limits now. None if there is no room."""
        limits, budget = rule.limits, rule.budget
        if len(self._places) > 2 * self._table.slots:
            self._places.clear()
        if limits is None and budget is None:
            place: Place = (rule, 0, None, None, None, None, "total")
        else:
            was = self._places.get(rule.id)
            slot = was[1] if was is not None and was[1] else self._table.find(rule.id, second, claim=True)
            if slot is None:
                return None
            if self._words[GENERATION] != self._generation:  # it was given a slot that another rule's place may lead to
                self._look_again()
            place = (
                rule,
                slot,
                limits.requests_per_minute if limits else None,
                limits.tokens_per_minute if limits else None,
                limits.concurrent_requests if limits else None,
                min(budget.nanos, _ENDLESS) if budget else None,
                budget.window if budget else "total",
            )
        self._places[rule.id] = place
        return place

    def _slot(self, rule: Rule, second: int) -> int:
        """Where a rule is counted, or 0 if it is not yet."""
        if self._words[GENERATION] == self._generation:
            place = self._places.get(rule.id)
            if place is not None:
                return place[1]
        return self._table.find(rule.id, second, claim=False) or 0

    # --- minutes

    def _count_more(self, slot: int, more: int, second: int) -> None:
        """What a request took beyond what was reserved counts from when it is known."""
        words = self._words
        if words[slot + SECOND] < second:
            advance(words, slot, second)
        words[slot + TOKENS] += more
        words[slot + _TOKENS_RING + (words[slot + SECOND] & _MASK)] += more

    def _give_back(self, slot: int, total: int, ring: int, less: int, second: int) -> None:
        """Into the second that it was taken from; if that is past, it is given back already."""
        words = self._words
        if words[slot + SECOND] - second <= SPAN:
            words[slot + ring + (second & _MASK)] -= less
            words[slot + total] -= less
