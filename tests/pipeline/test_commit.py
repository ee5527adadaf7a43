"""What a stream begins with is held: so much, so long, and no more once anything has gone on."""

from __future__ import annotations

from math import inf

from dragoman.pipeline.commit import LONGEST_HELD, MOST_HELD, Opening


def test_it_is_held_until_the_first_real_output() -> None:
    opening = Opening()
    assert (opening.begun, opening.over, opening.until) == (False, False, inf)
    assert opening.hold(b"", 1.0) == b""
    assert (opening.begun, opening.until) == (
        False,
        1.0 + LONGEST_HELD,
    )  # the caller waits, though for nothing that is held
    assert opening.hold(b"a", 2.0) == b"" and opening.hold(b"b", 3.0) == b""
    assert (opening.begun, opening.over, opening.until) == (True, False, 1.0 + LONGEST_HELD)
    assert opening.end() == b"ab"
    assert (opening.begun, opening.over, opening.until) == (True, True, inf)
    assert opening.end() == b""


def test_not_more_than_so_much() -> None:
    opening = Opening()
    assert opening.hold(b"x" * MOST_HELD, 0.0) == b""
    assert opening.hold(b"y", 0.0) == b"x" * MOST_HELD + b"y"
    assert opening.over


def test_not_longer_than_so_long() -> None:
    opening = Opening()
    assert opening.hold(b"a", 5.0) == b""
    assert opening.hold(b"b", 5.0 + LONGEST_HELD) == b"ab"
    assert opening.over
