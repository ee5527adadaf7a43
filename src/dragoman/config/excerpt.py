"""The line that is wrong, fit to be shown: every value that could be a secret is dotted out.

Lengths stay as they are, so a caret under the line still points at the right character.
"""

from __future__ import annotations

import re

from dragoman.config.reading import Reading
from dragoman.config.reference import speakable
from dragoman.config.source import Scalar, lines_of

_DOT = "•"
_WORD = re.compile(r"(?<![\w$])[^\s,:\[\]{}\"'#]{6,}(?!\s*:)")
_REFERENCE = re.compile(r"\$\{[^}]*\}")
_LONGEST = 160


class Excerpts:
    """Lines of one file. Without a reading (the file is not YAML) every longer word may be a secret."""

    def __init__(self, text: str, reading: Reading | None) -> None:
        self._lines = lines_of(text) if text else []
        self._spans: dict[int, list[tuple[int, int]]] | None = None
        if reading is not None:
            self._spans = {}
            for path, place in reading.places.items():
                if isinstance(place.value, Scalar) and not speakable(path):
                    self._cover(place.value)

    def _cover(self, node: Scalar) -> None:
        assert self._spans is not None
        for number in range(node.line, node.end_line + 1):
            start = node.col - 1 if number == node.line else 0
            end = node.end_col - 1 if number == node.end_line else 10**9
            self._spans.setdefault(number, []).append((start, end))

    def line(self, number: int) -> str:
        """The line, covered; empty where there is none."""
        if not 1 <= number <= len(self._lines):
            return ""
        line = self._lines[number - 1].replace("\t", " ")
        if self._spans is None:
            covered = _WORD.sub(lambda word: _dots(word[0]), line)
        else:
            covered = line
            for start, end in self._spans.get(number, ()):
                covered = covered[:start] + _dots(covered[start:end]) + covered[end:]
            comment = covered.find(" #")
            if comment >= 0:
                covered = covered[:comment]
        return covered[:_LONGEST].rstrip()


def _dots(text: str) -> str:
    """Dots for all but references, which are names, and the quotes around."""
    if _REFERENCE.fullmatch(text.strip("\"'")) and ":-" not in text:
        return text
    return re.sub(r"[^\s\"']", _DOT, text)
