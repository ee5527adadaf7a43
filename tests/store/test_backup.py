"""A backup is the database as it was at one moment, and a gateway can run on it; a check tells what is wrong."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest
from tests.ledger.samples import entry

from dragoman.store import Location, Store, StoredResponse, StoreRefused, location_of
from dragoman.store.backup import BackupFailed, backup
from dragoman.store.entries import EntryTable
from dragoman.store.keyring import Keyring
from dragoman.store.keys import Keys
from dragoman.store.migrate import migrate
from dragoman.store.verify import verify
from store.conftest import Ask

ANSWER = StoredResponse("resp_1", "team", 1, 2**40, "openai", "gpt-5.4", b"[1]\0\xff", b"{}")


def make_keys(location: Location, count: int) -> list[str]:
    keys = Keys(location)
    made = [keys.create({"name": f"k{n}", "limits": {"requests_per_minute": 5}}, "tests").key.id for n in range(count)]
    keys.close()
    return made


def make_entry(location: Location) -> None:
    table = EntryTable(location)
    one = entry(1)
    table.put([[getattr(one, name) for name in one.__struct_fields__]])
    table.close()


async def test_a_gateway_can_run_on_it(store: Store, location: Location, tmp_path: Path) -> None:
    await store.put_response(ANSWER)
    await store.put_signatures("team", {f"c{n}": b"\0x" for n in range(1500)})
    made = make_keys(location, 3)
    make_entry(location)
    copy = backup(location, tmp_path / "copies" / "dragoman.db")
    assert copy.rows["entries"] == copy.rows["usage"] == 1
    assert (copy.rows["responses"], copy.rows["signatures"], copy.rows["keys"], copy.rows["versions"]) == (
        1,
        1500,
        3,
        1,
    )
    assert copy.sha256 == sha256(copy.path.read_bytes()).hexdigest()
    assert copy.size == copy.path.stat().st_size
    assert stat.S_IMODE(copy.path.stat().st_mode) == 0o600
    assert [path.name for path in copy.path.parent.iterdir()] == ["dragoman.db"]
    assert all(check.ok for check in verify(Location(copy.path)))
    assert copy.sha256 == sha256(copy.path.read_bytes()).hexdigest()

    other = location_of("sqlite", tmp_path / "copies")
    assert not migrate(other)
    ring = Keyring(other)
    changes = ring.read()
    ring.close()
    assert changes is not None and changes.number == 3 and [held.id for held in changes.keys] == made
    again = Store.open(other)
    assert await again.get_response("team", "resp_1") == ANSWER
    assert len(await again.get_signatures("team", [f"c{n}" for n in range(1500)]) or ()) == 1500
    await again.aclose()
    make_keys(other, 1)


async def test_what_is_written_later_is_not_in_it(store: Store, location: Location, tmp_path: Path) -> None:
    await store.put_signatures("team", {"a": b"1"})
    backup(location, tmp_path / "one.db")
    assert await store.put_signatures("team", {"b": b"2"})
    with closing(sqlite3.connect(tmp_path / "one.db")) as copy:
        assert copy.execute("SELECT call FROM signatures").fetchall() == [("a",)]


def test_what_is_there_is_not_written_over(location: Location, tmp_path: Path) -> None:
    path = tmp_path / "mine.db"
    path.write_text("mine")
    with pytest.raises(BackupFailed, match="There is a file"):
        backup(location, path)
    assert path.read_text() == "mine"


def test_no_half_of_one_is_left(location: Location, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("dragoman.store.backup._sync", fail)
    with pytest.raises(BackupFailed, match="No space left on device"):
        backup(location, tmp_path / "copies" / "one.db")
    assert list((tmp_path / "copies").iterdir()) == []


def test_nothing_to_copy(empty: Location, tmp_path: Path) -> None:
    with pytest.raises(BackupFailed, match=r"There is no database|is not of this version's shape"):
        backup(empty, tmp_path / "one.db")


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    nowhere = location_of("postgresql://u:p@127.0.0.1:9/none", tmp_path)
    with pytest.raises(StoreRefused, match="Connection refused"):
        backup(nowhere, tmp_path / "one.db")
    assert list(tmp_path.iterdir()) == []
    (check,) = verify(nowhere)
    assert not check.ok and "Connection refused" in check.message


def test_a_good_database_is_good(location: Location) -> None:
    make_keys(location, 2)
    make_entry(location)
    checks = verify(location)
    assert [(check.name, check.ok) for check in checks] == [
        ("server" if location.server else "file", True),
        ("shape", True),
        ("keys", True),
        ("ledger", True),
    ]
    assert checks[-2].message == "2 keys"
    assert checks[-1].message.startswith("1 entries")


@pytest.mark.parametrize(
    ("change", "check", "words"),
    [
        (
            "UPDATE alembic_version SET version_num = '0001'",
            "shape",
            "of an earlier version (0001). Run: dragoman db migrate",
        ),
        ("UPDATE alembic_version SET version_num = '9999'", "shape", "of a later version (9999)"),
        ("DROP TABLE settings", "shape", "not as this version made it: add table settings"),
        ("DROP INDEX keys_version", "shape", "not as this version made it: add index keys_version"),
        ("UPDATE keys SET limits = '[' WHERE name = 'k1'", "keys", "1 cannot be read: key_"),
        ("UPDATE keys SET digest = NULL WHERE name = 'k1'", "keys", "1 cannot be read: key_"),
        ("UPDATE versions SET number = 1", "keys", "the number of their version is behind them"),
        ("UPDATE usage SET cost_nanos = cost_nanos - 1", "ledger", "sums that are less than their entries: day "),
        ("DELETE FROM usage", "ledger", "sums that are less than their entries: day "),
    ],
)
def test_what_is_wrong_is_told(location: Location, ask: Ask, change: str, check: str, words: str) -> None:
    make_keys(location, 2)
    make_entry(location)
    ask(location, change)
    found = verify(location)[-1]
    assert (found.name, found.ok) == (check, False)
    assert words in found.message


def test_a_database_that_nobody_migrated(empty: Location) -> None:
    if not empty.server:
        assert verify(empty)[-1].message == f"there is no file {empty.path}"
        empty.make()
    assert verify(empty)[-1].message == "there is nothing of Dragoman's in it. Run: dragoman db migrate"


def test_a_broken_file(file: Location) -> None:
    make_keys(file, 200)
    with closing(sqlite3.connect(file.path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(file.path.read_bytes())
    content[8 * 4096 :] = b"\x55" * (len(content) - 8 * 4096)
    file.path.write_bytes(content)
    (check,) = verify(file)
    assert not check.ok
    with pytest.raises(BackupFailed):
        backup(file, file.path.with_name("copy.db"))
    assert not file.path.with_name("copy.db").exists()
