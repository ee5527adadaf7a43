"""A strict caller's error is bounded, however many fields it made up, and says how many it does not name."""

import pytest

from dragoman.ir import Loss
from dragoman.pipeline.refused_losses import LONGEST, MOST, cut, told


@pytest.mark.parametrize("count", [1, MOST - 1, MOST, MOST + 1, 10_000])
def test_how_many(count: int) -> None:
    text = told([Loss(f"f{number}.", "no such field") for number in range(count)])
    named = min(count, MOST)
    assert [f"f{number}." in text for number in range(named)] == [True] * named
    assert f"f{MOST}.:" not in text
    assert text.endswith(f"; and {count - MOST} more" if count > MOST else f"f{count - 1}.: no such field")


@pytest.mark.parametrize("length", [1, LONGEST, LONGEST + 1, 1_000_000])
def test_how_long(length: int) -> None:
    path, why = "p" * length, "字" * length
    text = told([Loss(path, why)] * 100)
    assert len(text) <= MOST * (2 * LONGEST + 4) + 20
    assert cut(path) == (path if length <= LONGEST else path[: LONGEST - 1] + "…")
