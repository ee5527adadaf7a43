"""The ledger of a gateway, running or dead, read as whoever is about to show it reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dragoman.ledger import catch_up, journal_of
from dragoman.store import EntryTable, location_of
from dragoman.store.engine import engine_of
from dragoman.store.ledger_queries import Filter, get_entry, list_entries, sum_usage
from e2e.gateway import wait_until


def entries_of(data: Path, database: str = "sqlite") -> dict[str, dict[str, Any]]:
    """Every entry by its request's id, the journals' included."""
    location = location_of(database, data)
    table = EntryTable(location)
    try:
        catch_up(journal_of(data), table.put)
    finally:
        table.close()
    engine = engine_of(location, writing=False)
    try:
        with engine.begin() as connection:
            rows = list_entries(connection, Filter(), None, 1_000_000)
    finally:
        engine.dispose()
    found = {row["request_id"]: row for row in rows}
    assert len(found) == len(rows)
    return found


def sums_of(data: Path, database: str = "sqlite") -> dict[str, int]:
    """What the sums of days come to, in all."""
    engine = engine_of(location_of(database, data), writing=False)
    try:
        with engine.begin() as connection:
            days = sum_usage(connection, "day", None, None)
    finally:
        engine.dispose()
    return {name: sum(day[name] for day in days) for name in days[0] if name != "group"} if days else {}


def price_of(data: Path, request_id: str, database: str = "sqlite") -> str:
    """The detail of the price that an entry names."""
    engine = engine_of(location_of(database, data), writing=False)
    try:
        with engine.begin() as connection:
            entry = get_entry(connection, request_id)
    finally:
        engine.dispose()
    assert entry is not None
    detail: str = entry["price_detail"]
    return detail


def entry_of(data: Path, request_id: str) -> dict[str, Any]:
    """The entry of a request that the caller has no answer's end of to go by."""
    found: dict[str, Any] = wait_until(lambda: entries_of(data).get(request_id), f"an entry of {request_id}")
    return found
