"""A vendor's streamed answer into events, in whatever pieces it comes.

`ping` and events that are not known are passed over. A citation says nothing of where it stands but its block, so it is told
when the block ends; so is what Anthropic's own tools were asked, whose JSON comes in pieces.
"""

from typing import Any

import msgspec

from dragoman.ir import (
    CitationAdded,
    Event,
    Extra,
    ExtrasAdded,
    Failed,
    Finished,
    Media,
    Opaque,
    PartAdded,
    Started,
    Text,
    TextDelta,
    Thought,
    ThoughtDelta,
    ToolCall,
    ToolCallDelta,
    ToolCallStarted,
    UpstreamBroken,
    Usage,
    UsageReported,
)
from dragoman.protocols.anthropic import proofs, stand_in
from dragoman.protocols.anthropic.citations import read_citations
from dragoman.protocols.anthropic.deeds import read_deed
from dragoman.protocols.anthropic.errors import refusal_of
from dragoman.protocols.anthropic.finish import read_finish
from dragoman.protocols.anthropic.read_response import message_extras, read_block
from dragoman.protocols.anthropic.stream_event import (
    Delta,
    JsonPiece,
    TextPiece,
    ThoughtPiece,
    Told,
    decode_event,
    decode_piece,
    lenient,
)
from dragoman.protocols.anthropic.usage import merged, read_tier, read_usage
from dragoman.wire.json import NotJson, decode
from dragoman.wire.sse import EventSplitter, payload

_HEAD = b"event: content_block_delta\ndata: {"
_FROM = len(_HEAD) - 1


class _Block:
    """A content block that is open: what it began with, and what came since."""

    __slots__ = ("began", "citations", "input", "kind", "ordinal", "start")

    def __init__(self, kind: str, began: dict[str, Any], start: int) -> None:
        self.kind = kind
        self.began = began
        self.start = start  # where in the answer's text it begins
        self.ordinal = -1  # of a call
        self.input: list[str] = []  # JSON that has to be whole before it can be told
        self.citations: list[Any] = []


class AnthropicStreamReader:
    """Bytes in, events out."""

    __slots__ = ("_blocks", "_calls", "_counts", "_failed", "_finished", "_length", "_splitter", "_started", "_stopped")

    def __init__(self) -> None:
        self._splitter = EventSplitter()
        self._blocks: dict[int, _Block] = {}
        self._calls = 0
        self._length = 0  # characters of text so far
        self._counts: Any = None
        self._started = False
        self._finished = False
        self._stopped = False
        self._failed = False

    @property
    def usage(self) -> Usage | None:
        return None if self._finished else read_usage(self._counts)

    def feed(self, data: bytes) -> list[Event]:
        events: list[Event] = []
        blocks = self._blocks
        for raw in self._splitter.feed(data):
            if raw.startswith(_HEAD):
                try:
                    told = decode_piece(raw[_FROM:-2])
                except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                    pass
                else:
                    if told.index in blocks:
                        piece = told.delta
                        if type(piece) is not TextPiece:
                            self._piece(blocks[told.index], piece, events)
                        elif piece.text:
                            self._length += len(piece.text)
                            events.append(TextDelta(0, piece.text))
                    continue
            body = payload(raw)
            if body and not self._failed and not self._stopped:
                self._read(body, events)
        return events

    def end(self) -> list[Event]:
        """Raises UpstreamBroken when the answer was not finished."""
        events: list[Event] = []
        rest = payload(self._splitter.pending + b"\n\n")
        if rest and not self._failed and not self._stopped:
            self._read(rest, events)
        if not self._failed and not self._finished:
            if not self._started:
                raise UpstreamBroken("The upstream closed the stream without an answer.")
            raise UpstreamBroken("The upstream cut the stream before the answer was finished.")
        return events

    def _read(self, body: bytes, events: list[Event]) -> None:
        try:
            event = decode_event(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            found = lenient(body)
            if found is None:
                return
            event = found
        match event.type:
            case "content_block_delta":
                self._delta(event, events)
            case "content_block_start":
                self._start(event, events)
            case "content_block_stop":
                self._stop(event.index, events)
            case "message_start":
                self._begin(event.message, events)
            case "message_delta":
                self._finish(event, events)
            case "message_stop":
                if self._started and not self._finished:  # the reason is left out by some that imitate Anthropic
                    self._finish(Told(delta=Delta(stop_reason="end_turn")), events)
                self._stopped = True
                self._blocks.clear()
            case "error":
                self._fail(event.error, events)
            case None if event.error:
                self._fail(event.error, events)

    def _fail(self, error: Any, events: list[Event]) -> None:
        self._failed = True
        self._blocks.clear()
        events.append(Failed(refusal_of({"error": error}, 200)))

    def _begin(self, message: Any, events: list[Event]) -> None:
        if self._started:
            return
        self._started = True
        message = message if type(message) is dict else {}
        self._counts = message.get("usage")
        events.append(
            Started(_word(message.get("id")), _word(message.get("model")), service_tier=read_tier(self._counts))
        )

    def _start(self, event: Told, events: list[Event]) -> None:
        block = event.content_block
        if type(block) is not dict or type(event.index) is not int:
            return
        kind = _word(block.get("type"))
        held = self._blocks[event.index] = _Block(kind, block, self._length)
        match kind:
            case "text":
                held.citations += block["citations"] if type(block.get("citations")) is list else ()
                if words := _word(block.get("text")):
                    self._said(words, events)
            case "tool_use":
                name = _word(block.get("name"))
                if stand_in.is_stand_in(name):
                    held.kind = name
                    return
                held.ordinal = self._calls
                self._calls += 1
                events.append(ToolCallStarted(0, held.ordinal, _word(block.get("id")), name))
                if block.get("input") and type(block["input"]) is dict:
                    events.append(ToolCallDelta(0, held.ordinal, msgspec.json.encode(block["input"]).decode()))
            case "server_tool_use":
                pass
            case _:
                for part in read_block(block, f"content.{event.index}"):
                    _whole(part, events)

    def _delta(self, event: Told, events: list[Event]) -> None:
        delta = event.delta
        held = self._blocks.get(event.index) if type(event.index) is int else None
        if delta is None or held is None:
            return
        match delta.type:
            case "text_delta" if type(delta.text) is str:
                self._said(delta.text, events)
            case "input_json_delta" if type(delta.partial_json) is str:
                self._piece(held, JsonPiece(delta.partial_json), events)
            case "thinking_delta" if type(delta.thinking) is str:
                self._piece(held, ThoughtPiece(delta.thinking), events)
            case "signature_delta":
                if type(delta.signature) is str and (proof := proofs.read_proof(delta.signature)) is not None:
                    events.append(ThoughtDelta(0, "", proof))
            case "citations_delta":
                held.citations.append(delta.citation)

    def _piece(self, held: _Block, piece: TextPiece | JsonPiece | ThoughtPiece, events: list[Event]) -> None:
        match piece:
            case JsonPiece(partial_json=""):
                pass
            case JsonPiece(partial_json=words):
                if held.ordinal >= 0:
                    events.append(ToolCallDelta(0, held.ordinal, words))
                elif held.kind == stand_in.OBJECT:
                    self._said(words, events)
                    held.input = [""]
                else:
                    held.input.append(words)
            case ThoughtPiece(thinking=words):
                if words:
                    events.append(ThoughtDelta(0, words))
            case TextPiece(text=words):
                self._said(words, events)

    def _said(self, words: str, events: list[Event]) -> None:
        if words:
            self._length += len(words)
            events.append(TextDelta(0, words))

    def _stop(self, index: Any, events: list[Event]) -> None:
        held = self._blocks.pop(index, None) if type(index) is int else None
        if held is None:
            return
        path = f"content.{index}"
        if held.citations:
            cited, rest = read_citations(held.citations, held.start, self._length)
            events += [CitationAdded(0, one) for one in cited]
            if rest:
                events.append(ExtrasAdded(0, (Extra("anthropic", "citations", rest, f"{path}.citations"),)))
        if stand_in.is_stand_in(held.kind):
            if held.input != [""]:
                given = held.began.get("input") or {}
                text = "".join(held.input) or msgspec.json.encode(given).decode()
                self._said(stand_in.text_of(held.kind, text), events)
        elif held.kind == "server_tool_use":
            for part in read_deed({**held.began, **_asked(held)}, path):
                events.append(PartAdded(0, part))

    def _finish(self, event: Told, events: list[Event]) -> None:
        self._counts = merged(self._counts, event.usage)
        delta = event.delta
        if delta is None or self._finished or type(delta.stop_reason) is not str:
            return
        for index in list(self._blocks):
            self._stop(index, events)
        self._finished = True
        extras = message_extras({"container": delta.container, "context_management": event.context_management})
        if extras:
            events.append(ExtrasAdded(0, extras))
        told = {
            "stop_reason": delta.stop_reason,
            "stop_sequence": delta.stop_sequence,
            "stop_details": delta.stop_details,
        }
        events.append(Finished(0, read_finish(told, called=self._calls > 0)))
        if (usage := read_usage(self._counts)) is not None:
            events.append(UsageReported(usage))


def _asked(held: _Block) -> dict[str, Any]:
    """The whole input of a call that Anthropic runs."""
    if not held.input:
        return {}
    try:
        value = decode("".join(held.input).encode("utf-8", "surrogatepass"))
    except NotJson:
        return {}
    return {"input": value} if type(value) is dict else {}


def _whole(part: Any, events: list[Event]) -> None:
    match part:
        case Thought():
            events.append(ThoughtDelta(0, part.text, part.signature, part.redacted)) if _says(part) else None
        case Media() | Opaque():
            events.append(PartAdded(0, part))
        case Text() | ToolCall():
            pass
        case _:
            events.append(PartAdded(0, part))


def _says(part: Thought) -> bool:
    return bool(part.text or part.signature is not None or part.redacted)


def _word(value: Any) -> str:
    return value if type(value) is str else ""
