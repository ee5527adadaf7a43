"""How many tokens a body surely has: never more than its quick bound, nothing that a model does not read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.pipeline.room import _fewest_tokens, _most_words

texts = st.text() | st.text(" \t\n世界 ab", max_size=200)
values = st.recursive(
    texts,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["content", "parts", "text", "data", "output", "type"]), inner, max_size=4)
    ),
    max_leaves=8,
)
bodies = st.dictionaries(st.sampled_from(["messages", "input", "contents", "system", "metadata"]), values, max_size=4)


@given(bodies, st.booleans())
def test_the_quick_bound_is_never_below_the_count(body: dict[str, Any], escaped: bool) -> None:
    data = json.dumps(body, ensure_ascii=escaped).encode("utf-8", "surrogatepass")
    ascii_spaces_only = all(not char.isspace() or char.isascii() for char in data.decode("utf-8", "replace"))
    if ascii_spaces_only:
        assert _fewest_tokens(data) <= _most_words(data)


@pytest.mark.parametrize(
    ("body", "count"),
    [
        ({"messages": [{"role": "user", "content": "one two  three\n\nfour"}]}, 4),
        ({"system": "one", "messages": [{"content": [{"type": "text", "text": "two three"}]}]}, 3),
        ({"contents": [{"parts": [{"text": "one two"}, {"inlineData": {"data": "three four"}}]}]}, 2),
        ({"systemInstruction": {"parts": [{"text": "one"}]}, "contents": []}, 1),
        ({"instructions": "one", "input": [{"type": "function_call_output", "output": "two three"}]}, 3),
        ({"input": [{"type": "function_call", "arguments": '{"a": 1}'}]}, 2),
        ({"messages": [{"content": [{"type": "image_url", "image_url": {"url": "data:, a b c"}}]}]}, 0),
        ({"messages": [{"content": [{"type": "thinking", "thinking": "a b", "text": "a b"}]}]}, 0),
        ({"contents": [{"parts": [{"text": "a b", "thought": True}]}]}, 0),
        ({"metadata": {"text": "a b c"}, "tools": [{"text": "a b"}]}, 0),
        ({"messages": [{"content": "世" * 24}]}, 2),
        ({"truncation": "auto", "input": "a b"}, 0),
        ({"truncation": "disabled", "input": "a b"}, 2),
        ({"context_management": {"edits": []}, "messages": [{"content": "a b"}]}, 0),
    ],
)
def test_what_counts(body: dict[str, Any], count: int) -> None:
    assert _fewest_tokens(json.dumps(body).encode()) == count


@pytest.mark.parametrize("body", [b"", b"[]", b'"a b"', b"{", b'{"messages": 7, "input": null}', b"\xff"])
def test_what_is_no_request_has_none(body: bytes) -> None:
    assert _fewest_tokens(body) == 0
