"""Where the processes of one server leave their counts for each other: a directory with a file for each, and one for the dead.

Nothing is locked between writers and readers: files are replaced whole, and a reader reads the living before the dead, whose
file names what it has absorbed. So a count is seen exactly once at any moment, even while a file is being absorbed.
"""

import fcntl
import os
import re
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

import msgspec

from dragoman.observe.series import State

_DEAD = "dead.metrics"
_NAME = re.compile(r"worker-(\d+)-(\d+)\.metrics")
# Long enough that no reader can still hold a file whose name has left the list.
_ABSORBED_KEPT = 1000

encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(State).decode


def file_name(pid: int, start: int) -> str:
    """`start` tells two processes apart that were given the same id."""
    return f"worker-{pid}-{start}.metrics"


def write(directory: Path, name: str, data: bytes) -> None:
    """Replace the file in one step. Raises OSError."""
    directory.mkdir(parents=True, exist_ok=True)
    fresh = directory / f".{name}.{os.getpid()}"
    fresh.write_bytes(data)
    fresh.replace(directory / name)


def read(directory: Path, alive: Collection[int] | None, *, but: str = "") -> State:
    """The sum of all files, except the file named `but`; gauges only of the processes that live (None: asked of the kernel)."""
    found = _list(directory)
    states = [(name, _load(directory / name)) for name in found if name != but]
    # After the others: what vanished meanwhile is in here.
    total = _load(directory / _DEAD) or State()
    living = _living(found, alive)
    absorbed = set(total.absorbed)
    for name, state in states:
        if state is not None and name not in absorbed:
            total.add(state, gauges=name in living)
    return total


def compact(directory: Path, alive: Collection[int] | None = None) -> int:
    """Move the counts of dead processes into one file and remove theirs; how many were moved. The supervisor calls it now and
    then. Safe to be killed at any point, and against a second one running at the same time. Raises OSError."""
    found = _list(directory)
    # A worker may have started after `alive` was drawn up; what the kernel still knows is never taken for dead.
    living = _living(found, alive) | _living(found, None)
    if all(name in living for name in found):
        return 0
    with (directory / "lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return 0
        total = _load(directory / _DEAD) or State()
        ended = [name for name in _list(directory) if name in found and name not in living]
        moved = 0
        for name in ended:
            if name not in total.absorbed and (state := _load(directory / name)) is not None:
                total.add(state, gauges=False)
                total.absorbed.append(name)
                moved += 1
        if moved:
            total.absorbed = total.absorbed[-_ABSORBED_KEPT:]
            write(directory, _DEAD, encode(total))
        for name in ended:
            (directory / name).unlink(missing_ok=True)
        return moved


def _list(directory: Path) -> dict[str, tuple[int, int]]:
    with suppress(OSError):
        return {
            name: (int(match[1]), int(match[2])) for name in os.listdir(directory) if (match := _NAME.fullmatch(name))
        }
    return {}


def _living(found: dict[str, tuple[int, int]], alive: Collection[int] | None) -> set[str]:
    """Names of the files whose process lives. Of several with one id only the youngest can."""
    youngest: dict[int, tuple[int, str]] = {}
    for name, (pid, start) in found.items():
        youngest[pid] = max(youngest.get(pid, (-1, "")), (start, name))
    return {name for pid, (_, name) in youngest.items() if (_runs(pid) if alive is None else pid in alive)}


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _load(path: Path) -> State | None:
    """None for a file that is gone, unreadable, or written by another version."""
    try:
        return decode(path.read_bytes())
    except (OSError, msgspec.MsgspecError):
        return None
