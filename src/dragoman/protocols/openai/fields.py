"""Checked values out of a caller's JSON: each function gives the value as its type or refuses it by the field's path."""

from collections.abc import Mapping
from typing import Any

from dragoman.ir import BadRequest, Extra
from dragoman.wire.json import encode_text, kind_of

# A member of these says nothing, so that nothing is lost without it.
EMPTY: tuple[Any, ...] = (None, [], {})
# Hints for a vendor's cache, and whose: nothing is said differently without them.
HINTS = {"cache_control": "anthropic", "prompt_cache_breakpoint": "openai"}


def refuse(path: str, wanted: str, value: Any) -> BadRequest:
    return BadRequest(
        f"Invalid type for '{path}': expected {wanted}, but got {kind_of(value)} instead.",
        param=path,
        code="invalid_type",
    )


def mistyped(path: str, why: str) -> BadRequest:
    return BadRequest(f"Invalid type for '{path}': {why}.", param=path, code="invalid_type")


def missing(path: str) -> BadRequest:
    return BadRequest(f"Missing required parameter: '{path}'.", param=path, code="missing_required_parameter")


def invalid(path: str, why: str) -> BadRequest:
    return BadRequest(f"Invalid value for '{path}': {why}", param=path, code="invalid_value")


def text(value: Any, path: str) -> str:
    if type(value) is not str:
        raise refuse(path, "a string", value)
    return value


def optional_text(value: Any, path: str) -> str | None:
    return None if value is None else text(value, path)


def flag(value: Any, path: str) -> bool:
    if type(value) is not bool:
        raise refuse(path, "a boolean", value)
    return value


def number(value: Any, path: str) -> float:
    if type(value) is not float and type(value) is not int:
        raise refuse(path, "a number", value)
    return value


def integer(value: Any, path: str) -> int:
    """A whole number; `40.0` will do."""
    if type(value) is float and value.is_integer():
        return int(value)
    if type(value) is not int:
        raise refuse(path, "an integer", value)
    return value


def table(value: Any, path: str) -> dict[str, Any]:
    if type(value) is not dict:
        raise refuse(path, "an object", value)
    return value


def array(value: Any, path: str) -> list[Any]:
    if type(value) is not list:
        raise refuse(path, "an array", value)
    return value


def arguments(value: Any, path: str) -> str:
    """A call's arguments as the text that they came in. Some callers send the object itself, or `""` for none.

    What a model wrote that is no JSON is still what it wrote: the writers whose protocols want an object see to it."""
    if type(value) is dict:
        return encode_text(value)
    if value is None or value == "":
        return "{}"
    return text(value, path)


def unknown(holder: Mapping[str, Any], known: frozenset[str], path: str) -> tuple[Extra, ...]:
    """The members that nobody has a word for."""
    if holder.keys() <= known:
        return ()
    return tuple(
        Extra(HINTS.get(key, ""), key, value, f"{path}.{key}", harmless=key in HINTS)
        for key, value in holder.items()
        if key not in known and value not in EMPTY
    )
