"""What a request may come to, before anybody knows: tokens, and money by the dearest of its targets.

The tokens are a fair guess, put right a moment later. The money is a ceiling: whoever has a budget must not be able to
spend beyond it by asking often at the same time.
"""

from __future__ import annotations

from collections.abc import Sequence

from dragoman.catalog.price import Price
from dragoman.limits import Demand
from dragoman.pipeline.call import Call
from dragoman.pipeline.estimate import LONG_BODY, MEDIA_TOKENS, Reading

# What is assumed of a request that bounds its output by nothing: for tokens a minute what answers usually are, for money more
# than nearly any answer is.
USUAL_OUTPUT = 1024
LONG_OUTPUT = 32_768


def demand_of(call: Call, prices: Sequence[Price | None] | None) -> Demand:
    """`prices` are those of the targets, one of which will be asked: what may be spent is the dearest one's. None where money
    does not matter."""
    peek, body = call.peek, call.body
    assert peek is not None
    bound, answers = peek.bound, peek.answers
    # What the request names and the gateway keeps is read by the vendor, too.
    reading = Reading(body) if call.state is None else Reading(body, call.state.named_bytes)
    tokens = reading.tokens + answers * (USUAL_OUTPUT if bound is None else bound)
    if prices is None:
        return Demand(tokens, 0, bound is not None)
    into, out = reading.most_tokens, answers * (LONG_OUTPUT if bound is None else bound)
    # Behind addresses there may be pictures and sounds. A single byte is sought first: that takes a twentieth of the time.
    addresses = body.count(b"://") + body.count(b":\\/\\/") if body.find(b"/") >= 0 else 0
    into += addresses * MEDIA_TOKENS
    highest: int | None = None
    for price in prices:
        if price is not None:
            # What is seen, heard, drawn or written to a cache may cost several times what text does; looked for where it does.
            media = price.of_media and bool(addresses or len(body) > LONG_BODY or body.find(b"odalit") >= 0)
            caches = price.of_caches and body.find(b"cache") >= 0
            ceiling = price.estimate_ceiling(into, out, caches=caches, media=media)
            if highest is None or ceiling > highest:
                highest = ceiling
    return Demand(tokens, highest, bound is not None)
