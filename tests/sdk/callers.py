"""Clients under Node as callers: one process runs them all, case by case; and what a vendor was asked, whatever it speaks."""

from __future__ import annotations

import contextlib
import json
import queue
import subprocess
import threading
from collections.abc import Iterator
from typing import Any

from e2e.fixtures import Relayed
from e2e.gateway import Gateway
from e2e.vendor import Seen, Vendor
from sdk.node import JS, NODE, node_environment

CALLERS = {
    "openai-chat": "openai-chat",
    "openai-responses": "openai-responses",
    "anthropic": "anthropic",
    "genai": "gemini",
    "ai-openai-chat": "openai-chat",
    "ai-openai-responses": "openai-responses",
    "ai-anthropic": "anthropic",
    "ai-google": "gemini",
}
"""Each caller and the protocol that it speaks."""
UPSTREAMS = {
    "gemini": "via-gemini",
    "openai-chat": "via-openai",
    "openai-responses": "via-responses",
    "anthropic": "via-anthropic",
}
VENDORS_OWN = {
    "gemini": "gemini-2.5-flash",
    "openai-chat": "gpt-4o",
    "openai-responses": "gpt-5.4-mini",
    "anthropic": "claude-sonnet-4-5",
}
"""The vendors' names of those models."""
REASONING = {**UPSTREAMS, "openai-chat": "via-reasoning"}
PATIENCE = 10.0


class Failed(Exception):
    """What the client threw: `kinds` are its class and those that this extends."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error["stack"])
        self.kinds: list[str] = error["kinds"]
        self.status: int | None = error.get("status")
        self.code = error.get("code")
        self.type = error.get("type")
        self.message: str = error["message"]


class Callers:
    def __init__(self, gateway: Gateway) -> None:
        self._process = subprocess.Popen(
            (NODE, "callers.mjs", gateway.base_url, gateway.key),
            cwd=JS,
            env=node_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._asked = 0
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def __call__(self, caller: str, case: str, begun: threading.Event | None = None, **ask: Any) -> dict[str, Any]:
        """What the client saw. `begun` is set as soon as it has a piece of a streamed text."""
        assert self._process.stdin is not None
        self._asked += 1
        self._process.stdin.write(json.dumps({"number": self._asked, "caller": caller, "case": case, **ask}) + "\n")
        self._process.stdin.flush()
        told: dict[str, Any] = {}
        while told.get("number") != self._asked or "begun" in told:
            if begun is not None and told.get("number") == self._asked:
                begun.set()
            line = self._lines.get(timeout=PATIENCE)
            assert line is not None, "Node has ended"
            told = json.loads(line)
        if "error" in told:
            raise Failed(told["error"])
        return told.get("seen", {})

    def close(self) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        assert self._process.stdout is not None
        self._process.stdout.close()


@contextlib.contextmanager
def calling(gateway: Gateway) -> Iterator[Callers]:
    callers = Callers(gateway)
    try:
        yield callers
    finally:
        callers.close()


def vendor_of(vendors: Relayed, upstream: str) -> Vendor:
    return {
        "gemini": vendors.google,
        "openai-chat": vendors.openai,
        "openai-responses": vendors.responses,
        "anthropic": vendors.anthropic,
    }[upstream]


# --- what a vendor was asked


def _texts(content: Any) -> str:
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content or ())


def system_of(upstream: str, seen: Seen) -> str:
    body = seen.json
    match upstream:
        case "gemini":
            return _texts(body.get("systemInstruction", {}).get("parts"))
        case "openai-chat":
            return "".join(_texts(m["content"]) for m in body["messages"] if m["role"] in ("system", "developer"))
        case "openai-responses":
            items = body["input"] if isinstance(body["input"], list) else []
            inside = "".join(_texts(item["content"]) for item in items if item.get("role") in ("system", "developer"))
            return (body.get("instructions") or "") + inside
        case _:
            return _texts(body.get("system"))


def limits_of(upstream: str, seen: Seen) -> tuple[float | None, int]:
    """Temperature and the most tokens."""
    body = seen.json
    match upstream:
        case "gemini":
            config = body["generationConfig"]
            return config["temperature"], config["maxOutputTokens"]
        case "openai-chat":
            return body["temperature"], body.get("max_completion_tokens") or body["max_tokens"]
        case "openai-responses":
            return body.get("temperature"), body["max_output_tokens"]
        case _:
            return body["temperature"], body["max_tokens"]


def turns_of(upstream: str, seen: Seen) -> list[tuple[str, str]]:
    """Who said what, but for the system."""
    body = seen.json
    match upstream:
        case "gemini":
            turns = [
                ("user" if turn["role"] == "user" else "model", _texts(turn["parts"])) for turn in body["contents"]
            ]
        case "openai-responses" if isinstance(body["input"], str):
            turns = [("user", body["input"])]
        case _:
            turns = [
                ("user" if turn["role"] == "user" else "model", _texts(turn["content"]))
                for turn in body["input" if upstream == "openai-responses" else "messages"]
            ]
    return turns


def tools_of(upstream: str, seen: Seen) -> dict[str, Any]:
    """The functions declared: name -> schema of what they take."""
    tools = seen.json.get("tools", [])
    match upstream:
        case "gemini":
            return {
                one["name"]: one.get("parametersJsonSchema") or one.get("parameters") or {}
                for tool in tools
                for one in tool["functionDeclarations"]
            }
        case "openai-chat":
            return {tool["function"]["name"]: tool["function"].get("parameters") or {} for tool in tools}
        case "openai-responses":
            return {tool["name"]: tool.get("parameters") or {} for tool in tools}
        case _:
            return {tool["name"]: tool["input_schema"] for tool in tools}


def forced_of(upstream: str, seen: Seen) -> str:
    """The function that the model must call, "any" where it may choose which."""
    body = seen.json
    match upstream:
        case "gemini":
            config = body["toolConfig"]["functionCallingConfig"]
            assert config["mode"] == "ANY"
            (name,) = config.get("allowedFunctionNames", ["any"])
            return name
        case "anthropic":
            return body["tool_choice"].get("name", body["tool_choice"]["type"])
        case _ if body["tool_choice"] == "required":
            return "any"
        case "openai-chat":
            return body["tool_choice"]["function"]["name"]
        case _:
            return body["tool_choice"]["name"]


def exchanged(upstream: str, seen: Seen) -> list[tuple[str, Any, str]]:
    """Calls with their results: name, arguments, result. Each call must have its own."""
    body = seen.json
    calls: dict[str, tuple[str, Any]] = {}
    results: dict[str, str] = {}
    match upstream:
        case "gemini":
            parts = [part for turn in body["contents"] for part in turn["parts"]]
            told = [part["functionCall"] for part in parts if "functionCall" in part]
            answers = [part["functionResponse"] for part in parts if "functionResponse" in part]
            assert [one["name"] for one in told] == [one["name"] for one in answers]
            calls = {str(n): (one["name"], one.get("args", {})) for n, one in enumerate(told)}
            results = {str(n): next(reversed(one["response"].values())) for n, one in enumerate(answers)}
        case "openai-chat":
            for message in body["messages"]:
                for call in message.get("tool_calls") or ():
                    calls[call["id"]] = call["function"]["name"], json.loads(call["function"]["arguments"])
                if message["role"] == "tool":
                    results[message["tool_call_id"]] = _texts(message["content"])
        case "openai-responses":
            for item in body["input"]:
                if item.get("type") == "function_call":
                    calls[item["call_id"]] = item["name"], json.loads(item["arguments"])
                if item.get("type") == "function_call_output":
                    results[item["call_id"]] = _texts(item["output"])
        case _:
            blocks = [
                block for turn in body["messages"] if isinstance(turn["content"], list) for block in turn["content"]
            ]
            for block in blocks:
                if block["type"] == "tool_use":
                    calls[block["id"]] = block["name"], block["input"]
                if block["type"] == "tool_result":
                    results[block["tool_use_id"]] = _texts(block["content"])
    assert calls.keys() == results.keys()
    return [(*calls[id], _bare(results[id])) for id in calls]


def _bare(result: str) -> str:
    """Vercel's client for Google wraps a text as {name, content}."""
    return json.loads(result)["content"] if result.startswith('{"name":') else result


def picture_of(upstream: str, seen: Seen) -> tuple[str, str]:
    """Media type and Base64 of the one picture."""
    body = seen.json
    match upstream:
        case "gemini":
            (data,) = [part["inlineData"] for part in body["contents"][0]["parts"] if "inlineData" in part]
            return data["mimeType"], data["data"]
        case "openai-chat":
            (url,) = [
                part["image_url"]["url"] for part in body["messages"][0]["content"] if part["type"] == "image_url"
            ]
        case "openai-responses":
            (url,) = [part["image_url"] for part in body["input"][0]["content"] if part["type"] == "input_image"]
        case _:
            (block,) = [block for block in body["messages"][0]["content"] if block["type"] == "image"]
            return block["source"]["media_type"], block["source"]["data"]
    head, _, data = url.partition(";base64,")
    return head.removeprefix("data:"), data


def schema_of(upstream: str, seen: Seen) -> Any:
    """That of the answer, where it is told as such."""
    body = seen.json
    match upstream:
        case "gemini":
            config = body["generationConfig"]
            assert config["responseMimeType"] == "application/json"
            return config.get("responseJsonSchema") or config.get("responseSchema")
        case "openai-chat":
            return body["response_format"]["json_schema"]["schema"]
        case "openai-responses":
            return body["text"]["format"]["schema"]
        case _:
            return body["output_config"]["format"]["schema"]


def reasons(upstream: str, seen: Seen) -> bool:
    """Thinking was asked for."""
    body = seen.json
    match upstream:
        case "gemini":
            return body["generationConfig"]["thinkingConfig"]["thinkingBudget"] > 0
        case "openai-chat":
            return body["reasoning_effort"] == "low"
        case "openai-responses":
            return body["reasoning"]["effort"] == "low"
        case _:
            return body["thinking"]["type"] in ("enabled", "adaptive")
