"""Four vendors that keep a journal of what they answered and what it came to, and do to a caller whatever vendors do: answer with
or without counts, refuse, break off, fall silent.

What becomes of a question is drawn by its number and the vendor's name, so that it can be drawn again. `LEAVE` in an answer asks
the caller to go: nothing more will come.
"""

from __future__ import annotations

import random
import re
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from e2e.canned_anthropic import anthropic_events
from e2e.canned_responses import responses_events
from e2e.vendor import Answer, Exchange, gemini_events, openai_events, reply, stream

LEAVE = "LEAVE"
SAID = "All work and no play makes a dull gateway. "
_NUMBER = re.compile(rb"question (\d+)")


@dataclass(frozen=True)
class Counts:
    """As the ledger counts: `input` includes what was read from the cache or written to it, `output` what was thought."""

    input: int
    cached: int
    written: int
    output: int
    thought: int


@dataclass(frozen=True)
class Line:
    """One answer in the journal; `counts` is None where none were told."""

    vendor: str
    fate: str
    counts: Counts | None


@dataclass
class Bookkeeper:
    """`lines` has what was answered to each question, in order: of several, all but the last were tried in vain."""

    lines: dict[int, list[Line]] = field(default_factory=lambda: defaultdict(list))
    stayed: list[int] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def vendor(self, name: str) -> Answer:
        """The one that speaks the protocol of this name."""
        whole, events = SPEECH[name]

        def answer(exchange: Exchange) -> None:
            body = exchange.seen.body
            found = _NUMBER.search(body)
            assert found is not None
            number = int(found[1])
            streams = b'"stream":true' in body.replace(b" ", b"") or "streamGenerateContent" in exchange.seen.path
            chance = random.Random(f"{name} {number}")
            fate = chance.choice(_STREAMED if streams else _WHOLE)
            if fate == "uncounted" and name not in ("openai-chat", "gemini"):
                fate = "answered"  # the others' answers cannot be without
            counts = _counts(chance, name)
            told = counts if fate == "answered" else None
            with self._lock:
                self.lines[number].append(Line(name, fate, told))
            match fate:
                case "limited" | "failed":
                    status = 429 if fate == "limited" else 500
                    error = {"message": "not now", "type": "some_error", "status": "UNAVAILABLE", "code": status}
                    reply({"type": "error", "error": error}, status)(exchange)
                case "halved":
                    exchange.head(200, [("content-type", "application/json"), ("content-length", "100000")])
                    exchange.raw(b'{"id": "x", "usage": {')
                    exchange.keep = False
                case "cut":
                    stream(*events(SAID, None)[:-1], finish=False)(exchange)
                case "held":
                    exchange.head(200, [("content-type", "text/event-stream"), ("transfer-encoding", "chunked")])
                    for event in events(LEAVE, None)[:-1]:
                        exchange.chunk(event)
                    if not exchange.wait_gone():
                        self.stayed.append(number)
                case _ if streams:
                    stream(*events(SAID, told))(exchange)
                case _:
                    reply(whole(SAID, told))(exchange)

        return answer


_WHOLE = ["answered"] * 10 + ["uncounted"] * 2 + ["limited", "failed", "halved"]
_STREAMED = ["answered"] * 10 + ["uncounted"] * 2 + ["limited", "failed", "cut", "cut", "held", "held"]


def _counts(chance: random.Random, name: str) -> Counts:
    """Fewer of everything than there are bytes in a question, and than any question's bound."""
    cached = chance.randrange(20)
    written = chance.randrange(20) if name == "anthropic" else 0
    thought = 0 if name == "anthropic" else chance.randrange(20)
    return Counts(
        cached + written + 1 + chance.randrange(50), cached, written, thought + 1 + chance.randrange(40), thought
    )


# --- how each of them says it; the last event of a stream is what a broken one lacks


def _chat_usage(counts: Counts) -> dict[str, Any]:
    return {
        "prompt_tokens": counts.input,
        "completion_tokens": counts.output,
        "total_tokens": counts.input + counts.output,
        "prompt_tokens_details": {"cached_tokens": counts.cached},
        "completion_tokens_details": {"reasoning_tokens": counts.thought},
    }


def _chat_whole(text: str, counts: Counts | None) -> Any:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    told = {"usage": _chat_usage(counts)} if counts else {}
    return {"id": "c", "object": "chat.completion", "model": "m", "choices": [choice], **told}


def _chat_events(text: str, counts: Counts | None) -> tuple[bytes, ...]:
    base = {"id": "c", "object": "chat.completion.chunk", "model": "m"}
    chunks: list[dict[str, Any]] = [
        {**base, "choices": [{"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": None}]}
    ]
    end: list[dict[str, Any]] = [{**base, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}]
    if counts:
        end.append({**base, "choices": [], "usage": _chat_usage(counts)})
    return *openai_events(*chunks, done=False), b"".join(openai_events(*end))


def _gemini_chunk(text: str, counts: Counts | None, *, ends: bool) -> Any:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": [{"text": text}]}, "index": 0}
    if ends:
        candidate["finishReason"] = "STOP"
    told: dict[str, Any] = {"candidates": [candidate], "modelVersion": "m"}
    if counts:
        told["usageMetadata"] = {
            "promptTokenCount": counts.input,
            "cachedContentTokenCount": counts.cached,
            "candidatesTokenCount": counts.output - counts.thought,
            "thoughtsTokenCount": counts.thought,
            "totalTokenCount": counts.input + counts.output,
        }
    return told


def _gemini_whole(text: str, counts: Counts | None) -> Any:
    return _gemini_chunk(text, counts, ends=True)


def _gemini_events(text: str, counts: Counts | None) -> tuple[bytes, ...]:
    return gemini_events(_gemini_chunk(text, None, ends=False), _gemini_chunk("", counts, ends=True))


def _anthropic_usage(counts: Counts) -> dict[str, int]:
    return {
        "input_tokens": counts.input - counts.cached - counts.written,
        "cache_creation_input_tokens": counts.written,
        "cache_read_input_tokens": counts.cached,
        "output_tokens": counts.output,
    }


def _anthropic_whole(text: str, counts: Counts | None) -> Any:
    assert counts is not None
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m"}
    end = {"stop_reason": "end_turn", "stop_sequence": None}
    return {**message, "content": [{"type": "text", "text": text}], **end, "usage": _anthropic_usage(counts)}


def _anthropic_events(text: str, counts: Counts | None) -> tuple[bytes, ...]:
    began = counts or Counts(0, 0, 0, 0, 0)
    message = {**_anthropic_whole(text, began), "content": [], "stop_reason": None}
    message["usage"] = {**message["usage"], "output_tokens": 1}
    events = anthropic_events(
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}},
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": began.output},
        },
        {"type": "message_stop"},
    )
    return *events[:3], b"".join(events[3:])


def _responses_whole(text: str, counts: Counts | None) -> Any:
    assert counts is not None
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    message = {"id": "msg_1", "type": "message", "status": "completed", "role": "assistant", "content": [part]}
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1782955817,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "model": "m",
        "output": [message],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": counts.input,
            "input_tokens_details": {"cached_tokens": counts.cached},
            "output_tokens": counts.output,
            "output_tokens_details": {"reasoning_tokens": counts.thought},
            "total_tokens": counts.input + counts.output,
        },
    }


def _responses_events(text: str, counts: Counts | None) -> tuple[bytes, ...]:
    whole = _responses_whole(text, counts or Counts(0, 0, 0, 0, 0))
    begun = {**whole, "status": "in_progress", "output": [], "usage": None}
    message = whole["output"][0]
    part = message["content"][0]
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    events = responses_events(
        {"type": "response.created", "response": begun},
        {
            "type": "response.output_item.added",
            "output_index": 0,
            "item": {**message, "status": "in_progress", "content": []},
        },
        {"type": "response.content_part.added", **place, "part": {**part, "text": ""}},
        {"type": "response.output_text.delta", **place, "delta": text, "logprobs": []},
        {"type": "response.output_text.done", **place, "text": text},
        {"type": "response.content_part.done", **place, "part": part},
        {"type": "response.output_item.done", "output_index": 0, "item": message},
        {"type": "response.completed", "response": whole},
    )
    return *events[:4], b"".join(events[4:])


_Whole = Callable[[str, "Counts | None"], Any]
_Events = Callable[[str, "Counts | None"], "tuple[bytes, ...]"]
SPEECH: dict[str, tuple[_Whole, _Events]] = {
    "openai-chat": (_chat_whole, _chat_events),
    "openai-responses": (_responses_whole, _responses_events),
    "anthropic": (_anthropic_whole, _anthropic_events),
    "gemini": (_gemini_whole, _gemini_events),
}
VENDORS = tuple(SPEECH)
