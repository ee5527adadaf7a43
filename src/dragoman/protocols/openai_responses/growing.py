"""Output items while they grow, and the parts in them."""

from typing import Any

from dragoman.ir import Signature

Json = dict[str, Any]


class Words:
    """A message's content part that grows."""

    __slots__ = ("base", "number", "part", "pieces", "sent")

    def __init__(self, part: Json, number: int, base: int) -> None:
        self.part = part
        self.number = number
        self.base = base  # characters of the answer's text before it
        self.pieces: list[str] = []
        self.sent = False


class Growing:
    """An item that grows. A message's `words` are its open part; a reasoning's `shown` and `raw` its texts."""

    __slots__ = ("after", "index", "item", "raw", "shown", "words")

    def __init__(self, index: int, item: Json) -> None:
        self.index = index
        self.item = item
        self.words: Words | None = None
        self.shown: list[str] | None = None
        self.raw: list[str] | None = None
        self.after: Signature | None = None  # of the text, to be told behind it


class GrowingCall:
    __slots__ = ("arguments", "custom", "index", "item")

    def __init__(self, index: int, item: Json, custom: bool) -> None:
        self.index = index
        self.item = item
        self.custom = custom
        self.arguments: list[str] = []
