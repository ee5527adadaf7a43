"""What the file may say and this version does not do: taken, so that a file may be written ahead, and told, so that nobody
relies on it."""

from __future__ import annotations

from collections.abc import Iterator

from dragoman.config.problem import Problem
from dragoman.config.reading import Reading

_MESSAGE = "is accepted and not kept by this version"


def unkept(reading: Reading) -> Iterator[Problem]:
    """Warnings, one for each setting that has no effect."""
    data = reading.data if isinstance(reading.data, dict) else {}
    if data.get("shared") is not None:
        yield reading.problem(("shared",), _MESSAGE, "Each machine stands for itself.")
