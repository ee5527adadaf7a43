"""Reads `systemInstruction`: a Content, and what people write for it."""

from typing import Any

from dragoman.ir import Extra, Text
from dragoman.protocols.gemini.fields import array, below, invalid, members, text
from dragoman.protocols.gemini.read_parts import CONTENT, PART


def read_system(value: Any, path: str, unknown: list[Extra]) -> tuple[Text, ...]:
    """A Content, and what people write for it: a string, a part, a list of either."""
    if value.__class__ is dict and len(value) == 1:
        parts = value.get("parts")
        if parts.__class__ is list and all(map(_is_plain, parts)):
            return tuple([Text(part["text"]) for part in parts])
    if isinstance(value, str):
        return (Text(value),) if value else ()
    if isinstance(value, list):
        items, inside = value, path
    else:
        content = members(value, CONTENT | PART, path, unknown)
        if "role" in content:
            text(content["role"], below(path, "role"))
        if "parts" in content:
            items, inside = array(content["parts"], below(path, "parts")), below(path, "parts")
        elif "text" in content:
            items, inside = [value], path
        else:
            items, inside = [], path
    texts: list[Text] = []
    for number_, item in enumerate(items):
        at = path if item is value else f"{inside}[{number_}]"
        if isinstance(item, str):
            texts.append(Text(item))
            continue
        part = members(item, PART, at, [] if item is value else unknown)
        if "text" not in part:
            raise invalid(at, "a system instruction holds text only")
        texts.append(Text(text(part["text"], below(at, "text"))))
    return tuple(texts)


def _is_plain(part: Any) -> bool:
    return part.__class__ is dict and len(part) == 1 and part.get("text").__class__ is str
