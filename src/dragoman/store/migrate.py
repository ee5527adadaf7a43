"""Brings the database to this version's shape, forward only, one process at a time: on this machine for a file, anywhere for a
server."""

from __future__ import annotations

import fcntl
import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from dragoman.store.location import Location, StoreRefused, in_a_line

# The newest of `migrations/versions`.
NEWEST = "0005"
_HEAD = "head"
_SCRIPTS = Path(__file__).with_name("migrations")
# Whoever migrates a server's database holds this lock of the server's; the number is ours alone.
_LOCK = 0x0D7A_60AA_0001
_PATIENCE_SECONDS = 600
_OLDEST_SERVER = 15


def migrate(location: Location) -> bool:
    """Makes the file where there is none; whether there was anything to do. Raises StoreRefused, also for a database that a
    later version has changed."""
    with _refusing(location), _locked(location):
        if revision_of(location) == NEWEST:
            return False  # what the migrating needs takes half a second to import
        _upgrade(location)
        return True


def revision_of(location: Location) -> str | None:
    """The last migration that the database has been through. Raises the driver's error."""
    if location.server:
        with location.connect() as server:
            there = server.execute("SELECT to_regclass('alembic_version')").fetchone()
            rows = server.execute("SELECT version_num FROM alembic_version").fetchall() if there and there[0] else []
    else:
        with closing(sqlite3.connect(location.path, timeout=5.0)) as connection:
            tables = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchall()
            rows = connection.execute("SELECT version_num FROM alembic_version").fetchall() if tables else []
    return rows[0][0] if rows else None


@contextmanager
def _refusing(location: Location) -> Iterator[None]:
    try:
        yield
    except (sqlite3.DatabaseError, OSError) as error:
        raise StoreRefused(
            f"The database {location.path} cannot be brought to this version's shape: {error}."
        ) from None
    except StoreRefused:
        raise
    except Exception as error:
        # Drivers' errors have no common class, and psycopg is imported only where there is a server.
        if location.server and type(error).__module__.startswith(("psycopg", "sqlalchemy")):
            raise location.refused(error) from None
        if type(error).__module__.startswith("sqlalchemy"):
            raise StoreRefused(
                f"The database {location.path} cannot be brought to this version's shape: {in_a_line(error)}."
            ) from None
        raise


@contextmanager
def _locked(location: Location) -> Iterator[None]:
    """Several may start at once."""
    if not location.server:
        location.make()
        with open(location.path.with_name(location.path.name + ".lock"), "a", opener=_private) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        return
    with location.connect() as server:
        _check_server(location, server)
        server.execute(f"SET LOCAL lock_timeout = '{_PATIENCE_SECONDS}s'")
        server.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        yield


def _check_server(location: Location, server: Any) -> None:
    version = server.info.server_version // 10_000
    if version < _OLDEST_SERVER:
        raise StoreRefused(
            f"The server of {location.shown} is PostgreSQL {version}; Dragoman needs {_OLDEST_SERVER} or newer."
        )
    encoding = server.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise StoreRefused(
            f"The database {location.shown} is encoded in {encoding}; Dragoman needs UTF8. "
            "Make it anew: createdb --encoding UTF8 --template template0 NAME."
        )


def _upgrade(location: Location) -> None:
    # At the level `info` it tells of every plugin of its own, between the lines of a first start.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    from dragoman.store.engine import engine_of

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    engine = engine_of(location, writing=True)
    try:
        with engine.begin() as connection:  # all of it or nothing
            config.attributes["connection"] = connection
            command.upgrade(config, _HEAD)
    except CommandError as error:
        raise StoreRefused(
            f"The database {location.shown} was changed by a later version of Dragoman ({error}). Run that one."
        ) from None
    finally:
        engine.dispose()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)
