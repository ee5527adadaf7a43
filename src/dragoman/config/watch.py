"""Has the file changed? A comparison of what `stat` says, cheap enough to ask every second."""

from __future__ import annotations

from pathlib import Path

Fingerprint = tuple[int, int, int, int] | None


def fingerprint(path: Path) -> Fingerprint:
    """Device, inode, size and time of the file that `path` leads to, or None when there is none.

    Links are followed: Kubernetes swaps a mounted ConfigMap by turning a link to another folder.
    Pure but for one `stat`; the caller compares and decides when to ask again.
    """
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
