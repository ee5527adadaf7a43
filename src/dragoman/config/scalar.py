"""What a scalar without quotes means, where every YAML version agrees, and a trap where they do not.

YAML 1.1 (which most tools speak) and YAML 1.2 read `no`, `010`, `1_000` and `1:30` differently. Rather
than choose in silence, such a scalar is refused with words on how to write what was meant.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Trap:
    """A scalar that two versions of YAML read differently."""

    message: str
    mend: str


_TRUTH = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_NOTHING = {"", "~", "null", "Null", "NULL"}
_BOOL_WORDS = {"yes": "true", "on": "true", "no": "false", "off": "false"}
_WHOLE = re.compile(r"[+-]?(0|[1-9][0-9]*)", re.ASCII)
_FLOAT = re.compile(r"[+-]?([0-9]+\.[0-9]*|\.[0-9]+|[0-9]+)([eE][+-]?[0-9]+)?", re.ASCII)
_LEADING_ZERO = re.compile(r"[+-]?0[0-9]+", re.ASCII)
_OTHER_BASE = re.compile(r"[+-]?0([xX][0-9a-fA-F_]+|[bB][01_]+|[oO][0-7_]+)", re.ASCII)
_UNDERSCORED = re.compile(r"[+-]?[0-9][0-9_]*_[0-9_]*(\.[0-9_]*)?", re.ASCII)
_BASE_SIXTY = re.compile(r"[+-]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?", re.ASCII)

# Long enough for every setting; beyond it digits are text, which also bounds the cost of int().
_MOST_DIGITS = 30

Value = str | int | float | bool | None


def resolve(text: str) -> Value | Trap:
    """The value of a plain scalar. Dates stay text: only the setting knows whether it wants one."""
    if text in _NOTHING:
        return None
    if text in _TRUTH:
        return _TRUTH[text]
    if (word := _BOOL_WORDS.get(text.lower())) and text in (text.lower(), text.upper(), text.capitalize()):
        return Trap(
            f"is {word} in YAML 1.1 and text in YAML 1.2", f"Write {word}, or put it in quotes if text is meant."
        )
    if text[0] not in "+-.0123456789" or len(text) > _MOST_DIGITS:
        return text
    if _WHOLE.fullmatch(text):
        return int(text)
    if _LEADING_ZERO.fullmatch(text):
        return Trap(
            "begins with a zero, which YAML 1.1 takes for octal",
            "Remove the zero, or put it in quotes if text is meant.",
        )
    if _OTHER_BASE.fullmatch(text):
        return Trap(
            "is a number in another base than ten", "Write it in decimal, or put it in quotes if text is meant."
        )
    if _UNDERSCORED.fullmatch(text):
        return Trap(
            "has underscores, which YAML 1.1 takes for a number and YAML 1.2 for text",
            "Remove them, or put it in quotes if text is meant.",
        )
    if _BASE_SIXTY.fullmatch(text):
        return Trap(
            "is a number to base sixty in YAML 1.1 and text in YAML 1.2",
            "Write a unit, such as 90s, or put it in quotes if text is meant.",
        )
    if _FLOAT.fullmatch(text):
        return float(text)
    return text
