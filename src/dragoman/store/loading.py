"""SQLAlchemy is imported with the first use, for it takes a third of a second that no start should wait for; and by one thread
at a time: its modules import each other in rings, and of two threads in a ring at once one finds half a module."""

from __future__ import annotations

import threading

_one_at_a_time = threading.Lock()


def load() -> None:
    """All that speaks SQL here. Whoever imports some of it in a thread calls this first, or opens a `Database`, which does."""
    with _one_at_a_time:
        import dragoman.store.engine
        import dragoman.store.key_statements
        import dragoman.store.ledger_queries
        import dragoman.store.ledger_statements
        import dragoman.store.statements  # noqa: F401
