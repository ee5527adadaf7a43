"""What was spent under a budget, in the window that runs and in the one before it, and what may be reserved of the rest.

The window before is kept, because clocks are set back: the same window found again is the same sum found again.
"""

from __future__ import annotations

from dragoman.limits.layout import CURRENT, RECORDS, Words
from dragoman.limits.values import Demand
from dragoman.limits.windows import PRIMED, kind_of


def record_of(words: Words, slot: int, code: int) -> int:
    """Where the record of a window stands, or 0."""
    for record in (slot + RECORDS[0], slot + RECORDS[1]):
        if words[record] | PRIMED == code:
            return record
    return 0


def turn_to(words: Words, slot: int, code: int) -> int:
    """Makes a window the one that counts; where its record stands."""
    record = record_of(words, slot, code)
    if not record:
        current = slot + words[slot + CURRENT]
        # A clock that was set back further than we remember: what was spent since counts on, until the ledger tells more.
        record = _begin(words, slot, code, words[current + 1] if _is_before(code, words[current]) else 0)
    words[slot + CURRENT] = record - slot
    return record


def _begin(words: Words, slot: int, code: int, spent: int) -> int:
    """In the record that does not count now; it names no window while it is half written."""
    record = slot + RECORDS[0] + RECORDS[1] - words[slot + CURRENT]
    words[record] = 0
    words[record + 1] = spent
    words[record] = code & ~PRIMED
    return record


def _is_before(code: int, other: int) -> bool:
    return kind_of(code) == kind_of(other) and code < other


def prime(words: Words, slot: int, code: int, spent: int) -> None:
    """A window's sum, as the ledger knows it. Of a window that is past it is kept, but turns nothing back."""
    record = record_of(words, slot, code)
    if not record:
        past = _is_before(code, words[slot + words[slot + CURRENT]])
        record = _begin(words, slot, code, 0) if past else turn_to(words, slot, code)
    if words[record + 1] < spent:
        words[record + 1] = spent
    words[record] = code


def unprime(words: Words, slot: int) -> None:
    """What is known may be too little: the ledger is to be asked again."""
    for record in RECORDS:
        words[slot + record] &= ~PRIMED


def held_for(demand: Demand, budget: int, spent: int, reserved: int) -> int:
    """What is reserved for a request that does not simply fit, or -1 if it is refused.

    A bound that only we assumed is no reason to refuse what may cost a hundredth of it; such a request gets all that is left, and
    so is alone."""
    room = budget - spent - reserved
    if demand.nanos is None:
        return 0 if spent < budget else -1
    if demand.nanos <= 0:
        return 0
    if not demand.bounded and not reserved and room > 0:
        return room
    return -1
