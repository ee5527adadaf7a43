"""Request ids: one joins the answer's header, the log line, the span and the ledger entry."""

import os
import time
from math import ceil

# Crockford's base 32 in lower case: no look-alike letters, one word to a double click, and in ASCII order, so ids sort by time.
_SYMBOLS = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [a + b for a in _SYMBOLS for b in _SYMBOLS]
_FROM_BYTE = bytes(ord(_SYMBOLS[byte & 31]) for byte in range(256))
_SUFFIX = 16
_BATCH = 256

_suffixes: list[str] = []
_heads: dict[int, str] = {}


def request_id() -> str:
    """`req_` and 26 of `[0-9a-z]`: 10 tell the Unix millisecond, 16 are random (80 bits). Ids sort by their millisecond."""
    ms = int(time.time() * 1000.0)
    try:
        return f"{_heads[ms >> 20]}{_PAIRS[ms >> 10 & 1023]}{_PAIRS[ms & 1023]}{_suffixes.pop()}"
    except (KeyError, IndexError):
        _refill(ms)
        return request_id()


def id_from(at: float) -> str:
    """What the ids of requests that came at `at`, in Unix seconds, or later are not before."""
    ms = ceil(at * 1000)
    return "req_" + "".join(_PAIRS[ms >> shift & 1023] for shift in (40, 30, 20, 10, 0))


def _refill(ms: int) -> None:
    """Draw many random suffixes in one system call, and spell the part of the clock that stands still for 17 minutes."""
    _heads.clear()
    _heads[ms >> 20] = "req_" + "".join(_PAIRS[ms >> shift & 1023] for shift in (40, 30, 20))
    if not _suffixes:
        text = os.urandom(_SUFFIX * _BATCH).translate(_FROM_BYTE).decode("ascii")
        _suffixes.extend([text[at : at + _SUFFIX] for at in range(0, len(text), _SUFFIX)])


# A forked worker must not hand out the suffixes that its parent drew.
os.register_at_fork(after_in_child=_suffixes.clear)
