"""Takes the examples out of a page of user documentation as its text stands: curl commands, bodies, Python programs."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

PAGES = Path(__file__).parent / "pages"


@dataclass(frozen=True)
class Example:
    """`kind`: a shell command, a JSON body that goes to the page's own endpoint, or a Python program. `section` is the last
    line of prose before it, by which tests and people tell examples apart."""

    page: str
    number: int
    kind: Literal["curl", "json", "python"]
    section: str
    text: str

    @property
    def id(self) -> str:
        return f"{self.page}-{self.number:02}-{self.kind}"

    @property
    def body(self) -> Any:
        """The JSON that a command sends, or the body itself."""
        if self.kind == "json":
            return json.loads(self.text)
        found = re.search(r"(?:-d|--data-raw) '(.*)'", self.text, re.DOTALL)
        assert found is not None, self.text
        return json.loads(found[1])


def page(number: str) -> str:
    (found,) = PAGES.glob(f"{number}_*.txt")
    return found.read_text()


def examples(number: str) -> list[Example]:
    """All examples of a page, in its order."""
    text = page(number)
    found: list[Example] = []
    at = 0
    prose = ""
    while at < len(text):
        line = text[at:].partition("\n")[0]
        kind, length = _example_at(text, at)
        if kind is not None:
            found.append(Example(number, len(found) + 1, kind, prose, text[at : at + length]))
            at += length
            # What follows an example on its own line is prose again.
            continue
        if line.strip():
            prose = line.strip()
        at += len(line) + 1
    return found


def _example_at(text: str, at: int) -> tuple[Literal["curl", "json", "python"] | None, int]:
    rest = text[at:]
    if rest.startswith("curl "):
        return "curl", _shell_length(rest)
    if rest.startswith("{\n"):
        _, end = json.JSONDecoder().raw_decode(rest)
        return "json", end
    if re.match(r"(from \w[\w.]* )?import \w", rest):
        # A program goes on to its last print.
        end = re.search(r"^print\(.*\)$", rest, re.MULTILINE)
        assert end is not None, rest[:80]
        return "python", end.end()
    return None, 0


def _shell_length(text: str) -> int:
    """To the end of the command: the first line end that is neither quoted nor continued."""
    quote = ""
    at = 0
    while at < len(text):
        char = text[at]
        if quote:
            quote = "" if char == quote else quote
            # A page may run its next heading into the closing quote: nothing of a command stands right behind it.
            if not quote and char == "'" and text[at + 1 : at + 2] not in (" ", "\n", "\\", ""):
                return at + 1
        elif char in "'\"":
            quote = char
        elif char == "\\":
            at += 1
        elif char == "\n":
            return at
        at += 1
    return at
