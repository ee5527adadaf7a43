"""Which service tier is billed: what the vendor says it was, else what was asked for."""

from __future__ import annotations

import pytest

from dragoman.catalog.directory import Target
from dragoman.config import Settings
from dragoman.pipeline.call import Call
from dragoman.pipeline.snapshot import snapshot_of
from dragoman.pipeline.tier import tier_asked, tier_billed

SETTINGS = Settings.model_validate(
    {"providers": {"openai": {"protocols": ["openai-chat"], "api_key": "k", "models": ["gpt-*"]}}}
)


def call(body: bytes, answer: bytes = b"") -> Call:
    made = Call(snapshot_of(SETTINGS, demo=False, root_key=None))
    made.body, made.answer = body, answer
    return made


def tiered() -> Target:
    """A model of the bundled table's that costs something else in another tier."""
    book = call(b"").snapshot.book
    for name in ("gpt-5", "gpt-5-mini", "gpt-4.1", "o3", "o4-mini", "gpt-5.1", "gpt-5.4"):
        if book.has_tiers("openai", name):
            return Target("openai", name)
    raise AssertionError("the table has no tiers")


@pytest.mark.parametrize(
    ("body", "answer", "asked", "billed"),
    [
        (b'{"service_tier":"flex"}', b'{"service_tier":"flex"}', "flex", "flex"),
        (b'{"service_tier":"priority"}', b'{"service_tier": "default"}', "priority", "default"),
        (b'{"serviceTier": "PRIORITY"}', b"{}", "priority", "priority"),
        (b'{"service_tier":"auto"}', b'{"service_tier":"priority"}', None, "priority"),
        (b'{"service_tier":"auto"}', b"{}", None, None),
        (b"{}", b"{}", None, None),
        (b'{"content":"\\"service_tier\\":\\"flex\\""}', b"{}", None, None),
    ],
)
def test_the_answer_counts(body: bytes, answer: bytes, asked: str | None, billed: str | None) -> None:
    made, target = call(body, answer), tiered()
    assert tier_asked(made, target) == asked
    assert tier_billed(made, target) == billed


def test_where_tiers_cost_the_same_nobody_looks() -> None:
    made = call(b'{"service_tier":"flex"}')
    assert tier_asked(made, Target("nobody", "knows")) is None


def test_a_tier_has_its_own_price() -> None:
    made, target = call(b""), tiered()
    usual = made.snapshot.price(target.model, target, made.when)
    prices = [made.snapshot.price(target.model, target, made.when, tier) for tier in ("flex", "priority", "batch")]
    assert usual is not None
    assert any(price is not None and price.rates != usual.rates for price in prices)
    default = made.snapshot.price(target.model, target, made.when, "default")
    assert default is not None
    assert default.rates == usual.rates


def test_a_stream_tells_it_in_one_of_its_pieces() -> None:
    made, target = call(b'{"service_tier":"flex"}'), tiered()
    made.stream = True
    assert tier_billed(made, target) == "flex"
    for piece in (b"data: {}", b'data: {"service_tier":"default"}', b"data: [DONE]"):
        made.heard.add(piece)
    assert tier_billed(made, target) == "default"
