"""OpenAI's Responses, by hand: as a caller asks and hears it, as a vendor sees and says it."""

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
from e2e.canned_responses import response, responses_events
from e2e.vendor import Answer, Seen, dumps, reply, stream

_FIELDS = {
    "system": "instructions",
    "max": "max_output_tokens",
    "temperature": "temperature",
    "top_p": "top_p",
    "logprobs": "top_logprobs",
    "effort": "reasoning.effort",
    "tier": "service_tier",
    "user": "user",
    "metadata": "metadata",
    "verbosity": "text.verbosity",
    "cache_key": "prompt_cache_key",
    "parallel": "parallel_tool_calls",
    "truncation": "truncation",
    "unknown": "x_unknown",
}
_BUILT_IN: dict[str, dict[str, Any]] = {
    "search": {"type": "web_search"},
    "code": {"type": "code_interpreter", "container": {"type": "auto"}},
    "drawn": {"type": "image_generation"},
}
_LOGPROBS = "message.output_text.logprobs"
_PROOF = "reasoning.encrypted_content"


class OpenAIResponses:
    name = "openai-responses"
    turns = "input"

    def ask(self, wish: Wish, model: str, stream: bool) -> Asked:
        items = [item for role, parts in wish["turns"] for item in _items(role, parts)]
        body: dict[str, Any] = {"model": model, "input": items, "store": False}
        places = {"turns": "input"}
        if stream:
            body["stream"] = True
        for key, value in wish.items():
            match key:
                case "turns":
                    continue
                case "tools":
                    strict = bool(wish.get("held"))
                    told = [{"type": "function", **tool, "strict": strict} for tool in value]
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
                case "json":
                    put(body, "text.format", {"type": "json_object"})
                    places[key] = "text.format"
                case "schema":
                    put(body, "text.format", {"type": "json_schema", "name": "answer", "schema": value, "strict": True})
                    places[key] = "text.format"
                case "thoughts":
                    put(body, "reasoning.summary", "auto")
                    body.setdefault("include", []).append(_PROOF)
                    places[key] = "reasoning.summary"
                case _ if key in _FIELDS:
                    put(body, _FIELDS[key], {"standard": "default"}.get(value, value) if key == "tier" else value)
                    places[key] = _FIELDS[key]
                    if key == "logprobs":
                        body.setdefault("include", []).append(_LOGPROBS)
                        places[key] = "include"
                case _:
                    raise NoWords(key)
        return Asked("/v1/responses", body, places)

    def count(self, wish: Wish, model: str) -> Asked:
        body = self.ask(wish, model, False).body
        return Asked("/v1/responses/input_tokens", {"model": body["model"], "input": body["input"]})

    def counted(self, answer: Any) -> int:
        count: int = answer["input_tokens"]
        return count

    def again(self, asked: Asked, answer: Any) -> list[Any]:
        return [*asked.body["input"], *answer["output"]]

    # --- what a caller hears

    def hear(self, content: bytes, stream: bool) -> Any:
        if not stream:
            return json.loads(content)
        events = data_lines(content)
        assert [event["sequence_number"] for event in events] == list(range(len(events)))
        ends = [event for event in events if event["type"] in ("response.completed", "response.incomplete")]
        assert ends == events[-1:], "a response ends once, with its last event"
        whole = ends[0]["response"]
        _check_deltas(events, whole["output"])
        return whole

    def heard(self, answer: Any) -> Said:
        parts: list[tuple[Any, ...]] = []
        citations: list[Any] = []
        logprobs: list[Any] = []
        queries: list[str] = []
        for item in answer["output"]:
            match item["type"]:
                case "reasoning":
                    texts = [*item["summary"], *(item.get("content") or ())]
                    parts.append(("thought", "".join(part["text"] for part in texts)))
                case "message":
                    for part in item["content"]:
                        if part["type"] == "refusal":
                            parts.append(("refusal", part["refusal"]))
                            continue
                        text = part["text"]
                        parts.append(("text", text))
                        citations += [
                            (note["url"], text[note["start_index"] : note["end_index"]]) for note in part["annotations"]
                        ]
                        logprobs += [(token["token"], token["logprob"]) for token in part.get("logprobs") or ()]
                case "function_call":
                    parts.append(("call", item["call_id"], item["name"], json.loads(item["arguments"])))
                case "image_generation_call":
                    parts.append(("image", item["result"]))
                case "web_search_call":
                    queries.append(item["action"]["query"])
                case "code_interpreter_call":
                    parts.append(("ran", item["code"]))
                    parts += [("gave", log["logs"]) for log in item["outputs"] or ()]
                case kind:
                    raise AssertionError(kind)
        reason = (answer.get("incomplete_details") or {}).get("reason")
        ends = {None: "stop", "max_output_tokens": "length", "content_filter": "filter"}
        called = any(part[0] == "call" for part in parts)
        usage = answer["usage"]
        return {
            "parts": joined(parts),
            "finish": "calls" if called and reason is None else ends[reason],
            "usage": {
                "in": usage["input_tokens"],
                "out": usage["output_tokens"],
                "cached": usage["input_tokens_details"]["cached_tokens"],
                "reasoning": usage["output_tokens_details"]["reasoning_tokens"],
            },
            "written": usage["input_tokens_details"].get("cache_write_tokens", 0),
            "citations": citations,
            "logprobs": logprobs,
            "queries": queries,
        }

    def failure(self, content: bytes, stream: bool) -> tuple[str, str] | None:
        if stream:
            last = data_lines(content)[-1]
            if last["type"] != "response.failed":
                return None
            error = last["response"]["error"]
            return error["code"], error["message"]
        told = json.loads(content)
        if not told.get("error"):
            return None
        error = told["error"]
        assert {"message", "type", "param", "code"} <= set(error)
        return error["type"], f"{error['message']} {error['param']}"

    # --- what a vendor sees

    def see(self, seen: Seen) -> Wish:
        body = seen.json
        wish: Wish = {key: found for key, path in _FIELDS.items() if (found := find(body, path)) is not None}
        wish["tier"] = {"default": "standard"}.get(wish.get("tier", ""), wish.get("tier"))
        if "logprobs" in wish:
            assert _LOGPROBS in body["include"]
        wish["thoughts"] = find(body, "reasoning.summary") is not None
        form = find(body, "text.format") or {}
        wish["json"] = form.get("type") in ("json_object", "json_schema")
        wish["schema"] = form.get("schema")
        tools = body.get("tools", [])
        for key, tool in _BUILT_IN.items():
            wish[key] = any(one["type"] == tool["type"] for one in tools)
        functions = [tool for tool in tools if tool["type"] == "function"]
        wish["held"] = bool(functions) and all(tool["strict"] for tool in functions)
        wish["tools"] = [{key: tool[key] for key in ("name", "description", "parameters")} for tool in functions]
        choice = body.get("tool_choice", "auto")
        if isinstance(choice, str):
            wish["choice"] = {"required": "any"}.get(choice, choice)
        elif choice["type"] == "function":
            wish["choice"] = ("one", choice["name"])
        else:
            names = [tool["name"] for tool in choice["tools"]]
            wish["choice"] = ("must" if choice["mode"] == "required" else "may", *names)
        wish["signatures"] = [item["encrypted_content"] for item in body["input"] if item.get("type") == "reasoning"]
        _see_items(body["input"], wish)
        return wish

    # --- what a vendor says

    def say(self, said: Said, model: str, stream: bool) -> Answer:
        if said.get("input_tokens"):
            return reply({"object": "response.input_tokens", "input_tokens": said["input_tokens"]})
        if "texts" in said:
            raise NoWords("several answers")
        output = _output(said)
        reason = {"length": "max_output_tokens", "filter": "content_filter"}.get(said["finish"])
        whole = response({"model": model}, output, "incomplete" if reason else "completed")
        whole["incomplete_details"] = {"reason": reason} if reason else None
        usage = said.get("usage") or {"in": 12, "out": 7, "cached": 0, "reasoning": 0}
        whole["usage"] = {
            "input_tokens": usage["in"],
            "input_tokens_details": {
                "cached_tokens": usage["cached"],
                **({"cache_write_tokens": said["written"]} if "written" in said else {}),
            },
            "output_tokens": usage["out"],
            "output_tokens_details": {"reasoning_tokens": usage["reasoning"]},
            "total_tokens": usage["in"] + usage["out"],
        }
        if not stream:
            return reply(whole)
        begun = response({"model": model}, [], "in_progress")
        return _stream(
            {"type": "response.created", "response": begun},
            {"type": "response.in_progress", "response": begun},
            *(event for at, item in enumerate(output) for event in _steps(at, item)),
            {"type": f"response.{whole['status']}", "response": whole},
        )

    def fail(self, status: int, words: str) -> Answer:
        kind = {400: "invalid_request_error", 429: "rate_limit_error"}.get(status, "server_error")
        return reply(
            {"error": {"message": words, "type": kind, "param": None, "code": None}},
            status,
            RETRY if status == 429 else (),
        )

    def break_off(self, words: str | None, model: str, heard: Event) -> Answer:
        output = _output({"parts": [("text", "½")]})
        created = {"type": "response.created", "response": response({"model": model}, [], "in_progress")}
        half = (created, *_steps(0, output[0])[:-3])
        if words is None:
            return stream(*responses_events(*half), heard, finish=False)
        failed = response({"model": model}, [], "failed")
        failed["error"] = {"code": "server_error", "message": words}
        events = responses_events(*half, {"type": "response.failed", "response": failed})
        return stream(*events[:-1], heard, events[-1])


def _stream(*events: Any) -> Answer:
    return stream(*responses_events(*events))


def _choice(value: Any) -> Any:
    if isinstance(value, str):
        return {"any": "required"}.get(value, value)
    kind, *names = value
    if kind == "one":
        return {"type": "function", "name": names[0]}
    tools = [{"type": "function", "name": name} for name in names]
    return {"type": "allowed_tools", "mode": "required" if kind == "must" else "auto", "tools": tools}


def _items(role: str, parts: Any) -> list[Any]:
    if role in ("model", "system"):
        out = [
            {"type": "function_call", "call_id": id, "name": name, "arguments": dumps(arguments)}
            for kind, id, name, arguments in (part for part in parts if part[0] == "call")
        ]
        text = "".join(part[1] for part in parts if part[0] == "text")
        return [{"role": "assistant" if role == "model" else "system", "content": text}, *out] if text else out
    out, content = [], []
    for part in parts:
        match part[0]:
            case "result":
                words = part[3] if isinstance(part[3], str) else dumps(part[3])
                out.append({"type": "function_call_output", "call_id": part[1], "output": words})
            case "pictured":
                told = [_write(("text", part[3])), _write(("image", part[4]))]
                out.append({"type": "function_call_output", "call_id": part[1], "output": told})
            case _:
                content.append(_write(part))
    return [*out, {"role": "user", "content": content}] if content else out


def _write(part: tuple[Any, ...]) -> dict[str, Any]:
    match part[0]:
        case "text":
            return {"type": "input_text", "text": part[1]}
        case "image":
            return {"type": "input_image", "image_url": f"data:image/png;base64,{part[1]}"}
        case "image-url":
            return {"type": "input_image", "image_url": part[1]}
        case "pdf":
            data = f"data:application/pdf;base64,{part[1]}"
            return {"type": "input_file", "filename": "paper.pdf", "file_data": data}
        case "pdf-url":
            return {"type": "input_file", "file_url": part[1]}
    raise NoWords(part[0])


def _see_items(items: Any, wish: Wish) -> None:
    calls = Calls()
    turns: list[tuple[str, list[Any]]] = []
    roles = {"assistant": "model", "user": "user", "system": "system", "developer": "system"}
    for item in items:
        match item.get("type", "message"):
            case "message":
                content = item["content"]
                parts = [{"type": "input_text", "text": content}] if isinstance(content, str) else content
                role, told = roles[item["role"]], [_read(part) for part in parts]
            case "function_call":
                called = calls.called(item["call_id"], item["name"])
                role, told = "model", [("call", *called, json.loads(item["arguments"]))]
            case "function_call_output":
                role, told = "user", [_result(calls.answered(item["call_id"]), item["output"])]
            case "reasoning":
                continue
            case kind:
                raise AssertionError(kind)
        if not turns or turns[-1][0] != role:
            turns.append((role, []))
        turns[-1][1].extend(told)
    if "system" not in wish and turns and turns[0][0] == "system":
        wish["system"] = turns.pop(0)[1][0][1]
    wish["turns"] = [(role, joined(parts)) for role, parts in turns]


def _result(call: tuple[str, str], output: Any) -> tuple[Any, ...]:
    if isinstance(output, str):
        return ("result", *call, value_of(output))
    texts = "".join(part["text"] for part in output if part["type"] == "input_text")
    pictures = [_read(part)[1] for part in output if part["type"] == "input_image"]
    return ("pictured", *call, texts, *pictures)


def _read(part: dict[str, Any]) -> tuple[Any, ...]:
    match part["type"]:
        case "input_text" | "output_text":
            return ("text", part["text"])
        case "input_image":
            url = part["image_url"]
            return ("image", url.partition(",")[2]) if url.startswith("data:") else ("image-url", url)
        case "input_file" if "file_url" in part:
            return ("pdf-url", part["file_url"])
        case "input_file":
            return ("pdf", part["file_data"].removeprefix("data:application/pdf;base64,"))
    raise AssertionError(part)


def _output(said: Said) -> list[dict[str, Any]]:
    output: list[dict[str, Any]] = []
    proof = {"encrypted_content": said["signature"]} if said.get("signature") else {}
    if proof and not any(part[0] == "thought" for part in said["parts"]):
        output.append({"id": "rs_said", "type": "reasoning", "summary": [], **proof})
    for at, query in enumerate(said.get("queries") or ()):
        action = {"type": "search", "query": query}
        output.append({"id": f"ws_{at}", "type": "web_search_call", "status": "completed", "action": action})
    for part in said["parts"]:
        match part[0]:
            case "thought":
                summary = [{"type": "summary_text", "text": part[1]}]
                output.append({"id": "rs_said", "type": "reasoning", "summary": summary, **proof})
            case "call":
                call = {"call_id": part[1], "name": part[2], "arguments": dumps(part[3]), "status": "completed"}
                output.append({"id": f"fc_{part[1]}", "type": "function_call", **call})
            case "ran":
                code = {"code": part[1], "container_id": "cntr_1", "outputs": [], "status": "completed"}
                output.append({"id": "ci_1", "type": "code_interpreter_call", **code})
            case "gave":
                output[-1]["outputs"].append({"type": "logs", "logs": part[1]})
            case "image":
                output.append({"id": "ig_1", "type": "image_generation_call", "status": "completed", "result": part[1]})
            case "refusal":
                output.append(_message({"type": "refusal", "refusal": part[1]}))
            case "text":
                text = part[1]
                notes = [
                    {
                        "type": "url_citation",
                        "url": url,
                        "title": "A page",
                        "start_index": text.index(cited),
                        "end_index": text.index(cited) + len(cited),
                    }
                    for url, cited in said.get("citations") or ()
                ]
                tokens = [
                    {"token": token, "logprob": value, "bytes": list(token.encode()), "top_logprobs": []}
                    for token, value in said.get("logprobs") or ()
                ]
                output.append(_message({"type": "output_text", "text": text, "annotations": notes, "logprobs": tokens}))
    return output


def _message(part: dict[str, Any]) -> dict[str, Any]:
    return {"id": "msg_1", "type": "message", "status": "completed", "role": "assistant", "content": [part]}


def _steps(at: int, item: dict[str, Any]) -> list[dict[str, Any]]:
    place = {"item_id": item["id"], "output_index": at}
    told: list[dict[str, Any]] = []
    match item["type"]:
        case "message":
            part, inner = item["content"][0], {**place, "content_index": 0}
            kind = "text" if part["type"] == "output_text" else "refusal"
            name = f"output_{kind}" if kind == "text" else kind
            empty = {**part, kind: "", **({"annotations": [], "logprobs": []} if kind == "text" else {})}
            told.append({"type": "output_item.added", "output_index": at, "item": {**item, "content": []}})
            told.append({"type": "content_part.added", **inner, "part": empty})
            tokens = part.get("logprobs") or []
            for n, piece in enumerate(halves(part[kind])):
                more = {"logprobs": tokens if n == 0 else []} if kind == "text" else {}
                told.append({"type": f"{name}.delta", **inner, "delta": piece, **more})
            for n, note in enumerate(part.get("annotations") or ()):
                told.append(
                    {"type": "output_text.annotation.added", **inner, "annotation_index": n, "annotation": note}
                )
            more = {"logprobs": tokens} if kind == "text" else {}
            told.append({"type": f"{name}.done", **inner, kind: part[kind], **more})
            told.append({"type": "content_part.done", **inner, "part": part})
        case "function_call":
            told.append({"type": "output_item.added", "output_index": at, "item": {**item, "arguments": ""}})
            told += [
                {"type": "function_call_arguments.delta", **place, "delta": piece}
                for piece in halves(item["arguments"])
            ]
            told.append({"type": "function_call_arguments.done", **place, "arguments": item["arguments"]})
        case "reasoning":
            told.append({"type": "output_item.added", "output_index": at, "item": {**item, "summary": []}})
            for part in item["summary"]:
                inner = {**place, "summary_index": 0}
                told.append({"type": "reasoning_summary_part.added", **inner, "part": {**part, "text": ""}})
                told += [
                    {"type": "reasoning_summary_text.delta", **inner, "delta": piece} for piece in halves(part["text"])
                ]
                told.append({"type": "reasoning_summary_text.done", **inner, "text": part["text"]})
                told.append({"type": "reasoning_summary_part.done", **inner, "part": part})
        case _:
            begun = {**item, "status": "in_progress", **({"result": None} if "result" in item else {})}
            told.append({"type": "output_item.added", "output_index": at, "item": begun})
    told.append({"type": "output_item.done", "output_index": at, "item": item})
    return [{**event, "type": f"response.{event['type']}"} for event in told]


def _check_deltas(events: list[Any], output: list[Any]) -> None:
    """Whoever reads the pieces has what the last event says."""
    pieces: dict[tuple[int, str], str] = {}
    for event in events:
        if event["type"].endswith(".delta"):
            key = (event["output_index"], event["type"].split(".")[1])
            pieces[key] = pieces.get(key, "") + event["delta"]
    whole: dict[tuple[int, str], str] = {}
    for at, item in enumerate(output):
        match item["type"]:
            case "message":
                for part in item["content"]:
                    kind = "output_text" if "text" in part else "refusal"
                    whole[at, kind] = whole.get((at, kind), "") + part.get("text", part.get("refusal"))
            case "function_call":
                whole[at, "function_call_arguments"] = item["arguments"]
            case "code_interpreter_call":
                whole[at, "code_interpreter_call_code"] = item["code"]
            case "reasoning":
                whole[at, "reasoning_summary_text"] = "".join(part["text"] for part in item["summary"])
                whole[at, "reasoning_text"] = "".join(part["text"] for part in item.get("content") or ())
    assert pieces == {key: text for key, text in whole.items() if text}
