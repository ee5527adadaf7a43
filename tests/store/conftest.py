from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dragoman.store import Location, Store, location_of
from dragoman.store.migrate import migrate


@pytest.fixture
def location(tmp_path: Path) -> Location:
    """A database of this version's shape."""
    found = location_of("sqlite", tmp_path)
    migrate(found)
    return found


@pytest.fixture
async def store(location: Location) -> AsyncIterator[Store]:
    opened = Store.open(location)
    yield opened
    await opened.aclose()
