"""A copy of the database as it was at one moment, made while it is in use: a SQLite file, whatever it is a copy of.

So a gateway can run on any backup as it is, with `database: sqlite` and the file as its `dragoman.db`; also on one of PostgreSQL.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from msgspec import Struct

from dragoman.store.location import Location, in_a_line
from dragoman.store.migrate import NEWEST, migrate, revision_of

_AT_ONCE = 1000


class BackupFailed(Exception):
    """There is no backup; the message says why and what to do."""


class Backup(Struct, frozen=True):
    """`rows` by table."""

    path: Path
    size: int
    sha256: str
    rows: dict[str, int]


def backup(location: Location, path: Path) -> Backup:
    """Whole and checked, or not there at all. Raises BackupFailed, StoreRefused."""
    path = path.absolute()
    if path.exists():
        raise BackupFailed(f"There is a file {path} already. Choose another name.")
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.unlink(missing_ok=True)
        os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        if location.server:
            _copy_server(location, part)
        else:
            _copy_file(location, part)
        rows = _finish(part)
        made = Backup(path, part.stat().st_size, _sum(part), rows)
        part.rename(path)
        _sync(path.parent)
    except (OSError, sqlite3.Error) as error:
        raise BackupFailed(f"The backup {path} cannot be made: {in_a_line(error)}.") from None
    finally:
        for left in path.parent.glob(part.name + "*"):
            with suppress(OSError):
                left.unlink()
    return made


def _copy_file(location: Location, part: Path) -> None:
    if not location.path.exists():
        raise BackupFailed(f"There is no database {location.path} yet.")
    with closing(sqlite3.connect(location.path, timeout=5.0)) as source, closing(sqlite3.connect(part)) as target:
        source.backup(target)


def _copy_server(location: Location, part: Path) -> None:
    """Table by table, all as one snapshot has them."""
    import psycopg

    try:
        revision = revision_of(location)
        if revision != NEWEST:
            raise BackupFailed(
                f"The database {location.shown} is not of this version's shape, and only such are copied. "
                "Use the server's own pg_dump, or first run: dragoman db migrate"
            )
        migrate(Location(part))
        with location.connect() as server, closing(sqlite3.connect(part, isolation_level=None)) as target:
            server.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            target.execute("BEGIN")
            for table in _tables(target):
                _copy_table(server, target, table)
            target.execute("COMMIT")
    except psycopg.Error as error:
        raise location.refused(error) from None


def _copy_table(server: Any, target: sqlite3.Connection, table: str) -> None:
    columns = [row[1] for row in target.execute(f'PRAGMA table_info("{table}")')]
    names = ", ".join(f'"{column}"' for column in columns)
    # The names are those of our own tables.
    put = f'INSERT INTO "{table}" ({names}) VALUES ({", ".join("?" * len(columns))})'  # noqa: S608
    target.execute(f'DELETE FROM "{table}"')  # noqa: S608 - what a migration puts in
    with server.cursor(name="backup") as cursor:
        cursor.itersize = _AT_ONCE
        cursor.execute(f'SELECT {names} FROM "{table}"')  # noqa: S608
        while rows := cursor.fetchmany(_AT_ONCE):
            target.executemany(put, rows)


def _finish(part: Path) -> dict[str, int]:
    """One file, whole and on the disk; how many rows its tables have."""
    with closing(sqlite3.connect(part, isolation_level=None)) as target:
        target.execute("PRAGMA journal_mode=DELETE")
        found = target.execute("PRAGMA integrity_check").fetchone()[0]
        if found != "ok":
            raise BackupFailed(f"The copy is not whole: {found}. Check the database: dragoman db verify")
        counts = {
            table: target.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0]  # noqa: S608
            for table in _tables(target)
        }
    _sync(part)
    return counts


def _tables(connection: sqlite3.Connection) -> list[str]:
    named = (
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> 'alembic_version'"
    )
    return sorted(name for (name,) in connection.execute(named))


def _sum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
