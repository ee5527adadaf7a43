"""Entries in the database: each once, and the sums of their days always those of the entries."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, create_engine, func, select
from tests.ledger.samples import DAY, entry

from dragoman.store import EntryTable, Location, ledger_statements
from dragoman.store.engine import engine_of
from dragoman.store.ledger_queries import Filter, get_entry, list_entries, sum_usage
from dragoman.store.ledger_schema import entries, spans, usage
from dragoman.store.ledger_statements import prune_entries, put_entries, put_prices, spent
from dragoman.store.schema import metadata

FIELDS = entry().__struct_fields__


def rows(*given: Any) -> list[list[Any]]:
    return [[getattr(one, name) for name in FIELDS] for one in given]


@pytest.fixture
def engine(location: Location) -> Iterator[Engine]:
    made = engine_of(location, writing=True)
    yield made
    made.dispose()


def test_the_tables_columns_stand_in_the_order_of_an_entrys_fields() -> None:
    assert tuple(column.name for column in entries.columns) == FIELDS


def test_an_entry_is_what_was_put_in(engine: Engine) -> None:
    with engine.begin() as connection:
        assert put_entries(connection, rows(entry(1, losses='["top_k"]', first_byte_ms=None))) == 1
        put_prices(connection, {"p1": "{}"})
        put_prices(connection, {"p1": "{}"})
        found = get_entry(connection, entry(1).request_id)
        assert get_entry(connection, "req_none") is None
    assert found is not None
    assert found.pop("price_detail") == "{}"
    assert list(found.values()) == rows(entry(1, losses='["top_k"]', first_byte_ms=None))[0]


def test_what_is_there_is_counted_once(engine: Engine) -> None:
    with engine.begin() as connection:
        assert put_entries(connection, rows(*(entry(n) for n in range(3)))) == 3
        # Some old, some new, and one twice.
        assert put_entries(connection, rows(*(entry(n) for n in (1, 2, 3, 4, 4)))) == 2
        assert put_entries(connection, rows(entry(4))) == 0
        assert connection.execute(select(func.sum(usage.c.requests))).scalar() == 5
        assert connection.execute(select(func.count()).select_from(entries)).scalar() == 5


def test_unknown_models_share_a_sum(engine: Engine) -> None:
    with engine.begin() as connection:
        put_entries(
            connection, rows(*(entry(n, model=f"made-up-{n}", status=404, error="model_not_found") for n in range(5)))
        )
        (sums,) = sum_usage(connection, "model", None, None)
    assert (sums["group"], sums["requests"], sums["errors"]) == ("", 5, 5)


def test_entries_are_paged_newest_first(engine: Engine) -> None:
    with engine.begin() as connection:
        put_entries(connection, rows(*(entry(n, key_id=f"key_{n % 2}") for n in range(10))))
        seen: list[str] = []
        before = None
        while page := list_entries(connection, Filter(key="key_1"), before, 2):
            seen += [row["request_id"] for row in page]
            before = seen[-1]
    assert seen == [entry(n).request_id for n in (9, 7, 5, 3, 1)]


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        (Filter(status=4), [2, 1]),
        (Filter(status=429), [2]),
        (Filter(model="slow"), [3]),
        (Filter(provider="openai"), [0]),
        (Filter(first=entry(1).request_id, last=entry(3).request_id), [2, 1]),
        (Filter(status=2, model="fast"), [0]),
    ],
)
def test_entries_are_filtered(engine: Engine, wanted: Filter, numbers: list[int]) -> None:
    given = [entry(0, provider="openai"), entry(1, status=404), entry(2, status=429), entry(3, model="slow")]
    with engine.begin() as connection:
        put_entries(connection, rows(*given))
        found = list_entries(connection, wanted, None, 10)
    assert [row["request_id"] for row in found] == [entry(n).request_id for n in numbers]


def test_sums_of_days_and_what_a_key_has_spent(engine: Engine) -> None:
    with engine.begin() as connection:
        put_entries(
            connection,
            rows(
                entry(1, cost_nanos=100),
                entry(2, cost_nanos=None),
                entry(3, started_at=20_001 * DAY, cost_nanos=7, estimated=1),
                entry(4, started_at=20_002 * DAY, cost_nanos=1000, key_id="key_2"),
            ),
        )
        days = sum_usage(connection, "day", 20_000, 20_002)
        assert [(d["group"], d["requests"], d["cost_nanos"], d["unpriced"], d["estimated"]) for d in days] == [
            (20_000, 2, 100, 1, 0),
            (20_001, 1, 7, 0, 1),
        ]
        keys = sum_usage(connection, "key", None, None)
        assert [(d["group"], d["cost_nanos"]) for d in keys] == [("key_2", 1000), ("key_1", 107)]
        assert [d["cost_nanos"] for d in sum_usage(connection, "provider", None, None, key="key_2")] == [1000]
        assert spent(connection, "key_1", 20_000) == 107
        assert spent(connection, "key_1", 20_001) == 7
        assert spent(connection, "nobody", 0) == 0


def test_the_same_entries_put_in_by_two_at_once_are_counted_once(location: Location) -> None:
    """As a worker and whoever catches up with its journal do."""
    tables = [EntryTable(location) for _ in range(2)]
    start = threading.Barrier(2)

    def put(table: EntryTable, half: int) -> int:
        start.wait(10)
        # Each has some that the other has not, and both in the same order.
        return sum(
            table.put(rows(*(entry(n, key_id=f"key_{n % 3}") for n in range(at + half, at + 60))))
            for at in range(0, 600, 50)
        )

    with ThreadPoolExecutor(2) as pool:
        new = sum(pool.map(put, tables, (0, 5)))
    for table in tables:
        table.close()
    engine = engine_of(location, writing=False)
    with engine.begin() as connection:
        assert connection.execute(select(func.count()).select_from(entries)).scalar() == new == 610
        assert connection.execute(select(func.sum(usage.c.requests))).scalar() == 610
    engine.dispose()


def test_old_entries_are_deleted_little_by_little_and_their_sums_stay(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_statements, "_DELETED_AT_ONCE", 3)
    # Ids of two spans: the letters that are the same in one are eleven.
    old, new = "req_0000001", "req_0000002"
    ids = [f"{old}{n:019d}" for n in range(7)] + [f"{new}{n:019d}" for n in range(4)]
    with engine.begin() as connection:
        put_entries(connection, rows(*(entry(request_id=id) for id in ids)))
        before = sum_usage(connection, "day", None, None)
        assert prune_entries(connection, ids[9])
    with engine.begin() as connection:
        assert connection.execute(select(func.count()).select_from(entries)).scalar() == 8
    for more in (True, True, False):
        with engine.begin() as connection:
            assert prune_entries(connection, ids[9]) is more
    with engine.begin() as connection:
        assert [row["request_id"] for row in list_entries(connection, Filter(key="key_1"), None, 9)] == ids[:8:-1]
        assert connection.execute(select(spans.c.span)).scalars().all() == [new]
        assert sum_usage(connection, "day", None, None) == before
        assert not prune_entries(connection, ids[9])


def test_filtered_pages_go_through_every_span(engine: Engine) -> None:
    """Against a list of the same, whatever spans the entries lie in and wherever pages end."""
    given = [
        entry(
            request_id=f"req_{n * 7919 % 40:07d}{n:019d}",
            key_id=f"key_{n % 3}",
            model="made-up" if n % 11 == 0 else "fast",
            status=404 if n % 11 == 0 else 200,
            error="model_not_found" if n % 11 == 0 else None,
        )
        for n in range(200)
    ]
    ids = sorted(one.request_id for one in given)
    by_id = {one.request_id: one for one in given}
    wanted = [
        (Filter(key="key_1"), lambda one: one.key_id == "key_1"),
        (Filter(status=4, key="key_2"), lambda one: one.status == 404 and one.key_id == "key_2"),
        (Filter(model="made-up"), lambda one: one.model == "made-up"),
        (
            Filter(status=2, first=ids[30], last=ids[150]),
            lambda one: one.status == 200 and ids[30] <= one.request_id < ids[150],
        ),
        (Filter(key="nobody"), lambda one: False),
        (Filter(key="key_1", status=5), lambda one: False),
    ]
    with engine.begin() as connection:
        put_entries(connection, rows(*given))
        for filter_, matches in wanted:
            for limit in (1, 7, 1000):
                seen: list[str] = []
                before = None
                while page := list_entries(connection, filter_, before, limit):
                    assert len(page) <= limit
                    seen += [row["request_id"] for row in page]
                    before = seen[-1]
                assert seen == [id for id in reversed(ids) if matches(by_id[id])], (filter_, limit)


_numbers = st.lists(st.integers(0, 30), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(st.lists(_numbers, min_size=1, max_size=6))
def test_whatever_is_put_in_how_often_sums_are_those_of_the_entries(batches: list[list[int]]) -> None:
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    for batch in batches:
        with engine.begin() as connection:
            put_entries(
                connection,
                rows(*(entry(n, key_id=f"key_{n % 3}", started_at=(20_000 + n % 4) * DAY) for n in batch)),
            )
    names = ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_tokens", "cost_nanos")
    with engine.begin() as connection:
        kept = connection.execute(select(func.count(), *(func.sum(entries.c[name]) for name in names))).one()
        summed = connection.execute(
            select(func.sum(usage.c.requests), *(func.sum(usage.c[name]) for name in names))
        ).one()
    assert tuple(kept) == tuple(summed)
    assert kept[0] == len({n for batch in batches for n in batch})
    engine.dispose()
