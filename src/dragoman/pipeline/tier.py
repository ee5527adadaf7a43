"""The service tier that a request is billed by, where its model costs more or less in another than the usual one.

The vendor's answer tells which it was; a stream may tell it where nobody looks, and then it is the one that was asked for.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from dragoman.catalog.directory import Target
from dragoman.pipeline.call import UNREAD, Call

# In no text: there the quotes would be escaped.
_TIER = re.compile(rb'"service_?[tT]ier"\s*:\s*"([A-Za-z_]{1,32})"')
# What is asked for and leaves the choice to the vendor.
_OPEN = frozenset({"auto", "standard_only"})


def tier_asked(call: Call, target: Target) -> str | None:
    """Also what `tier_billed` goes by where the answer does not tell."""
    if not call.snapshot.book.has_tiers(target.provider, target.model):
        return None
    if call.tier == UNREAD:
        call.tier = _tier((call.body,))
    return call.tier


def tier_billed(call: Call, target: Target) -> str | None:
    if not call.snapshot.book.has_tiers(target.provider, target.model):
        return None
    return _tier(call.heard.pieces if call.stream else (call.answer,)) or tier_asked(call, target)


def _tier(texts: Sequence[bytes]) -> str | None:
    """What the first of them says that says any."""
    for text in texts:
        at = text.find(b'"service')  # in a fifth of the pattern's time; most have none
        if at >= 0 and (found := _TIER.search(text, at)) is not None:
            tier = found[1].decode().lower()
            return None if tier in _OPEN else tier
    return None
