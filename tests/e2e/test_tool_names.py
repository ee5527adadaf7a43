"""Names and ids of calls, as vendors get them and callers have them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from e2e.gateway import Gateway
from e2e.vendor import Vendor, openai_events, reply, stream

LONG = "mcp__a_server_with_quite_a_long_name__" + "and_a_tool_that_says_all_that_it_does"  # 75 characters
DOTTED = "files.read:v2"


def usual(name: str) -> Any:
    return {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {}}}}


@pytest.mark.parametrize("name", [LONG, "1st tool", "查询"])
def test_names_that_google_refuses(relay: Gateway, google: Vendor, name: str) -> None:
    body = {
        "model": "via-gemini-3",
        "messages": [{"role": "user", "content": "Hi"}],
        "tools": [usual("plain"), usual(name)],
        "tool_choice": {"type": "function", "function": {"name": name}},
    }
    status, headers, answer = relay.post("/v1/chat/completions", body)
    assert status == 200, answer
    assert "x-dragoman-losses" not in headers
    sent = google.last.json
    declared = [function["name"] for function in sent["tools"][0]["functionDeclarations"]]
    assert declared[0] == "plain"
    assert len(declared[1]) <= 64
    assert declared[1].isascii()
    assert sent["toolConfig"]["functionCallingConfig"]["allowedFunctionNames"] == [declared[1]]
    calls = json.loads(answer)["choices"][0]["message"]["tool_calls"]
    assert [call["function"]["name"] for call in calls] == ["plain", name]

    streamed = relay.post("/v1/chat/completions", {**body, "stream": True})[2].decode()
    events = [json.loads(line[6:]) for line in streamed.splitlines() if line.startswith("data: {")]
    told = [
        call["function"]["name"]
        for event in events
        for choice in event["choices"]
        for call in choice["delta"].get("tool_calls", ())
        if "name" in call["function"]
    ]
    assert told == ["plain", name]


def test_names_of_geminis_at_openai(relay: Gateway, openai_vendor: Vendor) -> None:
    called = {"id": "c", "type": "function", "function": {"name": "files_read_v2", "arguments": "{}"}}
    choice = {"index": 0, "message": {"role": "assistant", "content": None, "tool_calls": [called]}}
    openai_vendor.will(reply({"id": "x", "model": "gpt-4o", "choices": [{**choice, "finish_reason": "tool_calls"}]}))
    body = {
        "contents": [
            {"role": "user", "parts": [{"text": "Hi"}]},
            {"role": "model", "parts": [{"functionCall": {"name": DOTTED, "args": {}}}]},
            {"role": "user", "parts": [{"functionResponse": {"name": DOTTED, "response": {"output": "x"}}}]},
        ],
        "tools": [{"functionDeclarations": [{"name": DOTTED, "description": "d"}]}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": [DOTTED]}},
    }
    status, _, answer = relay.post("/v1beta/models/via-openai:generateContent", body)
    assert status == 200, answer
    sent = openai_vendor.last.json
    assert [tool["function"]["name"] for tool in sent["tools"]] == ["files_read_v2"]
    assert sent["tool_choice"]["function"]["name"] == "files_read_v2"
    assert sent["messages"][1]["tool_calls"][0]["function"]["name"] == "files_read_v2"
    assert sent["messages"][2]["tool_call_id"] == sent["messages"][1]["tool_calls"][0]["id"]
    (part,) = json.loads(answer)["candidates"][0]["content"]["parts"]
    assert part["functionCall"]["name"] == DOTTED


def test_counting_knows_the_names_too(relay: Gateway, google: Vendor) -> None:
    tools = [{"name": LONG, "input_schema": {"type": "object", "properties": {}}}]
    body = {"model": "via-gemini", "messages": [{"role": "user", "content": "Hi"}], "tools": tools}
    status, _, answer = relay.post("/v1/messages/count_tokens", body)
    assert (status, json.loads(answer)) == (200, {"input_tokens": 31})
    (tool,) = google.last.json["generateContentRequest"]["tools"]
    assert len(tool["functionDeclarations"][0]["name"]) == 64


def test_a_vendors_odd_ids_become_legal_and_stay_the_same(relay: Gateway, openai_vendor: Vendor) -> None:
    """Kimi's ids hold dots and colons, and are counted anew in each answer."""
    ids = []
    contents: list[Any] = [{"role": "user", "parts": [{"text": "Hi"}]}]
    for number in range(2):
        delta = {"index": 0, "id": "functions.f:0", "function": {"name": "f", "arguments": "{}"}}
        chunks = [{"delta": {"tool_calls": [delta]}}, {"delta": {}, "finish_reason": "tool_calls"}]
        openai_vendor.will(
            stream(*openai_events(*({"id": "x", "choices": [{"index": 0, **chunk}]} for chunk in chunks)))
        )
        body = {"contents": contents, "tools": [{"functionDeclarations": [{"name": "f", "description": "d"}]}]}
        status, _, answer = relay.post("/v1beta/models/via-openai:streamGenerateContent?alt=sse", body)
        assert status == 200, answer
        events = [json.loads(line[6:]) for line in answer.decode().splitlines() if line.startswith("data: ")]
        (call,) = [
            part["functionCall"]
            for event in events
            for part in event["candidates"][0].get("content", {}).get("parts", ())
            if "functionCall" in part
        ]
        ids.append(call["id"])
        contents.append({"role": "model", "parts": [{"functionCall": call}]})
        response = {"id": call["id"], "name": "f", "response": {"output": str(number)}}
        contents.append({"role": "user", "parts": [{"functionResponse": response}]})
    assert len(set(ids)) == 2
    relay.post("/v1beta/models/via-openai:generateContent", {"contents": contents})
    messages = openai_vendor.last.json["messages"]
    assert [message["tool_calls"][0]["id"] for message in messages[1::2]] == ids
    assert [(message["tool_call_id"], message["content"]) for message in messages[2::2]] == list(
        zip(ids, ["0", "1"], strict=True)
    )
