"""Two vendors that answer as Google's and OpenAI's models would: to tools with a call, to a schema with JSON, to a wish
for thoughts with thoughts, else with `HELLO`. Each refuses what the true one would refuse."""

from __future__ import annotations

from typing import Any

from e2e.vendor import Exchange, dumps, gemini_events, openai_events, reply, stream

HELLO = "Grüß dich, 世界! 👋"
THOUGHT = "Let me think: 谁在那里?"
PIECES = ["Grüß", " dich, 世", "界! ", "👋"]
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def sample(schema: Any, name: str = "") -> Any:
    """A value that fits a JSON Schema (or Google's own form of one), the same each time."""
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if isinstance(kind, list):
        kind = kind[0]
    if "enum" in schema:
        return schema["enum"][0]
    match kind.lower():
        case "object":
            return {key: sample(value, key) for key, value in schema.get("properties", {}).items()}
        case "array":
            return [sample(schema.get("items", {}))]
        case "integer":
            return 18
        case "number":
            return 18.5
        case "boolean":
            return True
        case "null":
            return None
        case _:
            return f"{name} 上海".strip()


# --- Google's

_GEMINI_TOP = {
    "contents",
    "systemInstruction",
    "tools",
    "toolConfig",
    "safetySettings",
    "generationConfig",
    "cachedContent",
    "serviceTier",
    "store",
    "labels",
}
_GEMINI_TOOLS = {"functionDeclarations", "googleSearch", "codeExecution", "urlContext", "googleMaps", "fileSearch"}
_GEMINI_PARTS = {
    "text",
    "inlineData",
    "fileData",
    "functionCall",
    "functionResponse",
    "executableCode",
    "codeExecutionResult",
    "toolCall",
    "toolResponse",
}
_GEMINI_BESIDE = {"thought", "thoughtSignature", "videoMetadata", "mediaResolution", "partMetadata"}


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word[:1].upper() + word[1:] for word in rest)


def _member(value: dict[str, Any], name: str, fallback: Any = None) -> Any:
    """A field in either of the two spellings that Google takes."""
    return next((found for key, found in value.items() if _camel(key) == name), fallback)


def _gemini_fault(body: dict[str, Any]) -> str | None:
    for key in body:
        if _camel(key) not in _GEMINI_TOP | {"model"}:
            return f'Invalid JSON payload received. Unknown name "{key}": Cannot find field.'
    for at, tool in enumerate(body.get("tools", ())):
        for key in tool:
            if _camel(key) not in _GEMINI_TOOLS:
                return f"Invalid JSON payload received. Unknown name \"{key}\" at 'tools[{at}]': Cannot find field."
    contents = body.get("contents") or []
    if not contents:
        return "* GenerateContentRequest.contents: contents is not specified"
    for at, content in enumerate(contents):
        if content.get("role", "user") not in ("user", "model", "function"):
            return "Please use a valid role: user, model."
        for n, part in enumerate(content.get("parts", ())):
            members = [key for key in part if _camel(key) in _GEMINI_PARTS]
            if len(members) != 1:
                return f"* contents[{at}].parts[{n}].data: required oneof field 'data' must have one initialized field"
            unknown = [key for key in part if _camel(key) not in _GEMINI_PARTS | _GEMINI_BESIDE]
            if unknown:
                return f"Invalid JSON payload received. Unknown name \"{unknown[0]}\" at 'contents[{at}].parts[{n}]'"
    config = _member(body, "generationConfig", {})
    size = (_member(config, "imageConfig") or {}).get("imageSize")
    if size is not None and size not in ("1K", "2K", "4K"):
        return f"Invalid value at 'generation_config.image_config.image_size': {size}"
    return None


def _gemini_parts(body: dict[str, Any]) -> list[dict[str, Any]]:
    config = _member(body, "generationConfig", {})
    parts: list[dict[str, Any]] = []
    if (_member(config, "thinkingConfig") or {}).get("includeThoughts") or (
        _member(config, "thinkingConfig") or {}
    ).get("include_thoughts"):
        parts.append({"text": THOUGHT, "thought": True})
    answered = any(_member(part, "functionResponse") for turn in body["contents"] for part in turn.get("parts", ()))
    declared = [function for tool in body.get("tools", ()) for function in _member(tool, "functionDeclarations", ())]
    schema = _member(config, "responseJsonSchema") or _member(config, "responseSchema")
    if declared and not answered:
        for function in declared:
            wanted = _member(function, "parametersJsonSchema") or function.get("parameters") or {}
            parts.append({"functionCall": {"name": function["name"], "args": sample({"type": "object", **wanted})}})
    elif schema:
        parts.append({"text": dumps(sample(schema))})
    elif _member(config, "responseMimeType") == "application/json":
        parts.append({"text": dumps({"name": "李雷"})})
    elif "IMAGE" in (_member(config, "responseModalities") or ()):
        parts += [{"text": HELLO}, {"inlineData": {"mimeType": "image/png", "data": PNG}}]
    else:
        parts.append({"text": HELLO})
    return parts


def gemini(exchange: Exchange) -> None:
    """Google's side."""
    path = exchange.seen.path
    if exchange.seen.method == "GET":
        cards = [
            {
                "name": f"models/{name}",
                "displayName": name,
                "inputTokenLimit": 1048576,
                "outputTokenLimit": 65536,
                "supportedGenerationMethods": ["generateContent", "countTokens"],
            }
            for name in ("gemini-2.5-flash", "gemini-3-pro-preview")
        ]
        reply({"models": cards})(exchange)
        return
    model = path.rpartition("/")[2].partition(":")[0]
    method = path.rpartition(":")[2]
    body = exchange.seen.json
    if method == "countTokens":
        reply({"totalTokens": 31, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 31}]})(exchange)
        return
    fault = _gemini_fault(body)
    if fault is not None:
        reply({"error": {"code": 400, "message": fault, "status": "INVALID_ARGUMENT"}}, 400)(exchange)
        return
    parts = _gemini_parts(body)
    rest = {"modelVersion": model, "responseId": "resp-golden"}
    usage = {"promptTokenCount": 12, "candidatesTokenCount": 7, "totalTokenCount": 19}
    if parts[0].get("thought"):
        usage |= {"thoughtsTokenCount": 5, "totalTokenCount": 24}
    if method == "generateContent":
        candidate = {"content": {"role": "model", "parts": parts}, "finishReason": "STOP", "index": 0}
        reply({"candidates": [candidate], "usageMetadata": usage, **rest})(exchange)
        return
    chunks = []
    for part in parts:
        whole = [{"text": piece} for piece in PIECES] if part.get("text") == HELLO else [part]
        for piece in whole:
            candidate = {"content": {"role": "model", "parts": [piece]}, "index": 0}
            chunks.append({"candidates": [candidate], "usageMetadata": {"promptTokenCount": 12}, **rest})
    chunks[-1]["candidates"][0]["finishReason"] = "STOP"
    chunks[-1]["usageMetadata"] = usage
    if "alt=sse" in exchange.seen.query:
        stream(*gemini_events(*chunks))(exchange)
    else:
        reply(b"[" + b"\n,\r\n".join(dumps(chunk).encode() for chunk in chunks) + b"\n]")(exchange)


# --- OpenAI's

_OPENAI_TOP = """
model messages temperature top_p n stream stream_options stop max_completion_tokens max_tokens presence_penalty
frequency_penalty logit_bias logprobs top_logprobs seed tools tool_choice parallel_tool_calls functions function_call
response_format reasoning_effort verbosity modalities audio prediction web_search_options service_tier store metadata
user safety_identifier prompt_cache_key prompt_cache_retention
"""
_OPENAI_PARTS = {"text", "image_url", "input_audio", "file", "refusal"}


def _openai_fault(body: dict[str, Any]) -> tuple[str, str] | None:
    ark = {"thinking"} if body["model"].startswith("doubao-") else set()
    for key in body:
        if key not in {*_OPENAI_TOP.split(), *ark}:
            return f"Unrecognized request argument supplied: {key}", key
    open_calls: set[str] = set()
    for at, message in enumerate(body.get("messages", ())):
        role, content = message["role"], message.get("content")
        if role == "tool":
            if message["tool_call_id"] not in open_calls:
                return (
                    "Messages with role 'tool' must be a response to a preceding message with 'tool_calls'.",
                    "messages",
                )
            open_calls.discard(message["tool_call_id"])
            continue
        if open_calls:
            return (
                "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
                "'tool_call_id'."
            ), f"messages.[{at}].role"
        if role not in ("system", "developer", "user", "assistant"):
            return f"Invalid value: '{role}'.", f"messages[{at}].role"
        if isinstance(content, list):
            for part in content:
                if part.get("type") not in _OPENAI_PARTS or part["type"] not in part:
                    return f"Invalid value: '{part.get('type')}'.", f"messages[{at}].content"
        elif content is None and role != "assistant":
            return "Invalid value for 'content': expected a string, got null.", f"messages.[{at}].content"
        for call in message.get("tool_calls") or ():
            if not isinstance(call["function"]["arguments"], str):
                return "Invalid type for 'arguments': expected a string.", f"messages[{at}].tool_calls"
            open_calls.add(call["id"])
    form = body.get("response_format") or {}
    if form.get("type") == "json_schema" and not form.get("json_schema", {}).get("name"):
        return "Missing required parameter: 'response_format.json_schema.name'.", "response_format.json_schema.name"
    return None


def _openai_message(body: dict[str, Any]) -> dict[str, Any]:
    answered = any(message["role"] == "tool" for message in body["messages"])
    if body.get("tools") and not answered:
        calls = [
            {
                "id": f"call_{n}",
                "type": "function",
                "function": {
                    "name": tool["function"]["name"],
                    "arguments": dumps(sample({"type": "object", **(tool["function"].get("parameters") or {})})),
                },
            }
            for n, tool in enumerate(body["tools"])
        ]
        return {"role": "assistant", "content": None, "tool_calls": calls, "refusal": None}
    form = body.get("response_format") or {}
    match form.get("type"):
        case "json_schema":
            text = dumps(sample(form["json_schema"]["schema"]))
        case "json_object":
            text = dumps({"name": "李雷"})
        case _:
            text = HELLO
    message = {"role": "assistant", "content": text, "refusal": None}
    if body.get("reasoning_effort") not in (None, "none"):
        message["reasoning_content"] = THOUGHT  # as Ark and DeepSeek do
    return message


def openai(exchange: Exchange) -> None:
    """OpenAI's side."""
    if exchange.seen.method == "GET":
        cards = [
            {"id": name, "object": "model", "created": 1700000000, "owned_by": "openai"}
            for name in ("gpt-4o", "gpt-5.4")
        ]
        reply({"object": "list", "data": cards})(exchange)
        return
    body = exchange.seen.json
    fault = _openai_fault(body)
    if fault is not None:
        error = {"message": fault[0], "type": "invalid_request_error", "param": fault[1], "code": None}
        reply({"error": error}, 400)(exchange)
        return
    message = _openai_message(body)
    finish = "tool_calls" if message.get("tool_calls") else "stop"
    usage = {"prompt_tokens": 12, "completion_tokens": 7, "total_tokens": 19}
    head = {"id": "chatcmpl-canned", "created": 1782955817, "model": body["model"]}
    if not body.get("stream"):
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
        reply({**head, "object": "chat.completion", "choices": [choice], "usage": usage})(exchange)
        return
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": "" if message["content"] else None}]
    if message.get("reasoning_content"):
        deltas.append({"reasoning_content": message["reasoning_content"]})
    for n, call in enumerate(message.get("tool_calls") or ()):
        arguments = call["function"]["arguments"]
        opened = {"index": n, "id": call["id"], "type": "function", "function": {**call["function"], "arguments": ""}}
        deltas.append({"tool_calls": [opened]})
        deltas += [
            {"tool_calls": [{"index": n, "function": {"arguments": arguments[at : at + 7]}}]}
            for at in range(0, len(arguments), 7)
        ]
    if message["content"]:
        pieces = PIECES if message["content"] == HELLO else [message["content"]]
        deltas += [{"content": piece} for piece in pieces]
    chunks: list[dict[str, Any]] = [
        {**head, "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
        for delta in deltas
    ]
    chunks.append(
        {
            **head,
            "object": "chat.completion.chunk",
            "choices": [{"index": 0, "delta": {}, "finish_reason": finish}],
        }
    )
    if (body.get("stream_options") or {}).get("include_usage"):
        chunks = [{**chunk, "usage": None} for chunk in chunks]
        chunks.append({**head, "object": "chat.completion.chunk", "choices": [], "usage": usage})
    stream(*openai_events(*chunks))(exchange)
