"""How durations, sizes, whole numbers and money are written, and how they are written back.

Pure text to number and back. Bounds that belong to one setting stand with that setting.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

from dragoman.config.problem import wrong

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {
    "B": 1,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
}
_SIZE_UNITS = {unit.lower(): factor for unit, factor in _BYTES.items()}
_DURATION = re.compile(r"(?:[0-9]{1,12}(?:\.[0-9]{1,6})?(?:ms|s|m|h|d))+", re.ASCII)
_DURATION_PART = re.compile(r"([0-9.]+)(ms|s|m|h|d)", re.ASCII)
_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,6})?) ?([A-Za-z]+)", re.ASCII)
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,9})?", re.ASCII)

LONGEST = 366 * 86400.0


def read_duration(value: object) -> float:
    """Seconds from "30s", "5m", "1h30m", "250ms", "1d", or from a number of seconds."""
    seconds: float | None = None
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        seconds = float(value) if abs(value) <= LONGEST else LONGEST + 1
    elif isinstance(value, str):
        text = value.strip()
        if _NUMBER.fullmatch(text):
            seconds = float(text)
        elif _DURATION.fullmatch(text):
            parts = _DURATION_PART.findall(text)
            seconds = sum(float(number) * _SECONDS[unit] for number, unit in parts)
    if seconds is None or seconds != seconds:
        raise wrong("is not a duration", "Write a number of seconds, or one such as 30s, 5m, 2h or 1d.")
    if not 0 < seconds <= LONGEST:
        raise wrong("is out of range", "Write a duration longer than nothing and up to 366d.")
    return seconds


def write_duration(seconds: float) -> str:
    """The shortest of "1d", "2h", "5m", "30s", "250ms" that is exact."""
    for unit in ("d", "h", "m", "s"):
        if seconds >= _SECONDS[unit] and seconds % _SECONDS[unit] == 0:
            return f"{int(seconds // _SECONDS[unit])}{unit}"
    thousandths = seconds * 1000
    if thousandths == int(thousandths):
        return f"{int(thousandths)}ms"
    return f"{seconds:.6f}".rstrip("0").rstrip(".") + "s"


def read_size(value: object) -> int:
    """Bytes from "32MiB", "1MB", "512B", or from a whole number of bytes."""
    size: float | None = None
    if isinstance(value, int) and not isinstance(value, bool):
        size = value
    elif isinstance(value, str):
        text = value.strip()
        if _WHOLE.fullmatch(text):
            size = int(text)
        elif (found := _SIZE.fullmatch(text)) and found[2].lower() in _SIZE_UNITS:
            size = float(found[1]) * _SIZE_UNITS[found[2].lower()]
    if size is None:
        raise wrong("is not a size", "Write a number of bytes, or one such as 512KiB, 32MiB or 1GB.")
    if not 1 <= size <= 2**40:
        raise wrong("is out of range", "Write a size from 1 byte to 1024GiB.")
    return int(size)


def write_size(size: int) -> str:
    """The largest unit that is exact, binary units first."""
    for unit in ("GiB", "MiB", "KiB", "GB", "MB", "KB"):
        if size >= _BYTES[unit] and size % _BYTES[unit] == 0:
            return f"{size // _BYTES[unit]}{unit}"
    return f"{size}B"


def read_whole(value: object) -> int:
    """A whole number, also from text, because an interpolated value is always text."""
    if isinstance(value, int) and not isinstance(value, bool):
        if abs(value) < 10**18:
            return value
    elif isinstance(value, str) and _WHOLE.fullmatch(value.strip()):
        return int(value)
    raise wrong("is not a whole number", "Write digits only.")


def read_money(value: object) -> Decimal:
    """US dollars as an exact decimal from text such as "2.50". A bare number is taken as it is spelled."""
    if isinstance(value, (str, int, float, Decimal)) and not isinstance(value, bool):
        try:
            # str() of a float is the shortest text that reads back the same: what the user wrote.
            amount = Decimal(str(value).strip())
        except (InvalidOperation, ValueError):
            amount = Decimal("NaN")
        if amount.is_finite():
            if not 0 <= amount <= 10**12:
                raise wrong("is out of range", "Write an amount of US dollars, zero or more.")
            exponent = amount.as_tuple().exponent
            if isinstance(exponent, int) and exponent < -12:
                raise wrong("has too many decimal places", "Write at most twelve.")
            return amount
    raise wrong("is not an amount of money", 'Write US dollars as text, such as "2.50".')
