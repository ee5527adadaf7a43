"""Events as Anthropic's stream: `message_start`, then one content block after the other (`content_block_start`, its deltas,
`content_block_stop`), `message_delta` with the reason and the counts, `message_stop`.

How a block is told is `blocks`' business; here it is decided which one an event belongs to.
"""

from collections.abc import Sequence
from typing import Any

from dragoman.ir import (
    Blocked,
    Citation,
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
    Signature,
    Started,
    TextDelta,
    Thought,
    ThoughtDelta,
    ToolCallDelta,
    ToolCallStarted,
    Usage,
    UsageReported,
)
from dragoman.protocols.anthropic import deeds, proofs
from dragoman.protocols.anthropic.blocks import END, Blocks, encode_text
from dragoman.protocols.anthropic.citations import write_citation
from dragoman.protocols.anthropic.errors import event_of
from dragoman.protocols.anthropic.finish import write_finish
from dragoman.protocols.anthropic.spelling import SPELLING
from dragoman.protocols.anthropic.usage import write_usage
from dragoman.protocols.anthropic.write_messages import minted_id
from dragoman.protocols.anthropic.write_response import NO_PLACE, TIERS, write_part, write_seal, write_thought
from dragoman.protocols.base import Stamp
from dragoman.wire.json import encode

Json = dict[str, Any]
_STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'


class AnthropicStreamWriter:
    """Events in, bytes out; whatever the order, the bytes joined are a valid stream."""

    content_type = b"text/event-stream; charset=utf-8"
    __slots__ = (
        "_begun",
        "_blocks",
        "_calls",
        "_cited",
        "_closed",
        "_finish",
        "_found",
        "_ids",
        "_later",
        "_open",
        "_refused",
        "_stamp",
        "_tier",
        "_usage",
        "losses",
    )

    def __init__(self, stamp: Stamp) -> None:
        self.losses = Losses(SPELLING)
        self._stamp = stamp
        self._ids = deeds.Ids(stamp.id)
        self._blocks = Blocks()
        self._open = -1  # the call of the open block
        self._calls = 0
        self._later: list[Event] = []  # what came while a call's arguments were not whole
        self._cited = False  # whether the open text block has citations: no more text may follow in it
        self._found: list[Json] = []  # blocks that wait for its end
        self._finish: Finish | None = None
        self._usage: Usage | None = None
        self._tier: str | None = None
        self._refused = ""
        self._begun = False
        self._closed = False

    def write(self, events: Sequence[Event]) -> bytes:
        if self._closed:
            return b""
        out: list[bytes] = []
        blocks = self._blocks
        for event in events:
            if (
                type(event) is TextDelta
                and blocks.kind == "text"
                and event.signature is None
                and event.index == 0
                and not self._cited
                and self._finish is None
            ):
                if event.text:
                    out += (blocks.before, encode_text(event.text), END)
                continue
            self._write(event, out)
        return b"".join(out)

    def end(self) -> bytes:
        if self._closed:
            return b""
        out: list[bytes] = []
        self._begin(out)
        self._catch_up(out, last=True)
        self._flush(out)
        self._closed = True
        told: Json = {
            "type": "message_delta",
            "delta": write_finish(self._finish, called=self._calls > 0, refused=self._refused),
            "usage": write_usage(self._usage),
        }
        out += (b"event: message_delta\ndata: ", encode(told), b"\n\n", _STOP)
        return b"".join(out)

    def fail(self, error: DragomanError) -> bytes:
        if self._closed:
            return b""
        self._closed = True
        return event_of(error)

    def _write(self, event: Event, out: list[bytes]) -> None:
        if self._closed:
            return
        match event:
            case UsageReported(usage=usage):
                self._usage = usage
                return
            case Started():
                # `message_start` waits for something to tell: until then an error is an answer of its own, with its status.
                self._tier = TIERS.get(event.service_tier or "")
                return
            case Blocked(block=why):
                self._finish = Finish("content_filter", native=why.native or why.reason, message=why.message)
                return
            case Failed():
                out.append(self.fail(event.error))
                return
        if event.index != 0:
            self.losses.add_path(f"content ({event.index})", "Messages has one answer.")
            return
        if self._finish is not None:
            if isinstance(event, Finished | ExtrasAdded):
                self._extras(event)
            return
        self._begin(out)
        self._accept(event, out)
        if self._later:
            self._catch_up(out)

    def _accept(self, event: Event, out: list[bytes]) -> None:
        """One block is open at a time: while a call's arguments are not whole, all else waits for them."""
        if isinstance(event, ToolCallDelta) and event.call == self._open:
            self._arguments(event, out)
        elif (self._later or self._is_half_called()) and not isinstance(event, Finished):
            self._later.append(event)
        else:
            self._put(event, out)

    def _is_half_called(self) -> bool:
        return self._blocks.kind == "tool_use" and not self._blocks.is_whole()

    def _catch_up(self, out: list[bytes], last: bool = False) -> None:
        """What waited, in its order; at the `last` whatever became of the calls."""
        while self._later and (last or not self._is_half_called()):
            first, *waited = self._later
            self._later = []
            self._put(first, out)
            for event in waited:
                self._accept(event, out)

    def _put(self, event: Event, out: list[bytes]) -> None:
        match event:
            case TextDelta():
                self._text(event.text, event.signature, out)
            case RefusalDelta():
                self._refused += event.text
                self._text(event.text, None, out)
            case ThoughtDelta():
                self._thought(event, out)
            case ToolCallStarted():
                self._call(event, out)
            case ToolCallDelta():
                self._arguments(event, out)
            case PartAdded():
                block = write_part(event.part, self._ids, self.losses, f"content.{self._blocks.index + 1}")
                if block is not None and self._blocks.kind == "text":
                    # Gemini tells what it found behind the text, and then which words rest on it: the text stays open for that.
                    self._found.append(block)
                    self._cited = True
                elif block is not None:
                    self._flush(out)
                    self._blocks.whole(block, out)
            case CitationAdded():
                self._citation(event.citation, out)
            case LogprobsDelta():
                self.losses.add_path("logprobs", "Messages has no log probabilities.")
            case ExtrasAdded():
                self._extras(event)
            case Finished():
                self._catch_up(out, last=True)
                self._flush(out)
                self._finish = event.finish

    def _extras(self, event: ExtrasAdded | Finished) -> None:
        if isinstance(event, ExtrasAdded):
            for extra in event.extras:
                self.losses.add_path(extra.path, NO_PLACE, harmless=extra.harmless)

    def _begin(self, out: list[bytes]) -> None:
        if self._begun:
            return
        self._begun = True
        message: Json = {
            "id": self._stamp.id,
            "type": "message",
            "role": "assistant",
            "model": self._stamp.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": write_usage(self._usage),
        }
        if self._tier is not None:
            message["usage"]["service_tier"] = self._tier
        out += (b"event: message_start\ndata: ", encode({"type": "message_start", "message": message}), b"\n\n")

    # --- blocks

    def _close(self, out: list[bytes]) -> None:
        self._blocks.close(out)
        self._open = -1

    def _flush(self, out: list[bytes]) -> None:
        """Ends the open block, and tells what waited for its end."""
        self._close(out)
        found, self._found = self._found, []
        for block in found:
            self._blocks.whole(block, out)

    # --- what goes into them

    def _text(self, text: str, signature: Signature | None, out: list[bytes]) -> None:
        foreign = signature if signature is not None and signature.maker != "anthropic" else None
        if foreign is not None and text:
            self._flush(out)
            self._blocks.whole(write_seal(foreign), out)
        if text:
            if self._blocks.kind != "text" or self._cited:
                self._flush(out)
                self._cited = False
                self._blocks.text(out)
            self._blocks.delta(text, out)
        elif foreign is not None:
            # The text that it signs is told already; behind all else the seal is known to be the text's before it.
            self._flush(out)
            self._blocks.whole(write_seal(foreign), out)

    def _thought(self, event: ThoughtDelta, out: list[bytes]) -> None:
        signature = event.signature
        thought = Thought(event.text, signature, event.redacted)
        if proofs.redacted_in(thought) is not None:
            self._flush(out)
            self._blocks.whole(write_thought(thought), out)
            return
        if self._blocks.kind != "thinking":
            if not event.text and signature is None:
                return
            self._flush(out)
            self._blocks.thinking(out)
        if event.text:
            self._blocks.delta(event.text, out)
        if signature is not None:
            self._blocks.proof = signature
            self._close(out)

    def _call(self, event: ToolCallStarted, out: list[bytes]) -> None:
        id = event.id or minted_id(f"{self._stamp.id}.{self._calls}")
        self._calls += 1
        self._flush(out)
        if event.signature is not None:
            self._blocks.whole(write_seal(event.signature), out)
        self._blocks.call({"type": "tool_use", "id": id, "name": event.name, "input": {}}, out)
        self._open = event.call

    def _arguments(self, event: ToolCallDelta, out: list[bytes]) -> None:
        if not event.arguments:
            return
        if event.call == self._open:
            self._blocks.arguments(event.arguments, out)
        else:
            self.losses.add_path(
                f"content.{self._blocks.index}.input", "Arguments came for a call that was told already."
            )

    def _citation(self, citation: Citation, out: list[bytes]) -> None:
        if self._blocks.kind != "text":
            self.losses.add_path(
                f"content.{self._blocks.index}.citations", "A citation came when its text was told already."
            )
            return
        self._cited = True
        self._blocks.citation(write_citation(citation), out)
