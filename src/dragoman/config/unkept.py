"""What the file may say and this version does not do: taken, so that a file may be written ahead, and told, so that nobody
relies on it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dragoman.config.problem import Problem
from dragoman.config.reading import Reading, SettingPath

_MESSAGE = "is accepted and not kept by this version"


def unkept(reading: Reading) -> Iterator[Problem]:
    """Warnings, one for each setting that has no effect."""
    data = reading.data if isinstance(reading.data, dict) else {}
    if data.get("shared") is not None:
        yield reading.problem(("shared",), _MESSAGE, "Each machine stands for itself.")
    keys = data.get("keys")
    for index, key in enumerate(keys if isinstance(keys, list) else []):
        for path, mend in _of_key(index, key):
            yield reading.problem(path, _MESSAGE, mend)


def _of_key(index: int, key: Any) -> Iterator[tuple[SettingPath, str]]:
    if not isinstance(key, dict):
        return
    limits = key.get("limits")
    for name, value in limits.items() if isinstance(limits, dict) else ():
        if value is not None:
            yield ("keys", index, "limits", name), "The key has no limit."
    if key.get("budget") is not None:
        yield ("keys", index, "budget"), "What the key spends has no bound."
