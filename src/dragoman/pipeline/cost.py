"""What a step costs: its model's price, in the service tier that the request is billed by where that makes a difference.

The vendor's answer tells which it was; a stream may tell it where nobody looks, and then it is the one that was asked for.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from dragoman.catalog.price import Price
from dragoman.catalog.prices import USUAL_TIERS, Quote
from dragoman.pipeline.call import UNREAD, Call
from dragoman.pipeline.step import Step

# In no text: there the quotes would be escaped.
_TIER = re.compile(rb'"service_?[tT]ier"\s*:\s*"([A-Za-z_]{1,32})"')
# As nearly all answers say it that say one: in a tenth of the pattern's time.
_AT_USUAL = (b'"service_tier":"default"', b'"service_tier": "default"')
# What is asked for and leaves the choice to the vendor.
_OPEN = frozenset({"auto", "standard_only"})


def price_asked(call: Call, step: Step) -> Price | None:
    """What the step will cost, by what the caller asks for. None where it is not known."""
    quote = _quote(call, step)
    return quote.price if not quote.tiered else _in_tier(call, step, tier_asked(call))


def price_billed(call: Call, step: Step) -> Price | None:
    """What it does cost, by what the vendor tells."""
    quote = _quote(call, step)
    return quote.price if not quote.tiered else _in_tier(call, step, tier_billed(call))


def tier_asked(call: Call) -> str | None:
    """Also what `tier_billed` goes by where the answer does not tell."""
    if call.tier == UNREAD:
        call.tier = _tier((call.body,))
    return call.tier


def tier_billed(call: Call) -> str | None:
    return _tier(call.heard.pieces if call.stream else (call.answer,)) or tier_asked(call)


def _quote(call: Call, step: Step) -> Quote:
    """Of the usual tier. Steps are of one snapshot and one public name, so it is looked up once a day for each of them."""
    quote = step.quote
    if quote is None or not quote.since <= call.when < quote.until:
        assert call.resolved is not None
        quote = step.quote = call.snapshot.quote(call.resolved.name, step.target, call.when)
    return quote


def _in_tier(call: Call, step: Step, tier: str | None) -> Price | None:
    if tier is None or tier in USUAL_TIERS:
        return _quote(call, step).price
    assert call.resolved is not None
    return call.snapshot.quote(call.resolved.name, step.target, call.when, tier).price


def _tier(texts: Sequence[bytes]) -> str | None:
    """What the first of them says that says any."""
    for text in texts:
        at = text.find(b'"service')
        if at < 0:
            continue
        if text.startswith(_AT_USUAL, at):
            return "default"
        if (found := _TIER.search(text, at)) is not None:
            tier = found[1].decode().lower()
            return None if tier in _OPEN else tier
    return None
