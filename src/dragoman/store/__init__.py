"""The only SQL in the house: what must outlive one exchange, a worker and a restart.

Answers that callers may ask for again, vendors' proofs on tool calls, keys and who changed them, the ledger. A store that is
locked, full or gone fails no request: answers and proofs are lost then, are counted, and that is told in the log once; entries of
the ledger wait in their journals.
Importing this opens nothing and does not import SQLAlchemy, which takes a third of a second.
"""

from dragoman.store.entries import EntryTable
from dragoman.store.key_rows import HeldKey
from dragoman.store.location import Location, StoreRefused, location_of
from dragoman.store.rows import StoredResponse
from dragoman.store.store import Store
from dragoman.store.writer import StoreUnavailable

__all__ = [
    "EntryTable",
    "HeldKey",
    "Location",
    "Store",
    "StoreRefused",
    "StoreUnavailable",
    "StoredResponse",
    "location_of",
]
