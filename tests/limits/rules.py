"""What the tests of limits have in common: rules, demands, meters over both tables."""

from __future__ import annotations

from dragoman.limits import NANOS, Budget, Demand, Grant, Limits, LocalMeter, Refused, Rule
from dragoman.limits.values import Period

WALL = 1_795_000_000.0  # 2026-11-18T11:06:40Z


def key(
    requests: int | None = None,
    tokens: int | None = None,
    concurrent: int | None = None,
    *,
    usd: float | None = None,
    window: Period = "month",
    id: str = "key:key_01",
) -> Rule:
    budget = None if usd is None else Budget(round(usd * NANOS), window)
    return Rule(id, f"the key '{id[4:]}'", Limits(requests, tokens, concurrent), budget)


def ask(tokens: int = 1, usd: float | None = 0, *, bounded: bool = True) -> Demand:
    return Demand(tokens, None if usd is None else round(usd * NANOS), bounded)


def granted(meter: LocalMeter, rules: tuple[Rule, ...], demand: Demand, now: float, wall: float = WALL) -> Grant:
    answer = meter.reserve(rules, demand, now, wall)
    assert isinstance(answer, Grant), answer
    return answer


def refused(meter: LocalMeter, rules: tuple[Rule, ...], demand: Demand, now: float, wall: float = WALL) -> Refused:
    answer = meter.reserve(rules, demand, now, wall)
    assert isinstance(answer, Refused), answer
    return answer
