import re
import subprocess
import sys
import time

from dragoman.observe import ids
from dragoman.observe.ids import id_from, request_id

SHAPE = re.compile(r"req_[0-9a-hjkmnp-tv-z]{26}")


def test_shape_and_uniqueness():
    made = [request_id() for _ in range(5000)]
    assert len(set(made)) == 5000
    assert all(SHAPE.fullmatch(one) for one in made)
    assert len(made[0]) <= 32


def test_ids_sort_by_time(monkeypatch):
    made = []
    # A millisecond, one that turns the cached part of the clock over, and a century.
    for ms in (1_790_000_000_000, 1_790_000_000_001, (1_790_000_000_000 >> 20 << 20) + (1 << 20), 4_900_000_000_000):
        monkeypatch.setattr(ids.time, "time", lambda ms=ms: ms / 1000 + 0.0001)
        made.append(request_id())
    assert made == sorted(made)
    assert len({one[:14] for one in made}) == 4


def test_forked_processes_share_no_ids():
    # In a process of its own: pytest's may have threads, which do not go with fork.
    script = """
import os
from dragoman.observe.ids import request_id
request_id()
pipes = []
for _ in range(3):
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.write(writer, "\\n".join(request_id()[14:] for _ in range(200)).encode())
        os._exit(0)
    os.close(writer)
    pipes.append(reader)
for reader in pipes:
    with open(reader) as lines:
        print(lines.read())
for _ in range(200):
    print(request_id()[14:])
"""
    made = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    suffixes = made.stdout.split()
    assert len(suffixes) == 800
    assert len(set(suffixes)) == 800


def test_ids_from_a_time_on() -> None:
    before, made, after = time.time(), request_id(), time.time()
    assert id_from(before - 0.001) <= made < id_from(after + 0.002)
    assert id_from(0) == "req_0000000000"
    assert id_from(1.0) < id_from(1.0005) == id_from(1.001) < id_from(2**37)
