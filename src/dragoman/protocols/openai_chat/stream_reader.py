"""A vendor's streamed answer into events, in whatever pieces it comes.

Tolerant where vendors differ: CRLF, comments, no `[DONE]`, `choices: null`, counts beside the last content, errors as data
lines. A plain text chunk is decoded straight into typed structs; what does not fit them is read member by member
(`stream_event`), and what a choice said before tells what it says now (`hearing`).
"""

import msgspec

from dragoman.ir import (
    Event,
    Failed,
    LogprobsDelta,
    RefusalDelta,
    Started,
    TextDelta,
    UpstreamBroken,
    Usage,
    UsageReported,
)
from dragoman.protocols.openai.errors import refusal_of
from dragoman.protocols.openai_chat.hearing import Hearing
from dragoman.protocols.openai_chat.read_response import read_logprobs, text_or_empty, whole
from dragoman.protocols.openai_chat.stream_event import Choice, Chunk, Delta, decode, lenient
from dragoman.protocols.openai_chat.usage import read_usage
from dragoman.wire.mould import NOTHING, TRIES, Run, around, decode_text
from dragoman.wire.sse import EventSplitter, payload

# What stands before and after the text of a chunk that says nothing else, with their lengths; and whose text it is.
_Mould = tuple[bytes, int, bytes, int, int]
_NO_MOULD: _Mould = (NOTHING, 0, NOTHING, 0, 0)


class ChatStreamReader:
    """Bytes in, events out."""

    __slots__ = ("_choices", "_done", "_failed", "_mould", "_run", "_splitter", "_started", "_tries")

    def __init__(self) -> None:
        self._splitter = EventSplitter()
        self._choices: dict[int, Hearing] = {}
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
                    chunk = decode(raw[6:])
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
        if not self._choices:
            raise UpstreamBroken("The upstream closed the stream without an answer.")
        for hearing in self._choices.values():
            if hearing.finished:
                continue
            if not self._done:
                raise UpstreamBroken("The upstream cut the stream before the answer was finished.")
            if not hearing.finish("stop", events):
                self._break(events)
                break
        return events

    def _read(self, body: bytes, events: list[Event]) -> None:
        if self._done or self._failed:
            return
        try:
            chunk = decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            if body.strip() == b"[DONE]":
                self._done = True
                self._stop_moulding()
                return
            chunk = lenient(body)
        self._take(chunk, events)

    def _stop_moulding(self) -> None:
        self._mould = _NO_MOULD
        self._run = None
        self._tries = 0

    def _learn(self, raw: bytes, chunk: Chunk) -> None:
        """What stands around the text of an event that says nothing else."""
        choice = chunk.choices[0] if chunk.choices and len(chunk.choices) == 1 else None
        text = choice.delta.content if choice is not None and choice.delta is not None else None
        if choice is None or type(text) is not str or not text or not self._started:
            return
        plain = Choice(choice.index, Delta(text))
        if choice != plain or chunk != Chunk(
            [plain], None, None, chunk.id, chunk.model, chunk.created, chunk.service_tier
        ):
            return
        self._tries -= 1
        found = around(raw, b'"content":', text)
        if found is None:
            return
        before, after = found
        try:
            other = decode(before[6:] + b'"."' + after)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return
        # Whether it is this text that the event says, and not one of the same name beside it.
        if other.choices == [Choice(choice.index, Delta("."))]:
            self._mould = (before, len(before), after, -len(after), choice.index)
            self._run = Run(before, after)

    def _take(self, chunk: Chunk, events: list[Event]) -> None:
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
                if not self._choice(choice, events):
                    self._break(events)
                    return
        if chunk.usage is not None and (usage := read_usage(chunk.usage)) is not None:
            events.append(UsageReported(usage))

    def _choice(self, choice: Choice, events: list[Event]) -> bool:
        """False where it cannot be told."""
        index = choice.index
        hearing = self._choices.get(index)
        if hearing is None:
            hearing = self._choices[index] = Hearing(index)
        delta = choice.delta
        if delta is not None:
            content = delta.content
            if type(content) is str and content and delta.extra_content is None:
                if delta.reasoning_content is not None or delta.reasoning is not None:
                    hearing.thought(delta, events)
                events.append(TextDelta(index, content))
            elif content or delta.reasoning_content or delta.reasoning or delta.extra_content is not None:
                hearing.said(delta, events)
            if delta.tool_calls and not hearing.called(delta.tool_calls, events):
                return False
            if delta.refusal and type(delta.refusal) is str:
                events.append(RefusalDelta(index, delta.refusal))
            rare = delta.images or delta.audio or delta.annotations or delta.function_call
            if rare and not hearing.rarely(delta, events):
                return False
        if choice.logprobs is not None and (logprobs := read_logprobs(choice.logprobs)):
            events.append(LogprobsDelta(index, logprobs))
        return not choice.finish_reason or hearing.finish(choice.finish_reason, events)

    def _break(self, events: list[Event]) -> None:
        self._failed = True
        self._stop_moulding()
        events.append(Failed(UpstreamBroken("The upstream's stream holds a tool call that has no name.")))
