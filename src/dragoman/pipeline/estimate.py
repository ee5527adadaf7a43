"""Our own count of tokens: before anybody knows, and where a vendor told none, of an answer that was cut off or came uncounted.

Four characters a token is what vendors themselves call a rule of thumb for English text (ai.google.dev/gemini-api/docs/tokens;
OpenAI's help centre, "What are tokens", both 2026). What is counted so is marked.
"""

from __future__ import annotations

import re

from msgspec.structs import replace

from dragoman.ir import DragomanError, Response, Usage
from dragoman.protocols.base import WireProtocol

_CHARACTERS_A_TOKEN = 4
# Base64 of pictures and sounds is no text: a long run of it counts as one picture of middling size does at the vendors.
LONG_BODY = 16 * 1024
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{2048,}={0,2}")
MEDIA_TOKENS = 1200
# Of a stream's pieces so many are kept from its beginning, and one for each doubling of their number.
_FIRST_PIECES = 8


class Reading:
    """How much a request's body asks a model to read: text, and runs of base64 beside it. `named` are bytes that the body does
    not hold and names."""

    __slots__ = ("_runs", "_text")

    def __init__(self, body: bytes, named: int = 0) -> None:
        self._text = len(body) + named
        self._runs: tuple[int, ...] = ()
        if len(body) > LONG_BODY:
            self._runs = tuple(run.end() - run.start() for run in _BASE64.finditer(body))
            self._text -= sum(self._runs)

    @property
    def tokens(self) -> int:
        """About how many."""
        return -(-self._text // _CHARACTERS_A_TOKEN) + MEDIA_TOKENS * len(self._runs)

    @property
    def most_tokens(self) -> int:
        """More than it can be, as far as text goes: of the scripts that take the most tokens, one token stands for two bytes of
        JSON. What pictures, sounds and films come to is taken for what they are in bytes, by forty."""
        if not self._runs:
            return -(-self._text // 2)
        return -(-self._text // 2) + sum([max(MEDIA_TOKENS, run // 40) for run in self._runs])


class Heard:
    """What the caller was given of an answer, as far as an estimate must know: of one that came whole its characters, of a stream
    its bytes, and some of its pieces with what went before them."""

    __slots__ = ("_pieces", "_samples", "_streamed", "characters")

    def __init__(self) -> None:
        self.characters = 0
        self._streamed = 0
        self._pieces = 0
        self._samples: tuple[tuple[int, bytes], ...] = ()

    def add(self, piece: bytes) -> None:
        """The next piece of a stream."""
        self._pieces = pieces = self._pieces + 1
        if pieces <= _FIRST_PIECES or not pieces & (pieces - 1):
            self._samples = (*self._samples, (self._streamed, piece))
        self._streamed += len(piece)

    @property
    def size(self) -> int:
        """Bytes of the stream so far."""
        return self._streamed

    @property
    def pieces(self) -> list[bytes]:
        """Those that were kept."""
        return [piece for _, piece in self._samples]

    def tokens(self, protocol: WireProtocol) -> int:
        """About how many; `protocol` is the caller's. Of a stream from its bytes, and how much of the pieces that were kept was
        text: each stands for those that came behind it. What a stream begins with may be long and say nothing."""
        if not self._streamed:
            return -(-self.characters // _CHARACTERS_A_TOKEN)
        reader = protocol.stream_reader()
        text = share = 0.0
        ends = [*(start for start, _ in self._samples[1:]), self._streamed]
        for (start, piece), end in zip(self._samples, ends, strict=True):
            try:
                found = sum(map(_length, reader.feed(piece)))
            except DragomanError:  # pieces that were not neighbours need not fit together
                reader, found = protocol.stream_reader(), 0
            if found:
                share = found / len(piece)
            if found or end - start > len(piece):
                text += (end - start) * share
        return max(1, round(text / _CHARACTERS_A_TOKEN))


def characters(answer: Response) -> int:
    """How much a whole answer says."""
    return sum(_length(part) for candidate in answer.candidates for part in candidate.parts)


def _length(said: object) -> int:
    text = getattr(said, "text", None) or getattr(said, "arguments", None)
    return len(text) if isinstance(text, str) else 0


def estimated(told: Usage | None, body: bytes, heard: Heard, protocol: WireProtocol) -> Usage:
    """What the request used, as far as it went; of a vendor's own counts, what there is of them."""
    said = heard.tokens(protocol)
    if told is None:
        return Usage(input=Reading(body).tokens, output=said, estimated=True)
    return replace(told, output=max(told.output, said), estimated=True)
