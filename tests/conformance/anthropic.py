"""Anthropic's Messages, by hand: as a caller asks and hears it, as a vendor sees and says it."""

from __future__ import annotations

import json
from threading import Event
from typing import Any

from conformance.neutral import (
    RETRY,
    Asked,
    Calls,
    NoWords,
    Said,
    Wish,
    data_lines,
    find,
    halves,
    joined,
    put,
    value_of,
)
from e2e.canned_anthropic import anthropic_events
from e2e.vendor import Answer, Seen, dumps, reply, stream

_FIELDS = {
    "max": "max_tokens",
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "stop": "stop_sequences",
    "user": "metadata.user_id",
    "effort": "output_config.effort",
    "budget": "thinking.budget_tokens",
    "unknown": "x_unknown",
}
_BUILT_IN = {
    "search": {"type": "web_search_20250305", "name": "web_search"},
    "code": {"type": "code_execution_20250825", "name": "code_execution"},
    "fetch": {"type": "web_fetch_20250910", "name": "web_fetch"},
}
_ENDS = {"stop": "end_turn", "length": "max_tokens", "calls": "tool_use", "filter": "refusal", "refused": "refusal"}
_KINDS = {400: "invalid_request_error", 429: "rate_limit_error", 500: "api_error", 503: "overloaded_error"}
_HEADERS = {"anthropic-version": "2023-06-01"}


class Anthropic:
    name = "anthropic"
    turns = "messages"

    def ask(self, wish: Wish, model: str, stream: bool) -> Asked:
        messages = [_message(role, parts) for role, parts in wish["turns"]]
        body: dict[str, Any] = {"model": model, "max_tokens": 2000, "messages": messages}
        places = {"turns": "messages"}
        if stream:
            body["stream"] = True
        for key, value in wish.items():
            match key:
                case "turns":
                    continue
                case "system":
                    body["system"] = [{"type": "text", "text": value}]
                    places[key] = "system"
                case "tools":
                    told = [_tool(tool, wish) for tool in value]
                    body.setdefault("tools", []).extend(told)
                    places[key] = "tools"
                case "held":
                    places[key] = "tools"
                case _ if key in _BUILT_IN:
                    body.setdefault("tools", []).append(_BUILT_IN[key])
                    places[key] = "tools"
                case "choice":
                    body["tool_choice"] = _choice(value)
                    places[key] = "tool_choice"
                case "parallel":
                    put(body, "tool_choice", {"type": "auto", "disable_parallel_tool_use": True})
                    places[key] = "tool_choice.disable_parallel_tool_use"
                case "schema":
                    put(body, "output_config.format", {"type": "json_schema", "schema": value})
                    places[key] = "output_config.format"
                case "thoughts":
                    body["thinking"] = {"type": "adaptive", "display": "summarized"}
                    places[key] = "thinking"
                case "tier" if value == "standard":
                    body["service_tier"] = "standard_only"
                    places[key] = "service_tier"
                case "cache_control":
                    messages[0]["content"][0]["cache_control"] = {"type": "ephemeral"}
                    places[key] = "messages.0.content.0.cache_control"
                case _ if key in _FIELDS:
                    put(body, _FIELDS[key], value)
                    if key == "effort":
                        body.setdefault("thinking", {"type": "adaptive"})
                    if key == "budget":
                        body["thinking"]["type"] = "enabled"
                        body["max_tokens"] = 5000
                    places[key] = _FIELDS[key]
                case _:
                    raise NoWords(key)
        return Asked("/v1/messages", body, places, _HEADERS)

    def count(self, wish: Wish, model: str) -> Asked:
        body = self.ask(wish, model, False).body
        del body["max_tokens"]
        return Asked("/v1/messages/count_tokens", body, {}, _HEADERS)

    def counted(self, answer: Any) -> int:
        count: int = answer["input_tokens"]
        return count

    def again(self, asked: Asked, answer: Any) -> list[Any]:
        return [*asked.body["messages"], {"role": "assistant", "content": answer["content"]}]

    # --- what a caller hears

    def hear(self, content: bytes, stream: bool) -> Any:
        if not stream:
            return json.loads(content)
        events = data_lines(content)
        assert events[-1]["type"] == "message_stop", events[-1]
        whole = events[0]["message"]
        blocks = whole["content"]
        opened: int | None = None
        for event in events[1:]:
            match event["type"]:
                case "content_block_start":
                    assert opened is None and event["index"] == len(blocks), "one block at a time"
                    opened = event["index"]
                    blocks.append({**event["content_block"], "_json": ""})
                case "content_block_delta":
                    assert event["index"] == opened
                    _grow(blocks[event["index"]], event["delta"])
                case "content_block_stop":
                    block = blocks[event["index"]]
                    given = block.pop("_json")
                    if "input" in block:
                        block["input"] = json.loads(given or "{}")
                    opened = None
                case "message_delta":
                    whole |= event["delta"]
                    whole["usage"] |= event["usage"]
        assert opened is None
        return whole

    def heard(self, answer: Any) -> Said:
        parts: list[tuple[Any, ...]] = []
        citations: list[Any] = []
        queries: list[str] = []
        for block in answer["content"]:
            match block["type"]:
                case "text":
                    parts.append(("text", block["text"]))
                    citations += [(one["url"], block["text"]) for one in block.get("citations") or ()]
                case "thinking":
                    parts.append(("thought", block["thinking"]))
                case "redacted_thinking":
                    parts.append(("thought", ""))
                case "tool_use":
                    parts.append(("call", block["id"], block["name"], block["input"]))
                case "server_tool_use" if block["name"] == "code_execution":
                    parts.append(("ran", block["input"]["code"]))
                case "code_execution_tool_result":
                    parts.append(("gave", block["content"]["stdout"]))
                case "server_tool_use":
                    queries.append(block["input"]["query"])
        usage = answer["usage"]
        cached = usage.get("cache_read_input_tokens") or 0
        return {
            "parts": joined(parts),
            "finish": {"end_turn": "stop", "max_tokens": "length", "tool_use": "calls", "refusal": "filter"}[
                answer["stop_reason"]
            ],
            "usage": {
                "in": usage["input_tokens"] + cached + (usage.get("cache_creation_input_tokens") or 0),
                "out": usage["output_tokens"],
                "cached": cached,
                "reasoning": (usage.get("output_tokens_details") or {}).get("thinking_tokens", 0),
            },
            "written": usage.get("cache_creation_input_tokens") or 0,
            "citations": citations,
            "queries": queries,
            "explained": (answer.get("stop_details") or {}).get("explanation"),
        }

    def failure(self, content: bytes, stream: bool) -> tuple[str, str] | None:
        told = data_lines(content)[-1] if stream else json.loads(content)
        if told["type"] != "error":
            return None
        return told["error"]["type"], told["error"]["message"]

    # --- what a vendor sees

    def see(self, seen: Seen) -> Wish:
        body = seen.json
        wish: Wish = {key: found for key, path in _FIELDS.items() if (found := find(body, path)) is not None}
        thinking = body.get("thinking") or {}
        wish["thoughts"] = thinking.get("display") == "summarized" or thinking.get("type") == "enabled"
        wish["tier"] = {"standard_only": "standard"}.get(body.get("service_tier", ""), body.get("service_tier"))
        system = body.get("system", [])
        if system:
            wish["system"] = system if isinstance(system, str) else "\n\n".join(part["text"] for part in system)
        wish["schema"] = find(body, "output_config.format.schema")
        wish["json"] = wish["schema"] is not None
        tools = body.get("tools", [])
        for key, tool in _BUILT_IN.items():
            wish[key] = any(one["name"] == tool["name"] and "type" in one for one in tools)
        functions = [tool for tool in tools if "input_schema" in tool]
        wish["held"] = bool(functions) and all(tool.get("strict") for tool in functions)
        wish["tools"] = [
            {"name": tool["name"], "description": tool["description"], "parameters": tool["input_schema"]}
            for tool in functions
        ]
        choice = body.get("tool_choice") or {"type": "auto"}
        wish["choice"] = ("one", choice["name"]) if choice["type"] == "tool" else choice["type"]
        wish["parallel"] = not choice.get("disable_parallel_tool_use", False)
        _see_messages(body["messages"], wish)
        return wish

    # --- what a vendor says

    def say(self, said: Said, model: str, stream: bool) -> Answer:
        if said.get("input_tokens"):
            return reply({"input_tokens": said["input_tokens"]})
        if "texts" in said or said.get("logprobs"):
            raise NoWords("several answers, or probabilities")
        usage = said.get("usage") or {"in": 12, "out": 7, "cached": 0, "reasoning": 0}
        counts: dict[str, Any] = {
            "input_tokens": usage["in"] - usage["cached"] - said.get("written", 0),
            "cache_creation_input_tokens": said.get("written", 0),
            "cache_read_input_tokens": usage["cached"],
            "output_tokens": usage["out"],
        }
        if usage["reasoning"]:
            counts["output_tokens_details"] = {"thinking_tokens": usage["reasoning"]}
        blocks = _blocks(said)
        message: dict[str, Any] = {"id": "msg_said", "type": "message", "role": "assistant", "model": model}
        end: dict[str, Any] = {"stop_reason": _ENDS[said["finish"]], "stop_sequence": None}
        for part in said["parts"]:
            if part[0] == "refusal":
                end["stop_details"] = {"type": "refusal", "category": None, "explanation": part[1]}
        if not stream:
            return reply({**message, "content": blocks, **end, "usage": counts})
        start = {**message, "content": [], "stop_reason": None, "stop_sequence": None, "usage": counts}
        return _stream(
            {"type": "message_start", "message": start},
            *(event for at, block in enumerate(blocks) for event in _steps(at, block)),
            {"type": "message_delta", "delta": end, "usage": counts},
            {"type": "message_stop"},
        )

    def fail(self, status: int, words: str) -> Answer:
        error = {"type": "error", "error": {"type": _KINDS[status], "message": words}, "request_id": "req_said"}
        return reply(error, 529 if status == 503 else status, RETRY if status == 429 else ())

    def break_off(self, words: str | None, model: str, heard: Event) -> Answer:
        message: dict[str, Any] = {"id": "msg_said", "type": "message", "role": "assistant", "model": model}
        counts = {"input_tokens": 12, "output_tokens": 1}
        start = {**message, "content": [], "stop_reason": None, "stop_sequence": None, "usage": counts}
        begun = ({"type": "message_start", "message": start}, *_steps(0, {"type": "text", "text": "½"})[:-1])
        if words is None:
            return stream(*anthropic_events(*begun), heard, finish=False)
        error = {"type": "error", "error": {"type": "overloaded_error", "message": words}}
        return stream(*anthropic_events(*begun), heard, *anthropic_events(error))


def _stream(*events: Any) -> Answer:
    return stream(*anthropic_events(*events))


def _tool(tool: dict[str, Any], wish: Wish) -> dict[str, Any]:
    strict = {"strict": True} if wish.get("held") else {}
    return {"name": tool["name"], "description": tool["description"], "input_schema": tool["parameters"], **strict}


def _choice(value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        return {"type": value}
    kind, *names = value
    if kind != "one":
        raise NoWords("a choice among several")
    return {"type": "tool", "name": names[0]}


def _message(role: str, parts: Any) -> dict[str, Any]:
    roles = {"user": "user", "model": "assistant", "system": "system"}
    return {"role": roles[role], "content": [_write(part) for part in parts]}


def _write(part: tuple[Any, ...]) -> dict[str, Any]:
    match part[0]:
        case "text":
            return {"type": "text", "text": part[1]}
        case "image":
            return {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": part[1]}}
        case "image-url":
            return {"type": "image", "source": {"type": "url", "url": part[1]}}
        case "pdf":
            return {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": part[1]}}
        case "pdf-url":
            return {"type": "document", "source": {"type": "url", "url": part[1]}}
        case "call":
            return {"type": "tool_use", "id": part[1], "name": part[2], "input": part[3]}
        case "result":
            words = part[3] if isinstance(part[3], str) else dumps(part[3])
            return {"type": "tool_result", "tool_use_id": part[1], "content": words}
        case "error":
            return {"type": "tool_result", "tool_use_id": part[1], "content": part[3], "is_error": True}
        case "pictured":
            told = [_write(("text", part[3])), _write(("image", part[4]))]
            return {"type": "tool_result", "tool_use_id": part[1], "content": told}
    raise NoWords(part[0])


def _see_messages(messages: Any, wish: Wish) -> None:
    calls = Calls()
    wish["turns"], wish["signatures"] = [], []
    wish["cache_control"] = "cache_control" in str(messages)
    for message in messages:
        content = message["content"]
        parts: list[tuple[Any, ...]] = []
        for block in [{"type": "text", "text": content}] if isinstance(content, str) else content:
            match block["type"]:
                case "tool_use":
                    parts.append(("call", *calls.called(block["id"], block["name"]), block["input"]))
                case "tool_result":
                    parts.append(_result(calls.answered(block["tool_use_id"]), block))
                case "thinking":
                    wish["signatures"].append(block["signature"])
                case _:
                    parts.append(_read(block))
        role = {"assistant": "model"}.get(message["role"], message["role"])
        wish["turns"].append((role, joined(parts)))


def _result(call: tuple[str, str], block: dict[str, Any]) -> tuple[Any, ...]:
    content = block["content"]
    told = [{"type": "text", "text": content}] if isinstance(content, str) else content
    words = "".join(part["text"] for part in told if part["type"] == "text")
    pictures = [part["source"]["data"] for part in told if part["type"] == "image"]
    if block.get("is_error"):
        return ("error", *call, words)
    return ("pictured", *call, words, *pictures) if pictures else ("result", *call, value_of(words))


def _read(block: dict[str, Any]) -> tuple[Any, ...]:
    if block["type"] == "text":
        return ("text", block["text"])
    kind = {"image": "image", "document": "pdf"}[block["type"]]
    source = block["source"]
    return (kind, source["data"]) if source["type"] == "base64" else (f"{kind}-url", source["url"])


def _blocks(said: Said) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    signed = {"signature": said.get("signature") or "c2lnbmVk"}
    if said.get("signature") and not any(part[0] == "thought" for part in said["parts"]):
        blocks.append({"type": "thinking", "thinking": "", **signed})
    for at, query in enumerate(said.get("queries") or ()):
        id = f"srvtoolu_{at}"
        pages = [
            {"type": "web_search_result", "url": url, "title": "A page", "encrypted_content": "ZW5j", "page_age": None}
            for url, _ in said["citations"]
        ]
        blocks.append({"type": "server_tool_use", "id": id, "name": "web_search", "input": {"query": query}})
        blocks.append({"type": "web_search_tool_result", "tool_use_id": id, "content": pages})
    for part in said["parts"]:
        match part[0]:
            case "thought":
                blocks.append({"type": "thinking", "thinking": part[1], **signed})
            case "text":
                blocks += _texts(part[1], said.get("citations") or ())
            case "call":
                blocks.append(_write(part))
            case "ran":
                use = {"id": "srvtoolu_ran", "name": "code_execution", "input": {"code": part[1]}}
                blocks.append({"type": "server_tool_use", **use})
            case "gave":
                ran = {
                    "type": "code_execution_result",
                    "stdout": part[1],
                    "stderr": "",
                    "return_code": 0,
                    "content": [],
                }
                blocks.append({"type": "code_execution_tool_result", "tool_use_id": "srvtoolu_ran", "content": ran})
            case "image":
                raise NoWords("a picture")
    return blocks


def _texts(text: str, citations: Any) -> list[dict[str, Any]]:
    """A text in blocks: each cited stretch is one of its own."""
    blocks = []
    for url, cited in citations:
        before, _, text = text.partition(cited)
        location = {
            "type": "web_search_result_location",
            "url": url,
            "title": "A page",
            "cited_text": "quoted",
            "encrypted_index": "aW5k",
        }
        if before:
            blocks.append({"type": "text", "text": before})
        blocks.append({"type": "text", "text": cited, "citations": [location]})
    return [*blocks, {"type": "text", "text": text}] if text else blocks


def _steps(index: int, block: dict[str, Any]) -> list[dict[str, Any]]:
    deltas: list[dict[str, Any]] = []
    began = block
    match block["type"]:
        case "text":
            began = {"type": "text", "text": ""}
            deltas = [{"type": "text_delta", "text": piece} for piece in halves(block["text"])]
            deltas += [{"type": "citations_delta", "citation": one} for one in block.get("citations", ())]
        case "thinking":
            began = {"type": "thinking", "thinking": "", "signature": ""}
            deltas = [{"type": "thinking_delta", "thinking": piece} for piece in halves(block["thinking"])]
            deltas.append({"type": "signature_delta", "signature": block["signature"]})
        case "tool_use" | "server_tool_use":
            began = {**block, "input": {}}
            deltas = [
                {"type": "input_json_delta", "partial_json": piece} for piece in ("", *halves(dumps(block["input"])))
            ]
    return [
        {"type": "content_block_start", "index": index, "content_block": began},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def _grow(block: dict[str, Any], delta: dict[str, Any]) -> None:
    match delta["type"]:
        case "text_delta":
            block["text"] += delta["text"]
        case "thinking_delta":
            block["thinking"] += delta["thinking"]
        case "signature_delta":
            block["signature"] = delta["signature"]
        case "input_json_delta":
            block["_json"] += delta["partial_json"]
        case "citations_delta":
            block["citations"] = [*(block.get("citations") or ()), delta["citation"]]
