"""YAML text to a tree of nodes that know where they stand.

Built from PyYAML's events rather than by its composer, which recurses once for each level of nesting
and so can be crashed by a file of brackets. Depth, size and the growth by aliases are bounded here.
What the scalars mean is decided elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from dragoman.config.problem import ConfigError, Problem

MAX_BYTES = 4 * 2**20
MAX_DEPTH = 40
MAX_NODES = 200_000

# libyaml is ten times faster; a wheel without it still works.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LINE_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")


@dataclass(slots=True)
class Scalar:
    """Text as written; `plain` when without quotes, and so open to YAML's readings."""

    line: int
    col: int
    end_line: int
    end_col: int
    text: str
    plain: bool
    tag: str | None = None


@dataclass(slots=True)
class Sequence:
    """A list."""

    line: int
    col: int
    tag: str | None = None
    items: list[Node] = field(default_factory=list)


@dataclass(slots=True)
class Mapping:
    """Keys and values in the file's order, doubles included."""

    line: int
    col: int
    tag: str | None = None
    entries: list[tuple[Node, Node]] = field(default_factory=list)


Node = Scalar | Sequence | Mapping


def lines_of(text: str) -> list[str]:
    """The lines as YAML counts them."""
    return _LINE_BREAK.split(text)


def read_text(path: Path) -> str:
    """The file as text. Raises ConfigError when it cannot be read, is too large or is not UTF-8."""
    name = str(path)
    try:
        if path.is_dir():
            raise ConfigError([Problem(name, 0, 0, "", "is a folder", "Name the file in it.")])
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        mend = "Check the name, or write one with: dragoman init"
        raise ConfigError([Problem(name, 0, 0, "", "there is no such file", mend)]) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a file name"
        mend = "Check its name and permissions."
        raise ConfigError([Problem(name, 0, 0, "", f"cannot be read ({reason})", mend)]) from None
    if len(data) > MAX_BYTES:
        raise ConfigError([Problem(name, 0, 0, "", f"is larger than {MAX_BYTES // 2**20} MiB", "Shorten it.")])
    return decode(data, name)


def decode(data: bytes, name: str) -> str:
    """UTF-8 with or without a byte order mark, and nothing that YAML forbids."""
    mend = "Save the file as UTF-8 text."
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8-sig", "replace")
        line, col = _position(before)
        raise ConfigError([Problem(name, line, col, "", "is not UTF-8 text", mend)]) from None
    if found := _UNPRINTABLE.search(text):
        line, col = _position(text[: found.start()])
        what = f"holds the control character U+{ord(found[0]):04X}"
        raise ConfigError([Problem(name, line, col, "", what, mend)])
    return text


def _position(before: str) -> tuple[int, int]:
    lines = lines_of(before)
    return len(lines), len(lines[-1]) + 1


class _Refused(Exception):
    def __init__(self, mark: Any, message: str, mend: str) -> None:
        super().__init__(message)
        self.mark, self.message, self.mend = mark, message, mend


def parse(text: str, name: str) -> Node | None:
    """The root node, or None for an empty file. Raises ConfigError at the first thing that is not YAML."""
    try:
        return _build(text)
    except _Refused as refused:
        mark, message, mend = refused.mark, refused.message, refused.mend
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        message, mend = _words(error, mark, text)
    except (yaml.YAMLError, ValueError, RecursionError):
        mark, message, mend = None, "is not YAML", "Check quotes, brackets and indentation."
    line, col = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
    raise ConfigError([Problem(name, line, col, "", message, mend)])


def _build(text: str) -> Node | None:
    root: Node | None = None
    anchors: dict[str, Node | None] = {}
    # An open container, its anchor, and for a mapping the key that waits for its value.
    stack: list[tuple[Sequence | Mapping, str | None]] = []
    waiting: list[Node | None] = []
    count = 0
    documents = 0
    events: Iterator[Any] = yaml.parse(text, Loader=_LOADER)
    for event in events:
        mark = event.start_mark
        node: Node
        match event:
            case yaml.DocumentStartEvent():
                documents += 1
                if documents > 1:
                    raise _Refused(mark, "a second document begins here", "Keep one and remove the --- line.")
                continue
            case yaml.ScalarEvent():
                end: Any = event.end_mark
                plain = not event.style
                node = Scalar(
                    mark.line + 1, mark.column + 1, end.line + 1, end.column + 1, event.value, plain, event.tag
                )
            case yaml.SequenceStartEvent():
                node = Sequence(mark.line + 1, mark.column + 1, event.tag)
            case yaml.MappingStartEvent():
                node = Mapping(mark.line + 1, mark.column + 1, event.tag)
            case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                done, anchor = stack.pop()
                waiting.pop()
                if anchor is not None:
                    anchors[anchor] = done
                continue
            case yaml.AliasEvent():
                label = event.anchor or ""
                target = anchors.get(label)
                if label not in anchors:
                    raise _Refused(
                        mark, "an alias leads to no anchor", "Define it above with &, or quote text that begins with *."
                    )
                if target is None:
                    raise _Refused(mark, "an alias leads to what it stands in", "Remove it.")
                node = target
            case _:
                continue
        count += 1
        if count > MAX_NODES:
            raise _Refused(mark, f"has more than {MAX_NODES} values", "Shorten it.")
        if not stack:
            root = node
        else:
            parent = stack[-1][0]
            key = waiting[-1]
            if isinstance(parent, Sequence):
                parent.items.append(node)
            elif key is None:
                waiting[-1] = node
            else:
                parent.entries.append((key, node))
                waiting[-1] = None
        anchor = None if isinstance(event, yaml.AliasEvent) else event.anchor
        if isinstance(event, (yaml.SequenceStartEvent, yaml.MappingStartEvent)):
            assert not isinstance(node, Scalar)
            if len(stack) >= MAX_DEPTH:
                raise _Refused(mark, f"is nested more than {MAX_DEPTH} levels deep", "Flatten it.")
            stack.append((node, anchor))
            waiting.append(None)
            if anchor is not None:
                anchors[anchor] = None
        elif anchor is not None:
            anchors[anchor] = node
    return root


def _words(error: yaml.MarkedYAMLError, mark: Any, text: str) -> tuple[str, str]:
    """Our own words: PyYAML's may quote the file, and with it a secret."""
    problem = f"{error.context or ''} {error.problem or ''}"
    lines = lines_of(text)
    line = lines[mark.line] if mark is not None and mark.line < len(lines) else ""
    at = line[mark.column : mark.column + 1] if mark is not None else ""
    if at == "{" and mark is not None and line[mark.column - 1 : mark.column] == "$":
        return "a reference without quotes stands inside { } or [ ]", 'Quote it, as in "${NAME}".'
    if "cannot start any token" in problem:
        if at == "\t":
            return "a tab stands where spaces are wanted", "Indent with spaces."
        return "text without quotes cannot begin with this character", "Quote the text."
    if "mapping values are not allowed" in problem:
        return "a colon stands where no value can begin", 'Check the indentation, or quote text that holds ": ".'
    if "scanning a quoted scalar" in problem:
        return "a quote is not closed", "Close it, or check the backslashes inside it."
    if "flow sequence" in problem:
        return "a list in [ ] is not closed, or lacks a comma", "Check commas, quotes and brackets."
    if "flow mapping" in problem:
        return "a mapping in { } is not closed, or lacks a comma", "Check commas, quotes and braces."
    if "could not find expected ':'" in problem:
        return "a key has no colon", "Write key: value."
    return "is not YAML", "Check the indentation, quotes and brackets."
