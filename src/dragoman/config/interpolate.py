"""`${VAR}`, `${VAR:-default}` and `${file:PATH}` inside text; `$${` stands for a literal `${`.

A default or a path may hold references in turn: `${file:${CREDENTIALS_DIRECTORY}/key}`. What comes out
is never read again as YAML or as a reference, so a value cannot change the shape of the configuration.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

MAX_FILE = 64 * 2**10
_MAX_DEPTH = 8
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


class Unresolved(Exception):
    """A reference that leads nowhere: what is wrong, and how to mend it."""

    def __init__(self, message: str, mend: str) -> None:
        super().__init__(message)
        self.message, self.mend = message, mend


@dataclass(slots=True)
class Interpolated:
    """The text, and where its parts came from ("environment CI_KEY", "file /run/secrets/ci")."""

    text: str
    sources: list[str] = field(default_factory=list)


def interpolate(text: str, env: Mapping[str, str], folder: Path) -> Interpolated:
    """Replace every reference. Relative file names start at `folder`. Raises Unresolved."""
    if "${" not in text:
        return Interpolated(text)
    done = Interpolated("")
    done.text, end = _replace(text, 0, env, folder, done.sources, 0)
    assert end == len(text)
    return done


def _replace(
    text: str, at: int, env: Mapping[str, str], folder: Path, sources: list[str], depth: int
) -> tuple[str, int]:
    """Text from `at` to the end, or inside a reference to its closing brace."""
    if depth > _MAX_DEPTH:
        raise Unresolved("nests references too deeply", "Flatten it.")
    parts: list[str] = []
    while at < len(text):
        if text.startswith("$${", at):
            parts.append("${")
            at += 3
        elif text.startswith("${", at):
            value, at = _reference(text, at + 2, env, folder, sources, depth)
            parts.append(value)
        elif depth and text[at] == "}":
            return "".join(parts), at
        else:
            parts.append(text[at])
            at += 1
    if depth:
        raise Unresolved("has ${ without a closing brace", "Close it with }, or write $${ for the characters.")
    return "".join(parts), at


def _reference(
    text: str, at: int, env: Mapping[str, str], folder: Path, sources: list[str], depth: int
) -> tuple[str, int]:
    """The value of the reference whose inside begins at `at`, and the place after its brace."""
    if text.startswith("file:", at):
        name, end = _replace(text, at + 5, env, folder, sources, depth + 1)
        sources.append(f"file {name}")
        return _read(name, folder), end + 1
    found = _NAME.match(text, at)
    if found is None:
        raise Unresolved("has a reference without a variable's name", "Write ${NAME}, or $${ for the characters.")
    name, end = found[0], found.end()
    value = env.get(name)
    if text.startswith(":-", end):
        used: list[str] = []
        # A default is read only when it is needed: the file it names may exist only then.
        if value:
            end = _skip(text, end + 2)
            sources.append(f"environment {name}")
            return value, end + 1
        value, end = _replace(text, end + 2, env, folder, used, depth + 1)
        sources.extend(used or [f"default of {name}"])
        return value, end + 1
    if not text.startswith("}", end):
        if end == len(text):
            raise Unresolved("has ${ without a closing brace", "Close it with }, or write $${ for the characters.")
        raise Unresolved(
            f"has a reference to {name} that is not understood",
            "Write ${NAME}, ${NAME:-default} or ${file:PATH}.",
        )
    if value is None:
        raise Unresolved(f"variable {name} is not set", f"Set it, or write ${{{name}:-default}}.")
    sources.append(f"environment {name}")
    return value, end + 1


def _skip(text: str, at: int) -> int:
    """The place of the brace that closes the default which begins at `at`."""
    depth = 0
    while at < len(text):
        if text.startswith("${", at):
            depth += 1
            at += 2
            continue
        if text[at] == "}":
            if depth == 0:
                return at
            depth -= 1
        at += 1
    raise Unresolved("has ${ without a closing brace", "Close it with }, or write $${ for the characters.")


def _read(name: str, folder: Path) -> str:
    shown = name if len(name) <= 200 and name.isprintable() else "named here"
    if not name:
        raise Unresolved("has ${file:} without a path", "Write ${file:PATH}.")
    try:
        path = folder / name
        # A pipe or a device could block for ever or have no end.
        if not stat.S_ISREG(path.stat().st_mode):
            raise Unresolved(f"file {shown} is not a regular file", "Name a file.")
        with path.open("rb") as stream:
            data = stream.read(MAX_FILE + 1)
    except FileNotFoundError:
        raise Unresolved(f"file {shown} does not exist", "Create it, or correct the path.") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a file name"
        raise Unresolved(f"file {shown} cannot be read ({reason})", "Check its permissions.") from None
    if len(data) > MAX_FILE:
        raise Unresolved(f"file {shown} is larger than {MAX_FILE // 1024} KiB", "Name a file with one value.")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise Unresolved(f"file {shown} is not UTF-8 text", "Save it as UTF-8.") from None
    return text.removesuffix("\n").removesuffix("\r")
