"""Processes under measurement: started on a core of their own, read through /proc, ended for certain."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

GATEWAY_CORE = 0
LOAD_CORE = 1

_TICK = os.sysconf("SC_CLK_TCK")
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


class BenchError(Exception):
    """A measurement could not be taken; the message says why."""


@dataclass(frozen=True)
class Cpu:
    """Seconds of processor time, and which processes they were of."""

    user: float
    system: float
    pids: frozenset[int]

    @property
    def total(self) -> float:
        return self.user + self.system


@dataclass(frozen=True)
class Memory:
    """Bytes, summed over a process tree. `pss` shares common pages out, `private` leaves them out."""

    rss: int
    pss: int
    private: int


class Child:
    """A process and all that it starts, pinned to one core. As a context it ends the tree when left."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        core: int,
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        talk: bool = False,
    ) -> None:
        """`talk` opens stdin and stdout to us; else both outputs go to `log`."""
        self.command = command
        self._log = log

        def prepare() -> None:
            os.sched_setaffinity(0, {core})
            _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

        with log.open("ab") as out:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE if talk else subprocess.DEVNULL,
                stdout=subprocess.PIPE if talk else out,
                stderr=out,
                env=env,
                cwd=cwd,
                start_new_session=True,
                preexec_fn=prepare,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.end()

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def stdin(self) -> IO[bytes]:
        assert self.process.stdin is not None
        return self.process.stdin

    @property
    def stdout(self) -> IO[bytes]:
        assert self.process.stdout is not None
        return self.process.stdout

    def tail(self, lines: int = 12) -> str:
        with contextlib.suppress(OSError):
            return "\n".join(self._log.read_text("utf-8", "replace").splitlines()[-lines:])
        return ""

    def check(self) -> None:
        if self.process.poll() is not None:
            raise BenchError(f"{self.command[0]} ended with status {self.process.returncode}:\n{self.tail()}")

    def end(self, grace: float = 3.0) -> None:
        """A polite end, then a certain one, for the whole session."""
        pids = tree(self.pid)
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(grace)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        for pid in pids:
            # A child that made a session of its own is not reached by its group.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                if pid != self.pid:
                    os.kill(pid, signal.SIGKILL)
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


def parse_stat(text: str) -> tuple[int, int, int]:
    """Parent's pid, user ticks and system ticks from /proc/PID/stat; a command's name may hold spaces and brackets."""
    fields = text[text.rindex(")") + 2 :].split()
    return int(fields[1]), int(fields[11]), int(fields[12])


def parse_rollup(text: str) -> Memory:
    """/proc/PID/smaps_rollup."""
    sizes = {}
    for line in text.splitlines()[1:]:
        name, _, rest = line.partition(":")
        sizes[name] = int(rest.split()[0]) * 1024
    return Memory(sizes["Rss"], sizes["Pss"], sizes["Private_Clean"] + sizes["Private_Dirty"])


def tree(root: int) -> list[int]:
    """`root` and its living descendants."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, ValueError):
                parents[int(entry.name)] = parse_stat((entry / "stat").read_text("utf-8", "replace"))[0]
    found = [root]
    for pid in found:
        found.extend(child for child, parent in parents.items() if parent == pid)
    return [pid for pid in found if pid in parents]


def cpu(root: int) -> Cpu:
    user = system = 0
    pids = tree(root)
    for pid in pids:
        with contextlib.suppress(OSError, ValueError):
            _, one, other = parse_stat(Path(f"/proc/{pid}/stat").read_text("utf-8", "replace"))
            user += one
            system += other
    return Cpu(user / _TICK, system / _TICK, frozenset(pids))


def spent(before: Cpu, after: Cpu) -> Cpu:
    if before.pids != after.pids:
        raise BenchError("a process of the thing under test came or went while it was measured")
    return Cpu(after.user - before.user, after.system - before.system, after.pids)


def memory(root: int) -> Memory:
    found = [parse_rollup(Path(f"/proc/{pid}/smaps_rollup").read_text()) for pid in tree(root)]
    return Memory(sum(m.rss for m in found), sum(m.pss for m in found), sum(m.private for m in found))


def busiest(root: int) -> int:
    """The process of the tree that has used most processor time: the one that answers requests."""
    return max(tree(root), key=lambda pid: sum(parse_stat(Path(f"/proc/{pid}/stat").read_text())[1:]))


def wait_until(ready: object, child: Child, seconds: float, every: float = 0.02) -> None:
    """Calls `ready` until it is true. Raises BenchError when `child` ends or the time is over."""
    assert callable(ready)
    end = time.monotonic() + seconds
    while not ready():
        child.check()
        if time.monotonic() > end:
            raise BenchError(f"{child.command[0]} did not answer within {seconds:.0f} s:\n{child.tail()}")
        time.sleep(every)
