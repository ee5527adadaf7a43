"""The calendar of budgets: which day or month of UTC a moment lies in, and the number that stands for it in a table."""

from __future__ import annotations

import calendar
from datetime import UTC, datetime

from msgspec import Struct

from dragoman.limits.values import Period

DAY = 86_400
_KINDS: dict[Period, int] = {"day": 1, "month": 2, "total": 3}

PRIMED = 1  # the lowest bit of a code, where it stands in a table: what was spent before is known


class Window(Struct, frozen=True):
    """From `since` until before `until`, Unix seconds; a total has no end. `name` is "2026-11-23", "2026-11" or "total"."""

    name: str
    since: int
    until: int | None
    # Two windows of one kind compare as they follow each other. The lowest bit is set.
    code: int


def kind_of(code: int) -> int:
    return code >> 1 & 3


def _code(number: int, period: Period) -> int:
    return number << 3 | _KINDS[period] << 1 | PRIMED


def window_at(period: Period, wall: float) -> Window:
    """The window that a moment lies in."""
    if period == "total":
        return Window("total", 0, None, _code(0, period))
    day = int(wall // DAY)
    moment = datetime.fromtimestamp(day * DAY, UTC)
    if period == "day":
        return Window(f"{moment:%Y-%m-%d}", day * DAY, (day + 1) * DAY, _code(day, period))
    since = (day - moment.day + 1) * DAY
    days = calendar.monthrange(moment.year, moment.month)[1]
    number = moment.year * 12 + moment.month - 1
    return Window(f"{moment:%Y-%m}", since, since + days * DAY, _code(number, period))


class Today(Struct, frozen=True):
    """The codes of all windows, good for one day."""

    since: int
    until: int
    codes: dict[Period, int]


def today_at(wall: float) -> Today:
    windows = {period: window_at(period, wall) for period in _KINDS}
    day = windows["day"]
    assert day.until is not None
    return Today(day.since, day.until, {period: window.code for period, window in windows.items()})
