"""Runs a printed curl command as it is, by the machine's curl, or, where there is none, by reading the command ourselves."""

from __future__ import annotations

import os
import shlex
import shutil
import string
import subprocess
import urllib.error
import urllib.request
from collections.abc import Mapping
from email.parser import BytesHeaderParser
from pathlib import Path
from typing import NamedTuple

PATIENCE = 60


class Answered(NamedTuple):
    """Header names are lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


def run(command: str, environment: Mapping[str, str], folder: Path) -> Answered:
    """What the server answered to `command`, given to a shell with `environment`."""
    if shutil.which("curl") is None:
        return by_hand(command, environment)
    # What we want to know besides is asked for in a file of curl's, so that the command stays as it is printed.
    heads, body = folder / "heads", folder / "body"
    (folder / ".curlrc").write_text(
        f'silent\nshow-error\ndump-header = "{heads}"\noutput = "{body}"\nmax-time = {PATIENCE}\n'
    )
    done = subprocess.run(
        ("sh", "-c", command),
        env={"PATH": os.environ["PATH"], "CURL_HOME": str(folder), **environment},
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    *_, last = heads.read_bytes().strip().split(b"\r\n\r\n")
    line, _, rest = last.partition(b"\r\n")
    parsed = BytesHeaderParser().parsebytes(rest)
    return Answered(int(line.split()[1]), {name.lower(): value for name, value in parsed.items()}, body.read_bytes())


def by_hand(command: str, environment: Mapping[str, str]) -> Answered:
    """The few options that the pages use."""
    words = shlex.split(command.replace("\\\n", " "))
    assert words.pop(0) == "curl"
    url, method, body = "", None, None
    headers: dict[str, str] = {}
    given = iter(words)
    for word in given:
        match word:
            case "-N" | "--location":
                pass
            case "-X" | "--request":
                method = next(given)
            case "-H" | "--header":
                name, _, value = string.Template(next(given)).safe_substitute(environment).partition(": ")
                headers[name] = value
            case "-d" | "--data-raw":
                body = next(given).encode()
            case _:
                assert not word.startswith("-"), word
                url = string.Template(word).safe_substitute(environment)
    request = urllib.request.Request(url, body, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return Answered(answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answered(error.code, {k.lower(): v for k, v in error.headers.items()}, error.read())
