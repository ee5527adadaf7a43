"""The ledger's statements: entries in, each once whatever happens, and the sums of their days in the same transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, func, select
from sqlalchemy.dialects import postgresql, sqlite

from dragoman.store.ledger_schema import entries, prices, usage

Row = Sequence[Any]

_MICROSECONDS_A_DAY = 86_400_000_000
_AT_ONCE = 500  # ids asked for in one statement: SQLite takes 999 values at the least

_at = {column.name: number for number, column in enumerate(entries.columns)}
_ID, _STARTED, _KEY, _MODEL, _PROVIDER = (
    _at[name] for name in ("request_id", "started_at", "key_id", "model", "provider")
)
_STATUS, _ERROR, _COST, _ESTIMATED = (_at[name] for name in ("status", "error", "cost_nanos", "estimated"))
_TOKENS = tuple(column.name for column in usage.columns if column.name.endswith("_tokens"))
_TOKENS_AT = tuple(_at[name] for name in _TOKENS)
_INPUT, _OUTPUT = _at["input_tokens"], _at["output_tokens"]


def _inserting(mark: str) -> str:
    names = ", ".join(_at)
    marks = ", ".join([mark] * len(_at))
    return f"INSERT INTO entries ({names}) VALUES ({marks}) ON CONFLICT DO NOTHING"  # noqa: S608 - our own names


# Rows go to the driver as they are: thousands in a second, of which nothing needs SQLAlchemy's care.
_INSERT = {"sqlite": _inserting("?"), "postgresql": _inserting("%s")}

_SUMS = tuple(column.name for column in usage.columns if not column.primary_key)
_ADD = {
    module.dialect.name: (
        statement := module.insert(usage),
        statement.on_conflict_do_update(
            index_elements=list(usage.primary_key.columns),
            set_={name: usage.c[name] + statement.excluded[name] for name in _SUMS},
        ),
    )[1]
    for module in (sqlite, postgresql)
}

_KNOW = {module.dialect.name: module.insert(prices).on_conflict_do_nothing() for module in (sqlite, postgresql)}


class _Repeated(Exception):
    """Some of the rows are in the database already."""


def put_entries(connection: Connection, rows: Sequence[Row]) -> int:
    """How many of `rows` are new; the others are left as they are and counted nowhere anew. In one savepoint of its own."""
    if not rows:
        return 0
    while True:
        try:
            with connection.begin_nested():
                _insert(connection, rows)
                _add_up(connection, rows)
            return len(rows)
        except _Repeated:
            known = _known(connection, [row[_ID] for row in rows])
            # One id twice among the rows themselves is one entry, too.
            rows = list({row[_ID]: row for row in reversed(rows) if row[_ID] not in known}.values())
            if not rows:
                return 0


def _insert(connection: Connection, rows: Sequence[Row]) -> None:
    cursor = connection.connection.cursor()
    try:
        cursor.executemany(_INSERT[connection.dialect.name], rows)
        if cursor.rowcount != len(rows):
            raise _Repeated
    finally:
        cursor.close()


def _known(connection: Connection, ids: list[str]) -> set[str]:
    found: set[str] = set()
    for start in range(0, len(ids), _AT_ONCE):
        asked = select(entries.c.request_id).where(entries.c.request_id.in_(ids[start : start + _AT_ONCE]))
        found.update(connection.execute(asked).scalars())
    return found


def _add_up(connection: Connection, rows: Sequence[Row]) -> None:
    sums: dict[tuple[int, str, str, str], list[int]] = {}
    for row in rows:
        # Unknown models are named by callers: their names must not become rows without end.
        model = "" if row[_ERROR] == "model_not_found" else row[_MODEL]
        place = (row[_STARTED] // _MICROSECONDS_A_DAY, row[_KEY], model, row[_PROVIDER])
        sum_ = sums.get(place)
        if sum_ is None:
            sum_ = sums[place] = [0] * len(_SUMS)
        cost = row[_COST]
        sum_[0] += 1
        sum_[1] += row[_STATUS] >= 400
        for number, at in enumerate(_TOKENS_AT, 2):
            sum_[number] += row[at] or 0
        sum_[-3] += cost or 0
        sum_[-2] += cost is None
        sum_[-1] += row[_ESTIMATED]
    keys = [column.name for column in usage.primary_key.columns]
    # In one order everywhere, so that no two transactions wait for each other.
    values = [dict(zip((*keys, *_SUMS), (*place, *sums[place]), strict=True)) for place in sorted(sums)]
    connection.execute(_ADD[connection.dialect.name], values)


def put_prices(connection: Connection, details: Mapping[str, str]) -> None:
    """Prices that entries name, by their ids."""
    values = [{"id": id, "detail": detail} for id, detail in details.items()]
    connection.execute(_KNOW[connection.dialect.name], values)


def spent(connection: Connection, key_id: str, since_day: int) -> int:
    """What the key has spent from that day on, in nanodollars."""
    total = select(func.sum(usage.c.cost_nanos)).where(usage.c.key_id == key_id, usage.c.day >= since_day)
    return int(connection.execute(total).scalar() or 0)
