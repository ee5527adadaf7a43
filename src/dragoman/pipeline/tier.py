"""The service tier that a request is billed by, where its model costs more or less in another than the usual one.

The vendor's answer tells which it was; a stream may tell it where nobody looks, and then it is the one that was asked for.
"""

from __future__ import annotations

import re

from dragoman.catalog.directory import Target
from dragoman.pipeline.call import Call

# In no text: there the quotes would be escaped.
_TIER = re.compile(rb'"service_?[tT]ier"\s*:\s*"([A-Za-z_]{1,32})"')
# What is asked for and leaves the choice to the vendor.
_OPEN = frozenset({"auto", "standard_only"})


def tier_asked(call: Call, target: Target) -> str | None:
    """Also what `tier_billed` goes by where the answer does not tell."""
    if call.tier is None and call.snapshot.book.has_tiers(target.provider, target.model):
        call.tier = _tier(call.body)
    return call.tier


def tier_billed(call: Call, target: Target) -> str | None:
    if not call.snapshot.book.has_tiers(target.provider, target.model):
        return None
    return _tier(call.sample) or tier_asked(call, target)


def _tier(data: bytes) -> str | None:
    at = data.find(b'"service')  # in a fifth of the pattern's time; most bodies have none
    if at < 0:
        return None
    found = _TIER.search(data, at)
    tier = found[1].decode().lower() if found is not None else None
    return None if tier in _OPEN else tier
