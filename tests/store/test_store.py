"""What is put in comes out, for its owner alone, after any end of the process; and what fails says so once."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from dragoman.store import Location, Store, StoredResponse, StoreUnavailable, location_of
from dragoman.store.engine import engine_of
from dragoman.store.migrate import migrate
from dragoman.store.statements import prune
from postgres import PostgresServer
from store.conftest import Ask

PATIENCE = 30.0
NOW = int(time.time())
# Long enough for a run that comes to these tests late.
LATER = NOW + 86_400
ANSWER = StoredResponse("resp_1", "team", NOW, LATER, "openai", "gpt-5.4", b"[1]", b"{}")


async def test_an_answer_belongs_to_the_key_that_made_it(store: Store) -> None:
    assert await store.put_response(ANSWER)
    assert await store.get_response("team", "resp_1") == ANSWER
    assert await store.get_response("other", "resp_1") is None
    assert not await store.delete_response("other", "resp_1")
    assert await store.delete_response("team", "resp_1")
    assert not await store.delete_response("team", "resp_1")
    assert await store.get_response("team", "resp_1") is None


async def test_an_answer_that_is_put_again_is_the_later_one(store: Store) -> None:
    await store.put_response(ANSWER)
    later = replace(ANSWER, response=b'{"later":1}')
    await store.put_response(later)
    assert await store.get_response("team", "resp_1") == later


async def test_an_answer_past_its_time_is_gone_before_it_is_deleted(store: Store) -> None:
    await store.put_response(replace(ANSWER, expires=NOW - 1))
    assert await store.get_response("team", "resp_1") is None
    assert not await store.delete_response("team", "resp_1")


async def test_an_item_is_found_by_its_owner_as_long_as_its_answer_is(store: Store) -> None:
    assert await store.put_response(ANSWER, ["msg_1", "rs_1", "msg_1"])
    assert await store.responses_with("team", ["rs_1", "msg_1", "msg_2"]) == {"rs_1": "resp_1", "msg_1": "resp_1"}
    assert await store.responses_with("other", ["rs_1"]) == {}
    await store.put_response(replace(ANSWER, owner="other", id="resp_2"), ["msg_1"])
    await store.delete_response("team", "resp_1")
    assert await store.responses_with("team", ["rs_1", "msg_1"]) == {}
    assert await store.responses_with("other", ["msg_1"]) == {"msg_1": "resp_2"}
    await store.put_response(replace(ANSWER, expires=NOW - 1), ["rs_1"])
    assert await store.responses_with("team", ["rs_1"]) == {}


async def test_signatures(store: Store) -> None:
    assert await store.put_signatures("team", {"a": b"1", "b": b"2"})
    assert await store.put_signatures("team", {"b": b"3"})
    assert await store.get_signatures("team", ["b", "c", "a"]) == {"a": b"1", "b": b"3"}
    assert await store.get_signatures("other", ["a"]) == {}
    assert await store.get_signatures("team", []) == {}
    assert await store.put_signatures("team", {})


async def test_very_many_calls_are_looked_up(store: Store) -> None:
    await store.put_signatures("team", {"first": b"1", "last": b"2"})
    asked = ["first", *(f"c{number}" for number in range(2000)), "last"]
    assert await store.get_signatures("team", asked) == {"first": b"1", "last": b"2"}


async def test_many_writers_share_commits(
    store: Store, location: Location, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dragoman.store.store._WRITE_SECONDS", PATIENCE)
    puts = [store.put_signatures("team", {f"c{number}": b"x"}) for number in range(1000)]
    assert all(await asyncio.gather(*puts))
    assert ask(location, "SELECT count(*) FROM signatures") == [(1000,)]


async def test_two_workers_see_each_others(store: Store, location: Location) -> None:
    other = Store.open(location)
    await store.put_signatures("team", {"a": b"1"})
    assert await other.get_signatures("team", ["a"]) == {"a": b"1"}
    await other.put_signatures("team", {"a": b"2"})
    assert await store.get_signatures("team", ["a"]) == {"a": b"2"}
    await other.aclose()


async def test_what_was_handed_in_is_written_at_the_end(location: Location) -> None:
    store = Store.open(location)
    puts = [asyncio.create_task(store.put_signatures("team", {f"c{number}": b"x"})) for number in range(50)]
    await asyncio.sleep(0)
    await store.aclose()
    await asyncio.gather(*puts)
    again = Store.open(location)
    assert len(await again.get_signatures("team", [f"c{number}" for number in range(50)]) or ()) == 50
    await again.aclose()


def test_what_was_told_kept_survives_a_kill(location: Location, ask: Ask) -> None:
    script = """
import asyncio, os, pathlib, signal, sys
from dragoman.store import Store, location_of
async def main():
    store = Store.open(location_of(sys.argv[1], pathlib.Path(sys.argv[2])))
    await store.warm()
    for number in range(20):
        assert await store.put_signatures("team", {f"c{number}": b"x"})
    os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""
    where = (location.server or "sqlite", str(location.path.parent))
    ended = subprocess.run((sys.executable, "-c", script, *where), check=False)
    assert ended.returncode == -9
    assert ask(location, "SELECT count(*) FROM signatures") == [(20,)]
    if not location.server:
        assert ask(location, "PRAGMA integrity_check") == [("ok",)]


async def test_a_locked_database_holds_nobody_up_for_long(
    store: Store, location: Location, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.put_signatures("team", {"a": b"1"})
    monkeypatch.setattr("dragoman.store.store._WRITE_SECONDS", 0.05)
    engine = engine_of(location, writing=True)
    with engine.connect() as holder, holder.begin() as held:
        if location.server:  # a file is held by whoever has begun to write
            holder.exec_driver_sql("LOCK TABLE responses, items, signatures IN EXCLUSIVE MODE")
        with capture_logs() as told:
            assert not await store.put_signatures("team", {"a": b"2"})
            assert not await store.put_signatures("team", {"a": b"3"})
            with pytest.raises(StoreUnavailable):
                await store.delete_response("team", "resp_1")
        assert store.failures == 3
        assert [line["log_level"] for line in told] == ["error"]
        assert await store.get_signatures("team", ["a"]) == {"a": b"1"}, "reading goes on"
        held.rollback()
    engine.dispose()
    monkeypatch.setattr("dragoman.store.store._UNWELL_SECONDS", 30.0)
    with capture_logs() as told:
        assert await store.put_signatures("team", {"b": b"4"})
    assert [line["log_level"] for line in told] == ["warning"]
    # What waited longer than its request did was written all the same.
    assert await store.get_signatures("team", ["a", "b"]) == {"a": b"3", "b": b"4"}


async def test_a_slow_disk_is_found_well_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    held = threading.Event()
    monkeypatch.setattr("dragoman.store.store._UNWELL_SECONDS", 0.001)
    monkeypatch.setattr("dragoman.store.statements.put_signatures", lambda *_: held.wait(PATIENCE))
    monkeypatch.setattr("dragoman.store.store._WRITE_SECONDS", 0.001)
    assert not await store.put_signatures("team", {"a": b"1"})
    monkeypatch.setattr("dragoman.store.store._WRITE_SECONDS", PATIENCE)
    assert not await store.put_signatures("team", {"a": b"2"}), "it is given less time by now"
    with capture_logs() as told:
        held.set()
        async with asyncio.timeout(PATIENCE):
            while not told:
                await asyncio.sleep(0.001)
    assert [line["log_level"] for line in told] == ["warning"]
    assert await store.put_signatures("team", {"a": b"3"})


async def test_a_good_read_ends_what_a_failed_one_began(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise OSError("bad sector")

    monkeypatch.setattr("dragoman.store.store._UNWELL_SECONDS", PATIENCE)
    with monkeypatch.context() as patch, capture_logs() as told:
        patch.setattr("dragoman.store.statements.get_response", fails)
        for _ in range(2):
            with pytest.raises(StoreUnavailable, match="bad sector"):
                await store.get_response("team", "resp_1")
    assert [line["log_level"] for line in told] == ["error"]
    with capture_logs() as told:
        assert await store.put_response(ANSWER), "what is written says nothing of reading"
        assert told == []
        assert await store.get_response("team", "resp_1") == ANSWER
        assert await store.get_response("team", "resp_1") == ANSWER
    assert [line["event"] for line in told] == ["the database does read again"]


async def test_a_slow_read_is_given_up_and_found_well_later(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    held = threading.Event()
    monkeypatch.setattr("dragoman.store.statements.get_response", lambda *_: held.wait(PATIENCE))
    monkeypatch.setattr("dragoman.store.store._READ_SECONDS", 0.001)
    with pytest.raises(StoreUnavailable, match="it took too long"):
        await store.get_response("team", "resp_1")
    monkeypatch.setattr("dragoman.store.store._READ_SECONDS", PATIENCE)
    with capture_logs() as told:
        held.set()
        async with asyncio.timeout(PATIENCE):
            while not told:
                await asyncio.sleep(0.001)
    assert [line["log_level"] for line in told] == ["warning"]


@pytest.mark.parametrize("server", ["", "postgresql://nobody:wrong@127.0.0.1:9/none"])
async def test_a_database_that_is_gone_fails_nobody(file: Location, server: str) -> None:
    file.path.unlink()
    file.path.mkdir()
    store = Store.open(replace(file, server=server))
    assert not await store.put_response(ANSWER)
    assert not await store.put_signatures("team", {"a": b"1"})
    with pytest.raises(StoreUnavailable):
        await store.get_response("team", "resp_1")
    assert await store.get_signatures("team", ["a"]) is None
    await store.aclose()


async def test_a_full_disk_fails_nobody(file: Location) -> None:
    store = Store.open(file)
    await store.put_signatures("team", {"a": b"1"})
    with store._writer._database._opened().connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 12")
    assert not await store.put_response(replace(ANSWER, items=b"x" * 1_000_000))
    assert await store.get_signatures("team", ["a"]) == {"a": b"1"}
    assert await store.put_signatures("team", {"b": b"2"})
    await store.aclose()


async def test_a_server_that_comes_again_is_found_again(postgres_server: PostgresServer, tmp_path: Path) -> None:
    location = location_of(postgres_server.new_database(), tmp_path)
    migrate(location)
    store = Store.open(location)
    assert await store.put_signatures("team", {"a": b"1"})
    assert await store.get_signatures("team", ["a"]) == {"a": b"1"}
    postgres_server.stop()
    try:
        assert not await store.put_signatures("team", {"b": b"2"})
        assert await store.get_signatures("team", ["a"]) is None
    finally:
        postgres_server.start()
    assert await store.get_signatures("team", ["a", "b"]) == {"a": b"1"}
    assert await store.put_signatures("team", {"b": b"3"})
    assert await store.get_signatures("team", ["a", "b"]) == {"a": b"1", "b": b"3"}
    await store.aclose()


async def test_what_no_text_can_hold_is_not_there(store: Store) -> None:
    for id in ("resp_\0", "resp_\ud800"):
        assert await store.get_response("team", id) is None
        assert not await store.delete_response("team", id)
        assert await store.responses_with("team", [id]) == {}
    assert store.failures == 0


async def test_the_queue_has_a_bound(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("threading.Thread.start", lambda self: None)
    monkeypatch.setattr("threading.Thread.join", lambda self, timeout: None)
    monkeypatch.setattr("dragoman.store.store._WRITE_SECONDS", 0.2)
    puts = [asyncio.create_task(store.put_signatures("team", {"a": b"1"})) for _ in range(2049)]
    with capture_logs() as told:
        assert not any(await asyncio.gather(*puts))
    assert [line["error"] for line in told] == ["the disk does not keep up"]


async def test_one_that_cannot_be_written_leaves_the_others(store: Store) -> None:
    bad = replace(ANSWER, items="no bytes")  # type: ignore[arg-type]
    puts = [store.put_signatures("team", {"a": b"1"}), store.put_response(bad), store.put_response(ANSWER)]
    assert await asyncio.gather(*puts) == [True, False, True]


async def test_what_is_too_old_is_deleted(store: Store, location: Location, ask: Ask) -> None:
    await store.put_signatures("team", {f"c{number}": b"x" for number in range(700)})
    await store.put_response(replace(ANSWER, expires=NOW - 1, id="old"))
    await store.put_response(ANSWER)
    engine = engine_of(location, writing=True)
    with engine.begin() as connection:
        assert not prune(connection, now=NOW, signatures_before=NOW - 60)
    assert len(await store.get_signatures("team", [f"c{number}" for number in range(300)]) or ()) == 300
    with engine.begin() as connection:
        assert prune(connection, now=NOW, signatures_before=LATER)
        assert not prune(connection, now=NOW, signatures_before=LATER)
    engine.dispose()
    assert ask(location, "SELECT count(*) FROM signatures") == [(0,)]
    assert ask(location, "SELECT id FROM responses") == [("resp_1",)]


async def test_the_thread_tidies_up_by_itself(location: Location, ask: Ask) -> None:
    ask(location, "INSERT INTO signatures VALUES ('team', 'old', '', 1)")
    store = Store.open(location)
    await store.warm()
    async with asyncio.timeout(PATIENCE):
        while ask(location, "SELECT count(*) FROM signatures") != [(0,)]:
            await asyncio.sleep(0.01)
    await store.aclose()
