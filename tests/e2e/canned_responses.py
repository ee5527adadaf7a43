"""A vendor that answers as OpenAI's models would in Responses: to tools with calls, to a schema with JSON, to a wish for a
summary with one, else with `HELLO`. It refuses what the true one would refuse."""

from __future__ import annotations

from typing import Any

from e2e.canned import HELLO, PIECES, PNG, THOUGHT, sample
from e2e.vendor import Exchange, dumps, reply, stream

ENCRYPTED = "gAAAAABencrypted=="
USAGE = {
    "input_tokens": 12,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 7,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 19,
}
_TOP = """
model input instructions temperature top_p max_output_tokens stream stream_options tools tool_choice parallel_tool_calls
max_tool_calls text reasoning include store previous_response_id conversation background truncation metadata user
safety_identifier prompt_cache_key prompt_cache_retention service_tier prompt top_logprobs
"""
_INPUTS = {"input_text", "input_image", "input_file"}


def _fault(body: dict[str, Any]) -> tuple[str, str] | None:
    for key in body:
        if key not in _TOP.split():
            return f"Unknown parameter: '{key}'.", key
    open_calls: set[str] = set()
    items = body["input"] if isinstance(body["input"], list) else []
    for at, item in enumerate(items):
        place = f"input[{at}]"
        match item.get("type", "message"):
            case "message":
                for part in item["content"] if isinstance(item["content"], list) else ():
                    wanted = {"output_text", "refusal"} if item["role"] == "assistant" else _INPUTS
                    if part["type"] not in wanted:
                        return f"Invalid value: '{part['type']}'.", f"{place}.content"
            case "function_call":
                if not isinstance(item["arguments"], str):
                    return "Invalid type for 'arguments': expected a string.", place
                open_calls.add(item["call_id"])
            case "function_call_output":
                if item["call_id"] not in open_calls:
                    return f"No tool call found for function call output with call_id {item['call_id']}.", "input"
                open_calls.discard(item["call_id"])
            case "reasoning":
                following = items[at + 1 : at + 2]
                if not following or following[0].get("role") == "user" or following[0].get("type") == "reasoning":
                    said = f"Item '{item['id']}' of type 'reasoning' was provided without its required following item."
                    return said, "input"
                if item.get("encrypted_content") != ENCRYPTED or item["id"] != "rs_1":
                    return "The encrypted content could not be verified.", place
    if open_calls:
        return f"No tool output found for function call {open_calls.pop()}.", "input"
    for at, tool in enumerate(body.get("tools", ())):
        if tool["type"] == "function" and ("name" not in tool or "function" in tool):
            return f"Missing required parameter: 'tools[{at}].name'.", f"tools[{at}].name"
    return None


def _output(body: dict[str, Any]) -> list[dict[str, Any]]:
    items = body["input"] if isinstance(body["input"], list) else []
    answered = any(item.get("type") == "function_call_output" for item in items)
    output: list[dict[str, Any]] = []
    if (body.get("reasoning") or {}).get("summary"):
        output.append({"id": "rs_1", "type": "reasoning", "summary": [{"type": "summary_text", "text": THOUGHT}]})
        if "reasoning.encrypted_content" in body.get("include", ()):
            output[0]["encrypted_content"] = ENCRYPTED
    functions = [tool for tool in body.get("tools", ()) if tool["type"] == "function"]
    if functions and not answered:
        return output + [
            {
                "id": f"fc_{n}",
                "type": "function_call",
                "status": "completed",
                "call_id": f"call_{n}",
                "name": tool["name"],
                "arguments": dumps(sample({"type": "object", **(tool.get("parameters") or {})})),
            }
            for n, tool in enumerate(functions)
        ]
    if any(tool["type"] == "image_generation" for tool in body.get("tools", ())):
        output.append({"id": "ig_1", "type": "image_generation_call", "status": "completed", "result": PNG})
    form = (body.get("text") or {}).get("format") or {}
    match form.get("type"):
        case "json_schema":
            text = dumps(sample(form["schema"]))
        case "json_object":
            text = dumps({"name": "李雷"})
        case _:
            text = HELLO
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    message = {"id": "msg_1", "type": "message", "status": "completed", "role": "assistant", "content": [part]}
    return [*output, message]


def _steps(output: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The events between a response's beginning and its end."""
    told: list[dict[str, Any]] = []
    for at, item in enumerate(output):
        place: dict[str, Any] = {"item_id": item["id"], "output_index": at}
        begun = {**item, "status": "in_progress"}
        match item["type"]:
            case "reasoning":
                told.append({"type": "output_item.added", "output_index": at, "item": {**item, "summary": []}})
                part = item["summary"][0]
                text = part["text"]
                place["summary_index"] = 0
                told.append({"type": "reasoning_summary_part.added", **place, "part": {**part, "text": ""}})
                told += [
                    {"type": "reasoning_summary_text.delta", **place, "delta": piece} for piece in (text[:7], text[7:])
                ]
                told.append({"type": "reasoning_summary_text.done", **place, "text": text})
                told.append({"type": "reasoning_summary_part.done", **place, "part": part})
            case "function_call":
                told.append({"type": "output_item.added", "output_index": at, "item": {**begun, "arguments": ""}})
                words = item["arguments"]
                told += [
                    {"type": "function_call_arguments.delta", **place, "delta": words[n : n + 7]}
                    for n in range(0, len(words), 7)
                ]
            case "message":
                part = item["content"][0]
                told.append({"type": "output_item.added", "output_index": at, "item": {**begun, "content": []}})
                told.append({"type": "content_part.added", **place, "content_index": 0, "part": {**part, "text": ""}})
                pieces = PIECES if part["text"] == HELLO else [part["text"]]
                told += [
                    {"type": "output_text.delta", **place, "content_index": 0, "delta": piece, "logprobs": []}
                    for piece in pieces
                ]
                told.append({"type": "output_text.done", **place, "content_index": 0, "text": part["text"]})
                told.append({"type": "content_part.done", **place, "content_index": 0, "part": part})
            case _:
                told.append({"type": "output_item.added", "output_index": at, "item": begun})
        told.append({"type": "output_item.done", "output_index": at, "item": item})
    return [{**event, "type": f"response.{event['type']}"} for event in told]


def responses_events(*events: dict[str, Any]) -> tuple[bytes, ...]:
    """Server-sent events as OpenAI writes them in Responses."""
    return tuple(
        f"event: {event['type']}\ndata: {dumps({**event, 'sequence_number': number})}\n\n".encode()
        for number, event in enumerate(events)
    )


def response(body: dict[str, Any], output: list[dict[str, Any]], status: str = "completed") -> dict[str, Any]:
    return {
        "id": "resp_canned",
        "object": "response",
        "created_at": 1782955817,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "model": body["model"],
        "output": output,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": body.get("tools", []),
        "usage": None if status == "in_progress" else USAGE,
    }


def responses(exchange: Exchange) -> None:
    """OpenAI's side."""
    if exchange.seen.method == "DELETE":
        id = exchange.seen.path.rpartition("/")[2]
        reply({"id": id, "object": "response.deleted", "deleted": True})(exchange)
        return
    if exchange.seen.path.endswith(("/responses/resp_background", "/responses/resp_background/cancel")):
        status = "cancelled" if exchange.seen.method == "POST" else "completed"
        body = {"model": "m", "input": "Hi"}
        reply({**response(body, _output(body), status), "id": "resp_background"})(exchange)
        return
    if exchange.seen.method == "GET":
        reply({"object": "list", "data": []})(exchange)
        return
    body = exchange.seen.json
    if exchange.seen.path.endswith("/responses/input_tokens"):
        reply({"object": "response.input_tokens", "input_tokens": 31})(exchange)
        return
    fault = _fault(body)
    if fault is not None:
        error = {"message": fault[0], "type": "invalid_request_error", "param": fault[1], "code": None}
        reply({"error": error}, 400)(exchange)
        return
    if body.get("background"):
        reply({**response(body, [], "queued"), "id": "resp_background"})(exchange)
        return
    output = _output(body)
    if not body.get("stream"):
        reply(response(body, output))(exchange)
        return
    begun = response(body, [], "in_progress")
    stream(
        *responses_events(
            {"type": "response.created", "response": begun},
            {"type": "response.in_progress", "response": begun},
            *_steps(output),
            {"type": "response.completed", "response": response(body, output)},
        )
    )(exchange)
