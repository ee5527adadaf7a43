"""Why a caller's body is no JSON that we read, said so that the caller finds the place.

Python's own reader takes what JSON has no word for (halves of surrogate pairs, NaN, numbers past every range), so that it
finds the member that holds it. It is asked only after our own has refused a body, and only for bodies that cost no time.
"""

from json import JSONDecoder
from math import isinf
from typing import Any

from dragoman.ir.errors import BadRequest

_LONGEST = 1 << 20  # bytes of a body that is looked into
_LONGEST_PATH = 200


class _Wrong:
    def __init__(self, why: str) -> None:
        self.why = why


def refusal_of(data: bytes, error: Exception, *, dotted: bool = False) -> BadRequest:
    """`dotted`: how the caller's protocol writes paths, `messages.0.content` rather than `messages[0].content`."""
    if not data.strip():
        return BadRequest("The request body is empty. Send a JSON object.", code="invalid_json")
    try:
        text = data.decode()
    except UnicodeDecodeError as broken:
        why = f"the byte 0x{data[broken.start]:02x} at {broken.start} belongs to no UTF-8 character"
        return BadRequest(f"The request body is not valid JSON: {why}.", code="invalid_json")
    if len(data) <= _LONGEST:
        try:
            value = JSONDecoder(parse_float=_float, parse_int=_int, parse_constant=_constant).decode(text)
            found = _find(value, "", dotted)
        except (ValueError, RecursionError):
            found = None
        if found is not None:
            path, why = found
            path = path if len(path) <= _LONGEST_PATH else path[: _LONGEST_PATH - 1] + "…"
            where = f" at '{path}'" if path else ""
            return BadRequest(
                f"The request body cannot be read{where}: {why}.", param=path or None, code="invalid_json"
            )
    why = str(error).partition(" - at `")[0]  # `$[...][...]` tells nobody anything
    return BadRequest(f"The request body is not valid JSON: {why}.", code="invalid_json")


def _float(digits: str) -> Any:
    return _Wrong("the number is out of range") if isinf(float(digits)) else None


def _int(digits: str) -> Any:
    return _Wrong("the number is out of range") if len(digits) > 400 else None


def _constant(word: str) -> Any:
    return _Wrong(f"{word} is no number of JSON's")


def _find(value: Any, path: str, dotted: bool) -> tuple[str, str] | None:
    """The first thing that is wrong, and its path."""
    if isinstance(value, _Wrong):
        return path, value.why
    if isinstance(value, str):
        half = _half(value)
        return None if half is None else (path, half)
    if isinstance(value, dict):
        for key, member in value.items():
            half = _half(key)
            if half is not None:
                return path, f"in a member's name {half}"
            if found := _find(member, f"{path}.{key}" if path else key, dotted):
                return found
    elif isinstance(value, list):
        for number, member in enumerate(value):
            if found := _find(member, f"{path}.{number}" if dotted else f"{path}[{number}]", dotted):
                return found
    return None


def _half(text: str) -> str | None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        code = ord(text[error.start])
        return f"the escape \\u{code:04x} is half of a surrogate pair, which is no character"
    return None
