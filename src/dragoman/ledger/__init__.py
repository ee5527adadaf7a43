"""Every request that a key made, exact after the death of any process.

An entry is in a worker's journal before the last byte of its answer leaves, and in the database moments later. What a request
was is the pipeline's to say, and the tables are the store's; here is the way between them.
"""

from pathlib import Path

from dragoman.ledger.entry import Entry
from dragoman.ledger.journal import FILES, SEGMENT_BYTES, Journal, JournalFull, make_room
from dragoman.ledger.ledger import Ledger
from dragoman.ledger.recovery import catch_up, has_any, remove_unfinished

JOURNAL_BYTES = FILES * SEGMENT_BYTES
"""What a journal takes to begin with."""


def journal_of(data: Path) -> Path:
    """Where the journals are, of a data directory."""
    return data.absolute() / "journal"


__all__ = [
    "JOURNAL_BYTES",
    "Entry",
    "Journal",
    "JournalFull",
    "Ledger",
    "catch_up",
    "has_any",
    "journal_of",
    "make_room",
    "remove_unfinished",
]
