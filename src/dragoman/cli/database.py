"""The database of the configuration, for verbs that look into it themselves, whether a gateway runs on it or not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dragoman.cli.output import Failed, say

if TYPE_CHECKING:
    from dragoman.admin.book import Book
    from dragoman.config import Loaded
    from dragoman.store import Location
    from dragoman.store.keys import Keys


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


@contextmanager
def opened_keys(loaded: Loaded) -> Iterator[Keys]:
    """The keys of the configuration's database, made or brought to this version's shape if need be."""
    from dragoman.store import StoreRefused
    from dragoman.store.key_fields import InvalidKey, KeyRefused
    from dragoman.store.keys import Keys
    from dragoman.store.migrate import migrate

    location = location_or_fail(loaded)
    keys = Keys(location)
    try:
        migrate(location)
        yield keys
    except InvalidKey as error:
        raise click.UsageError(str(error)) from None
    except (StoreRefused, KeyRefused) as error:
        raise Failed(str(error)) from None
    finally:
        keys.close()


@contextmanager
def opened_book(loaded: Loaded) -> Iterator[Book]:
    """The ledger in the configuration's database, and what waits for it in the data directory's journals."""
    from dragoman.admin.book import Book
    from dragoman.store import StoreRefused
    from dragoman.store.migrate import migrate

    location = location_or_fail(loaded)
    book = Book(location, loaded.settings.data)
    try:
        migrate(location)
        yield book
    except StoreRefused as error:
        raise Failed(str(error)) from None
    finally:
        book.close()


def key_id(loaded: Loaded, text: str) -> str:
    """Of a key's id or name."""
    from dragoman.admin.keys_shown import id_of

    with opened_keys(loaded) as keys:
        return id_of(text, loaded.settings.keys, keys)


def key_names(loaded: Loaded, ids: Sequence[str]) -> dict[str, str]:
    """By id, as far as there are such keys still."""
    from dragoman.admin.ledger import names_of

    with opened_keys(loaded) as keys:
        return names_of(ids, keys)
