"""The ledger as an operator reads it: what is still in workers' journals is moved into the database first, so that a request
is found from the moment that its answer ended. Everything here blocks."""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dragoman.ledger import catch_up, journal_of
from dragoman.observe.ids import id_from
from dragoman.store import EntryTable, Location, StoreRefused
from dragoman.store.ledger_reader import Found, LedgerReader

if TYPE_CHECKING:
    from dragoman.store.ledger_queries import Filter, Group

REQUEST_ID = re.compile(r"req_[0-9a-z]{26}", re.ASCII)


class Book:
    """Of a database and the data directory whose workers write into it. For several threads; `close` when done.

    All raise StoreRefused where the database or the journal cannot be read."""

    def __init__(self, location: Location, data: Path) -> None:
        self._location = location
        self._journal = journal_of(data)
        self._table = EntryTable(location)
        self._reader = LedgerReader(location)
        self._catching_up = threading.Lock()

    def entries(self, wanted: Filter, before: str | None, limit: int) -> tuple[Sequence[Found], str | None]:
        """A page, the newest first, and what to ask with for the next one."""
        self._catch_up()
        found = self._reader.entries(wanted, before, limit + 1)
        return found[:limit], found[limit - 1]["request_id"] if len(found) > limit else None

    def entry(self, request_id: str) -> Found | None:
        self._catch_up()
        return self._reader.entry(request_id) if REQUEST_ID.fullmatch(request_id) else None

    def usage(
        self, by: Group, since_day: int | None = None, until_day: int | None = None, key: str | None = None
    ) -> Sequence[Found]:
        self._catch_up()
        return self._reader.usage(by, since_day, until_day, key)

    def prune(self, before: float) -> bool:
        """Deletes some of the entries of requests that came before that time, in Unix seconds; whether there may be more."""
        try:
            return self._table.prune(id_from(before))
        except Exception as error:
            raise self._location.refused(error) from None

    def close(self) -> None:
        self._table.close()
        self._reader.close()

    def _catch_up(self) -> None:
        with self._catching_up:
            try:
                catch_up(self._journal, self._table.put)
            except OSError as error:
                raise StoreRefused(f"The journal {self._journal} cannot be read: {error.strerror or error}.") from None
            except Exception as error:
                raise self._location.refused(error) from None


def entries_wanted(
    *,
    key: str | None = None,
    model: str | None = None,
    provider: str | None = None,
    status: int | None = None,
    since: float | None = None,
    until: float | None = None,
) -> Filter:
    """`since` and `until` in Unix seconds, the one included and the other not."""
    from dragoman.store.ledger_queries import Filter

    return Filter(
        key,
        model,
        provider,
        status,
        None if since is None else id_from(since),
        None if until is None else id_from(until),
    )
