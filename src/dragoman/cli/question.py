"""A question as a Chat Completions body, and its streamed answer read back: what `ask` says and hears."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from dragoman.cli.exchange import Answer
from dragoman.ir import (
    Blocked,
    DragomanError,
    Event,
    Failed,
    Finished,
    RefusalDelta,
    Started,
    TextDelta,
    Usage,
    UsageReported,
)
from dragoman.protocols.known import PROTOCOLS

_CHAT = PROTOCOLS["openai-chat"]


@dataclass(frozen=True, slots=True)
class Question:
    prompt: str
    model: str | None = None
    system: str | None = None
    max_tokens: int | None = None
    temperature: float | None = None

    def body(self, model: str) -> bytes:
        messages = [{"role": "system", "content": self.system}] if self.system else []
        messages.append({"role": "user", "content": self.prompt})
        body: dict[str, Any] = {
            "model": model,
            "messages": messages,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if self.max_tokens is not None:
            # OpenAI's reasoning models refuse max_tokens; this spelling is the one that its API documents.
            body["max_completion_tokens"] = self.max_tokens
        if self.temperature is not None:
            body["temperature"] = self.temperature
        return json.dumps(body, ensure_ascii=False).encode()


class Reply:
    """The first candidate of a streamed answer. `error` is what the stream itself reported."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._pieces: list[str] = []
        self.model: str | None = None
        self.usage: Usage | None = None
        self.finish: str | None = None
        self.finish_message: str | None = None
        self.error: str | None = None

    @property
    def text(self) -> str:
        return "".join(self._pieces)

    async def texts(self) -> AsyncIterator[str]:
        """The text as it comes. What ends the stream early is kept in `error`."""
        if not self._answer.streams:
            body = await self._answer.read()
            self.error = f"The answer is no stream: {body[:200].decode(errors='replace') or 'it is empty'}"
            return
        reader = _CHAT.stream_reader()
        try:
            async for piece in self._answer.pieces:
                if text := self._hear(reader.feed(piece)):
                    yield text
            if text := self._hear(reader.end()):
                yield text
        except DragomanError as error:
            self.error = error.message

    def _hear(self, events: list[Event]) -> str:
        texts = []
        for event in events:
            match event:
                case Started(model=model):
                    self.model = model
                case TextDelta(index=0, text=text) | RefusalDelta(index=0, text=text):
                    texts.append(text)
                case UsageReported(usage=usage):
                    self.usage = usage
                case Finished(index=0, finish=finish):
                    self.finish, self.finish_message = finish.reason, finish.message
                case Blocked(block=block):
                    self.finish, self.finish_message = "content_filter", block.message or block.reason
                case Failed(error=error):
                    self.error = error.message
                case _:
                    pass
        heard = "".join(texts)
        if heard:
            self._pieces.append(heard)
        return heard

    def silence(self) -> str:
        """Why there is no text, where that is worth an error."""
        if self.finish in ("content_filter", "refusal"):
            return f"The vendor blocked the answer: {self.finish_message or self.finish}."
        return "" if self.finish == "stop" else f"The answer has no text ({self.finish or 'no reason given'})."

    def summary(self) -> dict[str, Any]:
        usage = self.usage
        return {
            "text": self.text,
            "model": self.model,
            "target": self._answer.target,
            "finish_reason": self.finish,
            "usage": None
            if usage is None
            else {
                "input_tokens": usage.input,
                "cached_input_tokens": usage.cached_input,
                "output_tokens": usage.output,
                "reasoning_tokens": usage.reasoning,
            },
            "losses": self._answer.losses,
            "request_id": self._answer.request_id,
        }


def mend_for(text: str, answer: Answer) -> str:
    """What the operator can do about an error that the pipeline in this process answered with."""
    try:
        code = json.loads(text)["error"]["code"]
    except (ValueError, LookupError, TypeError):
        code = None
    provider = (answer.target or "").partition("/")[0]
    match code:
        case "model_not_found":
            return "See what there is: dragoman models list"
        case "local_model_failed":
            return "See what is missing: dragoman doctor"
        case "unsupported":
            return "Ask another model: dragoman models list"
    if answer.status == 500:
        return "Run again with --verbose to see the log."
    if provider:
        return f"Test the provider: dragoman providers test {provider}"
    return "See what is wrong here: dragoman doctor"
