"""The configuration file in force, looked at now and then."""

from __future__ import annotations

from pathlib import Path

from dragoman.server.watched import Watched


def test_a_change_counts_once_it_has_come_to_rest(tmp_path: Path) -> None:
    file = tmp_path / "dragoman.yaml"
    file.write_text("a")
    watched = Watched(file)
    assert not watched.has_changed()
    file.write_text("ab")
    assert not watched.has_changed()
    file.write_text("abc")
    assert not watched.has_changed()
    assert watched.has_changed()
    watched.apply()
    assert not watched.has_changed()


def test_what_another_reload_has_read_is_no_change(tmp_path: Path) -> None:
    file = tmp_path / "dragoman.yaml"
    file.write_text("a")
    watched = Watched(file)
    file.write_text("ab")
    assert not watched.has_changed()
    watched.apply()
    assert not watched.has_changed() and not watched.has_changed()


def test_no_file_and_then_one(tmp_path: Path) -> None:
    file = tmp_path / "dragoman.yaml"
    watched = Watched(None)
    watched.apply()
    assert not watched.has_changed()
    file.write_text("a")
    watched.follow(file)
    assert not watched.has_changed()
    file.write_text("ab")
    assert not watched.has_changed()
    assert watched.has_changed()


def test_a_removed_file_is_no_change(tmp_path: Path) -> None:
    file = tmp_path / "dragoman.yaml"
    file.write_text("a")
    watched = Watched(file)
    file.unlink()
    assert not watched.has_changed() and not watched.has_changed()
