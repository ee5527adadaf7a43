"""The seam between the pipeline and whoever counts: reserve before the call, settle or cancel after it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias

from msgspec import Struct

from dragoman.limits.values import Demand, Period, Refused, Rule, Standing
from dragoman.limits.windows import Window

# A rule, the slot that it is counted in (0: nothing to count), its three limits, its budget and the budget's window.
Place: TypeAlias = tuple[Rule, int, int | None, int | None, int | None, int | None, Period]


class Grant(Struct, gc=False):
    """What was taken, where. Good for one `settle` or `cancel`: all that come later change nothing."""

    second: int
    tokens: int
    # None once it is settled.
    places: list[Place] | None
    # A slot, what is reserved there and in which window; None where no budget is.
    money: list[tuple[int, int, int]] | None


class Wanting(Struct, gc=False):
    """Neither granted nor refused: what is counted together with other machines must be asked for first. `decide` is
    awaited once, in place of this answer; it takes 0.3 s at most and does not raise."""

    decide: Callable[[], Awaitable[Grant | Refused]]


class Meter(Protocol):
    """`now` is in seconds of the clock that is never set (CLOCK_MONOTONIC), `wall` in Unix seconds. Nothing raises."""

    def reserve(self, rules: tuple[Rule, ...], demand: Demand, now: float, wall: float) -> Grant | Refused | Wanting:
        """From all rules, or from none. `Wanting` only where machines count together."""
        ...

    def settle(self, grant: Grant, tokens: int | None, nanos: int | None, now: float, wall: float) -> None:
        """What was truly used. None is not known: what was reserved is taken for used."""
        ...

    def cancel(self, grant: Grant, now: float) -> None:
        """No vendor was reached: everything is given back, the request itself too."""
        ...

    def left(self, grant: Grant) -> Standing:
        """For the headers of an answer: what is left, with what was just granted taken off."""
        ...

    def standing(self, rules: tuple[Rule, ...], now: float) -> Standing:
        """For the headers of an answer."""
        ...

    def unprimed(self, rules: tuple[Rule, ...], wall: float) -> list[tuple[Rule, Window]]:
        """The rules with a budget of which nobody has told yet what the ledger holds of the window that runs. `reserve` counts
        what it knows; so this is asked first, and answered by `prime`."""
        ...

    def prime(self, rule: Rule, window: Window, spent: int, now: float) -> None:
        """So many nanodollars were spent in that window, as the ledger has it. More is never made less by this."""
        ...
