"""What is asked and answered: bodies of about 1 KB, and streams of 100 events, in the two protocols.

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


def _prose(length: int) -> str:
    return (_PROSE * (length // len(_PROSE) + 1))[:length]


def chat_request(model: str, *, stream: bool = False) -> bytes:
    body: dict[str, object] = {
        "model": model,
        "messages": [
            {"role": "system", "content": "You answer in one short paragraph and never guess."},
            {"role": "user", "content": _prose(780)},
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
            "contents": [{"role": "user", "parts": [{"text": _prose(740)}]}],
            "generationConfig": {"temperature": 0.7, "topP": 0.95, "maxOutputTokens": 512},
        }
    ).encode()


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
                    "message": {"role": "assistant", "content": "A wombat. " + _prose(420), "refusal": None},
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
                    "content": {"parts": [{"text": "A wombat. " + _prose(560)}], "role": "model"},
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


def in_writes(events: list[bytes], writes: int = WRITES) -> list[bytes]:
    """The events joined into `writes` pieces of about the same number."""
    bounds = [len(events) * n // writes for n in range(writes + 1)]
    return [b"".join(events[a:b]) for a, b in pairwise(bounds)]
