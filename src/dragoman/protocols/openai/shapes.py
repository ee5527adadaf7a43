"""Fields that are handed on as they came: a wrong type in them is refused by its path all the same."""

from collections.abc import Callable
from typing import Any

from dragoman.protocols.openai import fields

# A word names a kind of value; a tuple is a list of its only shape; a dict tells an object's members, `*` all of them; a function
# refuses for itself. Names that are not told are not looked at.
Shape = Any

_LEAVES: dict[str, Callable[[Any, str], Any]] = {
    "text": fields.text,
    "flag": fields.flag,
    "number": fields.number,
    "integer": fields.integer,
    "any": fields.table,
}


def check(value: Any, shape: Shape, path: str) -> None:
    """Raises BadRequest with the path of what is not of its shape."""
    if value is None or shape is None:
        return
    if type(shape) is str:
        _LEAVES[shape](value, path)
    elif type(shape) is tuple:
        for number, item in enumerate(fields.array(value, path)):
            check(item, shape[0], f"{path}[{number}]")
    elif type(shape) is dict:
        every = shape.get("*")
        for name, held in fields.table(value, path).items():
            if (known := every or shape.get(name)) is not None:
                check(held, known, f"{path}.{name}")
    else:
        shape(value, path)


def text_or(other: Shape, wanted: str) -> Shape:
    """A shape that is a text, or an `other`; `wanted` says so in words."""
    kind = list if type(other) is tuple else dict

    def either(value: Any, path: str) -> None:
        if type(value) is kind:
            check(value, other, path)
        elif type(value) is not str:
            raise fields.refuse(path, wanted, value)

    return either
