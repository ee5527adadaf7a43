"""What a vendor's stream has told of each output item so far, and so what is new in what it tells again."""

from typing import Any

from dragoman.ir import (
    CitationAdded,
    Event,
    Extra,
    ExtrasAdded,
    LogprobsDelta,
    PartAdded,
    RefusalDelta,
    TextDelta,
    ThoughtDelta,
    ToolCall,
    ToolCallDelta,
    ToolCallStarted,
)
from dragoman.protocols.openai_responses.draft import OWNER
from dragoman.protocols.openai_responses.read_response import (
    arguments_text,
    citation_of,
    item_parts,
    listed,
    signature_of,
    text_or_empty,
    thought_text,
)
from dragoman.protocols.openai_responses.words import read_logprobs

Json = dict[str, Any]


class Heard:
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


class Hearing:
    """`items` by their number, `calls` how many have begun. What is new goes to the end of `events`."""

    __slots__ = ("_arguments", "_chars", "calls", "items")

    def __init__(self) -> None:
        self.items: dict[int, Heard] = {}
        self.calls = 0
        self._arguments: dict[int, int] = {}  # characters of arguments told, by call
        self._chars = 0

    def piece(self, number: int, place: int, delta: str, id: Any, events: list[Event]) -> Heard:
        item = self.items.get(number) or self.item(number, id, "message")
        if delta:
            before = item.said.get(place)
            if before is None:
                before = self._open(item, place)
            length = len(delta)
            item.said[place] = before + length
            self._chars += length
            events.append(TextDelta(0, delta))
        return item

    def item(self, number: int, id: Any = "", kind: Any = "") -> Heard:
        item = self.items.get(number)
        if item is None:
            item = self.items[number] = Heard(text_or_empty(id))
        item.kind = item.kind or text_or_empty(kind)
        return item

    def same(self, number: int, value: Json) -> Heard | None:
        """What the stream told of an item that the response holds at its end; servers that leave items out count them anew.

        None for one that was told under another number, without an id to know it by."""
        id, kind = text_or_empty(value.get("id")), value.get("type")
        at = self.items.get(number)
        if at is not None and (not id or not at.id or at.id == id) and at.kind in ("", kind):
            return at
        for item in self.items.values():
            if id and item.id == id:
                return item
        if any(item.kind == kind and not (id and item.id) for item in self.items.values()):
            return None
        return self.item(max(self.items, default=-1) + 1 if at is not None else number, id, kind)

    def _open(self, item: Heard, place: int) -> int:
        item.bases[place] = self._chars
        return 0

    def begun(self, item: Heard, value: Json, events: list[Event]) -> None:
        kind = value.get("type")
        if kind == "function_call" and item.call < 0:
            item.call = self.calls
            self.calls += 1
            name = text_or_empty(value.get("name"))
            events.append(ToolCallStarted(0, item.call, text_or_empty(value.get("call_id")), name))

    def done(self, item: Heard, value: Json, events: list[Event]) -> None:
        """A whole item: tells what its pieces have not told."""
        if item.done:
            return
        item.done = True
        match value.get("type"):
            case "message":
                for place, part in enumerate(listed(value.get("content"))):
                    if part.get("type") == "refusal":
                        self.refusal(item, place, text_or_empty(part.get("refusal")), events)
                        continue
                    self.text(item, place, text_or_empty(part.get("text")), events)
                    for annotation in listed(part.get("annotations"))[item.cited.get(place, 0) :]:
                        self.citation(item, place, annotation, events)
                    if place not in item.logged:
                        self.logprobs(item, place, part.get("logprobs"), events)
            case "function_call":
                self.begun(item, value, events)
                self.arguments(item, value.get("arguments"), events)
            case "reasoning":
                self._reasoned(item, value, events)
            case _:
                for read in item_parts(value):
                    if type(read) is ToolCall:
                        events.append(ToolCallStarted(0, self.calls, read.id, read.name))
                        events.append(ToolCallDelta(0, self.calls, read.arguments))
                        self.calls += 1
                    else:
                        events.append(PartAdded(0, read))  # type: ignore[arg-type]

    def text(self, item: Heard, place: int, text: str, events: list[Event]) -> None:
        told = item.said.get(place)
        if told is None:
            told = self._open(item, place)
        if len(text) > told:
            item.said[place] = len(text)
            self._chars += len(text) - told
            events.append(TextDelta(0, text[told:]))

    def logprobs(self, item: Heard, place: int, value: Any, events: list[Event]) -> None:
        if value and (read := read_logprobs(value)):
            item.logged.add(place)
            events.append(LogprobsDelta(0, read))

    def refusal_piece(self, item: Heard, place: int, delta: str, events: list[Event]) -> None:
        item.refused[place] = item.refused.get(place, 0) + len(delta)
        if delta:
            events.append(RefusalDelta(0, delta))

    def refusal(self, item: Heard, place: int, text: str, events: list[Event]) -> None:
        told = item.refused.get(place, 0)
        if len(text) > told:
            item.refused[place] = len(text)
            events.append(RefusalDelta(0, text[told:]))

    def annotated(self, item: Heard, place: int, annotation: Any, events: list[Event]) -> None:
        item.cited[place] = item.cited.get(place, 0) + 1
        self.citation(item, place, annotation, events)

    def citation(self, item: Heard, place: int, annotation: Any, events: list[Event]) -> None:
        if type(annotation) is not dict:
            return
        cited = citation_of(annotation, item.bases.get(place, self._chars))
        if cited is not None:
            events.append(CitationAdded(0, cited))
        else:
            extra = Extra(OWNER, "annotations", annotation, "output.content.annotations")
            events.append(ExtrasAdded(0, (extra,)))

    def fragment(self, item: Heard, delta: str, events: list[Event]) -> None:
        if item.call < 0 or not delta:  # fragments before their call: the whole item is still to come
            return
        self._arguments[item.call] = self._arguments.get(item.call, 0) + len(delta)
        events.append(ToolCallDelta(0, item.call, delta))

    def arguments(self, item: Heard, value: Any, events: list[Event]) -> None:
        if item.call < 0:
            return
        told = self._arguments.get(item.call, 0)
        words = arguments_text(value)
        if len(words) > told and (told == 0 or type(value) is str):
            self._arguments[item.call] = len(words)
            events.append(ToolCallDelta(0, item.call, words[told:]))

    def thought(self, told: dict[int, int], place: int, delta: str, raw: bool, events: list[Event]) -> None:
        if not delta:
            return
        before = told.get(place)
        if before is None and told:  # summaries come in parts
            events.append(ThoughtDelta(0, "\n\n", raw=raw))
        told[place] = (before or 0) + len(delta)
        events.append(ThoughtDelta(0, delta, raw=raw))

    def _reasoned(self, item: Heard, value: Json, events: list[Event]) -> None:
        for told, parts, raw in ((item.raw, value.get("content"), True), (item.shown, value.get("summary"), False)):
            whole_text = thought_text(parts)
            length = sum(told.values()) + 2 * max(0, len(told) - 1)
            if len(whole_text) > length:
                events.append(ThoughtDelta(0, whole_text[length:], raw=raw))
        if (signature := signature_of(value)) is not None and not item.signed:
            item.signed = True
            events.append(ThoughtDelta(0, "", signature))
