from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from dragoman.store import Location, Store, location_of
from dragoman.store.engine import engine_of
from dragoman.store.migrate import migrate

Ask = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Location:
    """A place for a database, in a file and on a server."""
    database = request.param if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    return location_of(database, tmp_path)


@pytest.fixture
def location(empty: Location) -> Location:
    """A database of this version's shape, in a file and on a server."""
    migrate(empty)
    return empty


@pytest.fixture
def file(tmp_path: Path) -> Location:
    """The same in a file, for what only files do."""
    found = location_of("sqlite", tmp_path)
    migrate(found)
    return found


@pytest.fixture
async def store(location: Location) -> AsyncIterator[Store]:
    opened = Store.open(location)
    yield opened
    await opened.aclose()


@pytest.fixture
def ask() -> Ask:
    """`ask(location, "SELECT 1")`: what another process would get; changes are committed."""

    def asking(location: Location, statement: str) -> list[tuple[Any, ...]]:
        engine = engine_of(location, writing=True)
        try:
            with engine.begin() as connection:
                done = connection.exec_driver_sql(statement)
                return [tuple(row) for row in done] if done.returns_rows else []
        finally:
            engine.dispose()

    return asking
