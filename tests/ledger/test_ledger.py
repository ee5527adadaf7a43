"""From the journal into the database, whatever the database does."""

import errno
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from tests.ledger.samples import entry

from dragoman.ledger import Journal, JournalFull, Ledger, catch_up, has_any
from dragoman.ledger.segment import FRAME, START, Segment, unmarked


class Table:
    """A database that can be told to fail."""

    def __init__(self) -> None:
        self.rows: dict[str, list[Any]] = {}
        self.prices: dict[str, str] = {}
        self.puts = 0
        self.failing = False
        self.came = threading.Condition()

    def put(self, rows: list[list[Any]], prices: dict[str, str]) -> None:
        with self.came:
            self.puts += 1
            self.came.notify_all()
            if self.failing:
                raise OSError("the database is locked")
            self.prices |= prices
            for row in rows:
                self.rows.setdefault(row[0], row)

    def wait(self, done: Any) -> None:
        with self.came:
            assert self.came.wait_for(done, 10)


def test_entries_reach_the_database(tmp_path: Path) -> None:
    table = Table()
    ledger = Ledger(Journal(tmp_path, limit=2**20, segment_bytes=2**16), table.put)
    for number in range(1000):
        ledger.enter(entry(number))
    table.wait(lambda: len(table.rows) == 1000)
    ledger.close()
    assert (ledger.entered, ledger.moved, ledger.lost) == (1000, 1000, 0)
    assert not has_any(tmp_path)
    assert table.puts < 100  # many share a transaction


def test_nothing_is_lost_and_nothing_comes_twice_over_a_time_of_trouble(tmp_path: Path) -> None:
    table = Table()
    table.failing = True
    ledger = Ledger(Journal(tmp_path, limit=2**20, segment_bytes=2**14), table.put)
    for number in range(500):
        ledger.enter(entry(number))
    table.wait(lambda: table.puts > 1)
    assert ledger.trouble == "the database is locked"
    assert ledger.waiting == 500
    table.failing = False
    table.wait(lambda: len(table.rows) == 500)
    ledger.close()
    assert ledger.trouble is None
    assert ledger.moved == 500


def test_what_is_not_moved_at_the_end_waits_for_the_next_start(tmp_path: Path) -> None:
    table = Table()
    table.failing = True
    ledger = Ledger(Journal(tmp_path, limit=2**20, segment_bytes=2**14), table.put)
    for number in range(300):
        ledger.enter(entry(number))
    ledger.close()
    assert has_any(tmp_path)
    table.failing = False
    assert catch_up(tmp_path, table.put) == 300
    assert len(table.rows) == 300
    assert not has_any(tmp_path)


def test_a_journal_of_the_living_is_read_and_left_alone(tmp_path: Path) -> None:
    table = Table()
    journal = Journal(tmp_path, limit=2**20, segment_bytes=2**14)
    from dragoman.ledger.entry import encode

    for number in range(3):
        journal.append(encode(entry(number)))
    assert catch_up(tmp_path, table.put) == 3
    assert catch_up(tmp_path, table.put) == 3  # its owner has not marked them
    assert len(table.rows) == 3
    assert has_any(tmp_path)
    journal.close()


def waiting(directory: Path) -> int:
    """Bytes of the records that are not marked."""
    records = [record for path in directory.iterdir() for record in unmarked(path.read_bytes())]
    return sum(FRAME + len(record) for record in records)


def fill(journal: Journal) -> None:
    for _ in range(1000):
        journal.append(b"x" * 100)


def test_a_journal_has_a_bound_and_says_so_before_it_is_reached(tmp_path: Path) -> None:
    journal = Journal(tmp_path, limit=2**15, segment_bytes=2**14)
    assert not journal.exhausted
    while not journal.exhausted:
        journal.append(b"x" * 100)
    assert waiting(tmp_path) > 2**14 - 200
    with pytest.raises(JournalFull, match=r"ledger\.journal_limit"):
        fill(journal)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) == 2**15
    journal.close()


def test_a_full_disk_is_known_before_the_last_file_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread may be waiting for a database that does not answer: it is not needed for that."""
    journal = Journal(tmp_path, limit=2**30, segment_bytes=2**14)

    def full(path: Path, size: int) -> Segment:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(Segment, "create", full)
        while not journal.exhausted:
            journal.append(b"x" * 100)
        assert waiting(tmp_path) < 2**14 * 3 // 2 + 200
        with pytest.raises(JournalFull, match="No space left"):
            fill(journal)
    journal.tidy()
    assert not journal.exhausted
    fill(journal)
    journal.close()


def test_a_bound_that_is_never_met_by_a_database_that_works(tmp_path: Path) -> None:
    table = Table()
    ledger = Ledger(Journal(tmp_path, limit=2**15, segment_bytes=2**14), table.put)
    for number in range(300):
        ledger.enter(entry(number))
        assert not ledger.exhausted
        if number % 10 == 9:
            table.wait(lambda number=number: len(table.rows) == number + 1)
    ledger.close()
    assert ledger.lost == 0


def test_files_are_used_again(tmp_path: Path) -> None:
    table = Table()
    ledger = Ledger(Journal(tmp_path, limit=2**20, segment_bytes=2**14), table.put)
    for number in range(2000):
        ledger.enter(entry(number))
        if number % 100 == 99:
            table.wait(lambda number=number: len(table.rows) == number + 1)
    assert len(list(tmp_path.iterdir())) <= 4
    ledger.close()


def test_an_entry_that_finds_no_place_is_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    table = Table()
    table.failing = True
    ledger = Ledger(Journal(tmp_path, limit=2**15, segment_bytes=2**14), table.put)
    for number in range(1000):
        ledger.enter(entry(number))
    assert ledger.lost > 0
    assert ledger.entered + ledger.lost == 1000
    ledger.close()
    table.failing = False
    assert catch_up(tmp_path, table.put) == ledger.entered


_WRITER = """
import sys
from pathlib import Path
from dragoman.ledger import Journal
from dragoman.ledger.entry import encode
from tests.ledger.samples import entry
journal = Journal(Path(sys.argv[1]), limit=2**24, segment_bytes=2**14)
number = 0
while True:
    journal.append(encode(entry(number)))
    sys.stdout.write(f"{number}\\n")
    sys.stdout.flush()
    number += 1
"""


@pytest.mark.parametrize("told", [1, 50, 777])
def test_what_was_appended_outlives_a_kill(tmp_path: Path, told: int) -> None:
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
    ) as process:
        assert process.stdout is not None
        last = -1
        for line in process.stdout:
            last = int(line)
            if last >= told:
                process.send_signal(signal.SIGKILL)
                break
        last = max([last, *(int(line) for line in process.stdout if line.endswith("\n"))])
    table = Table()
    catch_up(tmp_path, table.put)
    ids = sorted(table.rows)
    # All that it told of, and at most the one that it was about to tell.
    assert ids[: last + 1] == [entry(number).request_id for number in range(last + 1)]
    assert len(ids) <= last + 2


def test_the_file_is_marked_as_entries_reach_the_database(tmp_path: Path) -> None:
    table = Table()
    journal = Journal(tmp_path, limit=2**20)
    ledger = Ledger(journal, table.put)
    ledger.enter(entry())
    table.wait(lambda: len(table.rows) == 1)
    ledger.close()
    assert journal.oldest().mark == journal.oldest().end > START


def test_a_price_goes_before_the_entries_that_name_it_and_once(tmp_path: Path) -> None:
    table = Table()
    table.failing = True
    ledger = Ledger(Journal(tmp_path, limit=2**20), table.put)
    for number in range(3):
        ledger.know("p1", '{"input": "1"}')
        ledger.enter(entry(number))
    ledger.close()
    table.failing = False
    assert catch_up(tmp_path, table.put) == 3
    assert table.prices == {"p1": '{"input": "1"}'}
