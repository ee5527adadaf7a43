"""What is asked of the ledger: its entries, newest first and page by page, and the sums of days."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, Table, func, literal_column, select

from dragoman.store.ledger_schema import SPAN, entries, prices, spans, usage

Group = Literal["key", "model", "provider", "day"]
GROUPS: dict[str, Any] = {
    "key": usage.c.key_id,
    "model": usage.c.model,
    "provider": usage.c.provider,
    "day": usage.c.day,
}
_SPANS_AT_ONCE = 64
_AFTER = "~"  # comes after whatever an id goes on with
SUMS = tuple(column for column in usage.columns if not column.primary_key)


class Filter(Struct, frozen=True):
    """Which entries. `first` and `last` are request ids, or beginnings of such, of the earliest and of the first one too late;
    `status` is a whole status or, below 10, the class of one (4 for 4xx)."""

    key: str | None = None
    model: str | None = None
    provider: str | None = None
    status: int | None = None
    first: str | None = None
    last: str | None = None


def list_entries(connection: Connection, wanted: Filter, before: str | None, limit: int) -> Sequence[dict[str, Any]]:
    """The newest entries that are older than the id `before`."""
    ends = [end for end in (before, wanted.last) if end is not None]
    end = min(ends) if ends else None
    if not _conditions(entries, wanted):
        return _entries_between(connection, wanted, wanted.first, end, limit)
    found: list[dict[str, Any]] = []
    if not _any_used(connection, wanted):
        return found
    for span in _spans(connection, wanted, end):
        first = span if wanted.first is None else max(span, wanted.first)
        last = span + _AFTER if end is None else min(span + _AFTER, end)
        found += _entries_between(connection, wanted, first, last, limit - len(found))
        if len(found) == limit:
            break
    return found


def _entries_between(
    connection: Connection, wanted: Filter, first: str | None, end: str | None, limit: int
) -> list[dict[str, Any]]:
    asked = select(entries).where(*_conditions(entries, wanted))
    if first is not None:
        asked = asked.where(entries.c.request_id >= first)
    if end is not None:
        asked = asked.where(entries.c.request_id < end)
    asked = asked.order_by(entries.c.request_id.desc()).limit(limit)
    return [dict(row) for row in connection.execute(asked).mappings()]


def _spans(connection: Connection, wanted: Filter, end: str | None) -> Iterator[str]:
    """Those with entries that are wanted, the newest first."""
    asked = select(spans.c.span).distinct().where(*_conditions(spans, wanted))
    if _failed(wanted):  # in the index's own words, or it is not used
        asked = asked.where(spans.c.status >= literal_column("400"))
    if wanted.first is not None:
        asked = asked.where(spans.c.span >= wanted.first[:SPAN])
    asked = asked.order_by(spans.c.span.desc()).limit(_SPANS_AT_ONCE)
    page = asked if end is None else asked.where(spans.c.span <= end[:SPAN])
    while found := connection.execute(page).scalars().all():
        yield from found
        page = asked.where(spans.c.span < found[-1])


def _any_used(connection: Connection, wanted: Filter) -> bool:
    """Whether the sums of days know of any: who asks for a name that never was need not wait for a walk through all spans."""
    asked = select(usage.c.day).limit(1)
    if wanted.key is not None:
        asked = asked.where(usage.c.key_id == wanted.key)
    if wanted.model is not None:  # an unknown one's sums have no name
        asked = asked.where(usage.c.model.in_((wanted.model, "")))
    if wanted.provider is not None:
        asked = asked.where(usage.c.provider == wanted.provider)
    if _failed(wanted):
        asked = asked.where(usage.c.errors > 0)
    return connection.execute(asked).first() is not None


def get_entry(connection: Connection, request_id: str) -> dict[str, Any] | None:
    """With the detail of its price under `price_detail`."""
    joined = entries.outerjoin(prices, entries.c.price == prices.c.id)
    asked = select(entries, prices.c.detail.label("price_detail")).select_from(joined)
    row = connection.execute(asked.where(entries.c.request_id == request_id)).mappings().first()
    return None if row is None else dict(row)


def sum_usage(
    connection: Connection, by: Group, since_day: int | None, until_day: int | None, key: str | None = None
) -> Sequence[dict[str, Any]]:
    """Sums under `group`, from `since_day` to before `until_day` (days since 1970, UTC); days in order, all else by cost."""
    group = GROUPS[by].label("group")
    sums = [func.sum(column).label(column.name) for column in SUMS]
    asked = select(group, *sums).group_by(GROUPS[by])
    if since_day is not None:
        asked = asked.where(usage.c.day >= since_day)
    if until_day is not None:
        asked = asked.where(usage.c.day < until_day)
    if key is not None:
        asked = asked.where(usage.c.key_id == key)
    if by == "day":
        asked = asked.order_by(usage.c.day)
    else:
        asked = asked.order_by(func.sum(usage.c.cost_nanos).desc(), func.sum(usage.c.requests).desc(), GROUPS[by])
    # PostgreSQL sums whole numbers into decimals.
    return [
        {name: value if name == "group" else int(value) for name, value in row.items()}
        for row in connection.execute(asked).mappings()
    ]


def _failed(wanted: Filter) -> bool:
    return wanted.status is not None and str(wanted.status)[0] in "45"


def _conditions(table: Table, wanted: Filter) -> list[ColumnElement[bool]]:
    """Those but the ids: of entries, and of spans that have such."""
    found: list[ColumnElement[bool]] = []
    if wanted.key is not None:
        found.append(table.c.key_id == wanted.key)
    if wanted.model is not None:
        found.append(table.c.model == wanted.model)
    if wanted.provider is not None:
        found.append(table.c.provider == wanted.provider)
    if wanted.status is not None:
        if wanted.status < 10:
            found.append(table.c.status.between(wanted.status * 100, wanted.status * 100 + 99))
        else:
            found.append(table.c.status == wanted.status)
    return found
