"""The ledger's side of the database: entries in, from whatever thread moves them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dragoman.store.location import Location

if TYPE_CHECKING:
    from sqlalchemy import Engine


class EntryTable:
    """Opened with the first use, in the thread that uses it; importing SQLAlchemy takes a third of a second."""

    def __init__(self, location: Location) -> None:
        self._location = location
        self._engine: Engine | None = None

    def put(self, rows: Sequence[Sequence[Any]], prices: Mapping[str, str] | None = None) -> int:
        """How many of the rows were new; in one transaction. `prices` are what entries name as theirs, by that name. Raises what
        the database raises, and then nothing was put in."""
        from dragoman.store.ledger_statements import put_entries, put_prices

        with self._open().begin() as connection:
            if prices:
                put_prices(connection, prices)
            return put_entries(connection, rows)

    def close(self) -> None:
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    def _open(self) -> Engine:
        if self._engine is None:
            from dragoman.store.engine import engine_of

            self._engine = engine_of(self._location, writing=True)
        return self._engine
