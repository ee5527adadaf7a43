"""What is asked of the ledger: its entries, newest first and page by page, and the sums of days."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, func, select

from dragoman.store.ledger_schema import entries, prices, usage

Group = Literal["key", "model", "provider", "day"]
GROUPS: dict[str, Any] = {
    "key": usage.c.key_id,
    "model": usage.c.model,
    "provider": usage.c.provider,
    "day": usage.c.day,
}
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
    asked = select(entries).where(*_conditions(wanted))
    if before is not None:
        asked = asked.where(entries.c.request_id < before)
    asked = asked.order_by(entries.c.request_id.desc()).limit(limit)
    return [dict(row) for row in connection.execute(asked).mappings()]


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


def _conditions(wanted: Filter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.key is not None:
        found.append(entries.c.key_id == wanted.key)
    if wanted.model is not None:
        found.append(entries.c.model == wanted.model)
    if wanted.provider is not None:
        found.append(entries.c.provider == wanted.provider)
    if wanted.status is not None:
        if wanted.status < 10:
            found.append(entries.c.status.between(wanted.status * 100, wanted.status * 100 + 99))
        else:
            found.append(entries.c.status == wanted.status)
    if wanted.first is not None:
        found.append(entries.c.request_id >= wanted.first)
    if wanted.last is not None:
        found.append(entries.c.request_id < wanted.last)
    return found
