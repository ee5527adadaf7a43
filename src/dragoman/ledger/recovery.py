"""Moves on what is in journals: those of processes that died, which are then removed, and a look at those of the living."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from dragoman.ledger.ledger import Put, sorted_out
from dragoman.ledger.segment import SUFFIX, has_unmarked, unmarked

_AT_ONCE = 2000


def catch_up(directory: Path, put: Put, *, living: bool = True) -> int:
    """Everything that a journal in `directory` has and the database has not; how many entries were moved or found there. Of
    `living` processes it is only of use to whoever is about to ask the database: they move it themselves.

    Entries are told apart by their request's id, so it does not matter who else moves them at the same time. Raises what `put`
    raises, and nothing is lost then; OSError."""
    moved = 0
    paths = sorted(directory.glob(f"*{SUFFIX}"))
    for path in paths:
        with suppress(FileNotFoundError):
            _give_up(path)
    for path in paths:
        with suppress(FileNotFoundError):  # its owner is done with it
            moved += _move(path, put, living)
    return moved


def _give_up(path: Path) -> None:
    """Removes a dead process's file that has nothing to tell: on a disk that is full, before anything else is tried."""
    with path.open("rb") as file:
        if _lock(file.fileno()) and not has_unmarked(file.fileno()):
            path.unlink(missing_ok=True)


def has_any(directory: Path) -> bool:
    return next(directory.glob(f"*{SUFFIX}"), None) is not None


def _move(path: Path, put: Put, living: bool) -> int:
    with path.open("rb") as file:
        dead = _lock(file.fileno())
        if not dead and not living:
            return 0
        payloads = unmarked(file.read()) if has_unmarked(file.fileno()) else []
        moved = 0
        for start in range(0, len(payloads), _AT_ONCE):
            rows, prices = sorted_out(payloads[start : start + _AT_ONCE])
            put(rows, prices)
            moved += len(rows)
        if dead:
            path.unlink(missing_ok=True)
    return moved


def _lock(fd: int) -> bool:
    """Whether nobody fills the file any more. The lock goes with the file's closing."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def remove_unfinished(directory: Path) -> None:
    """Files whose owner died while making them."""
    for path in directory.glob("*.new"):
        with suppress(OSError), path.open("rb") as file:
            if _lock(file.fileno()):
                os.unlink(path)
