"""Where the database is: the file `dragoman.db` in the data directory, or a PostgreSQL server's address."""

from __future__ import annotations

import os
import re
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from msgspec import Struct

if TYPE_CHECKING:
    import psycopg

FILE = "dragoman.db"
# A server that does not answer within this is told to be out of reach.
_CONNECT_SECONDS = 5
# Who cannot have a lock for so long, gives up; SQLite has the same.
LOCK_MILLISECONDS = 5000
_LIVELINESS: dict[str, Any] = {
    "application_name": "dragoman",
    "connect_timeout": _CONNECT_SECONDS,
    # A server that went without a word is found out within seconds, not within the two hours that systems take by themselves.
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


class StoreRefused(Exception):
    """The database cannot be used; the message says why and what to do."""


class Location(Struct, frozen=True):
    """A database. `server` is a PostgreSQL server's address, password and all; empty for the SQLite file `path`."""

    path: Path
    server: str = ""

    @property
    def dialect(self) -> str:
        return "postgresql" if self.server else "sqlite"

    @property
    def shown(self) -> str:
        """For people and logs: without user, password and options."""
        if not self.server:
            return str(self.path)
        try:
            parts = urlsplit(self.server)
            where = parts.netloc.rpartition("@")[2]
        except ValueError:
            return "postgresql://…"
        return f"postgresql://{where}{parts.path}"

    def make(self) -> None:
        """The file, for its owner alone: SQLite gives its mode to the two that it puts beside it. Raises StoreRefused."""
        try:
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except OSError as error:
            raise StoreRefused(f"The database {self.path} cannot be opened: {error.strerror or error}.") from None

    def connect(self, *, autocommit: bool = False) -> psycopg.Connection[Any]:
        """A connection to the server. Raises psycopg.Error."""
        import psycopg
        from psycopg.conninfo import conninfo_to_dict

        given = {**_LIVELINESS, **conninfo_to_dict(self.server)}
        # Plans that the server keeps would outlive the tables that they were made for, when another machine migrates.
        connection = psycopg.connect(**given, autocommit=True, prepare_threshold=None)
        connection.execute(f"SET lock_timeout = {LOCK_MILLISECONDS}")
        connection.autocommit = autocommit
        return connection

    def refused(self, error: BaseException) -> StoreRefused:
        """What a driver's error means for the operator."""
        why = in_a_line(error)
        if not self.server:
            return StoreRefused(f"The database {self.path} cannot be used: {why}.")
        return StoreRefused(f"The database {self.shown} cannot be used: {why}. {_mend(why)}")


def location_of(database: str, data: Path) -> Location:
    """What the setting `database` means. Raises StoreRefused for a server where its driver is not installed."""
    path = data.absolute() / FILE
    if database == "sqlite":
        return Location(path)
    if find_spec("psycopg") is None:
        raise StoreRefused(
            "`database` names a PostgreSQL server, and psycopg, which speaks to one, is not installed. "
            "Run: pip install 'dragoman[postgres]'"
        )
    return Location(path, database)


def in_a_line(error: BaseException) -> str:
    """The driver's own words without what SQLAlchemy adds, the server's address and the statement."""
    words = str(getattr(error, "orig", None) or error).strip().splitlines()
    line = words[0] if words else type(error).__name__
    # libpq: 'connection failed: connection to server at "127.0.0.1", port 5432 failed: FATAL:  password authentication …'
    line = re.sub(r"^(?:connection failed: )?(?:connection to server .*? failed: )?(?:FATAL:\s+)?", "", line)
    return line.rstrip(". ") or type(error).__name__


def _mend(why: str) -> str:
    low = why.lower()
    if "password authentication" in low or "no password" in low or "role " in low:
        return "Check the user and the password in `database`."
    if "does not exist" in low and "database" in low:
        return "Make it first: createdb NAME."
    if "permission denied" in low:
        return "The user must own the database, or be allowed to make tables in its schema."
    return "Check the address in `database`, and that the server runs and takes connections from here."
