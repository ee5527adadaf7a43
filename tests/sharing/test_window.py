"""The window in Valkey against the same window in Python, step by step, by a clock that the test sets."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.sharing import address_of
from dragoman.sharing.link import Link, Reply
from sharing.store import SPAN, MinuteStore
from valkey_server import ValkeyServer

CLOCK = "redis.call('TIME')"
START = 1_795_000_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    server = ValkeyServer(tmp_path_factory.mktemp("valkey"))
    yield server
    server.close()


def by_a_clock_of_ours() -> str:
    """The script itself, but for where it takes the time from."""
    text = (Path(str(files("dragoman.sharing"))) / "scripts" / "minute.lua").read_text()
    assert text.count(CLOCK) == 1
    return text.replace(CLOCK, "{table.remove(ARGV, 1), table.remove(ARGV, 1)}")


def answers(server: ValkeyServer, calls: list[tuple[int, list[int]]]) -> list[Reply]:
    async def ask() -> list[Reply]:
        link = await Link.open(address_of(server.url), 10, lambda: None)
        try:
            script = by_a_clock_of_ours()
            asked = [("EVAL", script, 1, "minute", now, 7, *words) for now, words in calls]
            async with asyncio.timeout(10):
                return (await (await link.ask([("FLUSHALL",), *asked])))[1:]
        finally:
            await link.close()

    return asyncio.run(ask())


LIMIT = st.one_of(st.just(-1), st.integers(0, 40))
MORE = st.tuples(st.integers(-70, 1), st.integers(-5, 10), st.integers(-50, 50))
CALL = st.tuples(
    st.sampled_from([0, 0, 0, 1, 1, 2, 5, 30, 59, 60, 61, 62, 63, 200]),  # seconds later
    st.integers(1, 5),
    st.tuples(st.integers(0, 12), st.integers(0, 12)),
    st.tuples(st.integers(0, 300), st.integers(0, 300)),
    st.lists(MORE, max_size=3),
)


@given(LIMIT, LIMIT.map(lambda limit: limit * 20 if limit > 0 else limit), st.lists(CALL, min_size=1, max_size=25))
@settings(max_examples=150, deadline=None)
def test_the_script_answers_as_the_window_is_meant(
    server: ValkeyServer, requests: int, tokens: int, steps: list[tuple[int, int, tuple, tuple, list]]
) -> None:
    now = START
    calls = []
    for later, nodes, (need, more), (need_tokens, more_tokens), changes in steps:
        now += later
        words = [SPAN, nodes, requests, need, need + more, tokens, need_tokens, need_tokens + more_tokens]
        for ago, change, change_tokens in changes:
            words += [now + ago, change, change_tokens]
        calls.append((now, words))
    store = MinuteStore()
    assert answers(server, calls) == [store.call(now, 7, words) for now, words in calls]


def take(need: int, *changes: int, limit: int = 60) -> list[int]:
    return [SPAN, 1, limit, need, need, -1, 0, 0, *changes]


def test_a_second_counts_until_all_its_leases_may_have_been_used_more_than_a_minute_ago(server: ValkeyServer) -> None:
    told = answers(server, [(START, take(60)), (START + 61, take(1)), (START + 62, take(1))])
    assert [reply[2] for reply in told] == [60, 0, 1]  # type: ignore[index]


def test_what_is_given_back_twice_is_given_back_once(server: ValkeyServer) -> None:
    told = answers(server, [(START, take(3)), (START + 1, take(0, START, -5, 0)), (START + 1, take(60))])
    assert [reply[2] for reply in told] == [3, 0, 60]  # type: ignore[index]


def test_a_clock_that_is_set_back_gives_nothing_free(server: ValkeyServer) -> None:
    steps = [(START, 60), (START - 1, 1), (START - 3600, 1), (START - 3539, 1), (START - 3538, 60)]
    told = answers(server, [(now, take(need)) for now, need in steps])
    assert [reply[2] for reply in told] == [60, 0, 0, 0, 60]  # type: ignore[index]


def test_a_chunk_shrinks_as_the_limit_nears(server: ValkeyServer) -> None:
    wish = [SPAN, 2, 1000, 1, 500, -1, 0, 0]
    told = answers(server, [(START, wish)] * 30)
    given = [reply[2] for reply in told]  # type: ignore[index]
    assert given[:3] == [62, 58, 55]
    assert given == sorted(given, reverse=True)
    assert answers(server, [(START, take(990, limit=1000)), (START, wish)])[1][2] == 1  # type: ignore[index]
