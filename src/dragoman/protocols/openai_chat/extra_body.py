"""A literal `extra_body` in a body for a vendor that is not Google: what OpenAI's SDKs would have put at the top stands there.

Google's `thinking_config` in it, which such a vendor refuses as unknown, is left out and told. What a request is, rather than
what it asks for, is said at the top alone.
"""

from typing import Any

from dragoman.ir import Loss
from dragoman.protocols.openai import fields
from dragoman.wire.body import members
from dragoman.wire.json import decode, encode

# By these the answer's shape was settled before anybody looked into `extra_body`.
AT_THE_TOP = frozenset({"model", "messages", "stream", "stream_options", "extra_body"})
SAID_AT_THE_TOP = "It is said at the top of the body alone."
_THINKING = ("thinking_config", "thinkingConfig")
_SHOWN = ("include_thoughts", "includeThoughts")
_GOOGLES = "Only Google's models take it."


def lifted(body: bytes) -> tuple[bytes, tuple[Loss, ...]]:
    """Raises BadRequest where `extra_body` is no object."""
    held: dict[str, Any] = members(body)
    raw = held.pop("extra_body", None)
    if raw is None:
        return body, ()
    nested = decode(bytes(raw))
    losses: list[Loss] = []
    for name, value in _table(nested, "extra_body").items():
        path = f"extra_body.{name}"
        if name == "extra_body":  # the Python of Google's documentation, through a client that nests it once more
            for inner, option in _table(value, path).items():
                if inner != "google":
                    losses.append(Loss(f"{path}.{inner}", "It is nested once too often."))
                elif google := _without_thinking(option, f"{path}.google", losses):
                    held[inner] = google
        elif name in AT_THE_TOP:
            losses.append(Loss(path, SAID_AT_THE_TOP))
        elif name == "google":
            if google := _without_thinking(value, path, losses):
                held[name] = google
        else:
            held[name] = value
    return encode(held), tuple(losses)


def _table(value: Any, path: str) -> dict[str, Any]:
    """Without what says nothing."""
    table = {} if value is None else fields.table(value, path)
    return {name: held for name, held in table.items() if held not in fields.EMPTY}


def _without_thinking(google: Any, path: str, losses: list[Loss]) -> Any:
    if type(google) is not dict:
        return google
    kept: dict[str, Any] = {}
    for name, value in google.items():
        if name not in _THINKING:
            kept[name] = value
        elif type(value) is not dict:
            losses.append(Loss(f"{path}.{name}", _GOOGLES))
        else:
            # Thoughts come back wherever such a vendor tells them.
            losses += [Loss(f"{path}.{name}.{one}", _GOOGLES, one in _SHOWN) for one in value]
    return kept
