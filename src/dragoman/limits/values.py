"""What is limited, what is asked for, and what is answered. Money is whole nanodollars throughout; it becomes a decimal string
only in words. How the counts are kept is not told here."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

NANOS = 10**9

Period = Literal["day", "month", "total"]
Kind = Literal["requests", "tokens", "concurrent", "budget", "full"]


class Limits(Struct, frozen=True):
    """None is no limit."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrent_requests: int | None = None


class Budget(Struct, frozen=True):
    """So many nanodollars in a calendar day or month of UTC, or ever."""

    nanos: int
    window: Period


class Rule(Struct, frozen=True):
    """One thing that is limited. Counts belong to `id` ("key:key_01", "model:fast"), so that another limit under the same id
    goes on from what was counted; `name` is for messages: "the key 'ci'"."""

    id: str
    name: str
    limits: Limits | None = None
    budget: Budget | None = None


class Demand(Struct, gc=False):
    """What a request may come to, at most. `nanos` is None where no price is known; `bounded` tells whether the caller itself
    set the bound on the output, or only we assumed one."""

    tokens: int
    nanos: int | None
    bounded: bool = True


class Refused(Struct, frozen=True):
    """Why not. `limit` and `remaining` count in the unit of `kind`, money in nanodollars; `retry_after` is in seconds, None
    where waiting does not help."""

    rule: Rule
    kind: Kind
    limit: int
    remaining: int
    retry_after: float | None
    message: str


class Level(Struct, frozen=True, gc=False):
    """How a limit per minute stands. `reset` is in seconds: when nothing would be counted any more."""

    limit: int
    remaining: int
    reset: float


class Standing(Struct, frozen=True, gc=False):
    """For headers: of all rules that limit it, the one with the least left. None where nothing is limited."""

    requests: Level | None = None
    tokens: Level | None = None


def usd(nanos: int) -> str:
    """Dollars as a decimal string: of two places, or as many as it takes."""
    whole, rest = divmod(abs(nanos), NANOS)
    places = f"{rest:09d}".rstrip("0").ljust(2, "0")
    return f"{'-' if nanos < 0 else ''}{whole}.{places}"
