"""What the models found wrong, in words for the person who wrote the file.

pydantic's own messages speak of its types and may repeat the input; these name the setting, its place
and the way to mend it, and never a value.
"""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Iterable
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from dragoman.config.problem import PROBLEM_TYPE, Problem
from dragoman.config.reading import UNREADABLE, Reading, SettingPath
from dragoman.config.settings import Settings

_WANTED = {
    "string_type": ("text", "Write text, in quotes if it looks like anything else."),
    "path_type": ("a path", "Write a path."),
    "model_type": ("a mapping", "Write key: value entries below it."),
    "model_attributes_type": ("a mapping", "Write key: value entries below it."),
    "dict_type": ("a mapping", "Write key: value entries below it."),
    "tuple_type": ("a list", "Put it in brackets: [ ]."),
    "list_type": ("a list", "Put it in brackets: [ ]."),
}
_BOUNDS = {
    "greater_than_equal": ("must be at least {ge}", "Raise it."),
    "greater_than": ("must be more than {gt}", "Raise it."),
    "less_than_equal": ("must be at most {le}", "Lower it."),
    "less_than": ("must be less than {lt}", "Lower it."),
    "too_short": ("must not be empty", "Name at least one."),
    "string_too_short": ("must not be empty", "Write something, or leave the whole line out."),
    "string_too_long": ("is longer than {max_length} characters", "Shorten it."),
}


def closest(name: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant."""
    names = [other for other in known if other.isprintable()]
    folded = {other.lower().replace("-", "_"): other for other in names}
    if found := folded.get(name.lower().replace("-", "_")):
        return found
    matches = difflib.get_close_matches(name[:100], names, n=1, cutoff=0.6)
    return matches[0] if matches else None


def listing(names: Iterable[str], most: int = 20) -> str:
    """Names for a message, shortened where there are many."""
    all_names = [name for name in names if name.isprintable()]
    shown = ", ".join(all_names[:most])
    return shown if len(all_names) <= most else f"{shown} and {len(all_names) - most} more"


def problems_of(error: ValidationError, reading: Reading) -> list[Problem]:
    """Every fault that validation found, without those that only follow from an unreadable value."""
    found = []
    for fault in error.errors(include_url=False, include_input=False):
        loc, kind, context = fault["loc"], fault["type"], fault.get("ctx", {})
        at_key = bool(loc) and loc[-1] == "[key]"
        path = loc[:-1] if at_key else loc
        if kind != "extra_forbidden" and _unreadable(path, reading):
            continue
        if kind == "too_short" and _value_at(reading.data, path):
            continue  # pydantic counts only the items that passed; theirs are the faults to report
        message, mend = _words(path, kind, context, reading.data)
        found.append(reading.problem(path, message, mend, key=at_key or kind == "extra_forbidden"))
    return found


def _unreadable(path: SettingPath, reading: Reading) -> bool:
    return any(path[:length] in reading.unreadable for length in range(len(path) + 1))


def _words(path: SettingPath, kind: str, context: dict[str, Any], data: Any) -> tuple[str, str]:
    if kind == PROBLEM_TYPE:
        return context["message"], context["mend"]
    if kind == "extra_forbidden":
        known = list(known_keys(path[:-1]))
        guess = closest(str(path[-1]), known)
        return "unknown key", f"Did you mean {guess}?" if guess else f"Known here: {listing(known)}."
    if kind == "missing":
        return "is missing", f"Add {path[-1]}."
    if kind in _WANTED:
        wanted, mend = _WANTED[kind]
        given = _noun(_value_at(data, path))
        if wanted == "text" and given in ("a number", "true or false"):
            mend = "Put it in quotes."
        return f"is {given} where {wanted} is wanted", mend
    if kind == "literal_error":
        choices = _choices(context)
        value = _value_at(data, path)
        guess = closest(value, choices) if isinstance(value, str) else None
        return f"is not one of {listing(choices)}", f"Did you mean {guess}?" if guess else "Choose one of them."
    if kind in _BOUNDS:
        message, mend = _BOUNDS[kind]
        return message.format_map(context), mend
    if kind.startswith(("datetime", "timezone")):
        return "is not a date and time", 'Write one such as "2027-01-31T00:00:00Z".'
    return "is not valid", "See docs/configuration.md."


def _choices(context: dict[str, Any]) -> list[str]:
    return [
        part for part in str(context.get("expected", "")).replace(" or ", ", ").replace("'", "").split(", ") if part
    ]


def _value_at(data: Any, path: SettingPath) -> Any:
    for step in path:
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            return UNREADABLE
    return data


def _noun(value: Any) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case list():
            return "a list"
        case dict():
            return "a mapping"
        case _:
            return "something else"


def known_keys(path: SettingPath) -> Iterable[str]:
    """The keys that may stand in the mapping at `path`; none where names are free."""
    kind: Any = Settings
    for step in path:
        kind = _below(kind, step)
    return kind.model_fields if isinstance(kind, type) and issubclass(kind, BaseModel) else ()


def _below(kind: Any, step: str | int) -> Any:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        info = kind.model_fields.get(str(step))
        return strip(info.annotation) if info else None
    arguments = get_args(kind)
    if get_origin(kind) is dict:
        return strip(arguments[1])
    if get_origin(kind) is tuple:
        return strip(arguments[0])
    return None


def strip(kind: Any) -> Any:
    """The type without `Annotated` and `| None`."""
    if get_origin(kind) is Annotated:
        return strip(get_args(kind)[0])
    if get_origin(kind) in (types.UnionType, typing.Union):
        others = [part for part in get_args(kind) if part is not type(None)]
        return strip(others[0])
    return kind
