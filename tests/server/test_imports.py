"""Importing any module of ours does nothing."""

from __future__ import annotations

import json
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import dragoman

# Run in an interpreter of its own, in an empty directory: says what changed by each import.
_SCRIPT = """
import importlib, json, os, pathlib, signal, socket, sys, threading, warnings
warnings.simplefilter("error")

def world():
    return {
        "threads": threading.active_count(),
        "children": pathlib.Path("/proc/self/task/%d/children" % os.getpid()).read_text(),
        "files": sorted(os.listdir(".")),
        "environment": len(os.environ),
        "signals": [str(signal.getsignal(n)) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)],
        "sockets": sum(1 for n in os.listdir("/proc/self/fd") if open_as_socket(n)),
        "arguments": list(sys.argv),
        "logging": len(__import__("logging").getLogger().handlers),
    }

def open_as_socket(number):
    try:
        return os.readlink("/proc/self/fd/" + number).startswith("socket:")
    except OSError:
        return False

before = world()
changed = {}
for name in json.loads(sys.stdin.read()):
    importlib.import_module(name)
    after = world()
    if after != before:
        changed[name] = {key: after[key] for key in after if after[key] != before[key]}
        before = after
sys.stderr.write("@" + json.dumps(changed))
"""


def modules() -> list[str]:
    found = [module.name for module in pkgutil.walk_packages(dragoman.__path__, "dragoman.")]
    return sorted(name for name in found if name != "dragoman.__main__")


def test_importing_does_nothing(tmp_path: Path) -> None:
    assert len(modules()) > 100
    run = subprocess.run(
        (sys.executable, "-c", _SCRIPT),
        input=json.dumps(modules()),
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"},
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout == ""
    said, _, changed = run.stderr.rpartition("@")
    assert said == ""
    assert json.loads(changed) == {}
    assert list(tmp_path.iterdir()) == []
