"""Writes a stream for Gemini's callers: `data: <json>\\r\\n\\r\\n` and nothing else, or a JSON array in pieces.

google-genai raises on comments, `event:` lines, `[DONE]` and a missing space after `data:` (probed with 3.4.0, 2026-11).
A call's arguments are kept until they are whole, for Gemini's calls come in one part; the finish waits for the last chunk,
where the counts are.
"""

from collections.abc import Sequence
from typing import Any

from dragoman.ir import (
    Block,
    Blocked,
    CitationAdded,
    DragomanError,
    Event,
    Extra,
    ExtrasAdded,
    Failed,
    FetchCall,
    FetchResult,
    Finish,
    Finished,
    LogprobsDelta,
    Losses,
    Opaque,
    PartAdded,
    RefusalDelta,
    SearchCall,
    SearchResult,
    Started,
    TextDelta,
    Thought,
    ThoughtDelta,
    ToolCall,
    ToolCallDelta,
    ToolCallStarted,
    Usage,
    UsageReported,
)
from dragoman.ir import Text as TextPart
from dragoman.protocols.base import Route, Stamp
from dragoman.protocols.gemini.errors import error_object
from dragoman.protocols.gemini.fields import Object
from dragoman.protocols.gemini.finish import write_block
from dragoman.protocols.gemini.spelling import SPELLING
from dragoman.protocols.gemini.usage import write_tier, write_usage
from dragoman.protocols.gemini.write_grounding import Rests
from dragoman.protocols.gemini.write_response import (
    NO_FIELD,
    arguments_of,
    extra_fields,
    finish_fields,
    logprob_fields,
    malformed_call,
    write_part,
)
from dragoman.wire.json import encode

# Google's own last chunk holds an empty text too (recorded); clients read parts[0] of every chunk without asking.
_SILENCE: Object = {"content": {"parts": [{"text": ""}], "role": "model"}}


class _Call:
    """A call whose arguments still come in."""

    __slots__ = ("pieces", "started")

    def __init__(self, started: ToolCallStarted) -> None:
        self.started = started
        self.pieces: list[str] = []

    def whole(self) -> ToolCall:
        return ToolCall(self.started.id, self.started.name, "".join(self.pieces), self.started.signature)


class StreamWriter:
    __slots__ = (
        "_array",
        "_begun",
        "_block",
        "_calls",
        "_closed",
        "_extras",
        "_finishes",
        "_malformed",
        "_prefixes",
        "_refused",
        "_rests",
        "_stamped",
        "_suffixes",
        "_tier",
        "_usage",
        "content_type",
        "losses",
    )

    def __init__(self, stamp: Stamp, route: Route) -> None:
        self.losses = Losses(SPELLING)
        self._array = route.array
        self.content_type = b"application/json; charset=UTF-8" if route.array else b"text/event-stream"
        self._stamped: Object = {"modelVersion": stamp.model, "responseId": stamp.id}
        tail = encode(self._stamped)[1:] + (b"" if route.array else b"\r\n\r\n")
        lead = b"" if route.array else b"data: "
        self._prefixes = lead + b'{"candidates":[{"content":{"parts":[{"text":'
        # What goes behind each candidate's text, and its text so far, whose bytes its citations count.
        self._suffixes: dict[int, tuple[bytes, list[str]]] = {}
        self._suffixes[0] = b'}],"role":"model"},"index":0}],' + tail, []
        self._begun = False
        self._closed = False
        self._calls: dict[int, dict[int, _Call]] = {}
        self._finishes: dict[int, Finish] = {}
        self._malformed: dict[int, str] = {}
        self._refused: set[int] = set()
        self._extras: dict[int, list[Extra]] = {}
        self._rests: dict[int, Rests] = {}
        self._block: Block | None = None
        self._usage: Usage | None = None
        self._tier: str | None = None

    def write(self, events: Sequence[Event]) -> bytes:
        if self._closed:
            return b""
        out: list[bytes] = []
        prefix, suffixes = self._prefixes, self._suffixes
        for event in events:
            if event.__class__ is TextDelta and event.signature is None and not self._calls:
                index = event.index
                suffix, said = suffixes.get(index) or self._suffix(index)
                said.append(event.text)
                if self._array:
                    out.append(self._separator())
                text = encode(event.text)
                out += (prefix, text if text.isascii() else _on_one_line(text), suffix)
            else:
                self._unusual(event, out)
            if self._closed:
                break
        return b"".join(out)

    def end(self) -> bytes:
        if self._closed:
            return b""
        out: list[bytes] = []
        for index in list(self._calls):
            self._flush(index, out, all_of_them=True)
        last: Object = {}
        if self._finishes:
            last["candidates"] = [self._finish(index) for index in sorted(self._finishes)]
        if self._block is not None:
            last["promptFeedback"] = write_block(self._block)
        if self._usage is not None:
            last["usageMetadata"] = write_usage(self._usage, self.losses)
            tier = None if self._tier is None else write_tier(self._tier)
            if tier is not None:
                last["usageMetadata"]["serviceTier"] = tier
        if last:
            self._emit(last, out)
        self._close(out)
        return b"".join(out)

    def fail(self, error: DragomanError) -> bytes:
        if self._closed:
            return b""
        out: list[bytes] = []
        self._frame({"error": error_object(error)}, out)
        self._close(out)
        return b"".join(out)

    def _unusual(self, event: Event, out: list[bytes]) -> None:
        match event:
            case TextDelta():
                self._suffix(event.index)[1].append(event.text)
                self._flush(event.index, out)
                self._part(event.index, TextPart(event.text, event.signature), out)
            case ThoughtDelta():
                self._flush(event.index, out)
                self._part(event.index, Thought(event.text, event.signature, event.redacted), out)
            case RefusalDelta():
                self._refused.add(event.index)
                self._part(event.index, TextPart(event.text), out)
            case ToolCallStarted():
                self._flush(event.index, out)
                self._calls.setdefault(event.index, {})[event.call] = _Call(event)
            case ToolCallDelta():
                call = self._calls.get(event.index, {}).get(event.call)
                if call is not None:
                    call.pieces.append(event.arguments)
            case PartAdded():
                self._flush(event.index, out)
                if self._part(event.index, event.part, out):
                    pass
                elif isinstance(event.part, SearchCall | SearchResult | FetchCall | FetchResult):
                    self._resting(event.index).part(event.part)
                elif isinstance(event.part, Opaque):
                    self.losses.add_path(f"candidates[{event.index}].content", f"{NO_FIELD}: {event.part.what}")
            case CitationAdded():
                self._resting(event.index).citations((event.citation,))
            case LogprobsDelta():
                fields = {**_SILENCE, "index": event.index, **logprob_fields(event.logprobs)}
                self._emit({"candidates": [fields]}, out)
            case ExtrasAdded():
                self._extras.setdefault(event.index, []).extend(event.extras)
                self.losses.add_extras(event.extras, "gemini", NO_FIELD)
            case Finished():
                self._flush(event.index, out, all_of_them=True)
                self._finishes.setdefault(event.index, event.finish)
            case Blocked():
                self._block = event.block
            case UsageReported():
                self._usage = event.usage
            case Started():
                self._tier = event.service_tier
            case Failed():
                out.append(self.fail(event.error))

    def _flush(self, index: int, out: list[bytes], *, all_of_them: bool = False) -> None:
        """Writes the calls that are whole, in their order; at the candidate's end the broken ones too, as what they are."""
        calls = self._calls.get(index)
        if calls is None:
            return
        for number in sorted(calls):
            call = calls[number].whole()
            if not all_of_them and (not call.arguments or arguments_of(call.arguments) is None):
                return
            del calls[number]
            if not self._part(index, call, out):
                self._malformed.setdefault(index, malformed_call(call))
        del self._calls[index]

    def _part(self, index: int, part: Any, out: list[bytes]) -> bool:
        written = write_part(part)
        if written is None:
            return False
        content: Object = {"parts": [written], "role": "model"}
        self._emit({"candidates": [{"content": content, "index": index}]}, out)
        return True

    def _finish(self, index: int) -> Object:
        fields = finish_fields(self._finishes[index], index in self._refused, self._malformed.get(index))
        told = {**_SILENCE, **fields, "index": index}
        extras = self._extras.get(index, ())
        if extras:
            told.update(extra_fields(extras))
        if extras or index in self._rests:
            # To a client that joins the pieces, all the text is one part.
            told.update(self._resting(index).fields([(0, "".join(self._suffix(index)[1]))], extras))
        return told

    def _suffix(self, index: int) -> tuple[bytes, list[str]]:
        found = self._suffixes.get(index)
        if found is None:
            suffix = self._suffixes[0][0].replace(b'"index":0', b'"index":%d' % index, 1)
            found = self._suffixes[index] = suffix, []
        return found

    def _resting(self, index: int) -> Rests:
        rests = self._rests.get(index)
        if rests is None:
            rests = self._rests[index] = Rests(self.losses, f"candidates[{index}]")
        return rests

    def _emit(self, chunk: Object, out: list[bytes]) -> None:
        self._frame({**chunk, **self._stamped}, out)

    def _frame(self, value: Object, out: list[bytes]) -> None:
        if self._array:
            out += (self._separator(), encode(value))
        else:
            out += (b"data: ", _on_one_line(encode(value)), b"\r\n\r\n")

    def _separator(self) -> bytes:
        if self._begun:
            return b",\r\n"
        self._begun = True
        return b"["

    def _close(self, out: list[bytes]) -> None:
        self._closed = True
        if self._array:
            out.append(b"]" if self._begun else b"[]")


def _on_one_line(json: bytes) -> bytes:
    """Escapes U+0085, U+2028 and U+2029, at which clients that split decoded text (httpx's `iter_lines`) would cut a line."""
    if b"\xe2\x80" in json:
        json = json.replace(b"\xe2\x80\xa8", b"\\u2028").replace(b"\xe2\x80\xa9", b"\\u2029")
    return json.replace(b"\xc2\x85", b"\\u0085") if b"\xc2\x85" in json else json
