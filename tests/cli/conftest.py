"""An operator at a shell: a working directory of one's own, two scripted vendors, and `dragoman` typed at the prompt."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from dragoman.cli import dragoman
from e2e import canned
from e2e.fixtures import Vendors
from e2e.gateway import DRAGOMAN, provider
from e2e.vendor import serving

Run = Callable[..., Result]
Start = Callable[..., "subprocess.Popen[str]"]

# A package index that is not there, and no patience with it.
NO_INDEX = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_FIND_LINKS": "", "PIP_RETRIES": "0"}

MODELS = """models:
  fast:
    targets:
      - {provider: google, model: gemini-2.5-flash, weight: 3}
      - {provider: openai, model: gpt-4o, priority: 2}
    price: {input: "0.30", output: "2.50"}
    aliases: [quick]
    description: Our quick one.
"""


@pytest.fixture(scope="session")
def _shell_vendors() -> Iterator[Vendors]:
    with serving(canned.gemini) as google, serving(canned.openai) as openai:
        yield Vendors(google, openai)


@pytest.fixture
def shop(_shell_vendors: Vendors) -> Vendors:
    """The two vendors of `configured`, as at their start."""
    for vendor, usual in zip(_shell_vendors, (canned.gemini, canned.openai), strict=True):
        vendor.reset()
        vendor.usual = usual
    return _shell_vendors


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory to stand in, and an environment without keys and settings."""
    for name in list(os.environ):
        if name.startswith("DRAGOMAN_") or name.endswith("_API_KEY"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def configured(shell: Path, shop: Vendors) -> Path:
    """`shell` with a dragoman.yaml: the vendors google and openai, and the model fast, alias quick."""
    path = shell / "dragoman.yaml"
    path.write_text(
        "providers:\n"
        + provider("google", "gemini", shop.google.base_url, "gemini-*")
        + provider("openai", "openai-chat", f"{shop.openai.base_url}/v1", "gpt-*,doubao-*")
        + MODELS
    )
    return path


@pytest.fixture
def run() -> Run:
    """`run("models", "list")`: exit code, stdout and stderr of the command, in this process."""

    def typed(*words: str, stdin: str | bytes | None = None, env: dict[str, str] | None = None) -> Result:
        result = CliRunner().invoke(dragoman, words, input=stdin, env=env)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return typed


@pytest.fixture
def start() -> Iterator[Start]:
    """A real `dragoman` process with pipes; it is ended with the test."""
    started: list[subprocess.Popen[str]] = []

    def typed(*words: str, **options: Any) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            (DRAGOMAN, *words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            **options,
        )
        started.append(process)
        return process

    yield typed
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def data_of(result: Result) -> Any:
    """The one JSON object that a verb printed."""
    assert result.exit_code in (0, 1), result.output
    return json.loads(result.stdout)
