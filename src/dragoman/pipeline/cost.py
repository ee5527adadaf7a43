"""What a step costs: its model's price, in the service tier that the request is billed by where that makes a difference.

The vendor's answer tells which it was; a stream may tell it where nobody looks, and then it is the one that was asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from dragoman.catalog.price import Price
from dragoman.catalog.prices import USUAL_TIERS
from dragoman.pipeline.call import Call
from dragoman.pipeline.step import Step

# In no text: there the quotes would be escaped.
_TIER = re.compile(rb'"service_?[tT]ier"\s*:\s*"([A-Za-z_]{1,32})"')
# As nearly all answers say it that say one: in a tenth of the pattern's time.
_AT_USUAL = (b'"service_tier":"default"', b'"service_tier": "default"')
# What is asked for and leaves the choice to the vendor.
_OPEN = frozenset({"auto", "standard_only"})


def price_asked(call: Call, step: Step) -> Price | None:
    """What the step will cost, by what the caller asks for. None where it is not known."""
    return _price(call, step, tier_asked)


def price_billed(call: Call, step: Step) -> Price | None:
    """What it does cost, by what the vendor tells."""
    return _price(call, step, tier_billed)


def tier_asked(call: Call) -> str | None:
    """Also what `tier_billed` goes by where the answer does not tell."""
    tier = call.peek.tier if call.peek is not None else None
    return None if tier in _OPEN else tier


def tier_billed(call: Call) -> str | None:
    """What the answer says, or of a stream the first of its pieces that says any."""
    for text in call.heard.pieces if call.stream else (call.answer,):
        at = text.rfind(b'"service')  # it stands near the end, with the counts
        if at >= 0:
            if text.startswith(_AT_USUAL, at):
                return "default"
            if (found := _TIER.match(text, at)) is not None:
                tier = found[1].decode().lower()
                return None if tier in _OPEN else tier
    return tier_asked(call)


def _price(call: Call, step: Step, tier_of: Callable[[Call], str | None]) -> Price | None:
    # Steps are of one snapshot and one public name, so the usual tier's price is looked up once a day for each of them.
    quote = step.quote
    if quote is None or not quote.since <= call.when < quote.until:
        assert call.resolved is not None
        quote = step.quote = call.snapshot.quote(call.resolved.name, step.target, call.when)
    if not quote.tiered or (tier := tier_of(call)) is None or tier in USUAL_TIERS:
        return quote.price
    assert call.resolved is not None
    return call.snapshot.quote(call.resolved.name, step.target, call.when, tier).price
