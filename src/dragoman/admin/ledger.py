"""The ledger: its entries page by page, one with its arithmetic, and the sums of days."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dragoman.admin.asked import Asked, shown_day
from dragoman.admin.book import REQUEST_ID, entries_wanted
from dragoman.admin.desk import Desk
from dragoman.admin.endpoint import Answer, Endpoint, Parameter
from dragoman.admin.entries import entry_in_full, entry_shown, total_of, usage_shown
from dragoman.admin.keys_shown import OF_FILE, id_of
from dragoman.admin.schemas import CURSOR, DAY, KEY, LIMIT, TEXT, list_of, ref
from dragoman.ir import BadRequest, NotFound
from dragoman.store.key_fields import NoSuchKey
from dragoman.store.keys import Keys

GROUPS = ("day", "key", "model", "provider")


async def _list(desk: Desk, asked: Asked) -> Answer:
    wanted = entries_wanted(
        key=await _key(desk, asked),
        model=asked.text("model"),
        provider=asked.text("provider"),
        status=asked.status(),
        since=asked.moment("since"),
        until=asked.moment("until"),
    )
    before = asked.matching("cursor", REQUEST_ID, "is none that a list gave.")
    rows, cursor = await desk.blocking(desk.book.entries, wanted, before, asked.limit())
    return 200, {"data": list(map(entry_shown, rows)), "next_cursor": cursor}


async def _show(desk: Desk, asked: Asked) -> Answer:
    id = asked.params["id"]
    row = await desk.blocking(desk.book.entry, id)
    if row is None:
        raise NotFound(f"There is no request {id[:80]!r} on the ledger.", code="request_not_found")
    return 200, entry_in_full(row)


async def _usage(desk: Desk, asked: Asked) -> Answer:
    by = asked.word("group_by", GROUPS, "day")
    key = await _key(desk, asked)
    since, until = asked.day("since"), asked.day("until")
    rows = await desk.blocking(desk.book.usage, by, since, until, key)  # type: ignore[arg-type]
    data = [usage_shown(by, row) for row in told(by, rows)]
    if by == "key" and data:
        names = await desk.blocking(names_of, [row["key"] for row in data], desk.keys)
        data = [{"key": row["key"], "key_name": names.get(row["key"]), **row} for row in data]
    return 200, {"data": data, "next_cursor": None, "total": total_of(rows)}


def told(by: str, rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The rows with their days spelled."""
    return [{**row, "group": shown_day(row["group"])} for row in rows] if by == "day" else list(rows)


def names_of(ids: Sequence[str], keys: Keys) -> dict[str, str]:
    """People's names of keys, as far as there are such still. Blocks."""
    found = {id: id.removeprefix(OF_FILE) for id in ids if not id.startswith("key_")}
    for id in ids:
        if id.startswith("key_"):
            try:
                found[id] = keys.show(id).name
            except NoSuchKey:
                continue
    return found


async def _key(desk: Desk, asked: Asked) -> str | None:
    text = asked.text("key")
    if text is None:
        return None
    try:
        return await desk.blocking(id_of, text, desk.loaded.settings.keys, desk.keys)
    except NoSuchKey as error:
        raise BadRequest(str(error), param="key") from None


_MOMENT = {"type": "string"}

ENDPOINTS = (
    Endpoint(
        "GET",
        "/requests",
        "listRequests",
        "Entries of the ledger, the newest first.",
        _list,
        {200: list_of(ref("Entry"))},
        query=(
            KEY,
            Parameter("model", TEXT, "Of the model with this public name."),
            Parameter("provider", TEXT, "That this provider answered."),
            Parameter("status", TEXT, "With this status, `429`, or of this class, `4xx`."),
            Parameter("since", _MOMENT, "That came at this time or later: ISO 8601, a date, or Unix seconds."),
            Parameter("until", _MOMENT, "That came before this time."),
            CURSOR,
            LIMIT,
        ),
    ),
    Endpoint(
        "GET",
        "/requests/{id}",
        "getRequest",
        "One entry, with the arithmetic of its cost line by line.",
        _show,
        {200: ref("EntryInFull")},
        refusals=(404,),
    ),
    Endpoint(
        "GET",
        "/usage",
        "getUsage",
        "What was used: sums by day, key, model or provider, and in all. Days are those of UTC.",
        _usage,
        {200: list_of(ref("Usage"), total=ref("Sums"))},
        query=(
            Parameter("group_by", {"type": "string", "enum": list(GROUPS), "default": "day"}, "What to sum by."),
            KEY,
            Parameter("since", DAY, "From this day on."),
            Parameter("until", DAY, "To before this day."),
        ),
    ),
)
