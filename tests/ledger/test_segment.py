"""A file of the journal: what was written whole is read, and nothing else."""

import fcntl
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.ledger import mapping
from dragoman.ledger.segment import FRAME, START, Segment, unmarked


@pytest.fixture(autouse=True, params=["mapped", "written"])
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways to store a record, whatever file system the tests run on."""
    kind = {"mapped": "ext4", "written": "btrfs"}[request.param]
    monkeypatch.setattr(mapping, "kind_of", lambda device: kind)


def made(tmp_path: Path, size: int = 4096) -> Segment:
    return Segment.create(tmp_path / "a.journal", size)


def test_what_is_appended_is_read_in_order(tmp_path: Path) -> None:
    segment = made(tmp_path)
    for payload in (b"one", b"two", b"three"):
        assert segment.append(payload)
    found, mark = segment.read(4096)
    assert found == [b"one", b"two", b"three"]
    assert mark == segment.end == START + 3 * FRAME + 11
    assert unmarked(segment.path.read_bytes()) == found


def test_a_mark_hides_what_is_before_it(tmp_path: Path) -> None:
    segment = made(tmp_path)
    segment.append(b"one")
    segment.set_mark(segment.end)
    segment.append(b"two")
    assert segment.read(4096)[0] == [b"two"]
    assert unmarked(segment.path.read_bytes()) == [b"two"]


def test_a_full_file_takes_no_more_and_keeps_what_it_has(tmp_path: Path) -> None:
    segment = made(tmp_path, START + 3 * (FRAME + 10))
    assert [segment.append(b"0123456789") for _ in range(4)] == [True, True, True, False]
    assert len(segment.read(4096)[0]) == 3


def test_room_is_taken_beforehand(tmp_path: Path) -> None:
    segment = made(tmp_path, 64 * 1024)
    assert os.stat(segment.path).st_blocks * 512 >= 64 * 1024


def test_what_was_there_before_is_no_record_once_the_file_is_used_anew(tmp_path: Path) -> None:
    segment = made(tmp_path)
    for _ in range(5):
        segment.append(b"old" * 5)
    segment.reuse()
    segment.append(b"new" * 5)
    assert segment.read(4096)[0] == [b"new" * 5]
    assert unmarked(segment.path.read_bytes()) == [b"new" * 5]


def test_little_is_read_at_a_time_and_a_long_record_whole(tmp_path: Path) -> None:
    segment = made(tmp_path)
    for payload in (b"a" * 100, b"b" * 100, b"c" * 1000):
        segment.append(payload)
    seen = []
    while found := segment.read(130)[0]:
        seen.append([payload[:1] for payload in found])
        segment.set_mark(segment.read(130)[1])
    assert seen == [[b"a"], [b"b"], [b"c"]]


def test_it_is_locked_while_its_owner_lives(tmp_path: Path) -> None:
    segment = made(tmp_path)
    with segment.path.open("rb") as file:
        with pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        segment.close(remove=False)
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@given(st.lists(st.binary(min_size=1, max_size=60), min_size=1, max_size=8), st.data())
def test_a_file_cut_or_garbled_anywhere_gives_a_beginning_of_what_it_held(
    tmp_path_factory: pytest.TempPathFactory, payloads: list[bytes], data: st.DataObject
) -> None:
    segment = made(tmp_path_factory.mktemp("s"))
    for payload in payloads:
        segment.append(payload)
    whole = segment.path.read_bytes()
    cut = data.draw(st.integers(0, segment.end))
    found = unmarked(whole[:cut])
    assert found == payloads[: len(found)]
    at = data.draw(st.integers(START, segment.end - 1))
    garbled = bytearray(whole)
    garbled[at] ^= data.draw(st.integers(1, 255))
    found = unmarked(bytes(garbled))
    assert found == payloads[: len(found)]
    assert len(found) < len(payloads)
    segment.close(remove=True)
