"""Which files of the journal are mapped."""

import os
from pathlib import Path

import pytest

from dragoman.ledger import mapping

MOUNTS = """\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/root rw
23 22 0:21 / /proc rw - proc proc rw
31 22 0:45 / /data rw,relatime shared:9 master:3 - btrfs /dev/vdb rw,space_cache=v2
"""


@pytest.fixture
def _mounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS)
    monkeypatch.setattr(mapping, "_MOUNTS", mounts)
    mapping.kind_of.cache_clear()
    yield
    mapping.kind_of.cache_clear()


@pytest.mark.usefixtures("_mounts")
@pytest.mark.parametrize(("device", "kind"), [((254, 0), "ext4"), ((0, 45), "btrfs"), ((0, 99), "")])
def test_what_a_device_is(device: tuple[int, int], kind: str) -> None:
    assert mapping.kind_of(os.makedev(*device)) == kind


def test_where_nothing_tells_nothing_is_mapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapping, "_MOUNTS", tmp_path / "nothing")
    mapping.kind_of.cache_clear()
    with (tmp_path / "file").open("w+b") as file:
        file.truncate(4096)
        assert mapping.mapped(file.fileno(), 4096) is None
    mapping.kind_of.cache_clear()


@pytest.mark.parametrize("kind", ["ext4", "tmpfs", "xfs", "btrfs", "nfs4", "overlay", ""])
def test_only_where_room_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(mapping, "kind_of", lambda device: kind)
    with (tmp_path / "file").open("w+b") as file:
        file.truncate(4096)
        pages = mapping.mapped(file.fileno(), 4096)
        assert (pages is not None) == (kind in ("ext4", "tmpfs", "xfs"))
        if pages is not None:
            pages[:5] = b"entry"
            assert file.read(5) == b"entry"
            pages.close()
