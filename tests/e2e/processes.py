"""What the processes of one gateway are and hold, read from the outside."""

from __future__ import annotations

from pathlib import Path


def of_session(session: int) -> dict[int, str]:
    """The live processes of a session, with their command lines."""
    found = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            stat = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(stat[3]) == session and stat[0] != "Z":
                found[int(folder.name)] = (folder / "cmdline").read_text().replace("\0", " ")
        except (OSError, IndexError, ValueError):
            continue
    return found


def workers(session: int) -> list[int]:
    return sorted(pid for pid, line in of_session(session).items() if "dragoman.server.worker" in line)


def resident(pid: int) -> int:
    """Bytes of memory that a process holds."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"{pid} has no memory")
