"""What may become of a feature between a caller and a vendor, and why it is no more than that."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

NATIVE = "native"
CARRIED = "carried"
EMULATED = "emulated"
HINT = "hint"
LOST = "lost"
REFUSED = "refused"
# In the order in which the pages explain them.
WORDS = (NATIVE, CARRIED, EMULATED, HINT, LOST, REFUSED)


@dataclass(frozen=True)
class Expected:
    """`why` is a footnote, in English and Chinese. `sees` and `hears` are what arrives where it is not what was sent; `place`
    the path that is named, where it is not that of the wish's own field."""

    word: str
    why: tuple[str, str] | None = None
    sees: dict[str, Any] = field(default_factory=dict)
    hears: dict[str, Any] = field(default_factory=dict)
    place: str | None = None
    status: int = 400


PLAIN = Expected(CARRIED)


def emulated(en: str, zh: str, **more: Any) -> Expected:
    return Expected(EMULATED, (en, zh), **more)


def lost(en: str, zh: str, **more: Any) -> Expected:
    return Expected(LOST, (en, zh), **more)


def refused(en: str, zh: str, **more: Any) -> Expected:
    return Expected(REFUSED, (en, zh), **more)


def hint(en: str, zh: str, **more: Any) -> Expected:
    return Expected(HINT, (en, zh), **more)
