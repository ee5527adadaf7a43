"""The ledger in the database, asked from whatever thread: entries by page, one with its price, sums of days."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dragoman.store.location import Location

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from dragoman.store.ledger_queries import Filter, Group

Found = Mapping[str, Any]


class LedgerReader:
    """On a database that is migrated; opened with the first use. All raise StoreRefused where the database does not do its part.

    Rows are as the tables have them: times in microseconds, money in nanodollars."""

    def __init__(self, location: Location) -> None:
        self._location = location
        self._engine: Engine | None = None
        self._opening = threading.Lock()

    def entries(self, wanted: Filter, before: str | None, limit: int) -> Sequence[Found]:
        """The newest that are older than the id `before`."""
        from dragoman.store.ledger_queries import list_entries

        with self._reading() as connection:
            return list_entries(connection, wanted, before, limit)

    def entry(self, request_id: str) -> Found | None:
        """With the detail of its price under `price_detail`."""
        from dragoman.store.ledger_queries import get_entry

        with self._reading() as connection:
            return get_entry(connection, request_id)

    def usage(self, by: Group, since_day: int | None, until_day: int | None, key: str | None) -> Sequence[Found]:
        """Sums under `group`, from `since_day` to before `until_day`."""
        from dragoman.store.ledger_queries import sum_usage

        with self._reading() as connection:
            return sum_usage(connection, by, since_day, until_day, key)

    def close(self) -> None:
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        from sqlalchemy.exc import SQLAlchemyError

        from dragoman.store.engine import engine_of

        with self._opening:
            if self._engine is None:
                self._engine = engine_of(self._location, writing=False)
        try:
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise self._location.refused(error) from None
