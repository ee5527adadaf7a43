"""Old entries are deleted by the admin process, as the configuration in force says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from admin.conftest import Ask
from admin.test_ledger import came
from dragoman.admin.desk import Desk
from dragoman.admin.retention import prune
from dragoman.config.loading import load_text
from dragoman.ledger.entry import decode, encode
from dragoman.store import EntryTable, Location


async def _ids(ask: Ask) -> list[str]:
    return [one["request_id"] for one in (await ask("GET", "/requests")).value["data"]]


async def test_entries_are_kept_for_as_long_as_is_configured(desk: Desk, ask: Ask, location: Location) -> None:
    now = 1.8e9
    young, old = came(now - 86_399), came(now - 86_401)
    table = EntryTable(location)
    table.put([decode(encode(one)) for one in (young, old)])
    table.close()
    both = [young.request_id, old.request_id]
    assert await _ids(ask) == both
    await prune(desk, now)
    assert await _ids(ask) == both, "without a setting all are kept"
    ledger = load_text("ledger: {retention: 1d}", Path("dragoman.yaml"), {}).settings.ledger
    settings = desk.loaded.settings.model_copy(update={"ledger": ledger})
    desk.loaded = replace(desk.loaded, settings=settings)
    used = (await ask("GET", "/usage?group_by=day")).value
    await prune(desk, now)
    assert await _ids(ask) == [young.request_id]
    assert (await ask("GET", "/usage?group_by=day")).value == used
