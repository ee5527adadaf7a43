"""What an answer's headers say is left: what the meter would say a moment later."""

from __future__ import annotations

from dragoman.limits import Demand, Grant, Limits, LocalMeter, Rule, Table

KEY = Rule("key:a", "the key 'a'", Limits(5, 1000, None))
MODEL = Rule("model:m", "the model 'm'", Limits(3, None, 9))


def test_what_is_left_is_what_stands() -> None:
    meter = LocalMeter(Table())
    for number in range(3):
        grant = meter.reserve((KEY, MODEL), Demand(100, 0), 100.0 + number, 0.0)
        assert isinstance(grant, Grant)
        left, standing = meter.left(grant), meter.standing((KEY, MODEL), 100.0 + number)
        assert left.requests is not None
        assert standing.requests is not None
        assert left.tokens is not None
        assert standing.tokens is not None
        assert (left.requests.limit, left.requests.remaining) == (3, 2 - number)
        assert (left.tokens.limit, left.tokens.remaining) == (1000, 900 - 100 * number)
        for mine, theirs in ((left.requests, standing.requests), (left.tokens, standing.tokens)):
            assert (mine.limit, mine.remaining) == (theirs.limit, theirs.remaining)
            assert 0 <= theirs.reset - mine.reset <= 1 or 0 <= mine.reset - theirs.reset <= 1


def test_what_is_not_limited_is_not_told() -> None:
    meter = LocalMeter(Table())
    rule = Rule("key:b", "the key 'b'", Limits(None, None, 2))
    grant = meter.reserve((rule,), Demand(1, 0), 1.0, 0.0)
    assert isinstance(grant, Grant)
    left = meter.left(grant)
    assert (left.requests, left.tokens) == (None, None)
