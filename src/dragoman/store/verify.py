"""Whether a database, or a backup of one, is whole, of this version's shape, and at one with itself. Changes nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

from msgspec import MsgspecError, Struct

from dragoman.store.key_rows import read_budget, read_limits, read_metadata, read_models
from dragoman.store.location import Location, in_a_line
from dragoman.store.migrate import NEWEST, revision_of

_MOST_TOLD = 5


class Check(Struct, frozen=True):
    """`message` says what is so, and where it is wrong what to do."""

    name: str
    ok: bool
    message: str


def verify(location: Location) -> list[Check]:
    """What is of another version's shape is looked at no further."""
    if not location.server and not location.path.is_file():
        return [Check("file", False, f"there is no file {location.path}")]
    found: list[Check] = []
    for look in (_whole, _shape, *CHECKS):
        try:
            found += look(location)
        except Exception as error:  # whatever a driver makes of a broken database
            found.append(Check(look.__name__.strip("_"), False, in_a_line(error)))
        if not found[-1].ok:
            break
    return found


def _whole(location: Location) -> Iterator[Check]:
    if location.server:
        with location.connect() as server:
            version = server.info.server_version
        yield Check("server", True, f"PostgreSQL {version // 10_000}.{version % 10_000} answers")
        return
    with closing(sqlite3.connect(location.path, timeout=5.0)) as connection:
        wrong = [row[0] for row in connection.execute(f"PRAGMA integrity_check({_MOST_TOLD})")]
        astray = connection.execute("PRAGMA foreign_key_check").fetchmany(_MOST_TOLD)
    if wrong != ["ok"]:
        yield Check("file", False, f"{'; '.join(wrong)}. Put a backup in its place.")
    elif astray:
        yield Check("file", False, f"rows that belong to none: {astray}")
    else:
        yield Check("file", True, f"{location.path} is whole")


def _shape(location: Location) -> Iterator[Check]:
    revision = revision_of(location)
    if revision is None:
        yield Check("shape", False, "there is nothing of Dragoman's in it. Run: dragoman db migrate")
    elif revision < NEWEST:
        yield Check("shape", False, f"of an earlier version ({revision}). Run: dragoman db migrate")
    elif revision > NEWEST:
        yield Check("shape", False, f"of a later version ({revision}). Verify it with that one.")
    else:
        different = _differences(location)
        words = f"not as this version made it: {'; '.join(different[:_MOST_TOLD])}"
        yield Check("shape", not different, words if different else f"this version's ({revision})")


def _differences(location: Location) -> list[str]:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext
    from sqlalchemy import create_engine

    from dragoman.store.engine import engine_of
    from dragoman.store.tables import metadata

    # A connection of the gateway's would set a backup to the write-ahead log, which is a change.
    plain = create_engine("sqlite://", creator=lambda: sqlite3.connect(location.path, timeout=5.0))
    engine = engine_of(location, writing=False) if location.server else plain
    try:
        with engine.connect() as connection:
            return [_worded(found) for found in compare_metadata(MigrationContext.configure(connection), metadata)]
    finally:
        engine.dispose()


def _worded(found: Any) -> str:
    """The comparison tells what would have to be done: ("add_table", Table) or [("modify_type", None, "keys", "name", …)]."""
    first = found[0] if isinstance(found, list) else found
    named = [part if isinstance(part, str) else getattr(part, "name", "") for part in first[1:4]]
    return " ".join((first[0].replace("_", " "), *(name for name in named if name)))


def _keys(location: Location) -> Iterator[Check]:
    """What a worker would read."""
    rows = _ask(
        location, "SELECT id, models, limits, budget, metadata, digest, version FROM keys WHERE deleted IS NULL"
    )
    numbers = _ask(location, "SELECT number FROM versions WHERE name = 'keys'")
    bad = [row[0] for row in rows if not _is_readable(row)]
    newest = max((row[-1] for row in rows), default=0)
    if bad:
        yield Check("keys", False, f"{len(bad)} cannot be read: {', '.join(bad[:_MOST_TOLD])}")
    elif not numbers or numbers[0][0] < newest:
        yield Check("keys", False, "the number of their version is behind them, so gateways would miss changes")
    else:
        yield Check("keys", True, f"{len(rows)} keys")


def _is_readable(row: Any) -> bool:
    _, models, limits, budget, metadata, digest, _ = row
    try:
        read_models(models)
        read_limits(limits)
        read_budget(budget)
        read_metadata(metadata)
    except MsgspecError:
        return False
    return digest is not None and len(digest) == 32


# A day's sums may be of more entries than are still there, never of fewer.
_LESS = """
SELECT e.day, e.key_id, e.provider FROM (
  SELECT started_at / 86400000000 AS day, key_id, provider, count(*) AS requests, sum(coalesce(input_tokens, 0)) AS input,
         sum(coalesce(output_tokens, 0)) AS output, sum(coalesce(cost_nanos, 0)) AS cost
  FROM entries GROUP BY 1, 2, 3) e
LEFT JOIN (
  SELECT day, key_id, provider, sum(requests) AS requests, sum(input_tokens) AS input, sum(output_tokens) AS output,
         sum(cost_nanos) AS cost
  FROM usage GROUP BY 1, 2, 3) u
ON u.day = e.day AND u.key_id = e.key_id AND u.provider = e.provider
WHERE u.requests IS NULL OR u.requests < e.requests OR u.input < e.input OR u.output < e.output OR u.cost < e.cost
"""


def _ledger(location: Location) -> Iterator[Check]:
    less = _ask(location, _LESS)
    if less:
        told = "; ".join(f"day {day} of {key} at {provider or 'nobody'}" for day, key, provider in less[:_MOST_TOLD])
        yield Check("ledger", False, f"sums that are less than their entries: {told}")
        return
    ((entries,),) = _ask(location, "SELECT count(*) FROM entries")
    yield Check("ledger", True, f"{entries} entries, and the sums of their days hold them")


def _ask(location: Location, statement: str) -> list[Any]:
    if location.server:
        with location.connect() as server:
            return list(server.execute(statement).fetchall())
    with closing(sqlite3.connect(location.path, timeout=5.0)) as connection:
        return connection.execute(statement).fetchall()


# What else must be so in a database of this version's shape. Each names itself in its checks.
CHECKS: tuple[Callable[[Location], Iterator[Check]], ...] = (_keys, _ledger)
