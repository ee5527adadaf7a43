"""A disk of its own for a test, small enough to be filled to the last byte."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


class Disk:
    """A mounted file system at `path`. What fills it is beside what the test puts there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._filling = path / "filling"

    def fill(self, leaving: int = 0) -> None:
        """Until nothing more goes on it, but for `leaving` bytes."""
        with self._filling.open("ab", buffering=0) as file:
            for piece in (2**20, 4096, 1):
                with contextlib.suppress(OSError):
                    while True:
                        file.write(b"\1" * piece)
            if leaving:
                file.truncate(max(0, file.tell() - leaving))

    def free(self) -> None:
        self._filling.unlink()


@contextlib.contextmanager
def small_disk(path: Path, megabytes: int) -> Iterator[Disk]:
    """Skips the test where this machine lets nobody mount one."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a disk of a test's own")
    path.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=700", "dragoman-test", str(path)]
    done = subprocess.run(mounting, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no disk of a test's own can be mounted here: {done.stderr.strip()}")
    try:
        yield Disk(path)
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)
