"""The ledger's side of the database: entries in, from whatever thread moves them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dragoman.store.database import Database
from dragoman.store.loading import load
from dragoman.store.location import Location

if TYPE_CHECKING:
    from sqlalchemy import Connection


class EntryTable:
    """`close` when done."""

    def __init__(self, location: Location) -> None:
        self._location = location
        self._database = Database(location, writing=True)
        self._file: tuple[int, int] | None = None

    def put(self, rows: Sequence[Sequence[Any]], prices: Mapping[str, str] | None = None) -> int:
        """How many of the rows were new; in one transaction. `prices` are what entries name as theirs, by that name. Raises what
        the database raises, and then nothing was put in."""
        load()
        from dragoman.store.ledger_statements import Repeated, put_entries, put_new

        put = put_new
        while True:
            try:
                new = self._put(put, rows, prices)
                break
            except Repeated:
                put = put_entries
        if not self._in_place():
            self.close()
            raise OSError(f"{self._location.path} was removed or replaced while it was open")
        return new

    def _put(
        self,
        put: Callable[[Connection, Sequence[Sequence[Any]]], int],
        rows: Sequence[Sequence[Any]],
        prices: Mapping[str, str] | None,
    ) -> int:
        with self._opened().begin() as connection:
            if prices:
                from dragoman.store.ledger_statements import put_prices

                put_prices(connection, prices)
            return put(connection, rows)

    def prune(self, before: str) -> bool:
        """Deletes some of the entries with ids below `before`; whether there may be more. Raises what the database raises."""
        with self._opened().begin() as connection:
            from dragoman.store.ledger_statements import prune_entries

            return prune_entries(connection, before)

    def close(self) -> None:
        self._database.close()
        self._file = None

    def _opened(self) -> Database:
        if self._file is None:
            self._file = self._stands()
        return self._database

    def _in_place(self) -> bool:
        try:
            return self._file == self._stands()
        except FileNotFoundError:
            return False

    def _stands(self) -> tuple[int, int] | None:
        """Which file has the database's name; SQLite goes on with one that has lost it, and would make an empty one where there
        is none. Raises FileNotFoundError."""
        if self._location.server:
            return None
        found = self._location.path.stat()
        return found.st_dev, found.st_ino
