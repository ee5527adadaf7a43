"""What a gateway takes over at its start, and that a start that fails keeps none of it."""

from __future__ import annotations

import errno
import socket
import tempfile
from pathlib import Path
from typing import Any

import pytest

from dragoman.config import Settings
from dragoman.limits import SharedTable
from dragoman.server.premises import Premises, StartFailed

NO_ROOM = OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The temporary directory of the machine."""
    found = tmp_path / "scratch"
    found.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(found))
    return found


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    with socket.create_server(("127.0.0.1", 0)) as asked:
        port = asked.getsockname()[1]
    return Settings.model_validate({"data": tmp_path / "data", "server": {"port": port}})


def refuse(*words: Any, **named: Any) -> Any:
    raise NO_ROOM


def is_free(port: int) -> bool:
    with socket.socket() as asked:
        return asked.connect_ex(("127.0.0.1", port)) == errno.ECONNREFUSED


def test_they_are_given_back(settings: Settings, scratch: Path) -> None:
    premises = Premises(settings, {})
    try:
        assert premises.directory.parent == scratch
        assert list(premises.directory.iterdir())
        assert not is_free(premises.port)
        assert premises.key.made is not None
        assert premises.agreed is None
    finally:
        premises.close()
        premises.keyring.close()
    assert list(scratch.iterdir()) == []
    assert is_free(settings.server.port)


def test_without_room_for_the_limits_nothing_is_kept(
    settings: Settings, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SharedTable, "create", refuse)
    with pytest.raises(StartFailed, match=rf"limited in {scratch}/dragoman-.*: No space left on device.*TMPDIR"):
        Premises(settings, {})
    assert list(scratch.iterdir()) == []
    assert is_free(settings.server.port)


def test_without_a_temporary_directory_it_is_said(
    settings: Settings, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "mkdtemp", refuse)
    with pytest.raises(StartFailed, match=r"limited in the temporary directory: No space left on device.*TMPDIR"):
        Premises(settings, {})
    assert is_free(settings.server.port)


def test_without_room_for_the_journals_the_port_is_free_again(
    settings: Settings, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dragoman.server.premises.make_room", refuse)
    with pytest.raises(StartFailed, match=r"room for the ledger's journal in .*: No space left on device.*--data DIR"):
        Premises(settings, {})
    assert list(scratch.iterdir()) == []
    assert is_free(settings.server.port)
