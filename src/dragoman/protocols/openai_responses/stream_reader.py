"""A vendor's streamed answer into events, in whatever pieces it comes.

Tolerant where vendors differ: no `event:` lines, no `.added` events, no deltas but whole texts in `.done`, or nothing but the
whole response at the end. What an event tells anew of an item is told; what was told already is not told again.
"""

from typing import Any

import msgspec
from msgspec import Struct

from dragoman.ir import (
    CitationAdded,
    Event,
    ExtrasAdded,
    Failed,
    Finished,
    LogprobsDelta,
    PartAdded,
    RefusalDelta,
    Started,
    TextDelta,
    ThoughtDelta,
    ToolCall,
    ToolCallDelta,
    ToolCallStarted,
    UpstreamBroken,
    Usage,
    UsageReported,
)
from dragoman.ir import Extra as _Extra
from dragoman.protocols.openai.errors import refusal_of
from dragoman.protocols.openai_responses.draft import OWNER
from dragoman.protocols.openai_responses.read_response import (
    arguments_text,
    citation_of,
    finish_of,
    item_parts,
    listed,
    signature_of,
    text_or_empty,
    thought_text,
    whole,
)
from dragoman.protocols.openai_responses.usage import read_usage
from dragoman.protocols.openai_responses.words import read_logprobs
from dragoman.wire import json
from dragoman.wire.sse import EventSplitter, payload

Json = dict[str, Any]


class _Told(Struct, gc=False):
    type: str = ""
    delta: Any = None
    item_id: Any = None
    output_index: int = 0
    content_index: int = 0
    summary_index: int = 0
    item: Any = None
    part: Any = None
    text: Any = None
    refusal: Any = None
    arguments: Any = None
    input: Any = None
    annotation: Any = None
    logprobs: Any = None
    response: Any = None
    error: Any = None
    code: Any = None
    message: Any = None
    param: Any = None


class _Delta(Struct, gc=False):
    """A piece of text, as nearly all events are."""

    delta: str
    output_index: int
    content_index: int
    item_id: str = ""
    logprobs: tuple[()] = ()


_DELTA = b"event: response.output_text.delta\ndata: {"
_decode_delta = msgspec.json.Decoder(_Delta).decode
_decode = msgspec.json.Decoder(_Told).decode
_decode_any = msgspec.json.Decoder().decode


class _Item:
    """What one output item has said so far: lengths of texts by the number of their part."""

    __slots__ = ("bases", "call", "cited", "done", "id", "kind", "logged", "raw", "refused", "said", "shown", "signed")

    def __init__(self, id: str) -> None:
        self.id = id
        self.kind = ""
        self.said: dict[int, int] = {}
        self.bases: dict[int, int] = {}  # characters of the answer's text before each part
        self.refused: dict[int, int] = {}
        self.shown: dict[int, int] = {}
        self.raw: dict[int, int] = {}
        self.cited: dict[int, int] = {}
        self.call = -1
        self.logged: set[int] = set()  # parts whose likelihoods are told
        self.signed = False
        self.done = False


class ResponsesStreamReader:
    """Bytes in, events out."""

    __slots__ = ("_arguments", "_calls", "_chars", "_failed", "_finished", "_items", "_splitter", "_started", "_usage")

    def __init__(self) -> None:
        self._splitter = EventSplitter()
        self._items: dict[int, _Item] = {}
        self._arguments: dict[int, int] = {}  # characters of arguments told, by call
        self._calls = 0
        self._chars = 0
        self._started = False
        self._finished = False
        self._failed = False
        self._usage: Usage | None = None

    @property
    def usage(self) -> Usage | None:
        return None  # told by events as soon as it comes

    def feed(self, data: bytes) -> list[Event]:
        events: list[Event] = []
        for raw in self._splitter.feed(data):
            if raw.startswith(_DELTA):
                try:
                    told = _decode_delta(raw[len(_DELTA) - 1 : -2])
                except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                    pass
                else:
                    if not self._finished and not self._failed:
                        self._piece(told.output_index, told.content_index, told.delta, told.item_id, events)
                    continue
            if body := payload(raw):
                self._read(body, events)
        return events

    def end(self) -> list[Event]:
        """Raises UpstreamBroken when the answer was not finished."""
        events: list[Event] = []
        if rest := payload(self._splitter.pending + b"\n\n"):
            self._read(rest, events)
        if self._failed or self._finished:
            return events
        if not self._items:
            raise UpstreamBroken("The upstream closed the stream without an answer.")
        raise UpstreamBroken("The upstream cut the stream before the answer was finished.")

    def _read(self, body: bytes, events: list[Event]) -> None:
        if self._finished or self._failed:
            return
        try:
            told = _decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            if body.strip() == b"[DONE]":
                return
            told = _lenient(body)
        kind = told.type
        if kind == "response.output_text.delta":
            if type(told.delta) is str:
                item = self._piece(told.output_index, told.content_index, told.delta, told.item_id, events)
                if told.logprobs:
                    self._logged(item, told.content_index, told.logprobs, events)
            return
        self._take(told, kind, events)

    def _piece(self, number: int, place: int, delta: str, id: Any, events: list[Event]) -> _Item:
        item = self._items.get(number) or self._item(number, id, "message")
        if delta:
            before = item.said.get(place)
            if before is None:
                before = self._open(item, place)
            length = len(delta)
            item.said[place] = before + length
            self._chars += length
            events.append(TextDelta(0, delta))
        return item

    def _item(self, number: int, id: Any = "", kind: Any = "") -> _Item:
        item = self._items.get(number)
        if item is None:
            item = self._items[number] = _Item(text_or_empty(id))
        item.kind = item.kind or text_or_empty(kind)
        return item

    def _same(self, number: int, value: Json) -> _Item | None:
        """What the stream told of an item that the response holds at its end; servers that leave items out count them anew.

        None for one that was told under another number, without an id to know it by."""
        id, kind = text_or_empty(value.get("id")), value.get("type")
        at = self._items.get(number)
        if at is not None and (not id or not at.id or at.id == id) and at.kind in ("", kind):
            return at
        for item in self._items.values():
            if id and item.id == id:
                return item
        if any(item.kind == kind and not (id and item.id) for item in self._items.values()):
            return None
        return self._item(max(self._items, default=-1) + 1 if at is not None else number, id, kind)

    def _open(self, item: _Item, place: int) -> int:
        item.bases[place] = self._chars
        return 0

    def _take(self, told: _Told, kind: str, events: list[Event]) -> None:
        if kind == "error" or (not kind and told.error):
            error = told.error
            if type(error) is not dict:
                error = {"code": told.code, "message": told.message, "param": told.param}
            self._fail({"error": error}, events)
            return
        if type(told.response) is dict:
            self._lifecycle(told.response, kind, events)
            return
        number = told.output_index
        if number not in self._items and told.item_id:
            self._item(number, told.item_id)
        match kind:
            case "response.output_item.added":
                if type(told.item) is dict:
                    self._begun(self._item(number, told.item.get("id"), told.item.get("type")), told.item, events)
            case "response.output_item.done":
                if type(told.item) is dict:
                    self._done(self._item(number, told.item.get("id"), told.item.get("type")), told.item, events)
            case "response.output_text.done":
                item = self._item(number)
                self._text(item, told.content_index, text_or_empty(told.text), events)
                if told.content_index not in item.logged:
                    self._logged(item, told.content_index, told.logprobs, events)
            case "response.output_text.annotation.added":
                item = self._item(number)
                item.cited[told.content_index] = item.cited.get(told.content_index, 0) + 1
                self._cited(item, told.content_index, told.annotation, events)
            case "response.function_call_arguments.delta":
                self._fragment(self._item(number), text_or_empty(told.delta), events)
            case "response.function_call_arguments.done":
                self._arguments_whole(self._item(number), told.arguments, events)
            case "response.refusal.delta":
                item = self._item(number)
                delta = text_or_empty(told.delta)
                item.refused[told.content_index] = item.refused.get(told.content_index, 0) + len(delta)
                if delta:
                    events.append(RefusalDelta(0, delta))
            case "response.refusal.done":
                self._refused(self._item(number), told.content_index, text_or_empty(told.refusal), events)
            case "response.reasoning_summary_text.delta":
                self._thought(self._item(number).shown, told.summary_index, text_or_empty(told.delta), False, events)
            case "response.reasoning_text.delta":
                self._thought(self._item(number).raw, told.content_index, text_or_empty(told.delta), True, events)

    def _lifecycle(self, response: Json, kind: str, events: list[Event]) -> None:
        if not self._started and not self._items:
            self._started = True
            events.append(
                Started(
                    text_or_empty(response.get("id")),
                    text_or_empty(response.get("model")),
                    whole(response.get("created_at")),
                    text_or_empty(response.get("service_tier")) or None,
                )
            )
        if kind == "response.failed":
            self._fail({"error": response.get("error") or {}}, events)
            return
        if kind not in ("response.completed", "response.incomplete"):
            return
        for number, item in enumerate(listed(response.get("output"))):
            if (known := self._same(number, item)) is not None:
                self._done(known, item, events)
        usage = read_usage(response.get("usage"))
        self._finished = True
        told = {"status": kind.partition(".")[2], **response}
        events.append(Finished(0, finish_of(told, called=self._calls > 0)))
        if usage is not None:
            events.append(UsageReported(usage))

    def _fail(self, value: Json, events: list[Event]) -> None:
        self._failed = True
        events.append(Failed(refusal_of(value, 200)))

    # --- items: what has begun, and what is whole

    def _begun(self, item: _Item, value: Json, events: list[Event]) -> None:
        kind = value.get("type")
        if kind == "function_call" and item.call < 0:
            item.call = self._calls
            self._calls += 1
            name = text_or_empty(value.get("name"))
            events.append(ToolCallStarted(0, item.call, text_or_empty(value.get("call_id")), name))

    def _done(self, item: _Item, value: Json, events: list[Event]) -> None:
        """A whole item: tells what its pieces have not told."""
        if item.done:
            return
        item.done = True
        match value.get("type"):
            case "message":
                for place, part in enumerate(listed(value.get("content"))):
                    if part.get("type") == "refusal":
                        self._refused(item, place, text_or_empty(part.get("refusal")), events)
                        continue
                    self._text(item, place, text_or_empty(part.get("text")), events)
                    for annotation in listed(part.get("annotations"))[item.cited.get(place, 0) :]:
                        self._cited(item, place, annotation, events)
                    if place not in item.logged:
                        self._logged(item, place, part.get("logprobs"), events)
            case "function_call":
                self._begun(item, value, events)
                self._arguments_whole(item, value.get("arguments"), events)
            case "reasoning":
                self._reasoned(item, value, events)
            case _:
                for read in item_parts(value):
                    if type(read) is ToolCall:
                        events.append(ToolCallStarted(0, self._calls, read.id, read.name))
                        events.append(ToolCallDelta(0, self._calls, read.arguments))
                        self._calls += 1
                    else:
                        events.append(PartAdded(0, read))  # type: ignore[arg-type]

    def _text(self, item: _Item, place: int, text: str, events: list[Event]) -> None:
        told = item.said.get(place)
        if told is None:
            told = self._open(item, place)
        if len(text) > told:
            item.said[place] = len(text)
            self._chars += len(text) - told
            events.append(TextDelta(0, text[told:]))

    def _logged(self, item: _Item, place: int, value: Any, events: list[Event]) -> None:
        if value and (logprobs := read_logprobs(value)):
            item.logged.add(place)
            events.append(LogprobsDelta(0, logprobs))

    def _refused(self, item: _Item, place: int, text: str, events: list[Event]) -> None:
        told = item.refused.get(place, 0)
        if len(text) > told:
            item.refused[place] = len(text)
            events.append(RefusalDelta(0, text[told:]))

    def _cited(self, item: _Item, place: int, annotation: Any, events: list[Event]) -> None:
        if type(annotation) is not dict:
            return
        cited = citation_of(annotation, item.bases.get(place, self._chars))
        if cited is not None:
            events.append(CitationAdded(0, cited))
        else:
            extra = _Extra(OWNER, "annotations", annotation, "output.content.annotations")
            events.append(ExtrasAdded(0, (extra,)))

    def _fragment(self, item: _Item, arguments: str, events: list[Event]) -> None:
        if item.call < 0 or not arguments:  # fragments before their call: the whole item is still to come
            return
        self._arguments[item.call] = self._arguments.get(item.call, 0) + len(arguments)
        events.append(ToolCallDelta(0, item.call, arguments))

    def _arguments_whole(self, item: _Item, value: Any, events: list[Event]) -> None:
        if item.call < 0:
            return
        told = self._arguments.get(item.call, 0)
        words = arguments_text(value)
        if len(words) > told and (told == 0 or type(value) is str):
            self._arguments[item.call] = len(words)
            events.append(ToolCallDelta(0, item.call, words[told:]))

    def _thought(self, told: dict[int, int], place: int, delta: str, raw: bool, events: list[Event]) -> None:
        if not delta:
            return
        before = told.get(place)
        if before is None and told:  # summaries come in parts
            events.append(ThoughtDelta(0, "\n\n", raw=raw))
        told[place] = (before or 0) + len(delta)
        events.append(ThoughtDelta(0, delta, raw=raw))

    def _reasoned(self, item: _Item, value: Json, events: list[Event]) -> None:
        for told, parts, raw in ((item.raw, value.get("content"), True), (item.shown, value.get("summary"), False)):
            whole_text = thought_text(parts)
            length = sum(told.values()) + 2 * max(0, len(told) - 1)
            if len(whole_text) > length:
                events.append(ThoughtDelta(0, whole_text[length:], raw=raw))
        if (signature := signature_of(value)) is not None and not item.signed:
            item.signed = True
            events.append(ThoughtDelta(0, "", signature))


def _lenient(body: bytes) -> _Told:
    """An event whose members are not all of the types OpenAI gives them."""
    try:
        value = _decode_any(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise UpstreamBroken("The upstream's stream holds an event that is not JSON.") from None
    if type(value) is not dict:
        raise UpstreamBroken(f"The upstream's stream holds an event that is {json.kind_of(value)}, not an object.")
    if "type" not in value and value.get("error"):
        value = {**value, "type": "error"}
    known: Json = {name: value[name] for name in _Told.__struct_fields__ if name in value}
    known["type"] = text_or_empty(known.get("type"))
    for name in ("output_index", "content_index", "summary_index"):
        known[name] = whole(known.get(name))
    return _Told(**known)
