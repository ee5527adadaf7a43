"""What a request may come to, before anybody knows: tokens, and money by the dearest of its targets.

The tokens are a fair guess, put right a moment later. The money is a ceiling: whoever has a budget must not be able to
spend beyond it by asking often at the same time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from dragoman.catalog.price import Price
from dragoman.limits import Demand
from dragoman.pipeline.estimate import LONG_BODY, MEDIA_TOKENS, input_tokens, most_input_tokens

# What is assumed of a request that bounds its output by nothing: for tokens a minute what answers usually are, for money more
# than nearly any answer is.
USUAL_OUTPUT = 1024
LONG_OUTPUT = 32_768
_MOST = 2**31


class _Bounds(Struct, gc=False):
    """The members that bound an answer, in any of the protocols. Whether they make sense is judged elsewhere."""

    max_tokens: Any = None
    max_completion_tokens: Any = None
    max_output_tokens: Any = None
    n: Any = None
    generationConfig: Any = None
    generation_config: Any = None


_decode = msgspec.json.Decoder(_Bounds).decode


def demand_of(body: bytes, prices: Sequence[Price | None] | None) -> Demand:
    """`prices` are those of the targets, one of which will be asked: what may be spent is the dearest one's. None where money
    does not matter."""
    bound, answers = output_bound(body)
    tokens = input_tokens(body) + answers * (USUAL_OUTPUT if bound is None else bound)
    if prices is None:
        return Demand(tokens, 0, bound is not None)
    into, out = most_input_tokens(body), answers * (LONG_OUTPUT if bound is None else bound)
    # Behind addresses there may be pictures and sounds.
    addresses = body.count(b"://") if b"://" in body else 0
    into += addresses * MEDIA_TOKENS
    highest: int | None = None
    for price in prices:
        if price is not None:
            # What is seen, heard, drawn or written to a cache may cost several times what text does; looked for where it does.
            media = price.of_media and (addresses > 0 or len(body) > LONG_BODY or b"odalit" in body)
            caches = price.of_caches and b"cache" in body
            ceiling = price.estimate_ceiling(into, out, caches=caches, media=media)
            if highest is None or ceiling > highest:
                highest = ceiling
    return Demand(tokens, highest, bound is not None)


def output_bound(body: bytes) -> tuple[int | None, int]:
    """The most tokens that one answer may have, as far as the caller says, and how many answers are asked for."""
    try:
        told = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None, 1
    config = told.generationConfig or told.generation_config
    if type(config) is dict:
        bound = _whole(config.get("maxOutputTokens", config.get("max_output_tokens")))
        return bound, _whole(config.get("candidateCount", config.get("candidate_count"))) or 1
    bound = _whole(told.max_completion_tokens)
    if bound is None:
        bound = _whole(told.max_tokens)
        if bound is None:
            bound = _whole(told.max_output_tokens)
    return bound, _whole(told.n) or 1


def _whole(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value < _MOST else None
