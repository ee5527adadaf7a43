"""Whether a file of the journal may be mapped: then an entry is stored without a system call.

What is stored in a mapped page that finds no room on the disk ends the process (SIGBUS), where a write would only fail. Most file
systems keep for good what was taken by `fallocate`; those that write every block to a new place (btrfs, ZFS) do not, and of
others, networks' above all, nobody knows.
"""

from __future__ import annotations

import mmap
import os
from functools import lru_cache
from pathlib import Path

_KEEPING = frozenset({"ext4", "tmpfs", "xfs"})
_MOUNTS = Path("/proc/self/mountinfo")


def mapped(fd: int, size: int) -> mmap.mmap | None:
    """The file's pages; None where they cannot be had, or had better not."""
    device = os.fstat(fd).st_dev
    if kind_of(device) not in _KEEPING:
        return None
    try:
        # All at once, so that what a process takes of memory is the same before the first entry and after the last.
        return mmap.mmap(fd, size, flags=mmap.MAP_SHARED | mmap.MAP_POPULATE)
    except OSError:
        return None


@lru_cache(maxsize=16)
def kind_of(device: int) -> str:
    """A file system's name; "" where it is not told, as on other systems than Linux."""
    try:
        lines = _MOUNTS.read_text().splitlines()
    except OSError:
        return ""
    # proc(5): the third field is the device; the type stands behind a lone dash, for optional fields come before it.
    wanted = f"{os.major(device)}:{os.minor(device)}"
    for line in lines:
        fields = line.split()
        if fields[2] == wanted:
            return fields[fields.index("-") + 1]
    return ""
