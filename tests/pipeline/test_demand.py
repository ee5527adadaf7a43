"""What a request may come to: never less money than it will, and bounds in each protocol's words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dragoman.pipeline.estimate import Reading
from dragoman.protocols.base import Peek, Route
from dragoman.protocols.known import PROTOCOLS

ROUTE = Route("generate", model="m")


def peek(protocol: str, **body: Any) -> Peek:
    return PROTOCOLS[protocol].peek(json.dumps({"model": "m", **body}).encode(), ROUTE)


@pytest.mark.parametrize(
    ("protocol", "body", "found"),
    [
        ("openai-chat", {"max_tokens": 5}, (5, 1)),
        ("openai-chat", {"max_completion_tokens": 6, "max_tokens": 5, "n": 3}, (6, 3)),
        ("openai-chat", {"max_tokens": 0}, (0, 1)),
        ("openai-chat", {"messages": []}, (None, 1)),
        ("openai-chat", {"max_tokens": "5", "n": None}, (None, 1)),
        ("openai-chat", {"max_tokens": 5.5, "n": True}, (None, 1)),
        ("openai-chat", {"max_tokens": -1, "n": 0}, (None, 1)),
        ("openai-chat", {"max_tokens": 10**30, "n": [2]}, (None, 1)),
        ("openai-responses", {"max_output_tokens": 7}, (7, 1)),
        ("openai-responses", {"max_output_tokens": {}}, (None, 1)),
        ("anthropic", {"max_tokens": 9}, (9, 1)),
        ("anthropic", {"max_tokens": None}, (None, 1)),
        ("gemini", {"generationConfig": {"maxOutputTokens": 8, "candidateCount": 2}}, (8, 2)),
        ("gemini", {"generation_config": {"max_output_tokens": 9, "candidate_count": 3}}, (9, 3)),
        ("gemini", {"generationConfig": {"responseSchema": {"type": "OBJECT"}}}, (None, 1)),
        ("gemini", {"generationConfig": {"maxOutputTokens": "8"}}, (None, 1)),
        ("gemini", {"generationConfig": []}, (None, 1)),
        ("gemini", {"generationConfig": None}, (None, 1)),
        ("gemini", {"contents": []}, (None, 1)),
    ],
)
def test_bounds(protocol: str, body: dict[str, Any], found: tuple[int | None, int]) -> None:
    told = peek(protocol, **body)
    assert (told.bound, told.answers) == found


@pytest.mark.parametrize(
    "text", ["Hello, how are you? " * 50, "上海今天天气怎么样？" * 50, "Grüß dich " * 50, "0123456789" * 50]
)
def test_the_ceiling_is_above_the_guess(text: str) -> None:
    body = json.dumps({"messages": [{"role": "user", "content": text}]}, ensure_ascii=False).encode()
    reading = Reading(body)
    assert reading.tokens < reading.most_tokens
    # No tokenizer in use makes more tokens of a text than it has characters, or half its bytes if those are more.
    assert reading.most_tokens >= len(text) / 2
    assert Reading(body, 4000).tokens == pytest.approx(reading.tokens + 1000, abs=1)
    assert Reading(body, 4000).most_tokens == reading.most_tokens + 2000


def test_a_picture_is_no_text() -> None:
    picture = "A" * 400_000
    body = json.dumps({"messages": [{"role": "user", "content": [{"image_url": {"url": picture}}]}]}).encode()
    reading = Reading(body)
    assert 1200 <= reading.tokens < 1300
    assert 10_000 <= reading.most_tokens < 10_100
