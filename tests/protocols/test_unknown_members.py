"""A member that nobody knows is a loss wherever it stands in a caller's body, and not at its top alone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dragoman.catalog.profile import profile_for
from dragoman.ir import Losses
from dragoman.protocols.base import Route
from dragoman.protocols.known import PROTOCOLS
from protocols.confusion import put

VENDORS = {
    "gemini": "gemini-3-pro-preview",
    "openai-chat": "gpt-4o",
    "openai-responses": "gpt-4o",
    "anthropic": "claude-opus-4-6",
}
SCHEMA = {"type": "object", "properties": {}}
PNG = "iVBORw0KGgo="
ASKED: dict[str, Any] = {
    "openai-chat": {
        "model": "m",
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
                    {"type": "file", "file": {"file_data": "data:text/plain;base64,SGk=", "filename": "a.txt"}},
                ],
            },
            {
                "role": "assistant",
                "content": "I look",
                "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
            },
            {"role": "tool", "tool_call_id": "c", "content": "18"},
        ],
        "tools": [{"type": "function", "function": {"name": "f", "description": "d", "parameters": SCHEMA}}],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
    },
    "openai-responses": {
        "model": "m",
        "input": [{"role": "user", "content": [{"type": "input_text", "text": "Hi"}]}],
        "tools": [{"type": "function", "name": "f", "description": "d", "parameters": SCHEMA}],
        "tool_choice": {"type": "function", "name": "f"},
        "reasoning": {"effort": "low"},
        "text": {"verbosity": "low"},
    },
    "anthropic": {
        "model": "m",
        "max_tokens": 4096,
        "system": [{"type": "text", "text": "s"}],
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
                    {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Hi"}},
                ],
            },
            {"role": "assistant", "content": [{"type": "tool_use", "id": "c", "name": "f", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c", "content": "18"}]},
        ],
        "tools": [{"name": "f", "description": "d", "input_schema": SCHEMA}],
        "tool_choice": {"type": "tool", "name": "f"},
    },
    "gemini": {
        "contents": [
            {"role": "user", "parts": [{"text": "Hi"}, {"inlineData": {"mimeType": "image/png", "data": PNG}}]},
            {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"r": 1}}}]},
        ],
        "tools": [{"functionDeclarations": [{"name": "f", "description": "d", "parameters": {"type": "OBJECT"}}]}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY"}},
        "generationConfig": {"topP": 0.5},
    },
}
# Forms that do not go together with functions at some vendor.
FORMS: dict[str, Any] = {
    "openai-chat": {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}}},
    "openai-responses": {"text": {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA}}},
    "anthropic": {
        "thinking": {"type": "adaptive"},
        "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
    },
    "gemini": {
        "generationConfig": {
            "thinkingConfig": {"thinkingLevel": "low"},
            "responseMimeType": "application/json",
            "responseSchema": {"type": "OBJECT"},
        }
    },
}
CHOICES: dict[str, Any] = {
    "openai-chat": {
        "tools": ASKED["openai-chat"]["tools"],
        "tool_choice": {
            "type": "allowed_tools",
            "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "f"}}]},
        },
    },
    "openai-responses": {
        "tools": ASKED["openai-responses"]["tools"],
        "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]},
    },
    "anthropic": {},
    "gemini": {},
}
# What stands in these is the caller's own, or a schema.
FREE = ("parameters", "input_schema", "schema", "responseSchema", "args", "response", "input")


def places(value: Any, path: str = "") -> list[str]:
    found = [path] if isinstance(value, dict) else []
    if isinstance(value, dict):
        for name, held in value.items():
            if name not in FREE or (name == "input" and path == ""):
                found += places(held, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for number, held in enumerate(value):
            found += places(held, f"{path}[{number}]")
    return found


def cases() -> list[Any]:
    found = []
    for caller, asked in ASKED.items():
        plain = {
            name: asked[name] for name in ("model", "messages", "input", "contents", "max_tokens") if name in asked
        }
        for body in (asked, {**plain, **FORMS[caller]}, {**plain, **CHOICES[caller]}):
            found += [
                pytest.param(caller, vendor, body, place, id=f"{caller}-{vendor}-{place or 'top'}-{len(body)}")
                for place in places(body)
                for vendor in VENDORS
                if vendor != caller
            ]
    return found


@pytest.mark.parametrize(("caller", "vendor", "body", "place"), cases())
def test_is_told(caller: str, vendor: str, body: Any, place: str) -> None:
    path = f"{place}.oddity" if place else "oddity"
    asked = json.dumps(put(body, path, 7)).encode()
    request = PROTOCOLS[caller].read_request(asked, Route("generate", "m"))
    losses = Losses(PROTOCOLS[caller].spelling)
    model = VENDORS[vendor]
    out = PROTOCOLS[vendor].write_request(request, model, profile_for(vendor, model), losses)
    written = path.replace("[", ".").replace("]", "") if caller == "anthropic" else path
    assert written in [loss.path for loss in losses.serious]
    assert b"oddity" not in out.body
