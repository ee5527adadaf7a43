"""The JSON door: the one place where a caller's or vendor's bytes become plain values."""

from collections.abc import Callable
from json import JSONDecoder
from typing import Any, TypeVar

import msgspec

from dragoman.ir.errors import BadRequest
from dragoman.wire.unreadable import refusal_of

T = TypeVar("T")

_decode = msgspec.json.Decoder().decode
# Compact UTF-8 JSON.
encode: Callable[[Any], bytes] = msgspec.json.Encoder().encode


class NotJson(ValueError):
    """The bytes are no JSON; the message says where."""


def decode(data: bytes) -> Any:
    """Plain values (dict, list, str, int, float, bool, None). Raises NotJson."""
    try:
        return _decode(data)
    except RecursionError:
        raise NotJson("JSON is nested too deeply") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise NotJson(str(error)) from None


def decode_object(data: bytes, *, dotted: bool = False) -> dict[str, Any]:
    """A caller's body, which must be a JSON object. Raises BadRequest; `dotted` says how its path is written."""
    try:
        value = decode(data)
    except NotJson as error:
        raise refusal_of(data, error, dotted=dotted) from None
    if not isinstance(value, dict):
        raise BadRequest(f"The request body must be a JSON object, not {kind_of(value)}.", code="invalid_json")
    return value


def names_twice(data: bytes, name: str) -> bool:
    """Whether an object, which `data` must be, has two members of that name. Readers of JSON differ in which of them counts.

    Raises RecursionError, and ValueError where it is no JSON after all."""
    # The hook is called for the outermost object last. Numbers stay text: Python's bound on their length is none of JSON's.
    found: list[list[tuple[str, Any]]] = [[]]

    def keep(members: list[tuple[str, Any]]) -> None:
        found[0] = members

    JSONDecoder(object_pairs_hook=keep, parse_int=str, parse_float=str, strict=False).decode(data.decode())
    return sum(known == name for known, _ in found[0]) > 1


def encode_text(value: Any) -> str:
    """Compact JSON as text."""
    return encode(value).decode()


def count_in(holder: dict[str, Any], key: str) -> int:
    """A number of tokens as vendors tell it; 0 where it is none."""
    value = holder.get(key)
    if type(value) is int and value > 0:
        return value
    if type(value) is float and 0 < value < 2**53:
        return int(value)
    return 0


def kind_of(value: Any) -> str:
    """JSON's name for the type of `value`, with its article, for error messages."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "an array"
        case _:
            return "an object"
