"""What speaks SQL is imported by whichever thread needs it first, and by one at a time: SQLAlchemy's modules import each other in
rings, and of two threads in such a ring at once one finds half a module."""

from __future__ import annotations

import threading

_one_at_a_time = threading.Lock()


def load() -> None:
    """Imports it all, which takes a third of a second the first time and nothing after that."""
    with _one_at_a_time:
        import dragoman.store.engine
        import dragoman.store.ledger_queries
        import dragoman.store.ledger_statements
        import dragoman.store.statements  # noqa: F401
