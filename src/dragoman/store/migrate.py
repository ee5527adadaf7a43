"""Brings the database to this version's shape, forward only, one process at a time."""

from __future__ import annotations

import fcntl
import logging
import os
import sqlite3
from contextlib import closing
from pathlib import Path

from dragoman.store.location import Location, StoreRefused

# The newest of `migrations/versions`.
NEWEST = "0002"
_SCRIPTS = Path(__file__).with_name("migrations")


def migrate(location: Location) -> None:
    """Makes the file where there is none. Raises StoreRefused, also for a database that a later version has changed."""
    location.make()
    try:
        with open(location.path.with_name(location.path.name + ".lock"), "a", opener=_private) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # several may start at once
            if revision_of(location) == NEWEST:
                return  # what the migrating needs takes half a second to import
            _upgrade(location)
    except (sqlite3.DatabaseError, OSError) as error:
        raise _refused(location, str(error)) from None


def revision_of(location: Location) -> str | None:
    """The last migration that the file has been through."""
    with closing(sqlite3.connect(location.path, timeout=5.0)) as connection:
        tables = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchall()
        rows = connection.execute("SELECT version_num FROM alembic_version").fetchall() if tables else []
    return rows[0][0] if rows else None


def _upgrade(location: Location) -> None:
    # At the level `info` it tells of every plugin of its own, between the lines of a first start.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError
    from sqlalchemy.exc import SQLAlchemyError

    from dragoman.store.engine import engine_of

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    engine = engine_of(location, writing=True)
    try:
        with engine.begin() as connection:  # all of it or nothing
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except CommandError as error:
        raise StoreRefused(
            f"The database {location.path} was changed by a later version of Dragoman ({error}). Run that one."
        ) from None
    except SQLAlchemyError as error:
        raise _refused(location, str(error).splitlines()[0]) from None
    finally:
        engine.dispose()


def _refused(location: Location, why: str) -> StoreRefused:
    return StoreRefused(f"The database {location.path} cannot be brought to this version's shape: {why}.")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)
