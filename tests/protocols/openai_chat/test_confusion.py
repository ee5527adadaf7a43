"""Every field of a request, in every wrong type: a BadRequest that names the field, and nothing else."""

import re
from typing import Any

import pytest

from dragoman.protocols.base import Route
from dragoman.protocols.openai_chat import PROTOCOL
from protocols.confusion import Whole

HINT = {"type": "ephemeral"}
BODY: dict[str, Any] = {
    "model": "m",
    "messages": [
        {"role": "developer", "content": [{"type": "text", "text": "s", "cache_control": HINT}], "name": "n"},
        {
            "role": "user",
            "name": "n",
            "content": [
                {"type": "text", "text": "Hi"},
                {"type": "image_url", "image_url": {"url": "https://e.com/a.png", "detail": "low"}},
                {"type": "video_url", "video_url": {"url": "https://e.com/a.mp4", "fps": 1}},
                {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}},
                {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,aGk="}},
                {"type": "file", "file": {"file_id": "f"}},
            ],
        },
        {
            "role": "assistant",
            "content": [{"type": "text", "text": "a"}, {"type": "refusal", "refusal": "r"}],
            "refusal": "r",
            "reasoning_content": "t",
            "name": "n",
            "audio": {"id": "a"},
            "images": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}],
            "tool_calls": [
                {
                    "id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"},
                    "extra_content": {"google": {"thought_signature": "c2ln"}},
                },
                {"id": "2", "type": "custom", "custom": {"name": "c", "input": "x"}},
            ],
        },
        {"role": "tool", "tool_call_id": "1", "content": [{"type": "text", "text": "r"}]},
        {"role": "tool", "tool_call_id": "2", "content": "r"},
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": "r"},
        {"role": "user", "content": "go on"},
    ],
    "temperature": 1, "top_p": 0.5, "top_k": 4, "n": 1, "max_completion_tokens": 5, "max_tokens": 6, "stop": ["a"],
    "presence_penalty": 1, "frequency_penalty": 1, "logit_bias": {"1": 2}, "logprobs": True, "top_logprobs": 1, "seed": 1,
    "stream": True, "stream_options": {"include_usage": True, "include_obfuscation": False},
    "tools": [
        {"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}, "strict": True}},
        {"type": "custom", "custom": {"name": "c", "description": "d", "format": {"type": "text"}}},
        {"type": "web_search"},
        {"google_search": {}},
    ],
    "tool_choice": {
        "type": "allowed_tools",
        "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "f"}}]},
    },
    "functions": [{"name": "g", "description": "d", "parameters": {"type": "object"}}],
    "function_call": {"name": "g"},
    "parallel_tool_calls": True,
    "web_search_options": {"search_context_size": "low", "user_location": {"type": "approximate", "approximate": {"city": "c"}}},
    "response_format": {
        "type": "json_schema",
        "json_schema": {"name": "n", "description": "d", "schema": {"type": "object"}, "strict": True},
    },
    "reasoning_effort": "low",
    "reasoning": {"effort": "low"},
    "thinking": {"type": "enabled"},
    "modalities": ["text"],
    "audio": {"voice": "alloy", "format": "wav"},
    "user": "u", "service_tier": "flex", "safety_identifier": "s", "metadata": {"a": "b"}, "store": True, "verbosity": "low",
    "prediction": {"type": "content", "content": "x"}, "prompt_cache_key": "k", "prompt_cache_retention": "24h",
    "prompt_cache_options": {"ttl": "1h"}, "moderation": {"x": 1},
    "extra_body": {
        "google": {
            "thinking_config": {"include_thoughts": True, "thinking_level": "low"},
            "cached_content": "c",
            "safety_settings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "OFF"}],
            "image_config": {"aspect_ratio": "1:1"},
        },
    },
    "google": {"thinking_config": {"thinking_budget": 5}},
    "image_config": {"image_size": "2k"},
}  # fmt: skip
# What the caller's own functions, schemas and hints hold.
FREE = ("parameters", "schema", "cache_control", "moderation", "prompt_cache_options", "format.type")
# A text in place of a list of texts or parts; arguments as the object itself; a voice of one's own, by its id.
LENIENT = re.compile(r"^stop$|content(\[\d])?$|images\[0]$|arguments$|^audio.voice$|^function_call$")


def alone(whole: Any, path: list[str]) -> Any:
    """The field changed, in a request that says little else."""
    top, *rest = path
    kept = whole[top]
    if top == "tools" and rest:
        kept = [kept[int(rest[0])]]
    elif top == "messages" and rest:
        message = kept[int(rest[0])]
        if rest[1:2] == ["content"] and len(rest) > 2 and isinstance(message["content"], list):
            message = {**message, "content": [message["content"][int(rest[2])]]}
        kept = [message]
    return {"model": "m", "messages": [{"role": "user", "content": "Hi"}], top: kept}


WHOLE = Whole(PROTOCOL, Route("generate"), BODY, free=FREE, lenient=LENIENT, alone=alone)


def test_the_whole_is_a_request() -> None:
    assert WHOLE.refused(BODY) is None
    WHOLE.carried(BODY)


@pytest.mark.parametrize(("path", "held"), WHOLE.fields, ids=[path for path, _ in WHOLE.fields])
def test_absent_and_empty_fields(path: str, held: Any) -> None:
    WHOLE.may_be_absent(path, held)


@pytest.mark.parametrize(("path", "held"), WHOLE.fields, ids=[path for path, _ in WHOLE.fields])
def test_wrong_types_are_named(path: str, held: Any) -> None:
    WHOLE.names_wrong_types(path, held)
