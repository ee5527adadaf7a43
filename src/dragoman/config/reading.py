"""Nodes to plain data, with every value's place kept beside it.

Scalars are resolved and interpolated here. A value that cannot be read leaves `UNREADABLE` in its place
and a problem in the list, so that the rest of the file is still checked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping as Env
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dragoman.config.interpolate import Unresolved, interpolate
from dragoman.config.problem import Problem
from dragoman.config.scalar import Trap, resolve
from dragoman.config.source import MAX_NODES, Mapping, Node, Scalar, Sequence

SettingPath = tuple[str | int, ...]


class _Unreadable:
    def __repr__(self) -> str:
        return "UNREADABLE"


UNREADABLE = _Unreadable()

_BARE = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_TAGS = {None, "!", *(f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null", "map", "seq"))}
_STRING_TAGS = {"!", "tag:yaml.org,2002:str"}


def spell(path: SettingPath) -> str:
    """`models.fast.targets[0].provider`; a name with a dot or a stranger character stands in `["…"]`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif _BARE.fullmatch(step) and len(step) <= 100:
            text += f".{step}" if text else step
        else:
            short = step if len(step) <= 60 else step[:57] + "..."
            text += f"[{json.dumps(short, ensure_ascii=not short.isprintable())}]"
    return text


@dataclass(slots=True)
class Place:
    """Where a setting stands: its key if it has one, its value, and what was put into it from outside."""

    key: Node | None
    value: Node
    sources: list[str] = field(default_factory=list)

    @property
    def at(self) -> tuple[int, int]:
        """The value for a scalar; the key for a list or mapping, which begins further down, or for nothing."""
        written = isinstance(self.value, Scalar) and (self.value.text or not self.value.plain)
        node = self.value if written or self.key is None else self.key
        return node.line, node.col

    @property
    def at_key(self) -> tuple[int, int]:
        node = self.key or self.value
        return node.line, node.col


@dataclass(slots=True)
class Reading:
    """The outcome: data for the checks, places by path, and what could not be read."""

    file: str
    data: Any = None
    places: dict[SettingPath, Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    unreadable: set[SettingPath] = field(default_factory=set)
    count: int = 0

    def where(self, path: SettingPath, *, key: bool = False) -> tuple[int, int]:
        """The position of a setting, or of the nearest thing around it that is in the file."""
        for length in range(len(path), -1, -1):
            if place := self.places.get(path[:length]):
                return place.at_key if key else place.at
        return (1, 1)

    def problem(self, path: SettingPath, message: str, mend: str = "", *, key: bool = False) -> Problem:
        """A problem that stands at `path`."""
        line, col = self.where(path, key=key)
        return Problem(self.file, line, col, spell(path), message, mend)


def read(root: Node | None, file: str, env: Env[str, str], folder: Path) -> Reading:
    """Read the whole tree. Problems are collected, not raised."""
    reading = Reading(file)
    if root is None:
        reading.data = {}
        return reading
    reading.places[()] = Place(None, root)
    data = _Reader(reading, env, folder).value(root, ())
    reading.data = {} if data is None else data
    return reading


class _Reader:
    def __init__(self, reading: Reading, env: Env[str, str], folder: Path) -> None:
        self.reading, self.env, self.folder = reading, env, folder

    def value(self, node: Node, path: SettingPath) -> Any:
        reading = self.reading
        if not self.may_grow():
            return UNREADABLE
        if node.tag not in _TAGS:
            return self.refuse(path, "has a tag that is not understood", "Remove it, or quote text that begins with !.")
        match node:
            case Scalar():
                return self.scalar(node, path)
            case Sequence():
                items = []
                for index, item in enumerate(node.items):
                    below = (*path, index)
                    reading.places[below] = Place(None, item)
                    items.append(self.value(item, below))
                    if reading.count > MAX_NODES:
                        break
                return items
            case Mapping():
                return self.mapping(node, path)

    def may_grow(self) -> bool:
        """Whether one more value is allowed: aliases to aliases grow a small file without bound."""
        self.reading.count += 1
        if self.reading.count == MAX_NODES + 1:
            self.refuse((), f"grows to more than {MAX_NODES} values through its aliases", "Use fewer aliases.")
        return self.reading.count <= MAX_NODES

    def mapping(self, node: Mapping, path: SettingPath) -> dict[str, Any]:
        reading = self.reading
        own: dict[str, Any] = {}
        for key, value in node.entries:
            if reading.count > MAX_NODES:
                break
            if not isinstance(key, Scalar):
                line, col = key.line, key.col
                mend = 'Write key: value; quote references, as in "${NAME}".'
                reading.problems.append(
                    Problem(reading.file, line, col, spell(path), "has a key that is not text", mend)
                )
                continue
            if key.text == "<<" and key.plain:
                continue
            below = (*path, key.text)
            if key.text in own:
                first = reading.places[below].at_key[0]
                reading.problems.append(
                    Problem(
                        reading.file, key.line, key.col, spell(below), f"is written twice, first on line {first}",
                        "Keep one of them.",
                    )
                )  # fmt: skip
                continue
            reading.places[below] = Place(key, value)
            own[key.text] = self.value(value, below)
        for key, value in node.entries:
            if isinstance(key, Scalar) and key.text == "<<" and key.plain:
                self.merge(value, own, path)
        return own

    def merge(self, node: Node, own: dict[str, Any], path: SettingPath) -> None:
        """`<<: *anchor`: entries of the anchor's mapping that are not written here."""
        for source in node.items if isinstance(node, Sequence) else [node]:
            if not self.may_grow():
                return
            if not isinstance(source, Mapping):
                self.reading.problems.append(
                    Problem(
                        self.reading.file, source.line, source.col, spell(path), "<< merges what is not a mapping",
                        "Give it an alias to a mapping.",
                    )
                )  # fmt: skip
                continue
            for key, value in source.entries:
                if not self.may_grow():
                    return
                if not isinstance(key, Scalar) or key.text in own:
                    continue
                if key.text == "<<" and key.plain:
                    self.merge(value, own, path)
                    continue
                below = (*path, key.text)
                self.reading.places[below] = Place(key, value)
                own[key.text] = self.value(value, below)

    def scalar(self, node: Scalar, path: SettingPath) -> Any:
        if "${" in node.text:
            try:
                done = interpolate(node.text, self.env, self.folder)
            except Unresolved as error:
                return self.refuse(path, error.message, error.mend)
            self.reading.places[path].sources = done.sources
            return done.text
        if not node.plain or node.tag in _STRING_TAGS:
            return node.text
        value = resolve(node.text)
        if isinstance(value, Trap):
            return self.refuse(path, value.message, value.mend)
        return value

    def refuse(self, path: SettingPath, message: str, mend: str) -> _Unreadable:
        self.reading.problems.append(self.reading.problem(path, message, mend))
        self.reading.unreadable.add(path)
        return UNREADABLE
