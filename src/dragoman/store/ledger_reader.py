"""The ledger in the database, asked from whatever thread: entries by page, one with its price, sums of days."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dragoman.store.database import Database
from dragoman.store.location import Location

if TYPE_CHECKING:
    from dragoman.store.ledger_queries import Filter, Group

Found = Mapping[str, Any]


class LedgerReader:
    """On a database that is migrated; opened with the first use. All raise StoreRefused where the database does not do its part.

    Rows are as the tables have them: times in microseconds, money in nanodollars."""

    def __init__(self, location: Location) -> None:
        self._database = Database(location, writing=False)

    def entries(self, wanted: Filter, before: str | None, limit: int) -> Sequence[Found]:
        """The newest that are older than the id `before`."""
        with self._database.asked() as connection:
            from dragoman.store.ledger_queries import list_entries

            return list_entries(connection, wanted, before, limit)

    def entry(self, request_id: str) -> Found | None:
        """With the detail of its price under `price_detail`."""
        with self._database.asked() as connection:
            from dragoman.store.ledger_queries import get_entry

            return get_entry(connection, request_id)

    def usage(self, by: Group, since_day: int | None, until_day: int | None, key: str | None) -> Sequence[Found]:
        """Sums under `group`, from `since_day` to before `until_day`."""
        with self._database.asked() as connection:
            from dragoman.store.ledger_queries import sum_usage

            return sum_usage(connection, by, since_day, until_day, key)

    def close(self) -> None:
        self._database.close()
