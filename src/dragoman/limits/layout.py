"""Where what stands in a table of slots: words of eight bytes, signed. A word is stored at once or not at all, even by a process
that is killed while it stores."""

from __future__ import annotations

from typing import TypeAlias

Words: TypeAlias = "memoryview[int]"

# The table's own words.
MARK = 0  # says what this is, and in which version
WORKERS = 1
SLOTS = 2
GENERATION = 3  # how many slots have changed their owner: whoever remembers places must look again
HEADER = 8

MAGIC = 0x647261676F6D6131  # "dragoma1"

# A slot's words, counted from its first.
TAG = 0  # half of the digest of the rule's id; or one of the two below
TAG_REST = 1  # the other half
SECOND = 2  # the newest second of the minute, which is when the slot was used last
REQUESTS = 3  # sums of the rings
TOKENS = 4
CURRENT = 5  # which of the two records of money counts: its place in the slot
RECORDS = (6, 8)  # a window's code, and behind it what was spent in it
RING = 16  # requests by second, and behind it tokens
SECONDS = 64
COLUMNS = (
    RING + 2 * SECONDS
)  # for each worker, the requests it has under way; then for each, the money reserved for them

EMPTY = 0  # a slot that never had an owner: whoever looks for a rule need not look further
LEFT = 1  # a slot that has none any more


def slot_words(workers: int) -> int:
    """A slot's size: whole cache lines."""
    return -(-(COLUMNS + 2 * workers) // 8) * 8


def table_words(slots: int, workers: int) -> int:
    return HEADER + slots * slot_words(workers)
