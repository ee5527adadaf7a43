"""The ledger: how many entries it moves into the database and what that costs, and how fast it answers when it has become large.

Appending and moving are timed apart, by the CPU of their threads, while entries come as they would from a gateway under load.
"""

from __future__ import annotations

import importlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any

from bench import ledger_rows
from bench.figures import Results, Row
from bench.process import GATEWAY_CORE, LOAD_CORE
from dragoman.ledger import Entry, Journal, Ledger
from dragoman.observe.ids import id_from, request_id
from dragoman.store import EntryTable, Location, location_of
from dragoman.store.migrate import migrate

PER_SECOND = 10_000
_SLICE = 0.01
_IN_A_SLICE = 102  # a little more, for a slice is never early
_KEYS = 20
_JOURNAL = 2**30
# Of a full second's entries: what gathers while one transaction is under way, and never more.
_MOST_BEHIND = PER_SECOND // 2
_ASKED = 5
_PAGE = 51


def run(results: Results, seconds: float, rows: int, say: Callable[[str], None]) -> None:
    with tempfile.TemporaryDirectory(prefix="dragoman-bench-") as scratch:
        say("ledger, SQLite")
        _flow("SQLite", location_of("sqlite", Path(scratch)), Path(scratch), results, seconds)
    try:
        start = importlib.import_module("tests.postgres").PostgresServer  # what the tests start
    except ImportError as error:
        results.notes.append(f"ledger, PostgreSQL: not measured: {error}")
    else:
        say("ledger, PostgreSQL")
        _on_server(start, results, seconds)
    with tempfile.TemporaryDirectory(prefix="dragoman-bench-") as scratch:
        wanted, free = rows * ledger_rows.BYTES_A_ROW, shutil.disk_usage(scratch).free
        if free < 2 * wanted:
            results.notes.append(
                f"ledger, {rows:,} entries: not measured: they take {wanted / 2**30:.0f} GiB, and {free / 2**30:.0f} are free"
            )
            return
        say(f"ledger, making {rows:,} entries")
        location = location_of("sqlite", Path(scratch))
        migrate(location)
        ledger_rows.fill(location.path, rows)
        say(f"ledger, asking {rows:,} entries")
        _large(location, rows, results)


def _on_server(start: Callable[[], Any], results: Results, seconds: float) -> None:
    os.sched_setaffinity(0, {GATEWAY_CORE})
    server = start()
    os.sched_setaffinity(0, {LOAD_CORE})
    try:
        with tempfile.TemporaryDirectory(prefix="dragoman-bench-") as scratch:
            location = location_of(server.new_database(), Path(scratch))
            _flow("PostgreSQL", location, Path(scratch), results, seconds)
    finally:
        server.close()


def _flow(name: str, location: Location, data: Path, results: Results, seconds: float) -> None:
    """Entries at a steady rate, and then all at once."""
    migrate(location)
    table = EntryTable(location)
    table.put([])  # opens it
    ledger = Ledger(Journal(data / "journal", limit=_JOURNAL), table.put, table.close)
    number = count()
    try:
        for _ in range(1000):
            ledger.enter(_entry(next(number)))
        _until_moved(ledger)
        began, whole, ours, entering = time.monotonic(), time.process_time(), time.thread_time(), 0.0
        most = 0
        for slice_ in range(round(seconds / _SLICE)):
            some = [_entry(next(number)) for _ in range(_IN_A_SLICE)]
            before = time.thread_time()
            for one in some:
                ledger.enter(one)
            entering += time.thread_time() - before
            most = max(most, ledger.waiting)
            time.sleep(max(0.0, began + (slice_ + 1) * _SLICE - time.monotonic()))
        took, behind = time.monotonic() - began, ledger.waiting
        _until_moved(ledger)
        moving = (time.process_time() - whole) - (time.thread_time() - ours)
        entered = round(seconds / _SLICE) * _IN_A_SLICE
        rate = entered / took
        results.rows.append(
            Row(f"ledger, {name}, append", "an entry into the journal", f"{entering / entered * 1e6:.1f} µs")
        )
        results.rows.append(
            Row(
                f"ledger, {name}",
                f"entries moved into {name} as they come, for {took:.0f} s",
                f"{rate:,.0f}/s, {moving / entered * 1e6:.1f} µs CPU each; at most {most:,} behind, {behind:,} at the end",
                target=f"≥ {PER_SECOND:,}/s, ≤ {_MOST_BEHIND:,} behind",
                met=rate >= PER_SECOND and behind <= _MOST_BEHIND,
            )
        )
        _at_once(name, ledger, number, results)
    finally:
        ledger.close()


def _at_once(name: str, ledger: Ledger, number: count[int], results: Results) -> None:
    some = [_entry(next(number)) for _ in range(5 * PER_SECOND)]
    began, before, ours = time.monotonic(), time.process_time(), time.thread_time()
    for one in some:
        ledger.enter(one)
    _until_moved(ledger)
    took, moving = time.monotonic() - began, time.process_time() - before - (time.thread_time() - ours)
    results.rows.append(
        Row(
            f"ledger, {name}, at once",
            f"{len(some):,} entries that come faster than they are moved",
            f"{len(some) / took:,.0f}/s, {moving / len(some) * 1e6:.1f} µs CPU each",
        )
    )


def _until_moved(ledger: Ledger) -> None:
    while ledger.waiting:
        time.sleep(0.005)


def _entry(number: int) -> Entry:
    return Entry(
        request_id=request_id(),
        started_at=time.time_ns() // 1000,
        key_id=f"key_{number % _KEYS:022d}",
        protocol="chat",
        model="gpt-4o-mini",
        provider="openai",
        target_model="gpt-4o-mini-2024-07-18",
        operation="generate",
        status=200,
        error=None,
        stream=0,
        attempts=1,
        losses=None,
        input_tokens=200 + number % 100,
        cached_input_tokens=0,
        cache_write_tokens=None,
        output_tokens=number % 300,
        reasoning_tokens=None,
        cost_nanos=1500 * (number % 1000),
        price="0123456789abcdef",
        units=None,
        estimated=0,
        first_byte_ms=412.5,
        duration_ms=812.25,
        client_closed=0,
    )


def _large(location: Location, rows: int, results: Results) -> None:
    from sqlalchemy import Connection

    from dragoman.store.engine import engine_of
    from dragoman.store.ledger_queries import GROUPS, Filter, list_entries, sum_usage
    from dragoman.store.ledger_statements import spent

    engine = engine_of(location, writing=False)
    key, about = "key_" + "7".zfill(22), f"of {rows:,} entries"

    def row(case: str, work: str, asks: list[tuple[str, Callable[[Connection], object]]], most: float) -> None:
        with engine.connect() as connection:
            slowest, name = max((_time(lambda ask=ask: ask(connection)), name) for name, ask in asks)  # type: ignore[misc]
        told = f" ({name})" if name else ""
        results.rows.append(
            Row(
                f"ledger, {case}",
                f"{work} {about}",
                f"{slowest:.1f} ms{told}",
                "",
                "",
                f"≤ {most:g} ms",
                slowest <= most,
            )
        )

    row(
        "usage",
        "sums by key, model, provider, day, the slowest",
        [
            (by, lambda c, by=by: sum_usage(c, by, None, None))
            for by in GROUPS  # type: ignore[misc]
        ],
        100,
    )
    filters = {
        "no filter": Filter(),
        "key": Filter(key=key),
        "model": Filter(model="model-3"),
        "provider": Filter(provider="google"),
        "4xx": Filter(status=4),
        "500": Filter(status=500),
        "key and 429": Filter(key=key, status=429),
        "a rare key": Filter(key=ledger_rows.RARE_KEY),
        "a rare model": Filter(model=ledger_rows.RARE_MODEL),
        "a status that there is not": Filter(status=503),
        "a key that there is not": Filter(key="key_none"),
    }
    deep = id_from((ledger_rows.FIRST_DAY + 5) * 86_400.0)
    for place, before in (("first page", None), ("far page", deep)):
        row(
            place,
            f"the slowest list, {place},",
            [
                (name, lambda c, f=filter_, b=before: list_entries(c, f, b, _PAGE))
                for name, filter_ in filters.items()  # type: ignore[misc]
            ],
            200,
        )
    row("spent", "what a key has spent in a month,", [("", lambda c: spent(c, key, ledger_rows.FIRST_DAY))], 1)
    engine.dispose()


def _time(ask: Callable[[], object]) -> float:
    """Milliseconds, the median of several."""
    took = []
    for _ in range(_ASKED):
        began = time.perf_counter()
        ask()
        took.append((time.perf_counter() - began) * 1e3)
    return median(took)
