"""`dragoman db`, on both databases."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.ledger.samples import entry

from cli.conftest import Run, data_of
from dragoman.ledger import Journal, journal_of
from dragoman.ledger.entry import encode
from dragoman.store.migrate import NEWEST


@pytest.fixture(params=["sqlite", "postgresql"])
def placed(request: pytest.FixtureRequest, shell: Path) -> Path:
    database = request.param if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    (shell / "dragoman.yaml").write_text(f"database: {database}\n")
    return shell


def test_migrate(placed: Path, run: Run) -> None:
    for changed in (True, False):
        found = data_of(run("db", "migrate", "--json"))
        assert (found["revision"], found["changed"]) == (NEWEST, changed)
        assert "pg-secret" not in json.dumps(found)
    assert run("db", "migrate").stdout.split()[-1] == NEWEST


def test_backup_and_verify(placed: Path, run: Run) -> None:
    secret = run("keys", "create", "ci").stdout.strip()
    result = run("db", "backup")
    path = Path(result.stdout.strip())
    assert path.parent == placed / "data" / "backups" and path.is_file()
    made = data_of(run("db", "backup", str(placed / "copy.db"), "--json"))
    assert (made["path"], made["rows"]["keys"]) == (str(placed / "copy.db"), 1)
    for words in ((), (str(path),), (str(placed / "copy.db"),)):
        found = data_of(run("db", "verify", *words, "--json"))
        assert found["ok"] and all(check["ok"] for check in found["checks"])
    assert run("db", "backup", str(placed / "copy.db")).exit_code == 1
    # A gateway, or this, on the copy: as it was.
    (placed / "data" / "dragoman.db").unlink(missing_ok=True)
    (placed / "copy.db").rename(placed / "data" / "dragoman.db")
    (placed / "dragoman.yaml").write_text("database: sqlite\n")
    assert data_of(run("keys", "show", "ci", "--json"))["ending"] == secret[-4:]


def test_a_backup_holds_what_is_still_in_the_journal(placed: Path, run: Run) -> None:
    assert run("db", "migrate").exit_code == 0
    directory = journal_of(placed / "data")
    directory.mkdir(parents=True)
    journal = Journal(directory, limit=2**24)
    journal.append(encode(entry(1)))
    path = Path(run("db", "backup").stdout.strip())
    journal.close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT request_id FROM entries").fetchall() == [(entry(1).request_id,)]


def test_verify_says_what_is_wrong(shell: Path, run: Run) -> None:
    run("db", "migrate")
    with closing(sqlite3.connect(shell / "data" / "dragoman.db")) as connection:
        connection.execute("DROP TABLE keys")
    result = run("db", "verify")
    assert result.exit_code == 1
    assert "fail" in result.stdout and "add table keys" in result.stdout
    assert run("db", "verify", "nowhere.db").exit_code == 1


def test_nothing_to_back_up(shell: Path, run: Run) -> None:
    result = run("db", "backup")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "There is no database" in result.stderr
