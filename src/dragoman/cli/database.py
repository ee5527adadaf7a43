"""The database of the configuration, for verbs that look into it themselves, whether a gateway runs on it or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dragoman.cli.output import Failed

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
