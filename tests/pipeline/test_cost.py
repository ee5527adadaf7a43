"""What a step costs, and by which service tier: what the vendor says it was, else what was asked for."""

from __future__ import annotations

import json

import pytest

from dragoman.config import Settings
from dragoman.pipeline.call import Call
from dragoman.pipeline.cost import price_asked, price_billed, tier_asked, tier_billed
from dragoman.pipeline.snapshot import Snapshot, snapshot_of
from dragoman.pipeline.step import Step, steps_of
from dragoman.protocols.base import Route
from dragoman.protocols.known import PROTOCOLS

PROTOCOL, ROUTE = PROTOCOLS["openai-chat"], Route("generate")
OPENAI = {"protocols": ["openai-chat"], "api_key": "k", "models": ["gpt-*", "o3", "o4-*"]}
SETTINGS = Settings.model_validate(
    {
        "providers": {"openai": OPENAI, "nobody": {**OPENAI, "base_url": "http://127.0.0.1:1", "models": ["knows"]}},
        "models": {
            "ours": {"targets": [{"provider": "openai", "model": "gpt-5"}], "price": {"input": "3", "output": "7"}},
        },
    }
)
SNAPSHOT = snapshot_of(SETTINGS, demo=False, root_key=None)


def call(name: str, body: bytes = b"", answer: bytes = b"", snapshot: Snapshot = SNAPSHOT) -> tuple[Call, Step]:
    made = Call(snapshot)
    made.body, made.answer = body, answer
    asked = {"model": name, **json.loads(body or b"{}")}
    made.peek = PROTOCOL.peek(json.dumps(asked).encode(), ROUTE)
    made.resolved = snapshot.directory.resolve(name)
    assert made.resolved is not None
    (step,) = steps_of(made.resolved, snapshot.endpoints, PROTOCOL).values()
    return made, step


def tiered() -> str:
    """A model of the bundled table's that costs something else in another tier."""
    for name in ("gpt-5", "gpt-5-mini", "gpt-4.1", "o3", "o4-mini", "gpt-5.1", "gpt-5.4"):
        if SNAPSHOT.book.quote("openai", name, Call(SNAPSHOT).when).tiered:
            return name
    raise AssertionError("the table has no tiers")


@pytest.mark.parametrize(
    ("body", "answer", "asked", "billed"),
    [
        (b'{"service_tier":"flex"}', b'{"service_tier":"flex"}', "flex", "flex"),
        (b'{"service_tier":"priority"}', b'{"service_tier": "default"}', "priority", "default"),
        (b'{"service_tier": "PRIORITY"}', b"{}", "priority", "priority"),
        (b'{"service_tier": 7}', b"{}", None, None),
        (b"{}", b'{"usageMetadata":{"serviceTier":"FLEX"}}', None, "flex"),
        (b'{"service_tier":"auto"}', b'{"service_tier":"priority"}', None, "priority"),
        (b'{"service_tier":"auto"}', b"{}", None, None),
        (b"{}", b"{}", None, None),
        (b'{"x":"\\"service_tier\\":\\"flex\\""}', b'{"content":"\\"service_tier\\":\\"flex\\""}', None, None),
    ],
)
def test_the_answer_counts(body: bytes, answer: bytes, asked: str | None, billed: str | None) -> None:
    made, step = call(tiered(), body, answer)
    assert tier_asked(made) == asked
    assert tier_billed(made) == billed
    for found, tier in ((price_asked(made, step), asked), (price_billed(made, step), billed)):
        price = SNAPSHOT.quote(step.target.model, step.target, made.when, tier).price
        assert price is not None
        assert found is not None
        assert found.rates == price.rates


@pytest.mark.parametrize("name", ["ours", "nobody/knows"])
def test_where_tiers_make_no_difference_nobody_looks_for_one(name: str) -> None:
    made, step = call(name, b'{"service_tier":"flex"}', b'{"service_tier":"flex"}')
    price = SNAPSHOT.quote(name, step.target, made.when).price
    assert price_asked(made, step) is price_billed(made, step) is price


def test_a_tier_has_its_own_price() -> None:
    made, step = call(tiered())
    usual = price_asked(made, step)
    assert usual is not None
    prices = [SNAPSHOT.quote(step.target.model, step.target, made.when, tier).price for tier in ("flex", "priority")]
    assert any(price is not None and price.rates != usual.rates for price in prices)
    default = SNAPSHOT.quote(step.target.model, step.target, made.when, "default").price
    assert default is not None
    assert default.rates == usual.rates


def test_a_price_is_looked_up_again_when_it_may_have_changed() -> None:
    made, step = call(tiered())
    price_asked(made, step)
    before = step.quote
    assert before is not None
    made.when = before.until
    price_asked(made, step)
    assert step.quote is not before
    assert step.quote is not None
    assert step.quote.since <= made.when < step.quote.until


def test_a_stream_tells_it_in_one_of_its_pieces() -> None:
    made, _ = call(tiered(), b'{"service_tier":"flex"}')
    made.stream = True
    assert tier_billed(made) == "flex"
    for piece in (b"data: {}", b'data: {"service_tier":"default"}', b"data: [DONE]"):
        made.heard.add(piece)
    assert tier_billed(made) == "default"


@pytest.mark.parametrize(
    ("protocol", "member"),
    [
        ("openai-chat", "service_tier"),
        ("openai-responses", "service_tier"),
        ("anthropic", "service_tier"),
        ("gemini", "serviceTier"),
        ("gemini", "service_tier"),
    ],
)
def test_each_protocol_has_its_word_for_what_is_asked(protocol: str, member: str) -> None:
    body = json.dumps({"model": "m", member: "Priority", "messages": [{member: "flex"}]}).encode()
    peeked = PROTOCOLS[protocol].peek(body, Route("generate", model="m"))
    assert peeked.tier == "priority"
