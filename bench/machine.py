"""The machine: what it must have, how it is prepared, and its description for the record."""

from __future__ import annotations

import os
import platform
import re
import resource
import shutil
import socket
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bench.process import GATEWAY_CORE, LOAD_CORE, BenchError

_PACKAGES = {"nginx": "nginx-light", "wrk": "wrk"}


def check() -> None:
    """Raises BenchError that says what is missing and how to get it."""
    # Debian keeps nginx where only root looks.
    os.environ["PATH"] = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"
    missing = [name for name in _PACKAGES if shutil.which(name) is None]
    if missing:
        packages = " ".join(_PACKAGES[name] for name in missing)
        raise BenchError(f"{' and '.join(missing)} not found on PATH. On Debian or Ubuntu: apt-get install {packages}")
    if not Path("/proc/self/smaps_rollup").exists():
        raise BenchError("the benchmarks read /proc and need Linux 4.14 or newer")
    if not {GATEWAY_CORE, LOAD_CORE} <= os.sched_getaffinity(0):
        raise BenchError(f"the benchmarks need cores {GATEWAY_CORE} and {LOAD_CORE}")


def raise_file_limit() -> int:
    """As many open files as we may have; our children have as many."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def description() -> list[tuple[str, str]]:
    """Pairs of name and value: processor, system, versions."""
    return [
        ("CPU", f"{_cpu_model()}, {os.cpu_count()} cores"),
        ("Memory", f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.1f} GiB"),
        ("Kernel", f"{platform.system()} {platform.release()} {platform.machine()}"),
        ("Python", f"{platform.python_implementation()} {platform.python_version()}"),
        ("Dragoman", _version("dragoman")),
        ("uvicorn", _version("uvicorn")),
        ("uvloop", _version("uvloop")),
        ("httptools", _version("httptools")),
        ("msgspec", _version("msgspec")),
        ("nginx", _said(["nginx", "-v"], r"nginx/(\S+)")),
        ("wrk", _said(["wrk", "-v"], r"wrk (\S+)")),
        ("Load before", f"{os.getloadavg()[0]:.2f}"),
    ]


def _cpu_model() -> str:
    found = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
    return found[1].strip() if found else platform.processor() or "unknown"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _said(command: list[str], pattern: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(pattern, done.stdout + done.stderr)
    return found[1] if found else "unknown"
