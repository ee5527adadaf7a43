"""The keys as whoever lets callers in wants them: all of them at the start, and from then on what has changed.

Read by the driver alone: SQLAlchemy would take a third of a second of every start. One thread at a time."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from typing import Any

from msgspec import MsgspecError

from dragoman.store.key_rows import Changes, HeldKey, read_budget, read_limits, read_models
from dragoman.store.location import Location, StoreRefused

# In the order of HeldKey's fields.
_COLUMNS = "id, name, digest, models, limits, budget, expires, revoked, previous, previous_until, deleted"
_NUMBER = "SELECT number FROM versions WHERE name = 'keys'"
_CHANGED = f"SELECT {_COLUMNS} FROM keys WHERE version > "  # noqa: S608 - the driver's mark of a value is to follow
_MARK = {"sqlite": "?", "postgresql": "%s"}
_ROOT_KEY = "SELECT value FROM settings WHERE name = 'root_key'"
_BUSY_SECONDS = 5.0


class Keyring:
    """One connection, kept open, and opened anew after a failure."""

    def __init__(self, location: Location) -> None:
        self._location = location
        self._connection: Any = None

    def read(self, since: int | None = None) -> Changes | None:
        """What has changed since the number that an earlier reading had; None where nothing has. Raises StoreRefused."""
        try:
            return self._read(since)
        except Exception as error:
            raise self._failed(error) from None

    def root_key(self) -> bytes | None:
        """The digest that the machines on this database have agreed on. Raises StoreRefused."""
        try:
            row = self._opened().execute(_ROOT_KEY).fetchone()
        except Exception as error:
            raise self._failed(error) from None
        return None if row is None else bytes.fromhex(row[0])

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):
                connection.close()

    def _read(self, since: int | None) -> Changes | None:
        connection = self._opened()
        number = int(connection.execute(_NUMBER).fetchone()[0])
        if number == since:
            return None
        # A number that went back is another database's: one that was put in place from a backup.
        whole = since is None or number < since
        rows = connection.execute(_CHANGED + _MARK[self._location.dialect], (-1 if whole else since,)).fetchall()
        # A row may be newer than `number`; it is read again then, and is the same.
        return Changes(number, whole, [_held(row) for row in rows if not (whole and row[-1] is not None)])  # deleted

    def _opened(self) -> Any:
        if self._connection is None:
            if self._location.server:
                self._connection = self._location.connect(autocommit=True)
            else:
                self._connection = sqlite3.connect(
                    self._location.path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
                )
        return self._connection

    def _failed(self, error: Exception) -> StoreRefused:
        self.close()
        return self._location.refused(error)


def _held(row: Any) -> HeldKey:
    id, name, digest, models, limits, budget, expires, revoked, previous, previous_until, _ = row
    try:
        rules = read_models(models), read_limits(limits), read_budget(budget)
    except MsgspecError:
        # Nobody is let in by rules that cannot be read; and one such key must not hold up the news of all others.
        rules, digest = ((), None, None), None
    return HeldKey(
        id,
        name,
        "" if digest is None else digest.hex(),
        *rules,
        expires=expires,
        revoked=revoked,
        previous=None if previous is None else previous.hex(),
        previous_until=previous_until,
    )
