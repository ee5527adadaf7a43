"""The ledger's statements: entries in, each once whatever happens, and the sums of their days in the same transaction.

Thousands of rows a second go this way, in a thread beside the one that answers callers: so they go to the driver as they are, and
many in one statement, for the driver lets go of the interpreter and waits for it again with every one of them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import chain
from typing import Any

import msgspec
from sqlalchemy import BigInteger, Connection, Double, Integer, Table, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from dragoman.store.ledger_schema import SPAN, entries, prices, spans, usage

Row = Sequence[Any]
_Span = tuple[str, str, str, str, int]
_Place = tuple[int, str, str, str]

_MICROSECONDS_A_DAY = 86_400_000_000
_ASKED_AT_ONCE = 500  # ids asked for in one statement: SQLite takes 999 values at the least
_DELETED_AT_ONCE = 1000  # in one transaction, so that none holds up entries that come
# Whoever deletes from a server's database holds this lock of the server's; the number is ours alone.
_PRUNING = 0x0D7A_60AA_0002
# Rows of one statement. Few sizes, for the driver keeps what SQLite made of each.
_SIZES = (100, 10, 1)

_at = {column.name: number for number, column in enumerate(entries.columns)}
_ID, _STARTED, _KEY, _MODEL, _PROVIDER = (
    _at[name] for name in ("request_id", "started_at", "key_id", "model", "provider")
)
_STATUS, _ERROR, _COST, _ESTIMATED = (_at[name] for name in ("status", "error", "cost_nanos", "estimated"))
_SUMS = tuple(column.name for column in usage.columns if not column.primary_key)
_TOKENS_AT = slice(_at["input_tokens"], _at["reasoning_tokens"] + 1)
assert ("requests", "errors", *tuple(_at)[_TOKENS_AT], "cost_nanos", "unpriced", "estimated") == _SUMS

_KNOW = {module.dialect.name: module.insert(prices).on_conflict_do_nothing() for module in (sqlite, postgresql)}


# Of a value that it has no adapter for, and None is one, the driver asks its type, and makes an error of the answer and drops it:
# with four or five in an entry, that was a sixth of all the work.
sqlite3.register_adapter(type(None), {None: None}.get)


class Repeated(Exception):
    """Some of the rows are in the database already; what the transaction did is to be undone."""


def put_new(connection: Connection, rows: Sequence[Row]) -> int:
    """Rows of which none is in the database, as nearly all are: how many. Raises Repeated."""
    if not rows:
        return 0
    dialect, cursor = connection.dialect.name, connection.connection.cursor()
    try:
        if _put(cursor, dialect, entries, "DO NOTHING", rows) != len(rows):
            raise Repeated
        seen, sums = _add_up(rows)
        # In one order everywhere, so that no two transactions wait for each other.
        _put(cursor, dialect, spans, "DO NOTHING", sorted(seen))
        _put(cursor, dialect, usage, _adding(), [(*place, *sums[place]) for place in sorted(sums)])
    finally:
        cursor.close()
    return len(rows)


def put_entries(connection: Connection, rows: Sequence[Row]) -> int:
    """How many of `rows` are new; the others are left as they are and counted nowhere anew. Raises Repeated where another puts
    the same ones in at this moment."""
    known = _known(connection, [row[_ID] for row in rows])
    new: dict[str, Row] = {}
    for row in rows:
        if row[_ID] not in known:
            new.setdefault(row[_ID], row)  # one id twice among the rows themselves is one entry, too
    # In the order that they came in, which is the journal's: in another, two that put the same ones would wait for each other.
    return put_new(connection, list(new.values()))


def _put(cursor: Any, dialect: str, table: Table, on_conflict: str, rows: Sequence[Row]) -> int:
    """How many were put in or changed."""
    if dialect == "postgresql":
        # The server takes them apart: to tell it of each value by itself is many times the work, and all of it ours.
        cursor.execute(_unpacking(table, on_conflict), (msgspec.json.encode(rows).decode(),))
        return int(cursor.rowcount)
    done = at = 0
    for size in _SIZES:
        statement = _inserting(table, on_conflict, size)
        while len(rows) - at >= size:
            cursor.execute(statement, list(chain.from_iterable(rows[at : at + size])))
            done += cursor.rowcount
            at += size
    return done


@cache
def _inserting(table: Table, on_conflict: str, size: int) -> str:
    values = ", ".join([f"({', '.join('?' * len(table.columns))})"] * size)
    return f"{_into(table)} VALUES {values} {_on(table, on_conflict)}"


@cache
def _unpacking(table: Table, on_conflict: str) -> str:
    values = ", ".join(_unpacked(number, column) for number, column in enumerate(table.columns))
    taken_apart = "FROM jsonb_array_elements(%s::jsonb) AS r"
    return f"{_into(table)} SELECT {values} {taken_apart} {_on(table, on_conflict)}"


def _unpacked(number: int, column: Any) -> str:
    for kind, name in ((BigInteger, "bigint"), (Integer, "integer"), (Double, "double precision")):
        if isinstance(column.type, kind):
            return f"(r->>{number})::{name}"
    return f"r->>{number}"


def _into(table: Table) -> str:
    return f"INSERT INTO {table.name} ({_names(table.columns)})"


def _on(table: Table, on_conflict: str) -> str:
    return f"ON CONFLICT ({_names(table.primary_key.columns)}) {on_conflict}"


@cache
def _adding() -> str:
    return "DO UPDATE SET " + ", ".join(f"{name} = usage.{name} + excluded.{name}" for name in _SUMS)


def _names(columns: Iterable[Any]) -> str:
    return ", ".join(column.name for column in columns)


def _known(connection: Connection, ids: list[str]) -> set[str]:
    found: set[str] = set()
    for start in range(0, len(ids), _ASKED_AT_ONCE):
        asked = select(entries.c.request_id).where(entries.c.request_id.in_(ids[start : start + _ASKED_AT_ONCE]))
        found.update(connection.execute(asked).scalars())
    return found


def _add_up(rows: Sequence[Row]) -> tuple[set[_Span], dict[_Place, list[int]]]:
    """The rows of `spans` and those of `usage`."""
    alike: dict[tuple[Any, ...], list[int]] = {}
    day = began = ended = 0
    for row in rows:
        started = row[_STARTED]
        if not began <= started < ended:  # dividing is dear, and a day is long
            day = started // _MICROSECONDS_A_DAY
            began, ended = day * _MICROSECONDS_A_DAY, (day + 1) * _MICROSECONDS_A_DAY
        what = (row[_ID][:SPAN], row[_KEY], row[_MODEL], row[_PROVIDER], row[_STATUS], row[_ERROR], day)
        sum_ = alike.get(what)
        if sum_ is None:
            sum_ = alike[what] = [0] * len(_SUMS)
        sum_[0] += 1
        input_, cached, written, output, reasoning = row[_TOKENS_AT]
        if input_:
            sum_[2] += input_
        if cached:
            sum_[3] += cached
        if written:
            sum_[4] += written
        if output:
            sum_[5] += output
        if reasoning:
            sum_[6] += reasoning
        cost = row[_COST]
        if cost:
            sum_[7] += cost
        elif cost is None:
            sum_[8] += 1
        if row[_ESTIMATED]:
            sum_[9] += 1
    seen: set[_Span] = set()
    sums: dict[_Place, list[int]] = {}
    for (span, key, model, provider, status, error, day), sum_ in alike.items():
        seen.add((span, key, model, provider, status))
        if status >= 400:
            sum_[1] = sum_[0]
        # Unknown models are named by callers: their names must not become sums without end.
        place = (day, key, "" if error == "model_not_found" else model, provider)
        there = sums.get(place)
        sums[place] = sum_ if there is None else [one + other for one, other in zip(there, sum_, strict=True)]
    return seen, sums


def put_prices(connection: Connection, details: Mapping[str, str]) -> None:
    """Prices that entries name, by their ids."""
    values = [{"id": id, "detail": detail} for id, detail in details.items()]
    connection.execute(_KNOW[connection.dialect.name], values)


def prune_entries(connection: Connection, before: str) -> bool:
    """Deletes some of the entries with ids below `before`, the oldest first; whether there may be more. Their sums stay.
    Of several machines one does it at a time: for the others there is nothing to do."""
    if connection.dialect.name == "postgresql" and not _may_prune(connection):
        return False
    more = False
    for table, column, bound in ((entries, entries.c.request_id, before), (spans, spans.c.span, before[:SPAN])):
        some = select(column).where(column < bound).order_by(column).limit(_DELETED_AT_ONCE).subquery()
        last = connection.execute(select(func.max(some.c[column.name]), func.count())).one()
        if last[0] is not None:
            connection.execute(delete(table).where(column <= last[0]))
        more = more or last[1] == _DELETED_AT_ONCE
    return more


def _may_prune(connection: Connection) -> bool:
    return bool(connection.execute(select(func.pg_try_advisory_xact_lock(_PRUNING))).scalar())


def spent(connection: Connection, key_id: str, since_day: int) -> int:
    """What the key has spent from that day on, in nanodollars."""
    total = select(func.sum(usage.c.cost_nanos)).where(usage.c.key_id == key_id, usage.c.day >= since_day)
    return int(connection.execute(total).scalar() or 0)
