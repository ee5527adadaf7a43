"""Watches a Gemini stream go by to a Gemini caller; its bytes stay as they came.

Only markers are looked for: a key with its closing quote can't stand inside a JSON string, where the quote would be escaped.
The counts are decoded when they are asked for.
"""

from dragoman.ir import DragomanError, UpstreamBroken, Usage
from dragoman.protocols.base import Route
from dragoman.protocols.gemini.errors import error_in, error_object
from dragoman.protocols.gemini.opening import says
from dragoman.protocols.gemini.usage import read_usage
from dragoman.wire.array import ArraySplitter
from dragoman.wire.json import NotJson, decode, encode
from dragoman.wire.sse import EventSplitter, payload


class Tap:
    __slots__ = (
        "_array",
        "_begun",
        "_counted",
        "_counts",
        "_events",
        "_held",
        "_separated",
        "_usage",
        "ended",
        "failed",
        "finished",
        "started",
    )

    def __init__(self, route: Route) -> None:
        self._array = ArraySplitter() if route.array else None
        self._events = EventSplitter()
        self._held: list[bytes] = []
        self._begun = False
        self._separated = False  # whether what went on ends in a comma
        self._counts: bytes | None = None
        self._counted = True
        self._usage: Usage | None = None
        self.finished = False
        self.failed: DragomanError | None = None
        self.started = False
        self.ended = False

    @property
    def usage(self) -> Usage | None:
        if not self._counted and self._counts is not None:
            self._counted = True
            value = self._value(self._counts)
            meta = value.get("usageMetadata") if isinstance(value, dict) else None
            self._usage = read_usage(meta) or self._usage
        return self._usage

    @usage.setter
    def usage(self, usage: Usage | None) -> None:
        self._counted = True
        self._usage = usage

    def feed(self, data: bytes) -> bytes:
        if self._array is not None:
            return self._feed_array(data, self._array)
        events = self._events.feed(data)
        for event in events:
            self._watch(event)
        return b"".join(events)

    def _feed_array(self, data: bytes, array: ArraySplitter) -> bytes:
        self._held.append(data)
        fed = array.size + len(data)
        for element in array.feed(data):
            self._begun = True
            self._watch(element)
        if array.size == fed:
            return b""
        held = b"".join(self._held)
        whole = len(held) - array.size
        self._held = [held[whole:]]
        passed = held[:whole]
        self._separated = passed.rstrip().endswith(b",")
        return passed

    def end(self) -> bytes:
        """The vendor closed the stream: an event without its blank line is whole if it is JSON."""
        if self._array is not None:
            rest = b"".join(self._held)
            self._held.clear()
            return rest if self._array.closed else b""
        rest = self._events.pending
        if not rest.strip():
            return rest
        if self._value(rest) is None:
            return b""
        self._watch(rest)
        return rest if rest.endswith((b"\n", b"\r")) else rest + b"\r\n\r\n"

    def fail(self, error: DragomanError) -> bytes:
        told = encode({"error": error_object(error)})
        if self._array is None:
            return b"data: " + told + b"\r\n\r\n"
        if self._array.closed:
            return b""
        lead = b"" if self._array.opened else b"["
        return (b",\r\n" if self._begun and not self._separated else lead) + told + b"]"

    def _watch(self, event: bytes) -> None:
        # `find`, for `in` costs several times as much with bytes.
        if event.find(b'"usageMetadata"') >= 0:
            self._counts = event
            self._counted = False
        if event.find(b'"finishReason"') >= 0:
            self.started = self.finished = True
        elif event.startswith(b'data: {"candidates"') or b'"candidates"' in event:
            self.started = self.started or says(self._first(event))
        elif b'"promptFeedback"' in event:
            self.started = True
            self.finished = self.finished or b'"blockReason"' in event
        elif b'"error"' in event:
            self.failed = error_in(self._value(event)) or self.failed
        elif not self.started:
            self._first(event)

    def _first(self, event: bytes) -> object:
        """One of those before the first real output. What is no JSON leads to another target, which may do better."""
        value = self._value(event)
        if value is None and (self._array is not None or payload(event).strip()):
            raise UpstreamBroken("The upstream's stream begins with something other than an event.")
        return value

    def _value(self, event: bytes) -> object:
        try:
            return decode(event if self._array is not None else payload(event))
        except NotJson:
            return None
