"""Money in words, and the calendar of budgets."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.limits import usd, window_at


@pytest.mark.parametrize(
    ("nanos", "text"),
    [
        (0, "0.00"),
        (10**9, "1.00"),
        (10**8, "0.10"),
        (1, "0.000000001"),
        (12_345_600_000, "12.3456"),
        (-5 * 10**8, "-0.50"),
    ],
)
def test_dollars(nanos: int, text: str) -> None:
    assert usd(nanos) == text


@pytest.mark.parametrize(
    ("period", "at", "name", "days"),
    [
        ("day", "2026-11-23T23:59:59.999+00:00", "2026-11-23", 1),
        ("day", "2026-11-24T00:00:00+00:00", "2026-11-24", 1),
        ("day", "2026-11-24T01:00:00+02:00", "2026-11-23", 1),
        ("month", "2026-12-31T23:59:59+00:00", "2026-12", 31),
        ("month", "2027-01-01T00:00:00+00:00", "2027-01", 31),
        ("month", "2028-02-29T12:00:00+00:00", "2028-02", 29),
    ],
)
def test_windows(period: str, at: str, name: str, days: int) -> None:
    window = window_at(period, datetime.fromisoformat(at).timestamp())  # type: ignore[arg-type]
    assert (window.name, window.until) == (name, window.since + days * 86_400)
    assert window_at("total", 5.0).until is None


@given(wall=st.floats(0, 4e9), period=st.sampled_from(["day", "month"]))
def test_windows_follow_each_other(wall: float, period: str) -> None:
    window = window_at(period, wall)  # type: ignore[arg-type]
    assert window.until is not None and window.since <= wall < window.until
    follower = window_at(period, window.until)  # type: ignore[arg-type]
    assert follower.since == window.until and follower.code > window.code
    assert datetime.fromtimestamp(window.since, UTC).strftime("%Y-%m-%d").startswith(window.name)
