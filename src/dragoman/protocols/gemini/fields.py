"""Reads members of Gemini's JSON objects as protobuf's JSON parser does, and refuses what it would refuse.

Both spellings of a name (`maxOutputTokens`, `max_output_tokens`) at every depth, `null` as absent, whole numbers as `"40"`
or `40.0`, enums as words or numbers (https://protobuf.dev/programming-guides/json/, probed against google-ai-generativelanguage
0.12.1). Enum words are taken in any case: Google's server does, though the reference parser does not.
"""

from typing import Any

from dragoman.ir import BadRequest, Extra
from dragoman.wire.json import kind_of

Object = dict[str, Any]
# A field of these says nothing, so that nothing is lost without it.
EMPTY: tuple[Any, ...] = (None, [], {})


def invalid(path: str, problem: str) -> BadRequest:
    """A refusal in Google's wording; `path` is the field in Google's spelling."""
    return BadRequest(f"Invalid value at '{path}': {problem}.", param=path, code="invalid_value")


def below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def camel(key: str) -> str:
    """`max_output_tokens` → `maxOutputTokens`."""
    head, *rest = key.split("_")
    return head + "".join([word[:1].upper() + word[1:] for word in rest])


def camel_deep(value: Any) -> Any:
    """The same value with every object's names in camelCase."""
    if isinstance(value, dict):
        return {camel(key): camel_deep(member) for key, member in value.items()}
    if isinstance(value, list):
        return [camel_deep(member) for member in value]
    return value


def members(
    value: Any, known: frozenset[str], path: str, unknown: list[Extra], *, empty_speaks: bool = False
) -> Object:
    """The object's members by their camelCase names; those not in `known` are put into `unknown` as nobody's extras.

    Empty ones say nothing and are left out, unless `empty_speaks`: `{"timeMachine": {}}` asks for a tool."""
    if value.__class__ is not dict:
        raise invalid(path, f"an object is wanted, not {kind_of(value)}")
    if known.issuperset(value) and None not in value.values():  # nearly every object, as it stands
        return dict(value)
    found: Object = {}
    for key, member in value.items():
        if member is None:
            continue
        name = key
        if key not in known:
            if "_" in key:
                name = camel(key)
            if name not in known:
                if member in EMPTY and not empty_speaks:
                    continue
                unknown.append(Extra("", key, member, below(path, key)))
                continue
        if name in found:
            raise invalid(below(path, name), "it is given twice, in two spellings")
        found[name] = member
    return found


def array(value: Any, path: str) -> list[Any]:
    if value.__class__ is not list:
        raise invalid(path, f"an array is wanted, not {kind_of(value)}")
    return value


def plain_object(value: Any, path: str) -> Object:
    if value.__class__ is not dict:
        raise invalid(path, f"an object is wanted, not {kind_of(value)}")
    return value


def text(value: Any, path: str) -> str:
    if value.__class__ is not str:
        raise invalid(path, f"a string is wanted, not {kind_of(value)}")
    return value


def texts(value: Any, path: str) -> tuple[str, ...]:
    return tuple([text(item, f"{path}[{n}]") for n, item in enumerate(array(value, path))])


def boolean(value: Any, path: str) -> bool:
    if value.__class__ is not bool:
        raise invalid(path, f"true or false is wanted, not {kind_of(value)}")
    return value


def number(value: Any, path: str) -> float:
    if value.__class__ is float or value.__class__ is int:
        return value
    if isinstance(value, str):
        try:
            read = float(value)
        except ValueError:
            read = float("nan")
        if abs(read) < float("inf"):
            return read
    raise invalid(path, f"a number is wanted, not {kind_of(value)}")


def integer(value: Any, path: str) -> int:
    if value.__class__ is int:
        return value
    if value.__class__ is not bool:
        read = number(value, path)
        if read == int(read):
            return int(read)
    raise invalid(path, "a whole number is wanted")


def choice(value: Any, words: tuple[str, ...], path: str) -> str:
    """The enum's word, in Google's upper case; `words` stand in the order of their numbers."""
    if isinstance(value, str):
        word = value.upper()
        if word in words:
            return word
    elif value.__class__ is int and 0 <= value < len(words):
        return words[value]
    raise invalid(path, f"one of {', '.join(words)} is wanted")
