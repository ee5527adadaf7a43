from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from dragoman.limits import Demand, Rule
from sharing import machine as machine_module
from valkey_server import ValkeyServer


class Machine:
    """One worker of one machine, a process of its own."""

    def __init__(self, url: str, node: str, patience: float, longest: float, machines: int) -> None:
        self.process = subprocess.Popen(
            [sys.executable, machine_module.__file__, url, node, str(patience), str(longest), str(machines)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def tell(self, *words: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(msgspec.json.encode(words).decode() + "\n")
        self.process.stdin.flush()

    def answer(self) -> Any:
        assert self.process.stdout is not None
        return msgspec.json.decode(self.process.stdout.readline())

    def ask(self, *words: Any) -> Any:
        self.tell(*words)
        return self.answer()

    def reserve(self, count: int, rules: tuple[Rule, ...], demand: Demand) -> str:
        return str(self.ask("reserve", count, rules, demand))


class Machines:
    """All of them ended with the test."""

    def __init__(self, valkey: ValkeyServer) -> None:
        self.valkey = valkey
        self.all: list[Machine] = []

    def start(
        self, *nodes: str, patience: float = 10, longest: float = 20, machines: int = 1, up: bool = True
    ) -> list[Machine]:
        """Their patience is endless by default: what is tested then is that counts are exact, on a machine however busy."""
        started = [Machine(self.valkey.url, node, patience, longest, machines) for node in nodes]
        self.all += started
        for one in started:
            assert one.process.stdout is not None
            assert one.process.stdout.readline() == "ready\n"
        for one in started if up else ():
            one.ask("up", True)
        return started

    def end(self) -> None:
        for one in self.all:
            with one.process:
                one.process.kill()


@pytest.fixture
def machines(valkey: ValkeyServer) -> Iterator[Machines]:
    machines = Machines(valkey)
    yield machines
    machines.end()
