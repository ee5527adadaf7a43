"""What a request may come to: never less money than it will, and bounds in each protocol's words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dragoman.pipeline.demand import output_bound
from dragoman.pipeline.estimate import input_tokens, most_input_tokens


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({"max_tokens": 5}, (5, 1)),
        ({"max_completion_tokens": 6, "max_tokens": 5, "n": 3}, (6, 3)),
        ({"max_output_tokens": 7}, (7, 1)),
        ({"generationConfig": {"maxOutputTokens": 8, "candidateCount": 2}}, (8, 2)),
        ({"generation_config": {"max_output_tokens": 9}}, (9, 1)),
        ({"max_tokens": 0}, (0, 1)),
        ({"messages": []}, (None, 1)),
        ({"max_tokens": "5", "n": None}, (None, 1)),
        ({"max_tokens": 5.5, "n": True}, (None, 1)),
        ({"max_tokens": -1, "n": 0}, (None, 1)),
        ({"max_tokens": 10**30}, (None, 1)),
        ({"generationConfig": []}, (None, 1)),
        ([], (None, 1)),
    ],
)
def test_bounds(body: Any, found: tuple[int | None, int]) -> None:
    assert output_bound(json.dumps(body).encode()) == found


def test_what_is_no_json_is_judged_elsewhere() -> None:
    assert output_bound(b"{") == (None, 1)
    assert output_bound(b"[" * 100_000) == (None, 1)


@pytest.mark.parametrize(
    "text", ["Hello, how are you? " * 50, "上海今天天气怎么样？" * 50, "Grüß dich " * 50, "0123456789" * 50]
)
def test_the_ceiling_is_above_the_guess(text: str) -> None:
    body = json.dumps({"messages": [{"role": "user", "content": text}]}, ensure_ascii=False).encode()
    assert input_tokens(body) < most_input_tokens(body)
    # No tokenizer in use makes more tokens of a text than it has characters, or half its bytes if those are more.
    assert most_input_tokens(body) >= len(text) / 2


def test_a_picture_is_no_text() -> None:
    picture = "A" * 400_000
    body = json.dumps({"messages": [{"role": "user", "content": [{"image_url": {"url": picture}}]}]}).encode()
    assert 1200 <= input_tokens(body) < 1300
    assert 10_000 <= most_input_tokens(body) < 10_100
