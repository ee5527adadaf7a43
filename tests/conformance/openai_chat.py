"""OpenAI's Chat Completions, by hand: as a caller asks and hears it, as a vendor sees and says it."""

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
from e2e.vendor import Answer, Seen, dumps, openai_events, reply, stream

_FIELDS = {
    "max": "max_completion_tokens",
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "stop": "stop",
    "seed": "seed",
    "presence": "presence_penalty",
    "frequency": "frequency_penalty",
    "n": "n",
    "logprobs": "top_logprobs",
    "effort": "reasoning_effort",
    "budget": "extra_body.google.thinking_config.thinking_budget",
    "thoughts": "extra_body.google.thinking_config.include_thoughts",
    "safety": "extra_body.google.safety_settings",
    "cached": "extra_body.google.cached_content",
    "tier": "service_tier",
    "user": "user",
    "metadata": "metadata",
    "verbosity": "verbosity",
    "bias": "logit_bias",
    "cache_key": "prompt_cache_key",
    "parallel": "parallel_tool_calls",
    "drawn": "modalities",
    "unknown": "x_unknown",
}
_TIERS = {"standard": "default"}
_ENDS = {"stop": "stop", "length": "length", "calls": "tool_calls", "filter": "content_filter", "refused": "stop"}


class OpenAIChat:
    name = "openai-chat"
    turns = "messages"

    def ask(self, wish: Wish, model: str, stream: bool) -> Asked:
        messages: list[Any] = []
        body: dict[str, Any] = {"model": model, "messages": messages}
        places = {"turns": "messages"}
        if stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        for key, value in wish.items():
            match key:
                case "turns":
                    continue
                case "system":
                    messages.append({"role": "system", "content": value})
                    places[key] = "messages[0]"
                case "tools":
                    told = [{"type": "function", "function": _function(tool, wish)} for tool in value]
                    body.setdefault("tools", []).extend(told)
                    places[key] = "tools"
                case "held":
                    places[key] = "tools"
                case "search":
                    body["web_search_options"] = {}
                    places[key] = "web_search_options"
                case "code" | "fetch":
                    # A function with this name and nothing else is the vendor's own tool.
                    alias = {"code": "code_execution", "fetch": "url_context"}[key]
                    body["tools"] = [{"type": "function", "function": {"name": alias}}]
                    places[key] = "tools[0]"
                case "choice":
                    body["tool_choice"] = _choice(value)
                    places[key] = "tool_choice"
                case "json":
                    body["response_format"] = {"type": "json_object"}
                    places[key] = "response_format"
                case "schema":
                    form = {"name": "answer", "schema": value, "strict": True}
                    body["response_format"] = {"type": "json_schema", "json_schema": form}
                    places[key] = "response_format"
                case "speaker":
                    places[key] = "messages[0].name"
                case "cache_control":
                    places[key] = "messages[0].content[0].cache_control"
                case _ if key in _FIELDS:
                    value = ["text", "image"] if key == "drawn" else value
                    put(body, _FIELDS[key], _TIERS.get(value, value) if key == "tier" else value)
                    places[key] = _FIELDS[key]
                    if key == "logprobs":
                        body["logprobs"] = True
                        places[key] = "logprobs"
                case _:
                    raise NoWords(key)
        for role, parts in wish["turns"]:
            messages += _messages(role, parts, "cache_control" in wish)
        if "speaker" in wish:
            messages[0]["name"] = wish["speaker"]
        return Asked("/v1/chat/completions", body, places)

    def count(self, wish: Wish, model: str) -> Asked:
        raise NoWords("counting")

    def counted(self, answer: Any) -> int:
        raise NoWords("counting")

    def again(self, asked: Asked, answer: Any) -> list[Any]:
        return [*asked.body["messages"], answer["choices"][0]["message"]]

    # --- what a caller hears

    def hear(self, content: bytes, stream: bool) -> Any:
        if not stream:
            return json.loads(content)
        assert content.endswith(b"data: [DONE]\n\n")
        whole: dict[str, Any] = {"choices": []}
        for chunk in data_lines(content):
            assert "error" not in chunk, chunk
            whole["usage"] = chunk.get("usage") or whole.get("usage")
            for choice in chunk["choices"]:
                while len(whole["choices"]) <= choice["index"]:
                    whole["choices"].append({"message": {"content": None}, "finish_reason": None})
                held = whole["choices"][choice["index"]]
                assert held["finish_reason"] is None, "a choice ends once"
                held["finish_reason"] = choice["finish_reason"]
                _grow(held["message"], choice["delta"])
                tokens = (choice.get("logprobs") or {}).get("content") or []
                held.setdefault("logprobs", {"content": []})["content"] += tokens
        return whole

    def heard(self, answer: Any) -> Said:
        choice = answer["choices"][0]
        message = choice["message"]
        usage = answer["usage"]
        parts: list[tuple[Any, ...]] = []
        if message.get("reasoning_content"):
            parts.append(("thought", message["reasoning_content"]))
        if message.get("content"):
            parts.append(("text", message["content"]))
        if message.get("refusal"):
            parts.append(("refusal", message["refusal"]))
        parts += [("image", image["image_url"]["url"].partition(",")[2]) for image in message.get("images") or ()]
        for call in message.get("tool_calls") or ():
            function = call["function"]
            parts.append(("call", call["id"], function["name"], json.loads(function["arguments"])))
        reason = choice["finish_reason"]
        text = message.get("content") or ""
        cited = [note["url_citation"] for note in message.get("annotations") or ()]
        return {
            "parts": joined(parts),
            "finish": {end: kind for kind, end in _ENDS.items() if kind != "refused"}.get(reason, reason),
            "texts": [one["message"].get("content") for one in answer["choices"]],
            "usage": {
                "in": usage["prompt_tokens"],
                "out": usage["completion_tokens"],
                "cached": (usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0),
                "reasoning": (usage.get("completion_tokens_details") or {}).get("reasoning_tokens", 0),
            },
            "written": (usage.get("prompt_tokens_details") or {}).get("cache_write_tokens", 0),
            "logprobs": [
                (token["token"], token["logprob"]) for token in (choice.get("logprobs") or {}).get("content") or ()
            ],
            "citations": [(note["url"], text[note["start_index"] : note["end_index"]]) for note in cited],
        }

    def failure(self, content: bytes, stream: bool) -> tuple[str, str] | None:
        told = data_lines(content)[-1] if stream else json.loads(content)
        if "error" not in told:
            return None
        error = told["error"]
        assert {"message", "type", "param", "code"} <= set(error)
        return error["type"], f"{error['message']} {error['param']}"

    # --- what a vendor sees

    def see(self, seen: Seen) -> Wish:
        body = seen.json
        wish: Wish = {key: found for key, path in _FIELDS.items() if (found := find(body, path)) is not None}
        wish["tier"] = {"default": "standard"}.get(wish.get("tier", ""), wish.get("tier"))
        wish["drawn"] = "image" in wish.get("drawn", ())
        form = body.get("response_format") or {}
        wish["json"] = form.get("type") in ("json_object", "json_schema")
        wish["schema"] = find(form, "json_schema.schema")
        wish["search"] = "web_search_options" in body
        tools = [tool["function"] for tool in body.get("tools", ())]
        wish["held"] = bool(tools) and all(tool.get("strict") for tool in tools)
        wish["tools"] = [{key: tool[key] for key in ("name", "description", "parameters")} for tool in tools]
        choice = body.get("tool_choice", "auto")
        if isinstance(choice, str):
            wish["choice"] = {"required": "any"}.get(choice, choice)
        elif choice["type"] == "function":
            wish["choice"] = ("one", choice["function"]["name"])
        else:
            allowed = choice["allowed_tools"]
            names = [tool["function"]["name"] for tool in allowed["tools"]]
            wish["choice"] = ("must" if allowed["mode"] == "required" else "may", *names)
        wish["speaker"] = body["messages"][0].get("name")
        _see_messages(body["messages"], wish)
        return wish

    # --- what a vendor says

    def say(self, said: Said, model: str, stream: bool) -> Answer:
        if said.get("input_tokens") or said.get("signature"):
            raise NoWords("a count, or a signature")
        head = {"id": "chatcmpl-said", "created": 1782955817, "model": model}
        usage = _usage(said)
        texts = said.get("texts") or [None]
        choices = [
            _message(said if text is None else {**said, "parts": [("text", text)]}, index)
            for index, text in enumerate(texts)
        ]
        if not stream:
            return reply({**head, "object": "chat.completion", "choices": choices, "usage": usage})
        chunks: list[dict[str, Any]] = []
        for choice in choices:
            told = [(delta, logprobs, None) for delta, logprobs in _deltas(choice)]
            chunks += [
                {"index": choice["index"], "delta": delta, "logprobs": logprobs, "finish_reason": end}
                for delta, logprobs, end in [*told, ({}, None, choice["finish_reason"])]
            ]
        events = [{**head, "object": "chat.completion.chunk", "choices": [chunk], "usage": None} for chunk in chunks]
        events.append({**head, "object": "chat.completion.chunk", "choices": [], "usage": usage})
        return _stream(*events)

    def fail(self, status: int, words: str) -> Answer:
        kind = {400: "invalid_request_error", 429: "rate_limit_error"}.get(status, "server_error")
        return reply(
            {"error": {"message": words, "type": kind, "param": None, "code": None}},
            status,
            RETRY if status == 429 else (),
        )

    def break_off(self, words: str | None, model: str, heard: Event) -> Answer:
        choice = {"index": 0, "delta": {"role": "assistant", "content": "½"}, "finish_reason": None}
        half = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": model, "choices": [choice]}
        if words is None:
            return stream(*openai_events(half, done=False), heard, finish=False)
        error = {"message": words, "type": "server_error", "param": None, "code": "overloaded"}
        return stream(*openai_events(half, done=False), heard, *openai_events({"error": error}))


def _stream(*chunks: Any) -> Answer:
    return stream(*openai_events(*chunks))


def _function(tool: dict[str, Any], wish: Wish) -> dict[str, Any]:
    return {**tool, "strict": True} if wish.get("held") else dict(tool)


def _choice(value: Any) -> Any:
    if isinstance(value, str):
        return {"any": "required"}.get(value, value)
    kind, *names = value
    if kind == "one":
        return {"type": "function", "function": {"name": names[0]}}
    tools = [{"type": "function", "function": {"name": name}} for name in names]
    return {
        "type": "allowed_tools",
        "allowed_tools": {"mode": "required" if kind == "must" else "auto", "tools": tools},
    }


def _messages(role: str, parts: Any, cached: bool) -> list[Any]:
    if role == "system":
        return [{"role": "system", "content": parts[0][1]}]
    if role == "model":
        calls = [
            {"id": id, "type": "function", "function": {"name": name, "arguments": dumps(arguments)}}
            for kind, id, name, arguments in (part for part in parts if part[0] == "call")
        ]
        text = "".join(part[1] for part in parts if part[0] == "text")
        message: dict[str, Any] = {"role": "assistant", "content": text or None}
        return [{**message, "tool_calls": calls} if calls else message]
    out: list[Any] = []
    content = []
    for part in parts:
        match part[0]:
            case "result":
                words = part[3] if isinstance(part[3], str) else dumps(part[3])
                out.append({"role": "tool", "tool_call_id": part[1], "content": words})
            case "error" | "pictured":
                raise NoWords(part[0])
            case _:
                content.append(_write(part))
    if content:
        if cached:
            content[0]["cache_control"] = {"type": "ephemeral"}
        plain = len(content) == 1 and set(content[0]) == {"type", "text"}
        out.append({"role": "user", "content": content[0]["text"] if plain else content})
    return out


def _write(part: tuple[Any, ...]) -> dict[str, Any]:
    match part[0]:
        case "text":
            return {"type": "text", "text": part[1]}
        case "image":
            return {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{part[1]}"}}
        case "image-url":
            return {"type": "image_url", "image_url": {"url": part[1]}}
        case "pdf":
            data = f"data:application/pdf;base64,{part[1]}"
            return {"type": "file", "file": {"filename": "paper.pdf", "file_data": data}}
        case "audio":
            return {"type": "input_audio", "input_audio": {"data": part[1], "format": "wav"}}
        case "video":
            return {"type": "video_url", "video_url": {"url": f"data:video/mp4;base64,{part[1]}"}}
    raise NoWords(part[0])


def _see_messages(messages: Any, wish: Wish) -> None:
    calls = Calls()
    turns: list[tuple[str, list[Any]]] = []
    systems = []
    for message in messages:
        content = message.get("content")
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content or []
        match message["role"]:
            case "system" | "developer" if not turns:
                systems.append("\n\n".join(part["text"] for part in parts))
            case "system" | "developer":
                turns.append(("system", [_read(part) for part in parts]))
            case "assistant":
                told = [_read(part) for part in parts]
                for call in message.get("tool_calls") or ():
                    function = call["function"]
                    name = function["name"]
                    told.append(("call", *calls.called(call["id"], name), json.loads(function["arguments"])))
                turns.append(("model", told))
            case "tool":
                words = "".join(part["text"] for part in parts)
                if not turns or turns[-1][0] != "user":
                    turns.append(("user", []))
                turns[-1][1].append(("result", *calls.answered(message["tool_call_id"]), value_of(words)))
            case _:
                if not turns or turns[-1][0] != "user":
                    turns.append(("user", []))
                turns[-1][1].extend(_read(part) for part in parts)
    if systems:
        wish["system"] = "\n\n".join(systems)
    wish["turns"] = [(role, joined(parts)) for role, parts in turns]


def _read(part: dict[str, Any]) -> tuple[Any, ...]:
    match part["type"]:
        case "text":
            return ("text", part["text"])
        case "image_url":
            url = part["image_url"]["url"]
            return ("image", url.partition(",")[2]) if url.startswith("data:image/png") else ("image-url", url)
        case "file":
            return ("pdf", part["file"]["file_data"].removeprefix("data:application/pdf;base64,"))
        case "input_audio":
            return ("audio", part["input_audio"]["data"])
        case "video_url":
            return ("video", part["video_url"]["url"].partition(",")[2])
    raise AssertionError(part)


def _grow(message: dict[str, Any], delta: dict[str, Any]) -> None:
    for name in ("content", "reasoning_content", "refusal"):
        if delta.get(name):
            message[name] = (message.get(name) or "") + delta[name]
    for name in ("images", "annotations", "role", "extra_content"):
        if delta.get(name):
            message[name] = (
                (message.get(name) or []) + delta[name] if name in ("images", "annotations") else delta[name]
            )
    for call in delta.get("tool_calls") or ():
        held = message.setdefault("tool_calls", [])
        if call["index"] == len(held):
            held.append({**{k: v for k, v in call.items() if k != "index"}, "function": {**call["function"]}})
        else:
            held[call["index"]]["function"]["arguments"] += call["function"]["arguments"]
            held[call["index"]] |= {k: v for k, v in call.items() if k == "extra_content"}


def _usage(said: Said) -> dict[str, Any]:
    usage = said.get("usage") or {"in": 12, "out": 7, "cached": 0, "reasoning": 0}
    return {
        "prompt_tokens": usage["in"],
        "completion_tokens": usage["out"],
        "total_tokens": usage["in"] + usage["out"],
        "prompt_tokens_details": {
            "cached_tokens": usage["cached"],
            **({"cache_write_tokens": said["written"]} if "written" in said else {}),
        },
        "completion_tokens_details": {"reasoning_tokens": usage["reasoning"]},
    }


def _message(said: Said, index: int) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": None, "refusal": None}
    for part in said["parts"]:
        match part[0]:
            case "text":
                message["content"] = part[1]
            case "thought":
                message["reasoning_content"] = part[1]
            case "refusal":
                message["refusal"] = part[1]
            case "image":
                url = {"url": f"data:image/png;base64,{part[1]}"}
                message.setdefault("images", []).append({"type": "image_url", "image_url": url})
            case "ran" | "gave":
                raise NoWords(part[0])
            case "call":
                call = {"name": part[2], "arguments": dumps(part[3])}
                message.setdefault("tool_calls", []).append({"id": part[1], "type": "function", "function": call})
    if said.get("citations"):
        message["annotations"] = []
        for url, cited in said["citations"]:
            start = message["content"].index(cited)
            note = {"url": url, "title": "A page", "start_index": start, "end_index": start + len(cited)}
            message["annotations"].append({"type": "url_citation", "url_citation": note})
    tokens = [
        {"token": token, "logprob": value, "bytes": list(token.encode()), "top_logprobs": []}
        for token, value in said.get("logprobs") or ()
    ]
    logprobs = {"content": tokens, "refusal": None} if tokens else None
    return {"index": index, "message": message, "logprobs": logprobs, "finish_reason": _ENDS[said["finish"]]}


def _deltas(choice: dict[str, Any]) -> list[tuple[dict[str, Any], Any]]:
    message = choice["message"]
    told: list[tuple[dict[str, Any], Any]] = [({"role": "assistant", "content": ""}, None)]
    for name in ("reasoning_content", "content", "refusal"):
        told += [({name: piece}, None) for piece in halves(message.get(name) or "")]
    if choice["logprobs"]:
        told[-1] = (told[-1][0], choice["logprobs"])
    told += [({name: message[name]}, None) for name in ("images", "annotations") if name in message]
    for n, call in enumerate(message.get("tool_calls") or ()):
        opened = {**call, "index": n, "function": {"name": call["function"]["name"], "arguments": ""}}
        told.append(({"tool_calls": [opened]}, None))
        told += [
            ({"tool_calls": [{"index": n, "function": {"arguments": piece}}]}, None)
            for piece in halves(call["function"]["arguments"])
        ]
    return told
