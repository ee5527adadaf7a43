"""Clients that keep of an answer only what their protocol's own documentation shows, whatever else was in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import openai
from openai.types.chat import ChatCompletion, ChatCompletionChunk

WEATHER = "mcp__weather_and_climate_service__" + "get_current_conditions_of_a_town"  # 66 characters
TIME = "clock/now"
RESULTS = {"Paris": "18°", "Oslo": "3°"}
_TOWN = {"type": "object", "properties": {"town": {"type": "string"}}, "required": ["town"]}


class Chat:
    """OpenAI's Chat Completions by its SDK, on a connection for each exchange. `losses` are the header's, `ids` the calls'."""

    def __init__(self, base_url: str, key: str, model: str, *, stream: bool) -> None:
        self.aim(base_url, key)
        self._model = model
        self._stream = stream
        self.history: list[Any] = []
        self.losses: list[str | None] = []
        self.ids: list[str] = []

    def aim(self, base_url: str, key: str) -> None:
        """The same conversation with another gateway, or with another key."""
        self._where = {"base_url": f"{base_url}/v1", "api_key": key}

    def ask(self, words: str) -> None:
        self.history.append({"role": "user", "content": words})

    def step(self) -> str | None:
        """One exchange, and the results of the calls it brought; the text where it brought none."""
        with openai.OpenAI(**self._where, max_retries=0) as client:
            content, calls = self._exchange(client)
        message: dict[str, Any] = {"role": "assistant", "content": content or None}
        if not calls:
            self.history.append({**message, "content": content})
            return content
        self.history.append(
            {
                **message,
                "tool_calls": [
                    {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}
                    for id, name, arguments in calls
                ],
            }
        )
        for id, name, arguments in calls:
            self.ids.append(id)
            result = "noon" if name == TIME else RESULTS[json.loads(arguments)["town"]]
            self.history.append({"role": "tool", "tool_call_id": id, "content": result})
        return None

    def _exchange(self, client: openai.OpenAI) -> tuple[str, list[tuple[str, str, str]]]:
        raw = client.chat.completions.with_raw_response.create(
            model=self._model,
            messages=self.history,
            stream=self._stream,
            reasoning_effort="low",
            tools=[
                {"type": "function", "function": {"name": WEATHER, "description": "d", "parameters": _TOWN}},
                {"type": "function", "function": {"name": TIME, "description": "d"}},
            ],
        )
        self.losses.append(raw.headers.get("x-dragoman-losses"))
        answer: Any = raw.parse()
        return _gather(answer) if self._stream else _whole(answer)

    def talk(self, words: str) -> str:
        """A question and all the steps to its answer."""
        self.ask(words)
        for _ in range(4):
            if (text := self.step()) is not None:
                return text
        raise AssertionError("the model never answers")


def _whole(answer: ChatCompletion) -> tuple[str, list[tuple[str, str, str]]]:
    message = answer.choices[0].message
    calls = [(call.id, call.function.name, call.function.arguments) for call in message.tool_calls or ()]  # type: ignore[union-attr]
    return message.content or "", calls


def _gather(chunks: Iterator[ChatCompletionChunk]) -> tuple[str, list[tuple[str, str, str]]]:
    text = ""
    calls: dict[int, list[str]] = {}
    for chunk in chunks:
        for choice in chunk.choices:
            text += choice.delta.content or ""
            for call in choice.delta.tool_calls or ():
                held = calls.setdefault(call.index, ["", "", ""])
                held[0] += call.id or ""
                held[1] += (call.function and call.function.name) or ""
                held[2] += (call.function and call.function.arguments) or ""
    return text, [(id, name, arguments) for id, name, arguments in calls.values()]
