"""Watches a same-protocol stream go by: its events pass as they came, and what metering needs is read from the side."""

from contextlib import suppress
from typing import Any

import msgspec
from msgspec import Struct

from dragoman.ir import DragomanError, UpstreamBroken, Usage
from dragoman.protocols.openai.errors import error_object, refusal_of
from dragoman.protocols.openai_responses.envelope import failure_of
from dragoman.protocols.openai_responses.opening import says
from dragoman.protocols.openai_responses.usage import read_usage
from dragoman.wire.json import encode
from dragoman.wire.sse import EventSplitter, last_event, payload


class _Seen(Struct, gc=False):
    type: str = ""
    sequence_number: int | None = None
    response: msgspec.Raw = msgspec.Raw(b"null")
    error: Any = None
    code: Any = None
    message: Any = None
    param: Any = None


_decode = msgspec.json.Decoder(_Seen).decode
_decode_any = msgspec.json.Decoder().decode
_DELTA = b"event: response.output_text.delta\n"
_ENDS = frozenset({"response.completed", "response.incomplete"})


class ResponsesTap:
    """`answer` is the whole response as the vendor told it at the end."""

    __slots__ = ("_last", "_response", "_splitter", "answer", "ended", "failed", "finished", "started", "usage")

    def __init__(self) -> None:
        self._splitter = EventSplitter()
        self._response = b""
        self._last = b""
        self.answer: bytes | None = None
        self.usage: Usage | None = None
        self.finished = False
        self.failed: DragomanError | None = None
        self.started = False
        self.ended = False

    def feed(self, data: bytes) -> bytes:
        events = self._splitter.feed(data)
        if not events:
            return b""
        for event in events:
            if not self.started or not event.startswith(_DELTA):
                self._look(event)
        self._last = events[-1]
        return b"".join(events)

    def end(self) -> bytes:
        event = last_event(self._splitter.pending)
        self._look(event)
        return event

    def fail(self, error: DragomanError) -> bytes:
        """An `error` event and, where the response is known, `response.failed`, with the numbers that come next."""
        number = -1
        with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            number = _decode(payload(self._last)).sequence_number or 0
        told = {"type": "error", "error": error_object(error), "sequence_number": number + 1}
        out = b"event: error\ndata: " + encode(told) + b"\n\n"
        try:
            response = _decode_any(self._response)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return out
        if type(response) is dict:
            failed = {**response, "status": "failed", "error": failure_of(error)}
            event = {"type": "response.failed", "response": failed, "sequence_number": number + 2}
            out += b"event: response.failed\ndata: " + encode(event) + b"\n\n"
        return out

    def _look(self, event: bytes) -> None:
        """A delta, as nearly all are, is known by its bytes."""
        if (
            self.started
            and b'.delta"' in event
            and b'"response":{' not in event
            and not event.startswith(b"event: error")
        ):
            return
        body = payload(event)
        if not body or body.strip() == b"[DONE]":
            return
        try:
            seen = _decode(body)
            kind = seen.type
            if kind == "error" or (not kind and seen.error):
                told = seen.error if type(seen.error) is dict else {
                    "code": seen.code, "message": seen.message, "param": seen.param,
                }  # fmt: skip
                self.failed = self.failed or refusal_of({"error": told}, 200)
            elif bytes(seen.response) != b"null":
                self._lifecycle(kind, bytes(seen.response))
            elif not self.started:
                self.started = says(_decode_any(body))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            if not self.started:  # and another target may do better
                raise UpstreamBroken("The upstream's stream begins with something other than an event.") from None
            return  # the caller's own reader will say what it thinks of it

    def _lifecycle(self, kind: str, raw: bytes) -> None:
        self._response = raw
        if kind not in _ENDS and kind != "response.failed":
            return
        response = _decode_any(raw)
        if type(response) is not dict:
            return
        self.usage = read_usage(response.get("usage")) or self.usage
        if kind == "response.failed":
            self.failed = self.failed or refusal_of({"error": response.get("error") or {}}, 200)
            return
        self.started = self.finished = self.ended = True
        self.answer = raw
