"""What can be wrong with a configuration, as a value: where it is, what is wrong, how to mend it.

Every check in this package yields `Problem`s; `ConfigError` carries all of them at once. No problem
ever holds a secret's value: `excerpt`, the offending line, is masked where it is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pydantic_core import PydanticCustomError

PROBLEM_TYPE = "setting"


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault. `line` and `col` count from 1; both are 0 where the fault has no place in a file."""

    file: str
    line: int
    col: int
    path: str
    message: str
    mend: str = ""
    excerpt: str = field(default="", compare=False)

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.col}" if self.line else self.file
        text = f"{place} {self.path}: {self.message}." if self.path else f"{place}: {self.message}."
        return f"{text} {self.mend}" if self.mend else text

    def as_dict(self) -> dict[str, str | int]:
        """The problem for `--json`."""
        return {
            "file": self.file,
            "line": self.line,
            "col": self.col,
            "path": self.path,
            "message": self.message,
            "mend": self.mend,
        }


class ConfigError(Exception):
    """The configuration cannot be used. `problems` lists every fault found, in the file's order."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = list(problems)


def wrong(message: str, mend: str = "") -> PydanticCustomError:
    """The error a validator raises: its words reach the user unchanged, so they must not hold secrets."""
    return PydanticCustomError(PROBLEM_TYPE, "{message}. {mend}", {"message": message, "mend": mend})
