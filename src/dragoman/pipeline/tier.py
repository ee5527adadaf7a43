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
    return _tier(call.body) if call.snapshot.book.has_tiers(target.provider, target.model) else None


def tier_billed(call: Call, target: Target) -> str | None:
    if not call.snapshot.book.has_tiers(target.provider, target.model):
        return None
    return _tier(call.sample) or _tier(call.body)


def _tier(data: bytes) -> str | None:
    found = _TIER.search(data)
    tier = found[1].decode().lower() if found is not None else None
    return None if tier in _OPEN else tier
