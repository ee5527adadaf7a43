"""What is asked and answered: bodies of about 1 KB, and streams of 100 events, in the four protocols.

The text is made up; the shapes are the vendors' own as of 2026.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise

EVENTS = 100
WRITES = 33
SPREAD = 0.1  # seconds from a stream's first write to its last

CHAT_MODEL = "gpt-4.1-mini"
CHAT_STREAM_MODEL = "gpt-4.1"
CHAT_PACED_MODEL = "gpt-4.1-paced"
CHAT_HELD_MODEL = "gpt-4.1-nano"
GEMINI_MODEL = "gemini-2.5-flash"
GEMINI_STREAM_MODEL = "gemini-2.5-pro"
GEMINI_PACED_MODEL = "gemini-2.5-pro-paced"
ANTHROPIC_MODEL = "claude-sonnet-4-5"

_PROSE = (
    "The interpreter stands between two people who do not share a language. She listens to the whole sentence, weighs "
    "what was said against what was meant, and says it again so that nothing is lost and nothing is added. When a word "
    "has no match on the other side she says so. Her patience is not politeness but method: a quick answer that is "
    "nearly right does more harm than a slow one that is. The best of them are forgotten while they speak. "
)


@dataclass(frozen=True)
class Ask:
    """One request: where it goes, what it says, and which text its answer must hold."""

    path: str
    body: bytes
    answered_by: str = "wombat"


def prose(length: int) -> str:
    return (_PROSE * (length // len(_PROSE) + 1))[:length]


def chat_request(model: str, *, stream: bool = False) -> bytes:
    body: dict[str, object] = {
        "model": model,
        "messages": [
            {"role": "system", "content": "You answer in one short paragraph and never guess."},
            {"role": "user", "content": prose(780)},
        ],
        "temperature": 0.7,
        "top_p": 0.95,
        "max_tokens": 512,
    }
    if stream:
        body["stream"] = True
        body["stream_options"] = {"include_usage": True}
    return json.dumps(body).encode()


def gemini_request() -> bytes:
    return json.dumps(
        {
            "systemInstruction": {"parts": [{"text": "You answer in one short paragraph and never guess."}]},
            "contents": [{"role": "user", "parts": [{"text": prose(740)}]}],
            "generationConfig": {"temperature": 0.7, "topP": 0.95, "maxOutputTokens": 512},
        }
    ).encode()


def responses_request(model: str, *, stream: bool = False) -> bytes:
    body: dict[str, object] = {
        "model": model,
        "instructions": "You answer in one short paragraph and never guess.",
        "input": [{"role": "user", "content": prose(780)}],
        "temperature": 0.7,
        "top_p": 0.95,
        "max_output_tokens": 512,
        "store": False,
    }
    if stream:
        body["stream"] = True
    return json.dumps(body).encode()


def anthropic_request(model: str, *, stream: bool = False) -> bytes:
    body: dict[str, object] = {
        "model": model,
        "max_tokens": 512,
        "system": "You answer in one short paragraph and never guess.",
        "messages": [{"role": "user", "content": prose(800)}],
        "temperature": 0.7,
    }
    if stream:
        body["stream"] = True
    return json.dumps(body).encode()


def chat_ask(model: str, *, stream: bool = False) -> Ask:
    return Ask("/v1/chat/completions", chat_request(model, stream=stream))


def gemini_ask(model: str, *, stream: bool = False) -> Ask:
    verb = "streamGenerateContent?alt=sse" if stream else "generateContent"
    return Ask(f"/v1beta/models/{model}:{verb}", gemini_request())


def chat_answer() -> bytes:
    return json.dumps(
        {
            "id": "chatcmpl-Bk3xYtq0wqJ9uEo2vR1nD7cZ5mHfA",
            "object": "chat.completion",
            "created": 1767225600,
            "model": "gpt-4.1-mini-2025-04-14",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": "A wombat. " + prose(420), "refusal": None},
                    "logprobs": None,
                    "finish_reason": "stop",
                }
            ],
            "usage": {
                "prompt_tokens": 171,
                "completion_tokens": 96,
                "total_tokens": 267,
                "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
                "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
            },
            "service_tier": "default",
            "system_fingerprint": "fp_3f58d112f7",
        }
    ).encode()


def gemini_answer() -> bytes:
    return json.dumps(
        {
            "candidates": [
                {
                    "content": {"parts": [{"text": "A wombat. " + prose(560)}], "role": "model"},
                    "finishReason": "STOP",
                    "index": 0,
                }
            ],
            "usageMetadata": {
                "promptTokenCount": 171,
                "candidatesTokenCount": 96,
                "totalTokenCount": 267,
                "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 171}],
            },
            "modelVersion": "gemini-2.5-flash",
            "responseId": "q3VnaZ2hN5m0vdIPk8Kx4Ac",
        }
    ).encode()


_RESPONSE = {
    "id": "resp_68fbaa19bb908195a91378279dba0f14",
    "object": "response",
    "created_at": 1767225600,
    "status": "completed",
    "error": None,
    "incomplete_details": None,
    "model": "gpt-4.1-mini-2025-04-14",
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
    "service_tier": "default",
}


def _message(text: str) -> dict[str, object]:
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    return {
        "id": "msg_68fbaa1c738c819d8bddf998e57232c3",
        "type": "message",
        "status": "completed",
        "role": "assistant",
        "content": [part],
    }


def _responses_usage(output: int) -> dict[str, object]:
    return {
        "input_tokens": 171,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": output,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 171 + output,
    }


def responses_answer() -> bytes:
    said = [_message("A wombat. " + prose(280))]
    return json.dumps({**_RESPONSE, "output": said, "usage": _responses_usage(96)}).encode()


def anthropic_answer() -> bytes:
    return json.dumps(
        {
            "id": "msg_018XZkwvj9asBiffg3fXt88s",
            "type": "message",
            "role": "assistant",
            "model": "claude-sonnet-4-5-20250929",
            "content": [{"type": "text", "text": "A wombat. " + prose(560)}],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {
                "input_tokens": 171,
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 0,
                "output_tokens": 96,
                "service_tier": "standard",
            },
        }
    ).encode()


def word(number: int) -> str:
    """The text of one event; numbered, so that a missing or doubled one shows."""
    return f" w{number:03d}."


def _event(value: object) -> bytes:
    return b"data: " + json.dumps(value, separators=(",", ":")).encode()


def chat_events() -> list[bytes]:
    """100 events as OpenAI sends them: text, then the end, then usage; `[DONE]` rides with the last."""

    def chunk(choices: list[object], usage: object = None) -> bytes:
        return _event(
            {
                "id": "chatcmpl-Bk3xYtq0wqJ9uEo2vR1nD7cZ5mHfA",
                "object": "chat.completion.chunk",
                "created": 1767225600,
                "model": "gpt-4.1-2025-04-14",
                "service_tier": "default",
                "system_fingerprint": "fp_3f58d112f7",
                "choices": choices,
                "usage": usage,
            }
        )

    def choice(delta: object, reason: str | None = None) -> object:
        return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}

    texts: list[bytes] = []
    for number in range(EVENTS - 2):
        delta = {"role": "assistant", "content": word(0)} if number == 0 else {"content": word(number)}
        texts.append(chunk([choice(delta)]))
    usage = {"prompt_tokens": 171, "completion_tokens": EVENTS - 2, "total_tokens": 171 + EVENTS - 2}
    ends = [chunk([choice({}, "stop")]), chunk([], usage)]
    return [event + b"\n\n" for event in (*texts, ends[0], ends[1] + b"\n\ndata: [DONE]")]


def gemini_events() -> list[bytes]:
    """100 events as Google sends them: each with text and the usage so far, lines ended by CRLF."""
    events = []
    for number in range(EVENTS):
        candidate: dict[str, object] = {"content": {"parts": [{"text": word(number)}], "role": "model"}, "index": 0}
        if number == EVENTS - 1:
            candidate["finishReason"] = "STOP"
        usage = {"promptTokenCount": 171, "candidatesTokenCount": number + 1, "totalTokenCount": 172 + number}
        events.append(
            _event(
                {
                    "candidates": [candidate],
                    "usageMetadata": usage,
                    "modelVersion": "gemini-2.5-pro",
                    "responseId": "q3VnaZ2hN5m0vdIPk8Kx4Ac",
                }
            )
            + b"\r\n\r\n"
        )
    return events


def _named(kind: str, **members: object) -> bytes:
    return b"event: " + kind.encode() + b"\n" + _event({"type": kind, **members}) + b"\n\n"


def responses_events() -> list[bytes]:
    """100 events as OpenAI sends them: the frame's eight, and the text between."""
    item = {"id": "msg_68fbaa1c738c819d8bddf998e57232c3", "type": "message", "role": "assistant"}
    at: dict[str, object] = {"item_id": item["id"], "output_index": 0, "content_index": 0}
    begun = {**_RESPONSE, "status": "in_progress", "output": [], "usage": None}
    empty = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
    words = [word(number) for number in range(EVENTS - 8)]
    whole = _message("".join(words))
    told: list[tuple[str, dict[str, object]]] = [
        ("response.created", {"response": begun}),
        ("response.in_progress", {"response": begun}),
        (
            "response.output_item.added",
            {"output_index": 0, "item": {**item, "status": "in_progress", "content": []}},
        ),
        ("response.content_part.added", {**at, "part": empty}),
        *(("response.output_text.delta", {**at, "delta": text, "logprobs": []}) for text in words),
        ("response.output_text.done", {**at, "text": "".join(words), "logprobs": []}),
        ("response.content_part.done", {**at, "part": {**empty, "text": "".join(words)}}),
        ("response.output_item.done", {"output_index": 0, "item": whole}),
        ("response.completed", {"response": {**_RESPONSE, "output": [whole], "usage": _responses_usage(len(words))}}),
    ]
    return [_named(kind, sequence_number=number, **members) for number, (kind, members) in enumerate(told)]


def anthropic_events() -> list[bytes]:
    """100 events as Anthropic sends them: the frame's five, and the text between."""
    message = {
        "id": "msg_018XZkwvj9asBiffg3fXt88s",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5-20250929",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 171, "output_tokens": 1},
    }
    words = [word(number) for number in range(EVENTS - 5)]
    return [
        _named("message_start", message=message),
        _named("content_block_start", index=0, content_block={"type": "text", "text": ""}),
        *(_named("content_block_delta", index=0, delta={"type": "text_delta", "text": text}) for text in words),
        _named("content_block_stop", index=0),
        _named(
            "message_delta",
            delta={"stop_reason": "end_turn", "stop_sequence": None},
            usage={"input_tokens": 171, "output_tokens": len(words)},
        ),
        _named("message_stop"),
    ]


def in_writes(events: list[bytes], writes: int = WRITES) -> list[bytes]:
    """The events joined into `writes` pieces of about the same number."""
    bounds = [len(events) * n // writes for n in range(writes + 1)]
    return [b"".join(events[a:b]) for a, b in pairwise(bounds)]
