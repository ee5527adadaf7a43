"""Fixtures with the real built-in model: fetched once into a cache, one server for the whole run."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from dragoman.local import child
from dragoman.local.pull import pull


class LocalServer(NamedTuple):
    base_url: str
    api_key: str


@pytest.fixture(scope="session")
def local_model_file() -> Path:
    """The GGUF file, kept between runs in $DRAGOMAN_TEST_CACHE or <repository>/.cache."""
    cache = Path(os.environ.get("DRAGOMAN_TEST_CACHE") or Path(__file__).parents[1] / ".cache")
    cache.mkdir(parents=True, exist_ok=True)
    ignore = cache / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n")
    return pull("smollm2-135m", cache)


@pytest.fixture(scope="session")
def local_server(local_model_file: Path) -> Iterator[LocalServer]:
    """A running server of the model: two slots of 1024 tokens, two threads."""
    key = secrets.token_urlsafe(16)
    sizes = ("--parallel", "2", "--context", "1024", "--threads", "2", "--parent", str(os.getpid()))
    with subprocess.Popen(
        (sys.executable, "-m", child.__name__, "--model", str(local_model_file), *sizes),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, child.KEY_VARIABLE: key},
    ) as process:
        assert process.stdout is not None
        yield LocalServer(json.loads(process.stdout.readline())["base_url"], key)
        process.terminate()
