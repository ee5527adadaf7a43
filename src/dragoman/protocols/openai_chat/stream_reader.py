"""A vendor's streamed answer into events, in whatever pieces it comes.

Tolerant where vendors differ: CRLF, comments, no `[DONE]`, tool indexes that start at 1, are missing, or repeat with a new id
(Google's compatible endpoint, NousResearch/hermes-agent#62940), `choices: null`, counts beside the last content, errors as
data lines. A plain text chunk is decoded straight into typed structs; what does not fit them is read member by member.
"""

from typing import Any

import msgspec
from msgspec import Struct

from dragoman.ir import (
    CitationAdded,
    Event,
    Extra,
    ExtrasAdded,
    Failed,
    Finished,
    LogprobsDelta,
    Media,
    PartAdded,
    RefusalDelta,
    Signature,
    Started,
    Text,
    TextDelta,
    Thought,
    ThoughtDelta,
    ToolCallDelta,
    ToolCallStarted,
    UpstreamBroken,
    Usage,
    UsageReported,
)
from dragoman.protocols.openai.errors import refusal_of
from dragoman.protocols.openai.media import sniff
from dragoman.protocols.openai_chat.annotations import read_annotations
from dragoman.protocols.openai_chat.finish import read_finish
from dragoman.protocols.openai_chat.nameless import Nameless
from dragoman.protocols.openai_chat.read_parts import google_signature
from dragoman.protocols.openai_chat.read_response import (
    content_parts,
    read_audio,
    read_images,
    read_logprobs,
    text_or_empty,
    whole,
)
from dragoman.protocols.openai_chat.speech import PCM, joined
from dragoman.protocols.openai_chat.usage import read_usage
from dragoman.wire.mould import NOTHING, TRIES, Run, around, decode_text
from dragoman.wire.sse import EventSplitter, payload


class _Delta(Struct, gc=False):
    content: Any = None
    reasoning_content: Any = None
    reasoning: Any = None
    refusal: Any = None
    tool_calls: Any = None
    function_call: Any = None
    extra_content: Any = None
    images: Any = None
    audio: Any = None
    annotations: Any = None


class _Choice(Struct, gc=False):
    index: int = 0
    delta: _Delta | None = None
    finish_reason: str | None = None
    logprobs: Any = None


class _Chunk(Struct, gc=False):
    choices: list[_Choice] | None = None
    usage: Any = None
    error: Any = None
    id: Any = None
    model: Any = None
    created: Any = None
    service_tier: Any = None


_decode = msgspec.json.Decoder(_Chunk).decode
# What stands before and after the text of a chunk that says nothing else, with their lengths; and whose text it is.
_Mould = tuple[bytes, int, bytes, int, int]
_NO_MOULD: _Mould = (NOTHING, 0, NOTHING, 0, 0)
_decode_any = msgspec.json.Decoder().decode


class _Candidate:
    """What one choice has said so far."""

    __slots__ = ("audio", "calls", "current", "finished", "ids", "nameless", "ordinals", "sounding")

    def __init__(self) -> None:
        self.calls = 0
        self.current = -1  # the call that fragments without an index go to
        self.ids: list[str] = []  # by ordinal
        self.nameless: dict[int, Nameless] = {}  # by ordinal: calls that are told when their names come
        self.ordinals: dict[int, int] = {}  # the vendor's index -> our dense ordinal
        self.finished = False
        self.audio: dict[str, Any] | None = None  # a sound that is not PCM, gathered
        self.sounding = False  # whether PCM has come


class ChatStreamReader:
    """Bytes in, events out."""

    __slots__ = ("_candidates", "_done", "_failed", "_mould", "_run", "_splitter", "_started", "_tries")

    def __init__(self) -> None:
        self._splitter = EventSplitter()
        self._candidates: dict[int, _Candidate] = {}
        self._started = False
        self._done = False
        self._failed = False
        self._mould: _Mould = _NO_MOULD
        self._run: Run | None = None
        self._tries = TRIES

    @property
    def usage(self) -> Usage | None:
        return None  # told by events as soon as it comes

    def feed(self, data: bytes) -> list[Event]:
        before, start, after, end, index = self._mould
        if self._run is not None and self._splitter.idle and (texts := self._run.texts(data)) is not None:
            return [TextDelta(index, text) for text in texts if text]
        events: list[Event] = []
        for raw in self._splitter.split(data):
            if raw.startswith(before) and raw.endswith(after):
                try:
                    text = decode_text(raw[start:end])
                except (msgspec.DecodeError, UnicodeDecodeError):
                    pass
                else:
                    if text:
                        events.append(TextDelta(index, text))
                    continue
            if raw.startswith(b"data: {"):  # one line, as nearly all are; where it is not, it does not decode
                try:
                    chunk = _decode(raw[6:])
                except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                    self._read(payload(raw), events)
                else:
                    if not self._done and not self._failed:
                        self._take(chunk, events)
                        if self._tries:
                            self._learn(raw, chunk)
            elif body := payload(raw):
                self._read(body, events)
            before, start, after, end, index = self._mould
        return events

    def end(self) -> list[Event]:
        """Raises UpstreamBroken when the answer was not finished."""
        events: list[Event] = []
        if rest := payload(self._splitter.pending + b"\n\n"):
            self._read(rest, events)
        if self._failed:
            return events
        if not self._candidates:
            raise UpstreamBroken("The upstream closed the stream without an answer.")
        for index, candidate in self._candidates.items():
            if candidate.finished or self._failed:
                continue
            if not self._done:
                raise UpstreamBroken("The upstream cut the stream before the answer was finished.")
            self._finish(index, candidate, "stop", events)
        return events

    def _read(self, body: bytes, events: list[Event]) -> None:
        if self._done or self._failed:
            return
        try:
            chunk = _decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            if body.strip() == b"[DONE]":
                self._done = True
                self._stop_moulding()
                return
            chunk = _lenient(body)
        self._take(chunk, events)

    def _stop_moulding(self) -> None:
        self._mould = _NO_MOULD
        self._run = None
        self._tries = 0

    def _learn(self, raw: bytes, chunk: _Chunk) -> None:
        """What stands around the text of an event that says nothing else."""
        choice = chunk.choices[0] if chunk.choices and len(chunk.choices) == 1 else None
        text = choice.delta.content if choice is not None and choice.delta is not None else None
        if choice is None or type(text) is not str or not text or not self._started:
            return
        plain = _Choice(choice.index, _Delta(text))
        if choice != plain or chunk != _Chunk(
            [plain], None, None, chunk.id, chunk.model, chunk.created, chunk.service_tier
        ):
            return
        self._tries -= 1
        found = around(raw, b'"content":', text)
        if found is None:
            return
        before, after = found
        try:
            other = _decode(before[6:] + b'"."' + after)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return
        # Whether it is this text that the event says, and not one of the same name beside it.
        if other.choices == [_Choice(choice.index, _Delta("."))]:
            self._mould = (before, len(before), after, -len(after), choice.index)
            self._run = Run(before, after)

    def _take(self, chunk: _Chunk, events: list[Event]) -> None:
        if chunk.error:
            self._failed = True
            self._stop_moulding()
            events.append(Failed(refusal_of({"error": chunk.error}, 200)))
            return
        if not self._started and (chunk.choices or chunk.id):
            self._started = True
            events.append(
                Started(
                    text_or_empty(chunk.id),
                    text_or_empty(chunk.model),
                    whole(chunk.created, 0),
                    text_or_empty(chunk.service_tier) or None,
                )
            )
        if chunk.choices:
            for choice in chunk.choices:
                self._choice(choice, events)
                if self._failed:
                    return
        if chunk.usage is not None and (usage := read_usage(chunk.usage)) is not None:
            events.append(UsageReported(usage))

    def _choice(self, choice: _Choice, events: list[Event]) -> None:
        index = choice.index
        candidate = self._candidates.get(index)
        if candidate is None:
            candidate = self._candidates[index] = _Candidate()
        delta = choice.delta
        if delta is not None:
            content = delta.content
            if type(content) is str and content and delta.extra_content is None:
                if delta.reasoning_content is not None or delta.reasoning is not None:
                    _thought(index, delta, events)
                events.append(TextDelta(index, content))
            elif content or delta.reasoning_content or delta.reasoning or delta.extra_content is not None:
                _said(index, delta, events)
            if delta.tool_calls:
                self._calls(index, candidate, delta.tool_calls, events)
                if self._failed:
                    return
            if delta.refusal and type(delta.refusal) is str:
                events.append(RefusalDelta(index, delta.refusal))
            if delta.images or delta.audio or delta.annotations or delta.function_call:
                self._rarely(index, candidate, delta, events)
        if choice.logprobs is not None and (logprobs := read_logprobs(choice.logprobs)):
            events.append(LogprobsDelta(index, logprobs))
        if choice.finish_reason and not self._failed:
            self._finish(index, candidate, choice.finish_reason, events)

    def _finish(self, index: int, candidate: _Candidate, word: str, events: list[Event]) -> None:
        if candidate.finished:
            return
        candidate.finished = True
        if candidate.nameless:
            if any(held.says or candidate.ids[ordinal] for ordinal, held in candidate.nameless.items()):
                self._break(events)
                return
            candidate.calls -= len(candidate.nameless)  # of which nothing was ever said
        if candidate.audio is not None and (sound := read_audio(candidate.audio)) is not None:
            events.append(PartAdded(index, sound))
        events.append(Finished(index, read_finish(word, called=candidate.calls > 0)))

    def _calls(self, index: int, candidate: _Candidate, calls: Any, events: list[Event]) -> None:
        for call in calls if type(calls) is list else ():
            if type(call) is not dict:
                continue
            function = call.get("function")
            function = function if type(function) is dict else {}
            id = text_or_empty(call.get("id"))
            name = text_or_empty(function.get("name"))
            place = call.get("index")
            ordinal = candidate.ordinals.get(place, -1) if type(place) is int else candidate.current
            known = candidate.ids[ordinal] if ordinal >= 0 else ""
            if id and known and id != known and id in candidate.ids:
                ordinal, known = candidate.ids.index(id), id
            held = candidate.nameless.get(ordinal) if candidate.nameless else None
            if ordinal < 0 or (id and known and id != known) or (id and not known and name and held is None):
                ordinal = candidate.calls
                candidate.calls += 1
                candidate.ids.append(id)
                if type(place) is int:
                    candidate.ordinals[place] = ordinal
                signature = google_signature(call.get("extra_content"))
                if name:
                    held = None
                    events.append(ToolCallStarted(index, ordinal, id, name, signature))
                else:
                    held = candidate.nameless[ordinal] = Nameless(signature)
            elif held is not None:
                candidate.ids[ordinal] = known or id
                held.signature = held.signature or google_signature(call.get("extra_content"))
                if name:
                    events += held.named(index, ordinal, candidate.ids[ordinal], name)
                    del candidate.nameless[ordinal]
                    held = None
            candidate.current = ordinal
            arguments = function.get("arguments")
            if type(arguments) is dict:
                arguments = msgspec.json.encode(arguments).decode()
            if type(arguments) is str and arguments:
                if held is None:
                    events.append(ToolCallDelta(index, ordinal, arguments))
                elif not held.add(arguments):
                    self._break(events)
                    return

    def _break(self, events: list[Event]) -> None:
        self._failed = True
        self._stop_moulding()
        events.append(Failed(UpstreamBroken("The upstream's stream holds a tool call that has no name.")))

    def _rarely(self, index: int, candidate: _Candidate, delta: _Delta, events: list[Event]) -> None:
        events.extend(PartAdded(index, image) for image in read_images(delta.images))
        if type(delta.function_call) is dict:
            self._calls(index, candidate, [{"index": 0, "function": delta.function_call}], events)
        if type(delta.audio) is dict:
            _sound(index, candidate, delta.audio, events)
        if delta.annotations:
            citations, extras = read_annotations(delta.annotations, f"choices[{index}].delta.annotations")
            events.extend(CitationAdded(index, citation) for citation in citations)
            if extras:
                events.append(ExtrasAdded(index, extras))


def _sound(index: int, candidate: _Candidate, audio: dict[str, Any], events: list[Event]) -> None:
    """PCM, which is all that OpenAI streams, goes on piece by piece; a file's pieces are gathered until it is whole."""
    data = text_or_empty(audio.get("data"))
    if candidate.audio is None and data and not candidate.sounding and sniff(data, whole=False):
        candidate.audio = {}
    gathered = candidate.audio
    if gathered is not None:
        for name, value in audio.items():
            before = gathered.get(name, "")
            if name == "data":
                gathered[name] = joined(before, data)
            else:
                gathered[name] = before + value if name == "transcript" and type(value) is str else value
        return
    rest = {name: value for name, value in audio.items() if name != "data"}
    extras = (Extra("openai", "audio", rest, "message.audio", harmless=True),) if rest else ()
    if data:
        candidate.sounding = True
        events.append(PartAdded(index, Media(PCM, data, extras=extras)))
    elif extras:
        events.append(ExtrasAdded(index, extras))


def _thought(index: int, delta: _Delta, events: list[Event]) -> None:
    words = delta.reasoning_content or delta.reasoning
    if type(words) is str and words:
        events.append(ThoughtDelta(index, words))


def _said(index: int, delta: _Delta, events: list[Event]) -> None:
    """Text with a signature, thoughts, or content that is a list of parts."""
    _thought(index, delta, events)
    signature: Signature | None = google_signature(delta.extra_content)
    content = delta.content
    if type(content) is list:
        for part in content_parts(content):
            if type(part) is Text and part.text:
                events.append(TextDelta(index, part.text))
            elif type(part) is Thought:
                events.append(ThoughtDelta(index, part.text))
        content = ""
    words = text_or_empty(content)
    if words or signature is not None:
        events.append(TextDelta(index, words, signature))


def _lenient(body: bytes) -> _Chunk:
    """A chunk whose members are not all of the types OpenAI gives them."""
    try:
        value = _decode_any(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise UpstreamBroken("The upstream's stream holds an event that is not JSON.") from None
    if type(value) is list and len(value) == 1:
        value = value[0]
    if type(value) is not dict:
        raise UpstreamBroken("The upstream's stream holds an event that is no object.")
    choices = value.get("choices")
    read: list[_Choice] = []
    for number, choice in enumerate(choices if type(choices) is list else ()):
        if type(choice) is not dict:
            continue
        given = choice.get("delta", choice.get("message"))
        delta = (
            _Delta(**{name: given[name] for name in _Delta.__struct_fields__ if name in given})
            if type(given) is dict
            else None
        )
        word = choice.get("finish_reason")
        read.append(
            _Choice(
                whole(choice.get("index"), number), delta, word if type(word) is str else None, choice.get("logprobs")
            )
        )
    return _Chunk(
        read or None, *(value.get(name) for name in ("usage", "error", "id", "model", "created", "service_tier"))
    )
