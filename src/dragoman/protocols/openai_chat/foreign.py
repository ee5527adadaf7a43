"""Google's signatures in a history that goes to a vendor that is not Google.

A client that keeps what it does not know sends them back to whichever model it asks next. Only their maker can read them, and
vendors that check their members refuse the request for them (Mistral, Groq, OpenAI).
"""

from collections.abc import Iterator
from typing import Any

from msgspec import Raw

from dragoman.ir import Loss
from dragoman.wire.body import members, replace
from dragoman.wire.json import decode, encode

_MAKERS = "A signature goes back to its maker only."


def without_signatures(body: bytes) -> tuple[bytes, tuple[Loss, ...]]:
    raw = members(body).get("messages")
    messages = decode(bytes(raw)) if raw is not None else None
    losses: list[Loss] = []
    for number, message in enumerate(messages if type(messages) is list else ()):
        if type(message) is dict:
            losses += [
                Loss(f"messages[{number}]{path}.extra_content.google", _MAKERS, harmless=True)
                for path, holder in _holders(message)
                if _strip(holder)
            ]
    return (replace(body, messages=Raw(encode(messages))), tuple(losses)) if losses else (body, ())


def _holders(message: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    yield "", message
    for name in ("content", "tool_calls", "images"):
        held = message.get(name)
        yield from ((f".{name}[{at}]", part) for at, part in enumerate(held if type(held) is list else ()))


def _strip(holder: Any) -> bool:
    extra = holder.get("extra_content") if type(holder) is dict else None
    if type(extra) is not dict or "google" not in extra:
        return False
    del extra["google"]
    if not extra:
        del holder["extra_content"]
    return True
