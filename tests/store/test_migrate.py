"""The database's shape: made once, by whoever comes first, and never undone."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from dragoman.store import Location, StoreRefused, location_of
from dragoman.store.engine import engine_of
from dragoman.store.migrate import NEWEST, migrate, revision_of
from dragoman.store.schema import metadata

SCRIPTS = Path(sys.modules["dragoman.store"].__file__ or "").with_name("migrations")


def test_the_newest_is_the_newest() -> None:
    assert ScriptDirectory(str(SCRIPTS)).get_current_head() == NEWEST


def test_the_migrations_make_the_tables_that_the_statements_know(location: Location) -> None:
    engine = engine_of(location, writing=False)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    engine.dispose()


def test_a_second_start_changes_nothing(location: Location) -> None:
    before = location.path.read_bytes()
    migrate(location)
    assert location.path.read_bytes() == before
    assert revision_of(location) == NEWEST


def test_its_files_are_for_their_owner_alone(location: Location) -> None:
    with closing(sqlite3.connect(location.path)) as connection:
        connection.execute("DELETE FROM signatures")  # the log and its index are there while it is open
        files = list(location.path.parent.glob("dragoman.db*"))
        assert len(files) == 4
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_several_that_start_at_once(tmp_path: Path) -> None:
    script = (
        "import sys, pathlib; from dragoman.store import location_of; from dragoman.store.migrate import migrate; "
        "migrate(location_of('sqlite', pathlib.Path(sys.argv[1])))"
    )
    started = [subprocess.Popen((sys.executable, "-c", script, str(tmp_path)), stderr=subprocess.PIPE) for _ in "abc"]
    assert [(process.communicate(timeout=60)[1], process.returncode) for process in started] == [(b"", 0)] * 3
    assert revision_of(location_of("sqlite", tmp_path)) == NEWEST


def test_a_later_versions_database_is_left_alone(location: Location) -> None:
    with closing(sqlite3.connect(location.path)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    with pytest.raises(StoreRefused, match="later version"):
        migrate(location)


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


def test_a_server_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreRefused, match="speaks to no PostgreSQL server"):
        location_of("postgresql://user:secret@host/db", tmp_path)


def test_importing_the_store_is_cheap() -> None:
    script = "import sys, dragoman.store, dragoman.store.migrate; print({'sqlalchemy', 'alembic'} & sys.modules.keys())"
    assert subprocess.check_output((sys.executable, "-c", script), text=True) == "set()\n"
