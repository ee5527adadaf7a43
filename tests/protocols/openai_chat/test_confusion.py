"""Every field of a request, in every wrong type: a BadRequest that names the field, and nothing else."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from dragoman.catalog.profile import profile_for
from dragoman.ir import BadRequest, Losses
from dragoman.protocols.base import Route
from dragoman.protocols.known import PROTOCOLS
from dragoman.protocols.openai_chat import PROTOCOL

ROUTE = Route("generate")
HINT = {"type": "ephemeral"}
WHOLE: dict[str, Any] = {
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
WRONG: tuple[Any, ...] = (True, 7, 0.5, "x", [], [7], ["x"], {}, {"x": 7}, [{"x": 7}])
# What the caller's own functions, schemas and hints hold.
FREE = ("parameters", "schema", "cache_control", "moderation", "prompt_cache_options", "format.type")
# A text in place of a list of texts or parts; arguments as the object itself; a voice of one's own, by its id.
LENIENT = re.compile(r"^stop$|content(\[\d])?$|images\[0]$|arguments$|^audio.voice$|^function_call$")


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Each field with its path, objects and lists too."""
    if path:
        yield path, value
    if isinstance(value, dict):
        for name, held in value.items():
            yield from leaves(held, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for number, held in enumerate(value):
            yield from leaves(held, f"{path}[{number}]")


def put(body: Any, path: str, value: Any) -> Any:
    changed = json.loads(json.dumps(body))
    *outer, last = path.replace("]", "").replace("[", ".").split(".")
    held = changed
    for word in outer:
        held = held[int(word) if isinstance(held, list) else word]
    held[int(last) if isinstance(held, list) else last] = value
    return changed


def kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, int | float) else type(value).__name__


def refused(body: Any) -> BadRequest | None:
    try:
        PROTOCOL.read_request(json.dumps(body).encode(), Route("generate"))
    except BadRequest as error:
        return error
    return None


VENDORS = [("gemini", "gemini-2.5-flash"), ("gemini", "gemini-3-pro-preview"), ("gemini", "gemini-2.0-flash")]
VENDORS += [
    ("openai-chat", "gpt-4o"),
    ("openai-chat", "gpt-5-search-api"),
    ("openai-chat", "doubao-x"),
    ("local", "smollm2"),
]
VENDORS += [("anthropic", "claude-opus-4-6"), ("openai-responses", "gpt-5.2")]


def carried(body: Any) -> None:
    """What was read goes to any vendor, or is refused by a field's path."""
    request = PROTOCOL.read_request(json.dumps(body).encode(), ROUTE)
    unnamed: list[tuple[str, str]] = []
    for protocol, model in VENDORS:
        spoken = PROTOCOLS["openai-chat" if protocol == "local" else protocol]
        try:
            spoken.write_request(request, model, profile_for(protocol, model), Losses(PROTOCOL.spelling))
        except BadRequest as error:
            unnamed += [] if error.param else [(protocol, error.message)]
    assert unnamed == []


def alone(path: str, value: Any) -> Any:
    """The field changed, in a request that says little else: what one refuses does not hide what another does with it."""
    whole = put(WHOLE, path, value)
    top, *rest = re.findall(r"[^.\[\]]+", path)
    kept = whole[top]
    if top == "tools" and rest:
        kept = [kept[int(rest[0])]]
    elif top == "messages" and rest:
        message = kept[int(rest[0])]
        if rest[1:2] == ["content"] and len(rest) > 2 and isinstance(message["content"], list):
            message = {**message, "content": [message["content"][int(rest[2])]]}
        kept = [message]
    return {"model": "m", "messages": [{"role": "user", "content": "Hi"}], top: kept}


FIELDS = [
    (path, held)
    for path, held in leaves(WHOLE)
    if held is not None and not any(f"{word}." in f"{path}." for word in FREE)
]


def test_the_whole_is_a_request() -> None:
    assert refused(WHOLE) is None
    carried(WHOLE)


@pytest.mark.parametrize(("path", "held"), FIELDS, ids=[path for path, _ in FIELDS])
def test_absent_and_empty_fields(path: str, held: Any) -> None:
    if refused(alone(path, held)) is None:
        carried(alone(path, held))
    for empty in (None, type(held)()):
        body = put(WHOLE, path, empty)
        error = refused(body)
        if error is None:
            carried(body)
            if refused(alone(path, empty)) is None:
                carried(alone(path, empty))
        else:
            assert error.param, error.message


@pytest.mark.parametrize(("path", "held"), FIELDS, ids=[path for path, _ in FIELDS])
def test_wrong_types_are_named(path: str, held: Any) -> None:
    for wrong in WRONG:
        if kind(wrong) == kind(held):
            continue
        error = refused(put(WHOLE, path, wrong))
        if error is None:
            carried(put(WHOLE, path, wrong))
            if refused(alone(path, wrong)) is None:
                carried(alone(path, wrong))
            assert LENIENT.search(path) or wrong in ([], {}), wrong
            continue
        assert error.param, (wrong, error.message)
        assert error.param.startswith(path) or path.startswith(error.param), (wrong, error.param)
