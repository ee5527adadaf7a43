"""The database of the configuration, for verbs that look into it themselves, whether a gateway runs on it or not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dragoman.cli.output import Failed, say

if TYPE_CHECKING:
    from dragoman.config import Loaded
    from dragoman.store import Location


def location_or_fail(loaded: Loaded) -> Location:
    """Where the database is; its directory is made if need be."""
    from dragoman.store import StoreRefused, location_of

    settings = loaded.settings
    try:
        settings.data.mkdir(parents=True, exist_ok=True)
        return location_of(settings.database, settings.data)
    except StoreRefused as error:
        raise Failed(str(error)) from None
    except OSError as error:
        raise Failed(
            f"The data directory {settings.data} cannot be used: {error.strerror or error}.",
            "Choose another with --data DIR.",
        ) from None


def take_in_journals(location: Location, data: Path) -> None:
    """What requests have left in the journals of this data directory is on the ledger from the moment that they ended; here it
    comes into the database too. A database of another version's shape is left as it is."""
    from dragoman.ledger import catch_up, journal_of
    from dragoman.store import EntryTable
    from dragoman.store.migrate import NEWEST, revision_of

    table = EntryTable(location)
    try:
        if revision_of(location) == NEWEST:
            catch_up(journal_of(data), table.put)
    except Exception as error:  # drivers' errors have no common class
        say(f"What is in the journal {journal_of(data)} is left out: {location.refused(error)}")
    finally:
        table.close()
