"""A caller's body that names its model and is passed on as it came: what routing must know of it, and the name spliced in place.

How a refusal is worded is left to the protocols.
"""

import re
from typing import Any, Protocol, TypeVar

import msgspec

from dragoman.ir.errors import BadRequest
from dragoman.wire import json
from dragoman.wire.unreadable import refusal_of

T = TypeVar("T", covariant=True)
_decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode
_MODEL = re.compile(rb'(?<!\\)"model"\s*:\s*("(?:[^"\\]|\\.)*")')
_PLACE = re.compile(r"at `\$\.?([^`]*)`")


class Head(msgspec.Struct, gc=False):
    """What every body says."""

    model: str
    stream: bool | None = None


class Decode(Protocol[T]):
    def __call__(self, buf: bytes, /) -> T: ...


class Refusals(Protocol):
    """How a protocol says what is wrong with a member."""

    def missing(self, path: str, /) -> BadRequest: ...

    def mistyped(self, path: str, why: str, /) -> BadRequest: ...


decode_head = msgspec.json.Decoder(Head).decode


def head_of(body: bytes, decode: Decode[T], refusals: Refusals, *, dotted: bool = False) -> T:
    """Checks that the whole body is JSON and names a model, once. Raises BadRequest; `dotted` says how its path is written."""
    try:
        head = decode(body)
        if not body.isascii():
            body.decode()  # the decoder does not look into the strings it skips
        # The caller's right is checked on the one, a vendor may take the other. No usual encoder escapes U+006x.
        # Sought with a single byte first: most bodies hold no escape at all, and that is known at a tenth of the cost.
        escaped = b"\\" in body and b"\\u006" in body
        if (escaped or body.count(b'"model"') > 1) and json.names_twice(body, "model"):
            raise BadRequest(
                "The request names its model twice. Send 'model' once.", param="model", code="duplicate_field"
            )
    except msgspec.ValidationError as error:
        raise _refused(str(error), refusals) from None
    except RecursionError:
        raise BadRequest("The request body is nested too deeply.", code="invalid_json") from None
    except (msgspec.DecodeError, ValueError) as error:
        raise refusal_of(body, error, dotted=dotted) from None
    return head


def with_model(body: bytes, old: str, new: str) -> bytes:
    """The name spliced in place. A member of that name may stand deeper too, so each candidate is tried and checked."""
    name = _encode(new)
    for found in _MODEL.finditer(body):
        try:
            if json.decode(found[1]) != old:
                continue
            spliced = body[: found.start(1)] + name + body[found.end(1) :]
            if decode_head(spliced).model == new:
                return spliced
        except (ValueError, msgspec.DecodeError):
            continue
    return replace(body, model=new)


def members(body: bytes) -> dict[str, Any]:
    """The body's members, each as its own bytes."""
    return _decode_members(body)


def replace(body: bytes, **changed: Any) -> bytes:
    return _encode({**members(body), **changed})


def _refused(message: str, refusals: Refusals) -> BadRequest:
    found = _PLACE.search(message)
    if found:
        return refusals.mistyped(found[1], message.partition(" - at ")[0].replace("`", "'").lower())
    if "missing required field `model`" in message:
        return refusals.missing("model")
    return BadRequest(f"The request body must be a JSON object: {message}.", code="invalid_json")
