"""Who has no tools pays nothing for them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dragoman.config import Settings
from dragoman.pipeline.attempt import prepare
from dragoman.pipeline.call import Call
from dragoman.pipeline.snapshot import Snapshot, snapshot_of
from dragoman.pipeline.step import steps_of
from dragoman.protocols.known import PROTOCOLS

CHAT = PROTOCOLS["openai-chat"]
PLAIN = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hi"}, {"role": "user", "content": "?"}]
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]


def snapshot(protocol: str) -> Snapshot:
    provider = {"protocols": [protocol], "base_url": "http://127.0.0.1:9", "api_key": "k", "models": ["*"]}
    return snapshot_of(Settings.model_validate({"providers": {"p": provider}}), demo=False, root_key=None)


def prepared(protocol: str, **body: Any) -> Call:
    call = Call(snapshot(protocol))
    call.protocol = CHAT
    call.route = CHAT.match("/v1/chat/completions", b"")
    call.body = json.dumps({"model": "gemini-2.5-flash", **body}).encode()
    assert call.route is not None
    call.peek = CHAT.peek(call.body, call.route)
    resolved = call.snapshot.directory.resolve("gemini-2.5-flash")
    assert resolved is not None
    (step,) = steps_of(resolved, call.snapshot.endpoints, CHAT).values()
    prepare(call, step)
    return call


def test_the_same_protocol_is_not_even_read() -> None:
    call = prepared("openai-chat", messages=PLAIN, tools=TOOLS)
    assert call.request is None
    assert call.inward is None


def test_a_request_without_tools_is_left_alone() -> None:
    call = prepared("gemini", messages=PLAIN)
    assert call.request is not None
    assert not call.carries
    assert call.inward is None


@pytest.mark.parametrize(
    "body",
    [
        {"messages": PLAIN, "tools": TOOLS},
        {
            "messages": [
                *PLAIN,
                {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "{}"}}]},
                {"role": "tool", "tool_call_id": "c", "content": "x"},
            ]
        },
    ],
    ids=["tools", "calls"],
)
def test_a_request_with_tools_or_calls_is_not(body: dict[str, Any]) -> None:
    call = prepared("gemini", **body)
    assert call.carries
    assert call.inward is not None
