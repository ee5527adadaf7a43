"""The sliding minute: counts by whole seconds in a ring, and their sum.

A second is given back only when all of it is more than a minute ago. So no 60 seconds, wherever they begin, hold more than the
limit; at full demand a limit's worth passes in 61 seconds, which is 1.6 % less.

Whoever dies between two stores leaves the sum too high, never too low; `mend` puts it right.
"""

from __future__ import annotations

from dragoman.limits.layout import REQUESTS, RING, SECOND, SECONDS, TOKENS, Words

SPAN = 60  # seconds before the present one that count
_MASK = SECONDS - 1
_NOTHING = memoryview(bytes(8 * 2 * SECONDS)).cast("q")


def advance(words: Words, slot: int, second: int) -> None:
    """Forgets what is past, as of a second later than the slot's own."""
    last = words[slot + SECOND]
    ring = slot + RING
    if second - last > SPAN:
        words[ring : ring + 2 * SECONDS] = _NOTHING
        words[slot + REQUESTS] = 0
        words[slot + TOKENS] = 0
    else:
        requests = tokens = 0
        for past in range(last - SPAN, second - SPAN):
            at = ring + (past & _MASK)
            if words[at]:
                requests += words[at]
                words[at] = 0
            at += SECONDS
            if words[at]:
                tokens += words[at]
                words[at] = 0
        if requests:
            words[slot + REQUESTS] -= requests
        if tokens:
            words[slot + TOKENS] -= tokens
    words[slot + SECOND] = second


def ring_of(total: int) -> int:
    return RING if total == REQUESTS else RING + SECONDS


def mend(words: Words, slot: int) -> None:
    """Makes the sums again from the seconds."""
    for total in (REQUESTS, TOKENS):
        ring = slot + ring_of(total)
        words[slot + total] = sum(words[ring : ring + SECONDS])


def counted(words: Words, slot: int, total: int, second: int) -> int:
    """What counts in this second, changing nothing; nothing where there is no slot."""
    if not slot:
        return 0
    last = words[slot + SECOND]
    count = words[slot + total]
    if second <= last or not count:
        return count
    if second - last > SPAN:
        return 0
    ring = slot + ring_of(total)
    return count - sum(words[ring + (past & _MASK)] for past in range(last - SPAN, second - SPAN))


def seconds_until(words: Words, slot: int, total: int, needed: int, now: float) -> float | None:
    """When so much will have been given back, if nothing else is taken; None if there isn't so much."""
    last = words[slot + SECOND]
    ring = slot + ring_of(total)
    for past in range(last - SPAN, last + 1):
        needed -= words[ring + (past & _MASK)]
        if needed <= 0:
            return max(0.0, past + SPAN + 1 - now)
    return None


def seconds_until_empty(words: Words, slot: int, total: int, now: float) -> float:
    """When all will have been given back."""
    last = words[slot + SECOND]
    ring = slot + ring_of(total)
    if words[ring + (last & _MASK)]:
        return max(0.0, last + SPAN + 1 - now)
    for past in range(last - 1, last - SPAN - 1, -1):
        if words[ring + (past & _MASK)]:
            return max(0.0, past + SPAN + 1 - now)
    return 0.0
