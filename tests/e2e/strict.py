"""Vendors that sign what they say and refuse a history that lacks a signature, or has one that they did not make.

Both want two towns' weather at once, then the time, then answer. What each checks is its vendor's law: Gemini 3 (ai.google.dev/
gemini-api/docs/thought-signatures) the current turn's first call of each step, Claude (docs.claude.com, extended thinking with
tool use) the thinking blocks before the calls of an assistant's turn, unchanged.
"""

from __future__ import annotations

import base64
import json
import threading
from typing import Any

from e2e.vendor import Exchange, gemini_events, openai_events, reply, stream

ANSWER = "Paris 18°, Oslo 3°, at noon."
SKIP = "skip_thought_signature_validator"
TOWNS = ("Paris", "Oslo")


class Refused(Exception):
    """A 400 of the vendor's."""


def want(condition: Any, words: str) -> None:
    if not condition:
        raise Refused(words)


class StrictGemini:
    """`skipped` counts the steps that came with the documented value in place of a signature; `with_ids` gives calls an id."""

    def __init__(self, weather: str, time: str, *, with_ids: bool = False, text_first: bool = False) -> None:
        self._weather = weather
        self._time = time
        self._with_ids = with_ids
        self._text_first = text_first
        self._made: dict[str, Any] = {}  # a signature -> the part that it is on
        self._lock = threading.Lock()
        self.skipped = 0
        self.refused: list[str] = []

    def __call__(self, exchange: Exchange) -> None:
        with self._lock:
            try:
                parts = self._answer(exchange.seen.json)
            except Refused as error:
                self.refused.append(str(error))
                told = {"error": {"code": 400, "message": str(error), "status": "INVALID_ARGUMENT"}}
                reply(told, 400)(exchange)
                return
        usage = {"promptTokenCount": 5, "candidatesTokenCount": 5, "totalTokenCount": 10}
        more = {"usageMetadata": usage, "modelVersion": "gemini-3-pro-preview", "responseId": "r"}

        def chunk(some: list[Any], **end: Any) -> Any:
            return {"candidates": [{"content": {"role": "model", "parts": some}, "index": 0, **end}], **more}

        if "streamGenerateContent" in exchange.seen.path:
            events = [*(chunk([part]) for part in parts), chunk([{"text": ""}], finishReason="STOP")]
            stream(*gemini_events(*events))(exchange)
        else:
            reply(chunk(parts, finishReason="STOP"))(exchange)

    def _answer(self, body: Any) -> list[Any]:
        declared = [tool["name"] for tool in body["tools"][0]["functionDeclarations"]]
        weather, time = self._weather, self._time
        want(sorted(declared) == sorted([weather, time]), f"Invalid function name among {declared}")
        contents = _joined(body["contents"])
        self._check_signatures(contents)
        asked = [
            number
            for number, content in enumerate(contents)
            if content["role"] == "user" and any("functionResponse" not in part for part in content["parts"])
        ]
        turn = contents[asked[-1] + 1 :]
        self._check_turn(turn)
        steps = sum(content["role"] == "model" for content in turn)
        if steps == 0:
            called = [self._call(weather, {"town": town}, str(number)) for number, town in enumerate(TOWNS)]
            self._sign(called[0])
            return [self._sign({"text": "I look."}), *called] if self._text_first else called
        if steps == 1:
            return [self._sign(self._call(time, {}, "t"))]
        return [{"text": ANSWER[:9]}, {"text": ANSWER[9:]}, self._sign({"text": ""})]

    def _call(self, name: str, args: Any, id: str) -> Any:
        call = {"name": name, "args": args}
        return {"functionCall": {**call, "id": f"{id}{len(self._made)}"} if self._with_ids else call}

    def _sign(self, part: Any) -> Any:
        signature = base64.b64encode(f"{len(self._made)} of {id(self)} {'x' * 300}".encode()).decode()
        self._made[signature] = _bare(part)
        part["thoughtSignature"] = signature
        return part

    def _check_signatures(self, contents: Any) -> None:
        """Rules 1, 3 and 8: each on the part that it came with, and none of anybody else's."""
        for content in contents:
            for part in content["parts"]:
                signature = part.get("thoughtSignature")
                if signature is None:
                    continue
                if signature == SKIP:
                    want("functionCall" in part, "Thought signature is not valid")
                    self.skipped += 1
                    continue
                want(content["role"] == "model", "Thought signature is not valid")
                want(
                    self._made.get(signature) == _bare(part),
                    "Unable to submit request because Thought signature is not valid",
                )

    def _check_turn(self, turn: list[Any]) -> None:
        """Rules 2 and 4: the first call of each step of the current turn; and each call has its result, in order."""
        want(len(turn) % 2 == 0, "Please ensure that the last turn is the user's")
        for position, (model, user) in enumerate(zip(turn[::2], turn[1::2], strict=True), 1):
            want(model["role"] == "model" and user["role"] == "user", "roles must alternate")
            calls = [part for part in model["parts"] if "functionCall" in part]
            results = [part["functionResponse"] for part in user["parts"] if "functionResponse" in part]
            want(calls, "a function response turn comes immediately after a function call turn")
            want(
                "thoughtSignature" in calls[0],
                "Function call is missing a thought_signature in functionCall parts. This is required for tools to work. "
                f"Additional data, function call `default_api:{calls[0]['functionCall']['name']}` , position {position}.",
            )
            want(all("thoughtSignature" not in call for call in calls[1:]), "Thought signature is not valid")
            named = [call["functionCall"]["name"] for call in calls]
            want(
                [result["name"] for result in results] == named,
                "the number and order of function responses must equal the calls'",
            )
            want(
                [result.get("id") for result in results] == [call["functionCall"].get("id") for call in calls],
                "a function response's id must be its call's",
            )


def _joined(contents: list[Any]) -> list[Any]:
    """Google takes a turn in several pieces, as its clients send back one that was streamed to them."""
    turns: list[Any] = []
    for content in contents:
        parts = [part for part in content["parts"] if part != {"text": ""}]
        if turns and turns[-1]["role"] == content["role"]:
            turns[-1] = {**turns[-1], "parts": [*turns[-1]["parts"], *parts]}
        else:
            turns.append({**content, "parts": parts})
    return turns


def _bare(part: Any) -> Any:
    """What a signature is over: the part without it, and without the id, which clients make up."""
    bare = {name: value for name, value in part.items() if name != "thoughtSignature"}
    if "functionCall" in bare:
        bare["functionCall"] = {name: value for name, value in bare["functionCall"].items() if name != "id"}
    return bare


class StrictCompatible:
    """Gemini 3 behind Google's Chat Completions: the signature is `extra_content` of a step's first call."""

    def __init__(self, weather: str, time: str) -> None:
        self._weather = weather
        self._time = time
        self._made: dict[str, str] = {}  # a call's id -> its signature
        self._calls = 0
        self._lock = threading.Lock()
        self.skipped = 0
        self.refused: list[str] = []

    def __call__(self, exchange: Exchange) -> None:
        body = exchange.seen.json
        with self._lock:
            try:
                message = self._answer(body)
            except Refused as error:
                self.refused.append(str(error))
                reply([{"error": {"code": 400, "message": str(error), "status": "INVALID_ARGUMENT"}}], 400)(exchange)
                return
        finish = "tool_calls" if "tool_calls" in message else "stop"
        head = {"id": "c", "created": 1, "model": body["model"]}
        if body.get("stream"):
            # Google repeats the index; the ids tell the calls apart.
            calls = [{"tool_calls": [{**call, "index": 0}]} for call in message.get("tool_calls", ())]
            deltas = [{"role": "assistant", **delta} for delta in calls] or [message]
            choices = [
                *({"index": 0, "delta": delta} for delta in deltas),
                {"index": 0, "delta": {}, "finish_reason": finish},
            ]
            stream(*openai_events(*({**head, "choices": [choice]} for choice in choices)))(exchange)
        else:
            reply({**head, "choices": [{"index": 0, "message": message, "finish_reason": finish}]})(exchange)

    def _answer(self, body: Any) -> Any:
        named = sorted(tool["function"]["name"] for tool in body["tools"])
        want(named == sorted([self._weather, self._time]), "Invalid function name")
        messages = body["messages"]
        turn = messages[max(number for number, message in enumerate(messages) if message["role"] == "user") + 1 :]
        steps = 0
        for message in turn:
            for number, call in enumerate(message.get("tool_calls", ())):
                signature = call.get("extra_content", {}).get("google", {}).get("thought_signature")
                self.skipped += signature == SKIP
                wanted = self._made.get(call["id"]) if number == 0 else None
                want(signature in (wanted, SKIP), "Function call is missing a thought_signature")
            steps += "tool_calls" in message
        if steps == 2:
            return {"role": "assistant", "content": ANSWER}
        named_calls = [(self._weather, {"town": town}) for town in TOWNS] if steps == 0 else [(self._time, {})]
        calls: list[Any] = []
        for name, arguments in named_calls:
            self._calls += 1
            function = {"name": name, "arguments": json.dumps(arguments)}
            calls.append({"id": f"function-call-{self._calls}", "type": "function", "function": function})
        signature = base64.b64encode(f"{self._calls} {id(self)} {'w' * 300}".encode()).decode()
        calls[0]["extra_content"] = {"google": {"thought_signature": signature}}
        self._made[calls[0]["id"]] = signature
        return {"role": "assistant", "content": None, "tool_calls": calls}


class StrictClaude:
    """With thinking on. `redacted` puts an encrypted block behind the thinking."""

    def __init__(self, weather: str, time: str, *, redacted: bool = False) -> None:
        self._weather = weather
        self._time = time
        self._redacted = redacted
        self._made: list[list[Any]] = []  # the content of each answer with calls
        self._lock = threading.Lock()
        self.refused: list[str] = []

    def __call__(self, exchange: Exchange) -> None:
        body = exchange.seen.json
        if "thread" in body:  # a wish that the vendor keep the conversation
            details = {"error_code": "thread_unsupported_request"}
            error = {"type": "invalid_request_error", "message": "thread: nothing is kept here", "details": details}
            reply({"type": "error", "error": error}, 400)(exchange)
            return
        with self._lock:
            try:
                content = self._answer(body)
            except Refused as error:
                self.refused.append(str(error))
                told = {"type": "error", "error": {"type": "invalid_request_error", "message": str(error)}}
                reply(told, 400)(exchange)
                return
        called = any(block["type"] == "tool_use" for block in content)
        message = {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": body["model"],
            "content": content,
            "stop_reason": "tool_use" if called else "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": 5, "output_tokens": 5},
        }
        if body.get("stream"):
            stream(*_claude_events(message))(exchange)
        else:
            reply(message)(exchange)

    def _answer(self, body: Any) -> list[Any]:
        want(body.get("thinking", {}).get("type") in ("enabled", "adaptive"), "thinking must be on in this test")
        want(
            sorted(tool["name"] for tool in body["tools"]) == sorted([self._weather, self._time]),
            "tools.0.name: invalid",
        )
        messages = body["messages"]
        self._check_ids(messages)
        step = 0
        for number, message in enumerate(messages):
            blocks = message["content"] if isinstance(message["content"], list) else []
            if message["role"] == "user" and not any(block["type"] == "tool_result" for block in blocks):
                step = 0
            if message["role"] != "assistant":
                continue
            self._check_blocks(number, blocks)
            step += 1
        if step == 0:
            content = [
                *self._thoughts("Two towns."),
                {"type": "text", "text": "I look."},
                *({"type": "tool_use", "name": self._weather, "input": {"town": town}} for town in TOWNS),
            ]
        elif step == 1:
            content = [*self._thoughts("And the time."), {"type": "tool_use", "name": self._time, "input": {}}]
        else:
            return [*self._thoughts("Done."), {"type": "text", "text": ANSWER}]
        for number, block in enumerate(content):
            if block["type"] == "tool_use":
                block["id"] = f"toolu_{len(self._made)}_{number}_{id(self)}"
        self._made.append(content)
        return content

    def _thoughts(self, words: str) -> list[Any]:
        proof = base64.b64encode(f"{words} {len(self._made)} {id(self)} {'y' * 300}".encode()).decode()
        thoughts: list[Any] = [{"type": "thinking", "thinking": words, "signature": proof}]
        if self._redacted:
            thoughts.append({"type": "redacted_thinking", "data": proof[::-1]})
        return thoughts

    def _check_blocks(self, number: int, blocks: list[Any]) -> None:
        calls = [block["id"] for block in blocks if block["type"] == "tool_use"]
        for at, block in enumerate(blocks):
            genuine = any(block in content for content in self._made)
            want(
                block["type"] not in ("thinking", "redacted_thinking") or genuine or not calls,
                f"messages.{number}.content.{at}: Invalid `signature` in `thinking` block",
            )
        if not calls:
            return
        want(
            blocks[0]["type"] in ("thinking", "redacted_thinking"),
            f"messages.{number}.content.0.type: Expected `thinking` or `redacted_thinking`, but found `{blocks[0]['type']}`",
        )
        made = next((content for content in self._made if any(block.get("id") in calls for block in content)), None)
        want(made == blocks, f"messages.{number}: `thinking` blocks in the latest assistant message cannot be modified")

    @staticmethod
    def _check_ids(messages: list[Any]) -> None:
        calls: list[str] = []
        for number, message in enumerate(messages):
            blocks = message["content"] if isinstance(message["content"], list) else []
            results = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
            want(
                sorted(results) == sorted(calls),
                f"messages.{number}: `tool_use` ids were found without `tool_result` blocks",
            )
            calls = [block["id"] for block in blocks if block["type"] == "tool_use"]


class StrictOpenAI:
    """Responses, of a model that reasons, with nothing stored: its reasoning must lead each step of the current turn."""

    def __init__(self, weather: str, time: str) -> None:
        self._weather = weather
        self._time = time
        self._made: dict[str, tuple[Any, list[str]]] = {}  # a reasoning's id -> it, and the calls that it led to
        self._lock = threading.Lock()
        self.refused: list[str] = []

    def __call__(self, exchange: Exchange) -> None:
        body = exchange.seen.json
        with self._lock:
            try:
                output = self._answer(body)
            except Refused as error:
                self.refused.append(str(error))
                told = {"message": str(error), "type": "invalid_request_error", "param": "input", "code": None}
                reply({"error": told}, 400)(exchange)
                return
        usage = {"input_tokens": 5, "output_tokens": 5, "total_tokens": 10}
        response = {
            "id": "resp_1", "object": "response", "created_at": 1, "model": body["model"], "status": "completed",
            "output": output, "usage": usage, "error": None, "incomplete_details": None,
        }  # fmt: skip
        if body.get("stream"):
            stream(*_responses_events(response))(exchange)
        else:
            reply(response)(exchange)

    def _answer(self, body: Any) -> list[Any]:
        want(body.get("store") is False, "this test is about a vendor that keeps nothing")
        want("reasoning.encrypted_content" in body.get("include", ()), "its reasoning must be asked for")
        want(
            sorted(tool["name"] for tool in body["tools"]) == sorted([self._weather, self._time]),
            "Invalid 'tools[0].name'",
        )
        items = body["input"]
        start = max(number for number, item in enumerate(items) if item.get("role") == "user") + 1
        self._check_reasoning(items)
        steps = self._check_turn(items[start:])
        if steps == 2:
            return [
                {
                    "type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
                    "content": [{"type": "output_text", "text": ANSWER, "annotations": []}],
                }
            ]  # fmt: skip
        number = len(self._made)
        named = [(self._weather, {"town": town}) for town in TOWNS] if steps == 0 else [(self._time, {})]
        calls = [
            {
                "type": "function_call", "id": f"fc_{number}_{at}", "call_id": f"call_{number}_{at}", "status": "completed",
                "name": name, "arguments": json.dumps(arguments),
            }
            for at, (name, arguments) in enumerate(named)
        ]  # fmt: skip
        reasoning = {
            "type": "reasoning",
            "id": f"rs_{number}_{id(self)}",
            "summary": [{"type": "summary_text", "text": "I look."}],
            "encrypted_content": f"gAAAA{number}{'z' * 300}",
        }
        self._made[reasoning["id"]] = reasoning, [call["call_id"] for call in calls]
        return [reasoning, *calls]

    def _check_reasoning(self, items: list[Any]) -> None:
        for number, item in enumerate(items):
            if item.get("type") != "reasoning":
                continue
            made, calls = self._made.get(item["id"], ({}, []))
            told = {name: item.get(name) for name in ("type", "id", "summary", "encrypted_content")}
            want(told == made, "The encrypted content could not be verified.")
            behind = items[number + 1] if number + 1 < len(items) else {}
            want(
                behind.get("call_id") == calls[0],
                f"Item '{item['id']}' of type 'reasoning' was provided without its required following item.",
            )

    def _check_turn(self, items: list[Any]) -> int:
        """How many steps there were."""
        leads = {calls[0]: made["id"] for made, calls in self._made.values()}
        open_calls: set[str] = set()
        steps = 0
        for number, item in enumerate(items):
            if item.get("type") == "function_call":
                led = items[number - 1].get("id") if number else None
                wanted = leads.get(item["call_id"])
                want(
                    wanted is None or led == wanted,
                    f"Item '{item['call_id']}' of type 'function_call' was provided without its required 'reasoning' item",
                )
                steps += wanted is not None
                open_calls.add(item["call_id"])
            elif item.get("type") == "function_call_output":
                want(item["call_id"] in open_calls, f"No tool call found for function call output {item['call_id']}.")
                open_calls.remove(item["call_id"])
        want(not open_calls, f"No tool output found for function calls {open_calls}.")
        return steps


def _responses_events(response: Any) -> list[bytes]:
    begun = {**response, "output": [], "status": "in_progress", "usage": None}
    events: list[Any] = [{"type": "response.created", "response": begun}]
    for index, item in enumerate(response["output"]):
        at = {"output_index": index, "item_id": item["id"]}
        match item["type"]:
            case "reasoning":
                (summary,) = item["summary"]
                empty = {**item, "summary": [], "encrypted_content": "gAAAAearly"}
                inside = [
                    {
                        "type": "response.reasoning_summary_part.added",
                        **at,
                        "summary_index": 0,
                        "part": {**summary, "text": ""},
                    },
                    {
                        "type": "response.reasoning_summary_text.delta",
                        **at,
                        "summary_index": 0,
                        "delta": summary["text"][:3],
                    },
                    {
                        "type": "response.reasoning_summary_text.delta",
                        **at,
                        "summary_index": 0,
                        "delta": summary["text"][3:],
                    },
                    {"type": "response.reasoning_summary_text.done", **at, "summary_index": 0, "text": summary["text"]},
                    {"type": "response.reasoning_summary_part.done", **at, "summary_index": 0, "part": summary},
                ]
            case "function_call":
                empty = {**item, "arguments": ""}
                inside = [
                    {"type": "response.function_call_arguments.delta", **at, "delta": item["arguments"]},
                    {"type": "response.function_call_arguments.done", **at, "arguments": item["arguments"]},
                ]
            case _:
                (part,) = item["content"]
                empty = {**item, "content": []}
                inside = [
                    {"type": "response.content_part.added", **at, "content_index": 0, "part": {**part, "text": ""}},
                    {"type": "response.output_text.delta", **at, "content_index": 0, "delta": part["text"]},
                    {"type": "response.output_text.done", **at, "content_index": 0, "text": part["text"]},
                    {"type": "response.content_part.done", **at, "content_index": 0, "part": part},
                ]
        added = {
            "type": "response.output_item.added",
            "output_index": index,
            "item": {**empty, "status": "in_progress"},
        }
        events += [added, *inside, {"type": "response.output_item.done", "output_index": index, "item": item}]
    events.append({"type": "response.completed", "response": response})
    return [
        f"event: {event['type']}\ndata: {json.dumps({**event, 'sequence_number': number})}\n\n".encode()
        for number, event in enumerate(events)
    ]


def _claude_events(message: Any) -> list[bytes]:
    events: list[Any] = [{"type": "message_start", "message": {**message, "content": [], "stop_reason": None}}]
    for index, block in enumerate(message["content"]):
        match block["type"]:
            case "thinking":
                start = {"type": "thinking", "thinking": "", "signature": ""}
                words = block["thinking"]
                deltas = [
                    *({"type": "thinking_delta", "thinking": half} for half in (words[:4], words[4:])),
                    {"type": "signature_delta", "signature": block["signature"]},
                ]
            case "text":
                start, deltas = {"type": "text", "text": ""}, [{"type": "text_delta", "text": block["text"]}]
            case "tool_use":
                start = {**block, "input": {}}
                deltas = [{"type": "input_json_delta", "partial_json": json.dumps(block["input"])}]
            case _:
                start, deltas = block, []
        events.append({"type": "content_block_start", "index": index, "content_block": start})
        events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        events.append({"type": "content_block_stop", "index": index})
    end = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    events += [{"type": "message_delta", "delta": end, "usage": message["usage"]}, {"type": "message_stop"}]
    return [f"event: {event['type']}\ndata: {json.dumps(event, ensure_ascii=False)}\n\n".encode() for event in events]
