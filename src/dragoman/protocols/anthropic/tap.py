"""Watches a same-protocol stream go by: its events pass as they came, and what metering needs is read from the side."""

from typing import Any

from dragoman.ir import DragomanError, UpstreamBroken, Usage
from dragoman.protocols.anthropic.errors import event_of, refusal_of
from dragoman.protocols.anthropic.opening import says
from dragoman.protocols.anthropic.usage import merged, read_usage
from dragoman.wire.json import NotJson, decode
from dragoman.wire.sse import EventSplitter, last_event, payload

# An event begins so, and what comes between the first and the last of these is nobody's business here.
_PLAIN = (b"event: content_block", b"event: ping")


class AnthropicTap:
    __slots__ = ("_begun", "_counts", "_splitter", "ended", "failed", "finished", "started", "usage")

    def __init__(self) -> None:
        self._splitter = EventSplitter()
        self._begun = False
        self._counts: Any = None
        self.usage: Usage | None = None
        self.finished = False
        self.failed: DragomanError | None = None
        self.started = False
        self.ended = False

    def feed(self, data: bytes) -> bytes:
        events = self._splitter.feed(data)
        for event in events:
            if not self.started or not event.startswith(_PLAIN):
                self._look(payload(event))
        return b"".join(events)

    def end(self) -> bytes:
        event = last_event(self._splitter.pending, end_mark=b"")
        self._look(payload(event))
        return event

    def fail(self, error: DragomanError) -> bytes:
        return event_of(error)

    def _look(self, body: bytes) -> None:
        if not body:
            return
        try:
            event = decode(body)
        except NotJson:
            if not self.started:  # and another target may do better
                raise UpstreamBroken("The upstream's stream begins with something other than an event.") from None
            return  # the caller's own reader will say what it thinks of it
        if type(event) is not dict:
            return
        kind = event.get("type")
        if kind == "message_start":
            self._begun = True
            message = event.get("message")
            self._count(message.get("usage") if type(message) is dict else None)
        elif kind == "message_delta":
            self.started = True
            self._count(event.get("usage"))
            delta = event.get("delta")
            if type(delta) is dict and delta.get("stop_reason"):
                self.finished = True
        elif kind == "message_stop":
            # Alone it ends nothing.
            self.finished = self.finished or self._begun
            self.started = self.ended = self.finished
        elif kind == "error" or (kind is None and event.get("error")):
            self.failed = refusal_of(event, 200)
        elif not self.started:
            self.started = says(event)

    def _count(self, usage: Any) -> None:
        self._counts = merged(self._counts, usage)
        self.usage = read_usage(self._counts)
