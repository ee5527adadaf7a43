"""Watches a same-protocol stream go by: its events pass as they came, and what metering needs is read from the side.

One thing is mended on the way: the indexes of Google's parallel calls (`call_indexes`).
"""

import msgspec
from msgspec import Struct

from dragoman.ir import DragomanError, UpstreamBroken, Usage
from dragoman.protocols.openai.errors import refusal_of
from dragoman.protocols.openai_chat.call_indexes import CallIndexes
from dragoman.protocols.openai_chat.errors import event_of
from dragoman.protocols.openai_chat.opening import says
from dragoman.protocols.openai_chat.usage import read_usage
from dragoman.wire.sse import EventSplitter, last_event, payload


class _Seen(Struct, gc=False):
    choices: msgspec.Raw = msgspec.Raw(b"null")
    usage: msgspec.Raw = msgspec.Raw(b"null")
    error: msgspec.Raw = msgspec.Raw(b"null")


# Every chunk names its model; where another's names this, its indexes are looked at, and found good.
_GOOGLES = b"gemini-"
_decode = msgspec.json.Decoder(_Seen).decode
_decode_any = msgspec.json.Decoder().decode


class ChatTap:
    __slots__ = ("_chosen", "_hide_usage", "_indexes", "_splitter", "ended", "failed", "finished", "started", "usage")

    def __init__(self, *, hide_usage: bool) -> None:
        """`hide_usage`: the caller did not ask for the counts that we asked for."""
        self._splitter = EventSplitter()
        self._hide_usage = hide_usage
        self._indexes: CallIndexes | None = None
        self._chosen = False  # whether there was a choice
        self.usage: Usage | None = None
        self.finished = False
        self.failed: DragomanError | None = None
        self.started = False
        self.ended = False

    def feed(self, data: bytes) -> bytes:
        events = self._splitter.feed(data)
        if not events:
            return b""
        if not self.started and self._indexes is None and any(_GOOGLES in event for event in events):
            self._indexes = CallIndexes()
        if self._indexes is not None:
            events = [self._indexes.mend(event) for event in events]
        return b"".join([event for event in events if not self._withhold(event)])

    def end(self) -> bytes:
        event = last_event(self._splitter.pending)
        if not event or self._withhold(event):
            return b""
        return event if self._indexes is None else self._indexes.mend(event)

    def fail(self, error: DragomanError) -> bytes:
        return event_of(error)

    def _withhold(self, event: bytes) -> bool:
        """Whether the event is to be kept from the caller. A plain delta, as nearly all are, is known by its bytes."""
        # `find`, for `in` costs several times as much with bytes.
        if self.started and event.find(b'"finish_reason":null') >= 0 and event.find(b'"usage":{') < 0:
            return False
        return self._look(event)

    def _look(self, event: bytes) -> bool:
        """Reads an event that is not a plain delta; whether it is to be kept from the caller."""
        body = payload(event)
        if not body:
            return False
        if body.strip() == b"[DONE]":
            # Alone it ends nothing.
            self.started = self.finished = self.ended = self._chosen
            return False
        try:
            seen = _decode(body)
            if bytes(seen.error) not in (b"null", b"{}", b'""'):
                self.failed = refusal_of({"error": _decode_any(seen.error)}, 200)
                return False
            choices = _decode_any(seen.choices)
            usage = read_usage(_decode_any(seen.usage))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            if not self.started:  # and another target may do better
                raise UpstreamBroken("The upstream's stream begins with something other than an event.") from None
            return False  # the caller's own reader will say what it thinks of it
        if usage is not None:
            self.usage = usage
        if choices:
            self._chosen = True
            self.started = self.started or says(choices)
            if type(choices) is list and any(
                type(choice) is dict and choice.get("finish_reason") for choice in choices
            ):
                self.finished = True
            return False
        return usage is not None and self._hide_usage
