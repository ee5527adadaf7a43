"""Why a rule refuses a request, in figures and in words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from dragoman.limits import minute
from dragoman.limits.layout import REQUESTS, TOKENS, Words
from dragoman.limits.values import Budget, Demand, Limits, Refused, Rule, usd
from dragoman.limits.windows import window_at

PerMinute = Literal["requests", "tokens"]

_SOON = 1.0  # nobody knows when a request under way will end
_NO_ROOM_SECONDS = 5.0
_THIS = {"day": "for this day", "month": "for this month", "total": "in total"}


def over_minute(rule: Rule, words: Words, slot: int, demand: Demand, now: float) -> Refused | None:
    """By requests or tokens per minute, whichever takes longer to wait for."""
    limits = rule.limits or Limits()
    refusals = []
    if limits.requests_per_minute is not None:
        refusals.append(_over(rule, "requests", limits.requests_per_minute, words, slot, 1, now))
    # What needs none has its place, also where more was used than was allowed.
    if limits.tokens_per_minute is not None and demand.tokens:
        refusals.append(_over(rule, "tokens", limits.tokens_per_minute, words, slot, demand.tokens, now))
    found = [refused for refused in refusals if refused is not None]
    return max(
        found, key=lambda refused: float("inf") if refused.retry_after is None else refused.retry_after, default=None
    )


def _over(rule: Rule, kind: PerMinute, limit: int, words: Words, slot: int, asked: int, now: float) -> Refused | None:
    total = REQUESTS if kind == "requests" else TOKENS
    count = words[slot + total]
    needed = count + asked - limit
    if needed <= 0:
        return None
    wait = None if asked > limit else minute.seconds_until(words, slot, total, needed, now)
    return over(rule, kind, limit, limit - count, asked, wait)


def over(rule: Rule, kind: PerMinute, limit: int, left: int, asked: int, wait: float | None) -> Refused:
    """A limit per minute, of which less is left than is asked for."""
    left = max(0, left)
    if asked > limit:
        wait = None
    said = f"{_start(rule)} is limited to {limit:,} {kind} a minute"
    if wait is None and asked > 1:
        said += f", and this request alone may take {asked:,}. Send less, or ask for fewer output tokens."
    elif wait is None:
        said += "."
    elif kind == "tokens":
        said += f": {left:,} are left, and this request may take {asked:,}. Try again in {_seconds(wait)}."
    else:
        said += f". Try again in {_seconds(wait)}."
    return Refused(rule, kind, limit, left, wait, said)


def over_concurrent(rule: Rule, limit: int, running: int) -> Refused:
    said = f"{_start(rule)} is limited to {limit:,} requests at a time, and {running:,} are under way."
    if limit > 0:
        said += " Try again when one of them has ended."
    return Refused(rule, "concurrent", limit, max(0, limit - running), _SOON if limit > 0 else None, said)


def over_budget(rule: Rule, budget: Budget, demand: Demand, spent: int, reserved: int, wall: float) -> Refused:
    until = window_at(budget.window, wall).until
    begins = None if until is None else float(until) - wall
    of_budget = f"its budget of {usd(budget.nanos)} USD {_THIS[budget.window]}"
    left = max(0, budget.nanos - spent)
    if left == 0:
        said, wait = f"{_start(rule)} has spent {of_budget}.{_anew(until)}", begins
    else:
        said = f"{_start(rule)} has {usd(left)} USD left of {of_budget}"
        free = max(0, left - reserved)
        if reserved:
            said += f", {usd(reserved)} USD of it reserved for requests under way"
        if demand.nanos is not None and demand.bounded:
            said += f"; this request could cost {usd(demand.nanos)} USD"
        if demand.nanos is not None and demand.nanos > left and demand.bounded:
            said, wait = f"{said}. Ask for fewer output tokens.{_anew(until)}", begins
        else:
            said, wait = f"{said}. Try again when they have ended.", _SOON
        left = free
    return Refused(rule, "budget", budget.nanos, left, wait, said)


def no_room(rule: Rule, slots: int) -> Refused:
    said = (
        f"The limits of {rule.name} cannot be kept now: this gateway counts for {slots:,} keys and models at a time, and "
        f"all are in use. Try again in {_seconds(_NO_ROOM_SECONDS)}."
    )
    return Refused(rule, "full", slots, 0, _NO_ROOM_SECONDS, said)


def _start(rule: Rule) -> str:
    return rule.name[:1].upper() + rule.name[1:]


def _anew(until: int | None) -> str:
    return "" if until is None else f" A new one begins at {datetime.fromtimestamp(until, UTC):%Y-%m-%dT%H:%M:%SZ}."


def _seconds(wait: float) -> str:
    return f"{max(1, -int(-wait // 1))} s"
