"""Clients that keep of an answer only what their protocol's own documentation shows, whatever else was in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import anthropic
import openai

WEATHER = "mcp__weather_and_climate_service__" + "get_current_conditions_of_a_town"  # 66 characters
TIME = "clock/now"
_RESULTS = {"Paris": "18°", "Oslo": "3°"}
_TOWN = {"type": "object", "properties": {"town": {"type": "string"}}, "required": ["town"]}
_NOTHING: dict[str, Any] = {"type": "object", "properties": {}}


class Call(NamedTuple):
    id: str
    name: str
    arguments: str

    @property
    def result(self) -> str:
        return "noon" if self.name == TIME else _RESULTS[json.loads(self.arguments)["town"]]


class Forgetful:
    """One conversation, on a connection for each exchange. `losses` are the header's, `ids` the calls'."""

    def __init__(self, base_url: str, key: str, model: str, *, stream: bool) -> None:
        self.model = model
        self.stream = stream
        self.history: list[Any] = []
        self.losses: list[str | None] = []
        self.ids: list[str] = []
        self.aim(base_url, key)

    def aim(self, base_url: str, key: str) -> None:
        """The same conversation with another gateway, or with another key."""
        self.base_url = base_url
        self.key = key

    def ask(self, words: str) -> None:
        self.history.append({"role": "user", "content": words})

    def step(self) -> str | None:
        """One exchange, and the results of the calls it brought; the text where it brought none."""
        text, calls = self.exchange()
        self.ids += [call.id for call in calls]
        self.remember(text, calls)
        return None if calls else text

    def talk(self, words: str) -> str:
        """A question and all the steps to its answer."""
        self.ask(words)
        for _ in range(4):
            if (text := self.step()) is not None:
                return text
        raise AssertionError("the model never answers")

    def exchange(self) -> tuple[str, list[Call]]:
        raise NotImplementedError

    def remember(self, text: str, calls: list[Call]) -> None:
        raise NotImplementedError


class Chat(Forgetful):
    """OpenAI's Chat Completions by its SDK."""

    def exchange(self) -> tuple[str, list[Call]]:
        with openai.OpenAI(base_url=f"{self.base_url}/v1", api_key=self.key, max_retries=0) as client:
            raw = client.chat.completions.with_raw_response.create(
                model=self.model,
                messages=self.history,
                stream=self.stream,
                reasoning_effort="low",
                tools=[
                    {"type": "function", "function": {"name": WEATHER, "description": "d", "parameters": _TOWN}},
                    {"type": "function", "function": {"name": TIME, "description": "d"}},
                ],
            )
            self.losses.append(raw.headers.get("x-dragoman-losses"))
            answer: Any = raw.parse()
            if self.stream:
                return _gathered(answer)
            message = answer.choices[0].message
            calls = [Call(call.id, call.function.name, call.function.arguments) for call in message.tool_calls or ()]
            return message.content or "", calls

    def remember(self, text: str, calls: list[Call]) -> None:
        if not calls:
            self.history.append({"role": "assistant", "content": text})
            return
        told = [
            {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}
            for id, name, arguments in calls
        ]
        self.history.append({"role": "assistant", "content": text or None, "tool_calls": told})
        self.history += [{"role": "tool", "tool_call_id": call.id, "content": call.result} for call in calls]


def _gathered(chunks: Iterator[Any]) -> tuple[str, list[Call]]:
    text = ""
    calls: dict[int, list[str]] = {}
    for chunk in chunks:
        for choice in chunk.choices:
            text += choice.delta.content or ""
            for call in choice.delta.tool_calls or ():
                held = calls.setdefault(call.index, ["", "", ""])
                held[0] += call.id or ""
                held[1] += call.function.name or ""
                held[2] += call.function.arguments or ""
    return text, [Call(*held) for held in calls.values()]


class Responses(Forgetful):
    """OpenAI's Responses by its SDK, with nothing stored."""

    def exchange(self) -> tuple[str, list[Call]]:
        with openai.OpenAI(base_url=f"{self.base_url}/v1", api_key=self.key, max_retries=0) as client:
            raw = client.responses.with_raw_response.create(
                model=self.model,
                input=self.history,
                stream=self.stream,
                store=False,
                reasoning={"effort": "low"},
                tools=[
                    {"type": "function", "name": WEATHER, "description": "d", "parameters": _TOWN, "strict": False},
                    {"type": "function", "name": TIME, "description": "d", "parameters": _NOTHING, "strict": False},
                ],
            )
            self.losses.append(raw.headers.get("x-dragoman-losses"))
            answer: Any = raw.parse()
            if self.stream:
                answer = next(event for event in list(answer) if event.type == "response.completed").response
        calls = [
            Call(item.call_id, item.name, item.arguments) for item in answer.output if item.type == "function_call"
        ]
        return answer.output_text, calls

    def remember(self, text: str, calls: list[Call]) -> None:
        if text:
            self.history.append({"role": "assistant", "content": text})
        self.history += [
            {"type": "function_call", "call_id": id, "name": name, "arguments": arguments}
            for id, name, arguments in calls
        ]
        self.history += [{"type": "function_call_output", "call_id": call.id, "output": call.result} for call in calls]


class Messages(Forgetful):
    """Anthropic's Messages by its SDK."""

    def exchange(self) -> tuple[str, list[Call]]:
        with anthropic.Anthropic(base_url=self.base_url, api_key=self.key, max_retries=0) as client:
            asked: dict[str, Any] = {
                "model": self.model,
                "messages": self.history,
                "max_tokens": 4096,
                "thinking": {"type": "enabled", "budget_tokens": 1024},
                "tools": [
                    {"name": WEATHER, "description": "d", "input_schema": _TOWN},
                    {"name": TIME, "description": "d", "input_schema": _NOTHING},
                ],
            }
            if self.stream:
                with client.messages.stream(**asked) as events:
                    self.losses.append(events.response.headers.get("x-dragoman-losses"))
                    answer: Any = events.get_final_message()
            else:
                raw = client.messages.with_raw_response.create(**asked)
                self.losses.append(raw.headers.get("x-dragoman-losses"))
                answer = raw.parse()
        text = "".join(block.text for block in answer.content if block.type == "text")
        return text, [
            Call(block.id, block.name, json.dumps(block.input)) for block in answer.content if block.type == "tool_use"
        ]

    def remember(self, text: str, calls: list[Call]) -> None:
        said: list[Any] = [{"type": "text", "text": text}] if text else []
        said += [
            {"type": "tool_use", "id": id, "name": name, "input": json.loads(arguments)}
            for id, name, arguments in calls
        ]
        self.history.append({"role": "assistant", "content": said})
        if calls:
            results = [{"type": "tool_result", "tool_use_id": call.id, "content": call.result} for call in calls]
            self.history.append({"role": "user", "content": results})
