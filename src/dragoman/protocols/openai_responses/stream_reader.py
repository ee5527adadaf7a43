"""A vendor's streamed answer into events, in whatever pieces it comes.

Tolerant where vendors differ: no `event:` lines, no `.added` events, no deltas but whole texts in `.done`, or nothing but the
whole response at the end. What an event tells anew of an item is told; what was told already is not told again (`hearing`).
"""

from typing import Any

import msgspec

from dragoman.ir import Event, Failed, Finished, Started, UpstreamBroken, Usage, UsageReported
from dragoman.protocols.openai.errors import refusal_of
from dragoman.protocols.openai_responses.hearing import Hearing
from dragoman.protocols.openai_responses.read_response import finish_of, listed, text_or_empty, whole
from dragoman.protocols.openai_responses.stream_event import Told, decode, decode_piece, lenient
from dragoman.protocols.openai_responses.usage import read_usage
from dragoman.wire.sse import EventSplitter, payload

Json = dict[str, Any]
_DELTA = b"event: response.output_text.delta\ndata: {"


class ResponsesStreamReader:
    """Bytes in, events out."""

    __slots__ = ("_failed", "_finished", "_hearing", "_splitter", "_started")

    def __init__(self) -> None:
        self._splitter = EventSplitter()
        self._hearing = Hearing()
        self._started = False
        self._finished = False
        self._failed = False

    @property
    def usage(self) -> Usage | None:
        return None  # told by events as soon as it comes

    def feed(self, data: bytes) -> list[Event]:
        events: list[Event] = []
        for raw in self._splitter.feed(data):
            if raw.startswith(_DELTA):
                try:
                    told = decode_piece(raw[len(_DELTA) - 1 : -2])
                except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                    pass
                else:
                    if not self._finished and not self._failed:
                        self._hearing.piece(told.output_index, told.content_index, told.delta, told.item_id, events)
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
        if not self._hearing.items:
            raise UpstreamBroken("The upstream closed the stream without an answer.")
        raise UpstreamBroken("The upstream cut the stream before the answer was finished.")

    def _read(self, body: bytes, events: list[Event]) -> None:
        if self._finished or self._failed:
            return
        try:
            told = decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            if body.strip() == b"[DONE]":
                return
            told = lenient(body)
        kind = told.type
        if kind == "response.output_text.delta":
            if type(told.delta) is str:
                item = self._hearing.piece(told.output_index, told.content_index, told.delta, told.item_id, events)
                if told.logprobs:
                    self._hearing.logprobs(item, told.content_index, told.logprobs, events)
            return
        self._take(told, kind, events)

    def _take(self, told: Told, kind: str, events: list[Event]) -> None:
        if kind == "error" or (not kind and told.error):
            error = told.error
            if type(error) is not dict:
                error = {"code": told.code, "message": told.message, "param": told.param}
            self._fail({"error": error}, events)
            return
        if type(told.response) is dict:
            self._lifecycle(told.response, kind, events)
            return
        hearing = self._hearing
        number = told.output_index
        if number not in hearing.items and told.item_id:
            hearing.item(number, told.item_id)
        match kind:
            case "response.output_item.added":
                if type(told.item) is dict:
                    hearing.begun(hearing.item(number, told.item.get("id"), told.item.get("type")), told.item, events)
            case "response.output_item.done":
                if type(told.item) is dict:
                    hearing.done(hearing.item(number, told.item.get("id"), told.item.get("type")), told.item, events)
            case "response.output_text.done":
                item = hearing.item(number)
                hearing.text(item, told.content_index, text_or_empty(told.text), events)
                if told.content_index not in item.logged:
                    hearing.logprobs(item, told.content_index, told.logprobs, events)
            case "response.output_text.annotation.added":
                hearing.annotated(hearing.item(number), told.content_index, told.annotation, events)
            case "response.function_call_arguments.delta":
                hearing.fragment(hearing.item(number), text_or_empty(told.delta), events)
            case "response.function_call_arguments.done":
                hearing.arguments(hearing.item(number), told.arguments, events)
            case "response.refusal.delta":
                hearing.refusal_piece(hearing.item(number), told.content_index, text_or_empty(told.delta), events)
            case "response.refusal.done":
                hearing.refusal(hearing.item(number), told.content_index, text_or_empty(told.refusal), events)
            case "response.reasoning_summary_text.delta":
                hearing.thought(
                    hearing.item(number).shown, told.summary_index, text_or_empty(told.delta), False, events
                )
            case "response.reasoning_text.delta":
                hearing.thought(hearing.item(number).raw, told.content_index, text_or_empty(told.delta), True, events)

    def _lifecycle(self, response: Json, kind: str, events: list[Event]) -> None:
        hearing = self._hearing
        if not self._started and not hearing.items:
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
            if (known := hearing.same(number, item)) is not None:
                hearing.done(known, item, events)
        usage = read_usage(response.get("usage"))
        self._finished = True
        told = {"status": kind.partition(".")[2], **response}
        events.append(Finished(0, finish_of(told, called=hearing.calls > 0)))
        if usage is not None:
            events.append(UsageReported(usage))

    def _fail(self, value: Json, events: list[Event]) -> None:
        self._failed = True
        events.append(Failed(refusal_of(value, 200)))
