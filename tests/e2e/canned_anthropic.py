"""A vendor that answers as Anthropic's models would, and refuses what Anthropic would refuse."""

from __future__ import annotations

import re
from typing import Any

from e2e.canned import HELLO, PIECES, THOUGHT, sample
from e2e.vendor import Exchange, dumps, reply, stream

SIGNATURE = "EqQBCkYIBxgCKkDxSignatureOfTheThought"
REDACTED = "EqkECkYIBxgCKkA8AZ4noDfVRedacted"
_TOP = """
model messages max_tokens system stop_sequences stream temperature top_p top_k tools tool_choice thinking output_config
metadata service_tier cache_control container context_management mcp_servers speed
"""
_BLOCKS = {"text", "image", "document", "tool_use", "tool_result", "thinking", "redacted_thinking", "server_tool_use"}
_IMAGES = ("image/jpeg", "image/png", "image/gif", "image/webp")
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")


def _content_fault(at: int, message: dict[str, Any], thinks: bool) -> str | None:
    content = message.get("content")
    if isinstance(content, str):
        return None if content.strip() else f"messages.{at}: text content blocks must be non-empty"
    if not content:
        return f"messages.{at}: all messages must have non-empty content"
    for n, block in enumerate(content):
        where = f"messages.{at}.content.{n}"
        if block.get("type") not in _BLOCKS and not block["type"].endswith("_tool_result"):
            return (
                f"{where}: Input tag '{block.get('type')}' found using 'type' does not match any of the expected tags"
            )
        if block["type"] == "text" and not block["text"].strip():
            return "messages: text content blocks must contain non-whitespace text"
        if block["type"] == "thinking" and block.get("signature") != SIGNATURE:
            return f"{where}: Invalid `signature` in `thinking` block"
        if block["type"] == "redacted_thinking" and block.get("data") != REDACTED:
            return f"{where}: Invalid `data` in `redacted_thinking` block"
        if block["type"] == "tool_use" and not isinstance(block.get("input"), dict):
            return f"{where}.input: Input should be a valid dictionary"
        if block["type"] == "image" and block["source"].get("media_type", "image/png") not in _IMAGES:
            return f"{where}.source.base64.media_type: Input should be 'image/jpeg', 'image/png', …"
    calls = [block for block in content if block["type"] == "tool_use"]
    if thinks and calls and message["role"] == "assistant" and "thinking" not in content[0]["type"]:
        return f"messages.{at}.content.0.type: Expected `thinking` or `redacted_thinking`, but found `tool_use`."
    return None


def _fault(body: dict[str, Any]) -> str | None:
    for key in body:
        if key not in _TOP.split():
            return f"{key}: Extra inputs are not permitted"
    for key in ("max_tokens", "messages"):
        if key not in body:
            return f"{key}: Field required"
    thinking = body.get("thinking") or {}
    if thinking.get("type") == "enabled" and not 1024 <= thinking["budget_tokens"] < body["max_tokens"]:
        return "`max_tokens` must be greater than `thinking.budget_tokens`."
    if thinking.get("type") == "enabled" and body.get("tool_choice", {}).get("type") in ("any", "tool"):
        return "Thinking may not be enabled when tool_choice forces tool use."
    if not 0 <= body.get("temperature", 1) <= 1:
        return "temperature: range: 0..1"
    for at, tool in enumerate(body.get("tools", ())):
        if tool.get("type", "custom") == "custom":
            if (tool.get("input_schema") or {}).get("type") != "object":
                return f"tools.{at}.custom.input_schema.type: Field required"
            if not _NAME.fullmatch(tool["name"]):
                return f"tools.{at}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'"
    wanted: set[str] = set()
    role = "assistant"
    for at, message in enumerate(body["messages"]):
        if message["role"] not in ("user", "assistant"):
            return f"messages.{at}.role: Input should be 'user' or 'assistant'"
        if at == 0 and message["role"] != "user":
            return 'messages: first message must use the "user" role'
        if at and message["role"] == role:
            return f"messages.{at}: roles must alternate"  # Anthropic merges them; we are to
        role = message["role"]
        thinks = thinking.get("type") in ("enabled", "adaptive") and at >= len(body["messages"]) - 2
        if (fault := _content_fault(at, message, thinks)) is not None:
            return fault
        blocks = message["content"] if isinstance(message["content"], list) else []
        results = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
        if any(block["type"] != "tool_result" for block in blocks[: len(results)]) or wanted - set(results):
            return f"messages.{at - 1}: `tool_use` ids were found without `tool_result` blocks immediately after"
        if set(results) - wanted:
            return f"messages.{at}.content.0: unexpected `tool_use_id` found in `tool_result` blocks"
        wanted = {block["id"] for block in blocks if block["type"] == "tool_use"}
    if wanted:
        return "messages: `tool_use` ids were found without `tool_result` blocks immediately after"
    return None


def _content(body: dict[str, Any]) -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = []
    if (body.get("thinking") or {}).get("type") in ("enabled", "adaptive"):
        content.append({"type": "thinking", "thinking": THOUGHT, "signature": SIGNATURE})
    last = body["messages"][-1]["content"]
    answered = isinstance(last, list) and any(block["type"] == "tool_result" for block in last)
    schema = ((body.get("output_config") or {}).get("format") or {}).get("schema")
    choice = body.get("tool_choice") or {}
    functions = [tool for tool in body.get("tools", ()) if "input_schema" in tool]
    if choice.get("type") == "tool":
        functions = [tool for tool in functions if tool["name"] == choice["name"]]
        answered = False
    if functions and not answered and choice.get("type") != "none":
        content += [
            {"type": "tool_use", "id": f"toolu_0{n}", "name": tool["name"], "input": sample(tool["input_schema"])}
            for n, tool in enumerate(functions)
        ]
    else:
        content.append({"type": "text", "text": dumps(sample(schema)) if schema else HELLO})
    return content


def anthropic(exchange: Exchange) -> None:
    """Anthropic's side."""
    seen = exchange.seen
    if seen.method == "GET":
        cards = [
            {"type": "model", "id": name, "display_name": name.title(), "created_at": "2026-01-01T00:00:00Z"}
            for name in ("claude-sonnet-4-5", "claude-opus-4-7")
        ]
        reply({"data": cards, "has_more": False, "first_id": cards[0]["id"], "last_id": cards[-1]["id"]})(exchange)
        return
    if not seen.header("anthropic-version") or not seen.header("x-api-key"):
        _refuse(exchange, "anthropic-version: header is required")
        return
    body = seen.json
    if seen.path.endswith("/count_tokens"):
        reply({"input_tokens": 31})(exchange)
        return
    if "thread" in body:
        _refuse(
            exchange, "thread: this organization keeps nothing", details={"error_code": "thread_unsupported_request"}
        )
        return
    fault = _fault(body)
    if fault is not None:
        _refuse(exchange, fault)
        return
    content = _content(body)
    usage: dict[str, Any] = {
        "input_tokens": 12,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": 7,
        "service_tier": "standard",
    }
    called = any(block["type"] == "tool_use" for block in content)
    told = {"stop_reason": "tool_use" if called else "end_turn", "stop_sequence": None}
    message = {"id": "msg_canned", "type": "message", "role": "assistant", "model": body["model"]}
    if not body.get("stream"):
        reply({**message, "content": content, **told, "usage": usage})(exchange)
        return
    events: list[dict[str, Any]] = [
        {
            "type": "message_start",
            "message": {**message, "content": [], "stop_reason": None, "stop_sequence": None, "usage": usage},
        },
        {"type": "ping"},
    ]
    for index, block in enumerate(content):
        events += _block(index, block)
    events.append({"type": "message_delta", "delta": told, "usage": {"output_tokens": 7}})
    events.append({"type": "message_stop"})
    stream(*anthropic_events(*events))(exchange)


def _block(index: int, block: dict[str, Any]) -> list[dict[str, Any]]:
    deltas: list[dict[str, Any]]
    match block["type"]:
        case "text":
            began = {"type": "text", "text": ""}
            pieces = PIECES if block["text"] == HELLO else [block["text"]]
            deltas = [{"type": "text_delta", "text": piece} for piece in pieces]
        case "thinking":
            began = {"type": "thinking", "thinking": "", "signature": ""}
            deltas = [
                {"type": "thinking_delta", "thinking": THOUGHT},
                {"type": "signature_delta", "signature": SIGNATURE},
            ]
        case _:
            began = {**block, "input": {}}
            given = dumps(block["input"]) if block["input"] else ""
            deltas = [
                {"type": "input_json_delta", "partial_json": piece}
                for piece in ("", *(given[at : at + 7] for at in range(0, len(given), 7)))
            ]
    return [
        {"type": "content_block_start", "index": index, "content_block": began},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def anthropic_events(*events: dict[str, Any]) -> tuple[bytes, ...]:
    """Server-sent events as Anthropic writes them: a name and a line of data."""
    return tuple(f"event: {event['type']}\ndata: {dumps(event)}\n\n".encode() for event in events)


def _refuse(exchange: Exchange, why: str, **more: Any) -> None:
    error = {
        "type": "error",
        "error": {"type": "invalid_request_error", "message": why, **more},
        "request_id": "req_canned",
    }
    reply(error, 400, [("request-id", "req_canned")])(exchange)
