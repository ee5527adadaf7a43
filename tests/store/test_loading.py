"""Whatever of SQLAlchemy a part of the store imports, it imports while no other thread can."""

from __future__ import annotations

import subprocess
import sys

import pytest

from dragoman.store import Location

WATCHED = """
import asyncio, sys, threading
from pathlib import Path
from dragoman.store import EntryTable, Location, Store, loading
from dragoman.store.keyring import Keyring
from dragoman.store.keys import Keys
from dragoman.store.ledger_reader import LedgerReader

class Lock:
    held = False
    def __enter__(self):
        self.held = True
    def __exit__(self, *_):
        self.held = False

class Watch:
    def find_spec(self, name, path=None, target=None):
        if name.startswith("sqlalchemy"):
            (within if lock.held else without).add(name)

async def warm():
    store = Store.open(location)
    await store.warm()
    await store.aclose()

lock = loading._one_at_a_time = Lock()
within, without = set(), set()
sys.meta_path.insert(0, Watch())
location = Location(Path(sys.argv[1]))
{}
print(len(within) > 50, sorted(without))
"""


@pytest.mark.parametrize(
    "first",
    [
        "asyncio.run(warm())",
        "EntryTable(location).put([])",
        "EntryTable(location).prune('')",
        "LedgerReader(location).entry('req_')",
        "LedgerReader(location).usage('day', None, None, None)",
        "Keys(location).list()",
        "Keys(location).note('tests', 'a', 'b', {})",
        "Keyring(location).read(); Keys(location).audit()",
    ],
)
def test_whoever_is_first(file: Location, first: str) -> None:
    script = (sys.executable, "-W", "ignore", "-c", WATCHED.replace("{}", first), str(file.path))
    assert subprocess.check_output(script, text=True) == "True []\n"
