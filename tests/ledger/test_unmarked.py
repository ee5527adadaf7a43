"""Whether anything waits in a journal is told by a look at its mark, whatever the file held before."""

from __future__ import annotations

import os
from pathlib import Path

from dragoman.ledger.segment import FRAME, START, Segment, has_unmarked


def looked_at(path: Path) -> bool:
    fd = os.open(path, os.O_RDONLY)
    try:
        return has_unmarked(fd)
    finally:
        os.close(fd)


def test_what_waits(tmp_path: Path) -> None:
    segment = Segment.create(tmp_path / "a.journal", 4096)
    assert not looked_at(segment.path)
    segment.append(b"one")
    segment.append(b"two")
    assert looked_at(segment.path)
    segment.set_mark(START + FRAME + len(b"one"))
    assert looked_at(segment.path)
    segment.set_mark(segment.end)
    assert not looked_at(segment.path)
    segment.reuse()  # what was there is there still, under another generation
    assert not looked_at(segment.path)
    segment.append(b"three")
    assert looked_at(segment.path)
    segment.close(remove=False)


def test_a_full_one_and_what_is_none(tmp_path: Path) -> None:
    segment = Segment.create(tmp_path / "a.journal", 128)
    while segment.append(b"12345678"):
        pass
    assert looked_at(segment.path)
    segment.set_mark(segment.end)
    assert not looked_at(segment.path)
    segment.close(remove=False)
    for number, content in enumerate((b"", b"x" * 10, b"\xff" * 200, b"\0" * 200)):
        path = tmp_path / f"{number}.journal"
        path.write_bytes(content)
        assert not looked_at(path)
