"""Events as the events of a streamed response.

The order is OpenAI's (recorded 2026): `response.created`, `response.in_progress`, the items with their `.added`, `.delta` and
`.done`, and one of `response.completed`, `response.incomplete` and `response.failed` with the whole response in it. Each event
has the next `sequence_number`. Everything around a text delta but this number is the same from delta to delta.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from dragoman.ir import (
    Block,
    Blocked,
    CitationAdded,
    DragomanError,
    Event,
    ExtrasAdded,
    Failed,
    Finish,
    Finished,
    LogprobsDelta,
    Losses,
    PartAdded,
    RefusalDelta,
    Request,
    Started,
    TextDelta,
    Thought,
    ThoughtDelta,
    ToolCallDelta,
    ToolCallStarted,
    Usage,
    UsageReported,
)
from dragoman.protocols.base import Stamp
from dragoman.protocols.openai.errors import error_object
from dragoman.protocols.openai_responses.envelope import envelope_of, failure_of
from dragoman.protocols.openai_responses.finish import write_finish
from dragoman.protocols.openai_responses.growing import Message, place_of
from dragoman.protocols.openai_responses.scribe import Scribe
from dragoman.protocols.openai_responses.spelling import SPELLING
from dragoman.protocols.openai_responses.usage import write_usage
from dragoman.wire.json import encode

Json = dict[str, Any]
_encode_text = msgspec.json.Encoder().encode
_AFTER_TEXT = b',"logprobs":[],"sequence_number":%d}\n\n'


class ResponsesStreamWriter:
    """Events in, bytes out; whatever the order, the bytes joined are a valid stream. `answer` is the whole response, once it
    is there."""

    content_type = b"text/event-stream; charset=utf-8"
    __slots__ = (
        "_begun",
        "_block",
        "_closed",
        "_finish",
        "_number",
        "_others",
        "_out",
        "_refused",
        "_request",
        "_scribe",
        "_stamp",
        "_text",
        "_text_of",
        "_tier",
        "_usage",
        "answer",
        "losses",
    )

    def __init__(self, request: Request, stamp: Stamp) -> None:
        self.losses = Losses(SPELLING)
        self.answer: bytes | None = None
        self._request = request
        self._stamp = stamp
        self._number = 0
        self._out: list[bytes] = []
        self._scribe = Scribe(request, stamp, self.losses, self._tell)
        self._tier: str | None = None
        self._usage: Usage | None = None
        self._finish: Finish | None = None
        self._block: Block | None = None
        self._begun = False
        self._closed = False
        self._refused = False
        self._text = b""  # what stands before a text in a delta of `_text_of`
        self._text_of: Message | None = None

    def write(self, events: Sequence[Event]) -> bytes:
        if self._closed:
            return b""
        out = self._out
        scribe = self._scribe
        for event in events:
            if type(event) is TextDelta and event.signature is None and event.index == 0:
                message = self._text_of
                if message is not None and message is scribe.open and self._finish is None:
                    words = message.words
                    if words is not None and words.part["type"] == "output_text":
                        words.pieces.append(event.text)
                        scribe.chars += len(event.text)
                        out += (self._text, _encode_text(event.text), _AFTER_TEXT % self._number)
                        self._number += 1
                        continue
            self._write(event)
        return self._taken()

    def end(self) -> bytes:
        if self._closed:
            return b""
        self._begin()
        told = write_finish(self._finish, self._block)
        self._scribe.end(whole=told["status"] == "completed")
        self._close(told)
        return self._taken()

    def fail(self, error: DragomanError) -> bytes:
        """OpenAI's live streams tell an error twice: an `error` event, which its clients raise, and `response.failed`."""
        if self._closed:
            return b""
        self._begin()
        self._tell("error", {"error": error_object(error)})
        self._close({"status": "failed", "error": failure_of(error)})
        return self._taken()

    def _taken(self) -> bytes:
        told = b"".join(self._out)
        self._out.clear()
        return told

    def _tell(self, kind: str, event: Json) -> None:
        number = self._number
        self._number = number + 1
        name = kind.encode()
        body = encode({"type": kind, **event, "sequence_number": number})
        self._out += (b"event: ", name, b"\ndata: ", body, b"\n\n")

    def _begin(self) -> None:
        if self._begun:
            return
        self._begun = True
        response = envelope_of(self._request, self._stamp, self._tier)
        self._tell("response.created", {"response": response})
        self._tell("response.in_progress", {"response": response})

    def _close(self, told: Json) -> None:
        response = {**envelope_of(self._request, self._stamp, self._tier), **told}
        response["output"] = self._scribe.abandon() if told["status"] == "failed" else self._scribe.items
        if self._usage is not None:
            response["usage"] = write_usage(self._usage)
        self.answer = encode(response)
        self._tell(f"response.{response['status']}", {"response": msgspec.Raw(self.answer)})
        self._closed = True

    def _write(self, event: Event) -> None:
        match event:
            case UsageReported(usage=usage):
                self._usage = usage
                return
            case Started():
                # Nothing is told yet: until the answer says something, another target may still take its place.
                self._tier = event.service_tier
                return
            case Blocked(block=block):
                self._block = block
                return
            case Failed(error=error):
                out = self._out[:]
                self._out.clear()
                out.append(self.fail(error))
                self._out.extend(out)
                return
        if self._closed:
            return
        self._begin()
        if event.index != 0:
            self.losses.add_path(f"output[{event.index}]", "Responses hold one answer; this was another.")
            return
        if self._finish is not None and type(event) not in (ExtrasAdded, LogprobsDelta, CitationAdded):
            return
        self._say(event)

    def _say(self, event: Event) -> None:
        scribe = self._scribe
        match event:
            case TextDelta():
                scribe.text(event.text, event.signature)
                self._remember()
            case ThoughtDelta():
                scribe.thought(Thought(event.text, event.signature, event.redacted, event.raw))
            case RefusalDelta():
                self._refused = True
                scribe.refusal(event.text)
            case ToolCallStarted():
                scribe.call(event.call, event.id, event.name, event.signature)
            case ToolCallDelta():
                scribe.arguments(event.call, event.arguments)
            case PartAdded():
                scribe.part(event.part)
            case CitationAdded():
                scribe.citation(event.citation)
            case LogprobsDelta():
                scribe.logprobs(event.logprobs)
            case ExtrasAdded():
                scribe.extras(event.extras)
            case Finished(finish=finish):
                if finish.reason == "refusal" and finish.message and not self._refused:
                    scribe.refusal(finish.message)
                self._finish = finish

    def _remember(self) -> None:
        """Encodes once what stands before the texts of the message that is open."""
        message = self._scribe.open
        if type(message) is not Message or message is self._text_of or message.words is None:
            return
        self._text_of = message
        place = encode(
            {
                "type": "response.output_text.delta",
                **place_of(message),
                "content_index": message.words.number,
            }
        )
        self._text = b"event: response.output_text.delta\ndata: " + place[:-1] + b',"delta":'
