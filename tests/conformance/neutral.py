"""What a feature is told in: a wish (what a caller asks) and an answer (what a vendor says), in words of no protocol.

A wish is a mapping. `turns` are `(role, parts)` with role `user`, `model` or `system`; a part is a tuple, its kind first:

    ("text", text)  ("image", base64)  ("image-url", url)  ("pdf", base64)  ("pdf-url", url)  ("audio", base64)
    ("video", base64)  ("call", id, name, arguments)  ("result", id, name, value)  ("error", id, name, text)
    ("pictured", id, name, text, base64)  a result with a picture

An answer is a mapping too: `parts` (text, thought, call, refusal, image), `finish`, `usage`, `citations`, `queries`,
`logprobs`, `texts` (where there are several), `signature`. Each dialect asks, sees, says and hears in its own protocol by
hand, so that nothing of the gateway judges the gateway.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from threading import Event
from typing import Any, Protocol

from e2e.canned import PNG as PNG
from e2e.vendor import Answer, Seen

Wish = dict[str, Any]
Said = dict[str, Any]

PDF = "JVBERi0xLjQKJcOkw7zDtsOfCg=="
WAV = "UklGRiQAAABXQVZFZm10IBAAAAABAAEA"
MP4 = "AAAAGGZ0eXBpc29tAAAAAGlzb21tcDQy"
RETRY = [("retry-after", "7")]
PICTURE_URL = "https://example.com/cat.png"
PDF_URL = "https://example.com/paper.pdf"


class NoWords(Exception):
    """The protocol has no way to ask, or to say, such a thing."""


@dataclass(frozen=True)
class Asked:
    """A caller's request. `places` are the paths of the wish's fields, as the caller would look for them."""

    path: str
    body: dict[str, Any]
    places: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def content(self) -> bytes:
        return json.dumps(self.body, ensure_ascii=False, indent=1).encode()


class Dialect(Protocol):
    """One protocol, spoken as a caller (`ask`, `hear`) and as a vendor (`see`, `say`)."""

    name: str
    # The paths that hold what is no field of the wish's own, such as a part of a turn.
    turns: str

    def ask(self, wish: Wish, model: str, stream: bool) -> Asked: ...

    def count(self, wish: Wish, model: str) -> Asked: ...

    def counted(self, answer: Any) -> int: ...

    def again(self, asked: Asked, answer: Any) -> list[Any]:
        """The caller's history with the vendor's answer in it, as it came."""

    def hear(self, content: bytes, stream: bool) -> Any:
        """An answer whole, whether it came so or as a stream."""

    def heard(self, answer: Any) -> Said: ...

    def failure(self, content: bytes, stream: bool) -> tuple[str, str] | None:
        """The kind and the words of an error in the protocol's own envelope, or of a stream's last event."""

    def see(self, seen: Seen) -> Wish: ...

    def say(self, said: Said, model: str, stream: bool) -> Answer: ...

    def fail(self, status: int, words: str) -> Answer: ...

    def break_off(self, words: str | None, model: str, heard: Event) -> Answer:
        """A stream that fails once its first half, `½`, was `heard`; without words the connection breaks."""


def put(body: dict[str, Any], path: str, value: Any) -> None:
    *way, last = path.split(".")
    for name in way:
        body = body.setdefault(name, {})
    body[last] = value


def find(body: Any, path: str) -> Any:
    for name in path.split("."):
        if not isinstance(body, dict) or name not in body:
            return None
        body = body[name]
    return body


def data_lines(content: bytes) -> list[Any]:
    """The JSON of a stream's `data:` lines, the end mark left out."""
    lines = [line[6:] for line in content.decode().split("\n") if line.startswith("data: ")]
    return [json.loads(line) for line in lines if line.strip() != "[DONE]"]


class Calls:
    """Ids by the order that they come in, so that whoever renames them keeps them apart all the same."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, str]] = {}

    def called(self, id: str, name: str) -> tuple[str, str]:
        assert id not in self._known, f"the id {id} comes twice"
        self._known[id] = (str(len(self._known) + 1), name)
        return self._known[id]

    def answered(self, id: str) -> tuple[str, str]:
        return self._known[id]


def joined(parts: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Neighbours of one kind of words are one."""
    out: list[tuple[Any, ...]] = []
    for part in parts:
        if out and part[0] == out[-1][0] and part[0] in ("text", "thought", "refusal"):
            out[-1] = (part[0], out[-1][1] + part[1])
        elif part[0] not in ("text", "thought") or part[1]:
            out.append(part)
    return out


def halves(text: str) -> list[str]:
    middle = (len(text) + 1) // 2
    return [piece for piece in (text[:middle], text[middle:]) if piece]


def value_of(words: str) -> Any:
    """A result's value: JSON where it is some, else the words."""
    try:
        return json.loads(words)
    except ValueError:
        return words
