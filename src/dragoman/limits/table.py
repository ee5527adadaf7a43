"""A table of slots, one for each rule that is in use, found by the digest of the rule's id. In this process's memory;
`shared` lays it into a file for several.

A rule can stand in a few slots only, in an order of its own (open addressing); where all of those are in use, there is no room.
A slot that was idle for long enough goes to the next rule that needs one. Who calls what changes slots holds the lock.
"""

from __future__ import annotations

import mmap
from hashlib import blake2b

from dragoman.limits import minute, money
from dragoman.limits.layout import (
    COLUMNS,
    CURRENT,
    EMPTY,
    GENERATION,
    HEADER,
    LEFT,
    RECORDS,
    SECOND,
    TAG,
    TAG_REST,
    Words,
    slot_words,
    table_words,
)

SLOTS = 16_384
_PLACES = 128  # so many slots a rule may stand in: at nine tenths in use, one in a million finds no room
# After a minute nothing is counted any more. What was spent can be had from the ledger again, but only what it knows already.
_IDLE = minute.SPAN + 1
_IDLE_MONEY = 3600
_CHUNK = 32  # slots that are mended under one lock


class Table:
    """One process's own. Not safe for threads."""

    def __init__(self, slots: int = SLOTS) -> None:
        # Anonymous pages cost memory only once they are written to.
        self._lay(mmap.mmap(-1, 8 * table_words(slots, 1)), slots, workers=1, worker=0)

    def _lay(self, pages: mmap.mmap, slots: int, *, workers: int, worker: int) -> None:
        if slots < 1 or slots & (slots - 1):
            raise ValueError(f"{slots} slots: the number must be a power of two")
        if not 0 <= worker < workers:
            raise ValueError(f"worker {worker} of {workers}")
        self._pages = pages
        self.words: Words = memoryview(pages).cast("q")
        self.slots = slots
        self.workers = workers
        self.worker = worker
        self.size = slot_words(workers)

    @property
    def lock(self) -> int | None:
        """The file that is locked by `flock`, if others change the table too."""
        return None

    def acquire(self) -> None:
        """Nobody else is there."""

    def release(self) -> None: ...

    def close(self) -> None:
        self.words.release()
        self._pages.close()

    def find(self, rule: str, second: int, *, claim: bool) -> int | None:
        """Where a rule's slot begins. None if it has none; and with `claim`, if there is no room for one."""
        words = self.words
        digest = blake2b(rule.encode(), digest_size=16).digest()
        tag = int.from_bytes(digest[:8], "little", signed=True) | 2  # neither EMPTY nor LEFT
        rest = int.from_bytes(digest[8:], "little", signed=True)
        number, step = rest & 0xFFFF_FFFF, (rest >> 32 & 0xFFFF_FFFF) | 1
        free = None
        for _ in range(min(_PLACES, self.slots)):
            slot = HEADER + (number & (self.slots - 1)) * self.size
            held = words[slot + TAG]
            if held == tag and words[slot + TAG_REST] == rest:
                return slot
            if held == EMPTY:
                if free is None:
                    free = slot
                break
            if claim and free is None and (held == LEFT or self._idle(slot, second)):
                free = slot
            number += step
        if not claim or free is None:
            return None
        self._claim(free, tag, rest, second)
        return free

    def _idle(self, slot: int, second: int) -> bool:
        words = self.words
        kept = _IDLE_MONEY if any(words[slot + record] for record in RECORDS) else _IDLE
        if words[slot + SECOND] + kept > second:
            return False
        return not any(words[slot + COLUMNS : slot + COLUMNS + 2 * self.workers])

    def _claim(self, slot: int, tag: int, rest: int, second: int) -> None:
        """The tag is the last to be stored: whoever dies before leaves a slot without an owner."""
        words = self.words
        if words[slot + TAG] != EMPTY:
            words[GENERATION] += 1
            words[slot + TAG] = LEFT
            for word in range(slot + TAG_REST, slot + self.size):
                words[word] = 0
        words[slot + SECOND] = second
        words[slot + CURRENT] = RECORDS[0]
        words[slot + TAG_REST] = rest
        words[slot + TAG] = tag

    def running(self, slot: int) -> int:
        """Requests under way."""
        return sum(self.words[slot + COLUMNS : slot + COLUMNS + self.workers])

    def reserved(self, slot: int) -> int:
        """Money reserved for them."""
        return sum(self.words[slot + COLUMNS + self.workers : slot + COLUMNS + 2 * self.workers])

    def forget_worker(self, worker: int) -> None:
        """A worker is dead: what it had under way is given back, what it left half done is mended, and what it may have spent
        without telling is asked of the ledger again. To be called before another takes its number."""
        if not 0 <= worker < self.workers:
            raise ValueError(f"worker {worker} of {self.workers}")
        for first in range(0, self.slots, _CHUNK):
            self.acquire()
            try:
                for number in range(first, min(first + _CHUNK, self.slots)):
                    slot = HEADER + number * self.size
                    if self.words[slot + TAG] not in (EMPTY, LEFT):
                        self._forget(slot, worker)
            finally:
                self.release()

    def _forget(self, slot: int, worker: int) -> None:
        words = self.words
        running = slot + COLUMNS + worker
        reserved = running + self.workers
        if words[running] or words[reserved]:
            money.unprime(words, slot)
            words[running] = 0
            words[reserved] = 0
        minute.mend(words, slot)
