"""The database's shape: made once, by whoever comes first, and never undone."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from dragoman.store import Location, StoreRefused, location_of
from dragoman.store.engine import engine_of
from dragoman.store.migrate import NEWEST, migrate, revision_of
from dragoman.store.tables import metadata
from postgres import PASSWORD, PostgresServer
from store.conftest import Ask

SCRIPTS = Path(sys.modules["dragoman.store"].__file__ or "").with_name("migrations")


def test_the_newest_is_the_newest() -> None:
    assert ScriptDirectory(str(SCRIPTS)).get_current_head() == NEWEST


def test_the_migrations_make_the_tables_that_the_statements_know(location: Location) -> None:
    engine = engine_of(location, writing=False)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


def test_a_file_has_a_log_of_what_is_written(file: Location, ask: Ask) -> None:
    assert ask(file, "PRAGMA journal_mode") == [("wal",)]


def test_a_second_start_changes_nothing(empty: Location) -> None:
    assert migrate(empty)
    before = empty.path.read_bytes() if not empty.server else b""
    assert not migrate(empty)
    assert (empty.path.read_bytes() if not empty.server else b"") == before
    assert revision_of(empty) == NEWEST


def test_its_files_are_for_their_owner_alone(file: Location) -> None:
    with closing(sqlite3.connect(file.path)) as connection:
        connection.execute("DELETE FROM signatures")  # the log and its index are there while it is open
        files = list(file.path.parent.glob("dragoman.db*"))
        assert len(files) == 4
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_several_that_start_at_once(empty: Location) -> None:
    script = (
        "import sys, pathlib; from dragoman.store import location_of; from dragoman.store.migrate import migrate; "
        "migrate(location_of(sys.argv[1], pathlib.Path(sys.argv[2])))"
    )
    where = (empty.server or "sqlite", str(empty.path.parent))
    started = [subprocess.Popen((sys.executable, "-c", script, *where), stderr=subprocess.PIPE) for _ in "abc"]
    assert [(process.communicate(timeout=60)[1], process.returncode) for process in started] == [(b"", 0)] * 3
    assert revision_of(empty) == NEWEST


def test_a_later_versions_database_is_left_alone(location: Location, ask: Ask) -> None:
    ask(location, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreRefused, match="later version"):
        migrate(location)


def test_what_was_kept_under_a_keys_name_is_kept_under_its_id(
    empty: Location, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dragoman.store.migrate._HEAD", "0002")
    migrate(empty)
    for owner in ("team", "root", "trial", "", "file:odd"):
        ask(empty, f"INSERT INTO signatures VALUES ('{owner}', 'call', '', 1)")
        ask(empty, f"INSERT INTO responses VALUES ('{owner}', 'resp', 1, 2, 'p', 'm', '', '')")
        ask(empty, f"INSERT INTO items VALUES ('{owner}', 'item', 'resp', 2)")
    monkeypatch.undo()
    migrate(empty)
    for table in ("signatures", "responses", "items"):
        owners = {owner for (owner,) in ask(empty, f"SELECT owner FROM {table}")}
        assert owners == {"file:team", "root", "trial", "", "file:file:odd"}


def test_garbage_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "dragoman.db").write_bytes(b"something else, and quite long enough " * 40)
    with pytest.raises(StoreRefused, match="cannot be brought to this version's shape"):
        migrate(location_of("sqlite", tmp_path))


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StoreRefused, match=r"cannot be opened: No such file"):
        migrate(location_of("sqlite", tmp_path / "none"))


def test_a_lock_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "dragoman.db.lock").mkdir()
    with pytest.raises(StoreRefused, match="cannot be brought to this version's shape"):
        migrate(location_of("sqlite", tmp_path))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"password": "wrong"}, 'password authentication failed for user "dragoman". Check the user and the password'),
        ({"database": "nowhere"}, 'database "nowhere" does not exist. Make it first: createdb'),
        ({"port": 9}, "Connection refused. Check the address"),
    ],
)
def test_a_server_that_does_not_let_us_in(
    postgres_server: PostgresServer, tmp_path: Path, change: dict[str, Any], why: str
) -> None:
    address = postgres_server.url(change.get("database", "postgres"), change.get("password", PASSWORD))
    address = address.replace(str(postgres_server.port), str(change.get("port", postgres_server.port)))
    with pytest.raises(StoreRefused) as refused:
        migrate(location_of(address, tmp_path))
    assert why in str(refused.value)
    assert "wrong" not in str(refused.value) and PASSWORD not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_address_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(StoreRefused, match="Check the address"):
        migrate(location_of("postgresql://user:secret@host:port/db", tmp_path))


def test_a_database_in_another_encoding(postgres_server: PostgresServer, tmp_path: Path) -> None:
    with psycopg.connect(postgres_server.url("postgres"), autocommit=True) as connection:
        connection.execute("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0")
    with pytest.raises(StoreRefused, match="encoded in LATIN1; Dragoman needs UTF8"):
        migrate(location_of(postgres_server.url("latin"), tmp_path))


def test_a_server_without_its_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dragoman.store.location.find_spec", lambda name: None)
    with pytest.raises(StoreRefused, match=r"pip install 'dragoman\[postgres\]'"):
        location_of("postgresql://user:secret@host/db", tmp_path)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("postgresql://user:secret@host:5433/db?sslmode=require&password=x", "postgresql://host:5433/db"),
        ("postgresql:///db?host=/run/postgresql", "postgresql:///db"),
        ("postgresql://user:secret@[bad/db", "postgresql://…"),
    ],
)
def test_an_address_is_shown_without_its_secrets(tmp_path: Path, address: str, shown: str) -> None:
    assert location_of(address, tmp_path).shown == shown


def test_importing_the_store_is_cheap() -> None:
    rooms = "dragoman.store, dragoman.store.migrate, dragoman.store.keys, dragoman.store.keyring"
    script = f"import sys, {rooms}; print({{'sqlalchemy', 'alembic', 'psycopg'}} & sys.modules.keys())"
    assert subprocess.check_output((sys.executable, "-c", script), text=True) == "set()\n"
