"""Where the database is: the file `dragoman.db` in the data directory, or one day a server's."""

import os
from pathlib import Path

from msgspec import Struct

FILE = "dragoman.db"


class StoreRefused(Exception):
    """The database cannot be used; the message says why and what to do."""


class Location(Struct, frozen=True):
    """`url` is SQLAlchemy's; `path` the SQLite file."""

    url: str
    path: Path

    def make(self) -> None:
        """The file, for its owner alone: SQLite gives its mode to the two that it puts beside it. Raises StoreRefused."""
        try:
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except OSError as error:
            raise StoreRefused(f"The database {self.path} cannot be opened: {error.strerror or error}.") from None


def location_of(database: str, data: Path) -> Location:
    """What the setting `database` means. Raises StoreRefused for a server, which this version does not speak to."""
    if database != "sqlite":
        raise StoreRefused(
            "This version keeps its database in a SQLite file only, and speaks to no PostgreSQL server. "
            "Write `database: sqlite`, or leave it out."
        )
    path = data.absolute() / FILE
    return Location(f"sqlite:///{path}", path)
