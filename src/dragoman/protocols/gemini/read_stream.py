"""Reads a vendor's stream: server-sent events, and what else a server may answer in their place.

An event with nothing but text goes through a typed decoder; any other falls back to plain values. The counts that every chunk
repeats are kept as bytes and read where they matter: with the first chunk, with the end, and when asked.
"""

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from dragoman.ir import (
    Blocked,
    CitationAdded,
    Event,
    ExtrasAdded,
    Failed,
    Finished,
    LogprobsDelta,
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
from dragoman.protocols.gemini.errors import error_in
from dragoman.protocols.gemini.fields import Object
from dragoman.protocols.gemini.finish import read_finish
from dragoman.protocols.gemini.read_grounding import NAMES as RESTS
from dragoman.protocols.gemini.read_grounding import Grounding
from dragoman.protocols.gemini.read_response import (
    block_in,
    candidates_in,
    extras_in,
    index_of,
    logprobs_in,
    parts_in,
    words,
)
from dragoman.protocols.gemini.usage import read_tier, read_usage
from dragoman.wire.array import ArraySplitter
from dragoman.wire.json import NotJson, decode, encode
from dragoman.wire.mould import NOTHING, TRIES, Run, around, decode_text
from dragoman.wire.sse import EventSplitter, payload


class _Part(Struct, forbid_unknown_fields=True, gc=False):
    text: str


class _Content(Struct, forbid_unknown_fields=True, gc=False):
    parts: tuple[_Part]
    role: str = ""


class _Candidate(Struct, forbid_unknown_fields=True, gc=False):
    content: _Content
    index: int = 0


class _Chunk(Struct, forbid_unknown_fields=True, gc=False):
    """One candidate with one piece of text: what all but a few of a stream's events are."""

    candidates: tuple[_Candidate]
    usageMetadata: Raw | UnsetType = UNSET
    modelVersion: str = ""
    responseId: str = ""


class _AnyObject(Struct, gc=False):
    """Any JSON object; its members are checked to be JSON and not kept."""


_check_object = msgspec.json.Decoder(_AnyObject).decode
_decode_chunk = msgspec.json.Decoder(_Chunk).decode
# What stands before an event's text, between it and the counts, and after them, with their lengths; and whose text it is.
_Mould = tuple[bytes, int, bytes, int, bytes, int, int]
_NO_MOULD: _Mould = (NOTHING, 0, NOTHING, 0, NOTHING, 0, 0)
_MAX_OBJECT = 64 * 1024 * 1024  # bytes


class StreamReader:
    __slots__ = (
        "_calls",
        "_failed",
        "_finished",
        "_head",
        "_mould",
        "_open",
        "_reported",
        "_rests",
        "_run",
        "_said",
        "_splitter",
        "_started",
        "_tries",
        "_usage",
        "blocked",
    )

    def __init__(self) -> None:
        self._splitter: EventSplitter | ArraySplitter | None = None
        self._head = b""
        self._started = False
        self._failed = False
        self.blocked = False
        self._usage: bytes | Raw | None = None
        self._reported = True
        self._calls: dict[int, int] = {}  # calls so far, by candidate
        self._open: set[int] = set()  # candidates that have begun and not ended
        self._finished = False
        self._said: dict[int, list[str]] = {}  # each candidate's text, which its citations name by place
        self._rests: dict[int, Object] = {}  # what each candidate rests on; the last told holds
        self._mould: _Mould = _NO_MOULD
        self._run: Run | None = None
        self._tries = TRIES

    @property
    def usage(self) -> Usage | None:
        """The last counts seen, of a cut stream too."""
        return None if self._usage is None else read_usage(decode(bytes(self._usage)))

    def feed(self, data: bytes) -> list[Event]:
        splitter = self._splitter
        if splitter is None:
            data = self._head + data
            splitter = self._choose(data)
            if splitter is None:
                return []
        events: list[Event] = []
        if splitter.__class__ is EventSplitter:
            if self._run is not None and splitter.idle and (told := self._run.counted(data)) is not None:
                index = self._mould[-1]
                texts = [one.text for one in told if one.text]
                self._said[index] += texts
                self._usage = told[-1].counts
                self._reported = False
                return [TextDelta(index, text) for text in texts]
            before, start, between, width, after, end, index = self._mould
            said = self._said.setdefault(index, [])
            for raw in splitter.split(data):
                if raw.startswith(before) and raw.endswith(after) and (at := raw.find(between, start)) > 0:
                    try:
                        text = decode_text(raw[start:at])
                        counts = raw[at + width : end]
                        if counts:
                            _check_object(counts)
                    except (msgspec.DecodeError, UnicodeDecodeError):
                        pass
                    else:
                        if counts:
                            self._usage = counts
                            self._reported = False
                        if text:
                            said.append(text)
                            events.append(TextDelta(index, text))
                        continue
                if self._failed:
                    break
                self._event(raw, events)
                before, start, between, width, after, end, index = self._mould
                said = self._said.setdefault(index, [])
        else:
            for raw in splitter.feed(data):
                if self._failed:
                    break
                self._chunk(raw, events)
        return events

    def _choose(self, data: bytes) -> EventSplitter | ArraySplitter | None:
        """A server that ignores `alt=sse` answers an array, one that refuses late a bare object."""
        begun = data.lstrip()
        if begun[:1] == b"{":
            if len(data) > _MAX_OBJECT:
                raise UpstreamBroken(f"The upstream sent more than {_MAX_OBJECT} bytes without an event.")
            self._head = data
            return None
        if not begun:
            self._head = data[-4:]
            return None
        self._head = b""
        self._splitter = ArraySplitter() if begun[:1] == b"[" else EventSplitter()
        return self._splitter

    def end(self) -> list[Event]:
        events: list[Event] = []
        if not self._failed:
            rest = self._splitter.pending if isinstance(self._splitter, EventSplitter) else self._head
            if rest.strip():
                self._event(rest if self._splitter is not None else b"data: " + rest, events)
        if self._failed:
            return events
        if not self.blocked and (self._open or not self._finished):
            raise UpstreamBroken("The upstream's stream ended before its answer did.")
        if not self._reported:
            self._report(events)
        return events

    def _event(self, raw: bytes, events: list[Event]) -> None:
        if raw[:6] == b"data: ":
            self._chunk(raw[6:], events, raw)
            return
        data = payload(raw)
        if data:
            self._chunk(data, events)

    def _chunk(self, data: bytes, events: list[Event], raw: bytes | None = None) -> None:
        try:
            chunk = _decode_chunk(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            if raw is not None:
                data = payload(raw)
            self._unusual(data, events)
            return
        (candidate,) = chunk.candidates
        index = candidate.index
        usage = chunk.usageMetadata
        if usage is not UNSET:
            self._usage = usage
            self._reported = False
        if not self._started:
            self._start(chunk.responseId, chunk.modelVersion, events)
        if index not in self._open:
            self._open.add(index)
        text = candidate.content.parts[0].text
        if text:
            self._said.setdefault(index, []).append(text)
            events.append(TextDelta(index, text))
        if raw is not None and self._tries:
            self._learn(raw, chunk)

    def _stop_moulding(self) -> None:
        self._mould = _NO_MOULD
        self._run = None
        self._tries = 0

    def _learn(self, raw: bytes, chunk: _Chunk) -> None:
        """What stands around the text, and around the counts, of an event that says nothing else."""
        self._tries -= 1
        (candidate,) = chunk.candidates
        usage = chunk.usageMetadata
        found = around(raw, b'"text":', candidate.content.parts[0].text)
        if found is None:
            return
        before, after = found
        if usage is UNSET:
            between, after = after[:1], after[1:]
        else:
            between, _, after = after.partition(bytes(usage))
        try:
            other = _decode_chunk(before[6:] + b'"."' + between + (b"" if usage is UNSET else b"{}") + after)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return
        told = other.usageMetadata
        if other.candidates[0].content.parts[0].text == "." and (told is UNSET or bytes(told) == b"{}"):
            self._mould = (before, len(before), between, len(between), after, -len(after), candidate.index)
            self._run = None if usage is UNSET else Run(before, after, between)

    def _unusual(self, data: bytes, events: list[Event]) -> None:
        if not data.strip() or data.strip() == b"[DONE]":
            return
        try:
            value = decode(data)
        except NotJson as error:
            raise UpstreamBroken(f"The upstream sent an event that is not JSON: {error}.") from None
        refused = error_in(value)
        if refused is not None:
            self._failed = True
            self._stop_moulding()
            events.append(Failed(refused))
            return
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if not isinstance(value, dict):
            raise UpstreamBroken("The upstream sent an event that is not a JSON object.")
        self._answer(value, events)

    def _answer(self, value: Object, events: list[Event]) -> None:
        meta = value.get("usageMetadata")
        if isinstance(meta, dict):
            self._usage = encode(meta)
            self._reported = False
        candidates = candidates_in(value)
        if not self._started and (candidates or meta):
            self._start(words(value.get("responseId")), words(value.get("modelVersion")), events)
        block = block_in(value)
        if block is not None:
            self.blocked = True
            events.append(Blocked(block))
        ended = block is not None
        for number, candidate in enumerate(candidates):
            ended = self._candidate(candidate, number, events) or ended
        if ended and not self._reported:
            self._report(events)

    def _candidate(self, candidate: Object, number: int, events: list[Event]) -> bool:
        index = index_of(candidate, number)
        self._open.add(index)
        said = self._said.setdefault(index, [])
        for part in parts_in(candidate):
            match part:
                case Text():
                    said.append(part.text)
                    events.append(TextDelta(index, part.text, part.signature))
                case Thought():
                    events.append(ThoughtDelta(index, part.text, part.signature))
                case ToolCall():
                    call = self._calls.get(index, 0)
                    self._calls[index] = call + 1
                    events.append(ToolCallStarted(index, call, part.id, part.name, part.signature))
                    events.append(ToolCallDelta(index, call, part.arguments))
                case _:
                    events.append(PartAdded(index, part))  # type: ignore[arg-type]
        logprobs = logprobs_in(candidate)
        if logprobs:
            events.append(LogprobsDelta(index, logprobs))
        for name in RESTS:
            if isinstance(candidate.get(name), dict):
                rests = self._rests.setdefault(index, {})
                rests[name] = {**rests.get(name, {}), **candidate[name]}
        extras = tuple([extra for extra in extras_in(candidate, f"candidates[{index}]") if extra.name not in RESTS])
        if extras:
            events.append(ExtrasAdded(index, extras))
        native = candidate.get("finishReason")
        if not isinstance(native, str) or not native:
            return False
        finish = read_finish(native, words(candidate.get("finishMessage")) or None, index in self._calls)
        if finish is None:
            return False
        self._open.discard(index)
        self._finished = True
        if index in self._rests:
            self._rest(index, events)
        self._stop_moulding()
        events.append(Finished(index, finish))
        return True

    def _rest(self, index: int, events: list[Event]) -> None:
        """What the whole candidate rests on; before its end its text is not whole."""
        told = Grounding(self._rests.pop(index), [(-1, "".join(self._said[index]))], f"candidates[{index}]")
        # The citations first: writers that tell parts one after another hang them on the text, which another part closes.
        events += [CitationAdded(index, citation) for citation in told.citations]
        events += [PartAdded(index, deed) for deed in told.deeds]
        if told.extras:
            events.append(ExtrasAdded(index, tuple(told.extras)))

    def _start(self, ident: str, model: str, events: list[Event]) -> None:
        self._started = True
        tier = None if self._usage is None else read_tier(decode(bytes(self._usage)))
        events.append(Started(ident, model.removeprefix("models/"), 0, tier))
        if not self._reported:
            self._report(events)

    def _report(self, events: list[Event]) -> None:
        usage = self.usage
        self._reported = True
        if usage is not None:
            events.append(UsageReported(usage))
