"""Checked values out of a caller's JSON: each function gives the value as its type or refuses it by the field's path.

Anthropic's envelope has no place for a path of its own, so its errors begin with it; ours do too.
"""

from typing import Any

from dragoman.ir import BadRequest, Extra
from dragoman.wire.json import kind_of

# A member of these says nothing, so that nothing is lost without it.
EMPTY: tuple[Any, ...] = (None, [], {})


def refuse(path: str, wanted: str, value: Any) -> BadRequest:
    return BadRequest(f"{path}: {wanted} is wanted, not {kind_of(value)}.", param=path, code="invalid_type")


def mistyped(path: str, why: str) -> BadRequest:
    return BadRequest(f"{path}: {why}.", param=path, code="invalid_type")


def missing(path: str) -> BadRequest:
    return BadRequest(f"{path}: Field required.", param=path, code="missing_field")


def invalid(path: str, why: str) -> BadRequest:
    return BadRequest(f"{path}: {why}", param=path, code="invalid_value")


def text(value: Any, path: str) -> str:
    if type(value) is not str:
        raise refuse(path, "a string", value)
    return value


def member(holder: dict[str, Any], key: str, path: str) -> str:
    """A string that must be there."""
    value = holder.get(key)
    if value is None:
        raise missing(f"{path}.{key}")
    return text(value, f"{path}.{key}")


def optional_text(holder: dict[str, Any], key: str, path: str) -> str | None:
    value = holder.get(key)
    return None if value is None else text(value, f"{path}.{key}")


def flag(value: Any, path: str) -> bool:
    if type(value) is not bool:
        raise refuse(path, "a boolean", value)
    return value


def number(value: Any, path: str) -> float:
    if type(value) is not float and type(value) is not int:
        raise refuse(path, "a number", value)
    return value


def integer(value: Any, path: str, least: int | None = None) -> int:
    """A whole number; `40.0` will do."""
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is not int:
        raise refuse(path, "an integer", value)
    if least is not None and value < least:
        raise invalid(path, f"{value} is less than {least}.")
    return value


def table(value: Any, path: str) -> dict[str, Any]:
    if type(value) is not dict:
        raise refuse(path, "an object", value)
    return value


def array(value: Any, path: str) -> list[Any]:
    if type(value) is not list:
        raise refuse(path, "an array", value)
    return value


def unknown(holder: dict[str, Any], known: frozenset[str], path: str) -> tuple[Extra, ...]:
    """The members that nobody has a word for."""
    if holder.keys() <= known:
        return ()
    return tuple(
        Extra("", key, value, f"{path}.{key}")
        for key, value in holder.items()
        if key not in known and value not in EMPTY and value is not False
    )
