"""What a vendor says in each of the four protocols, taken apart: the frames that only begin an answer, the first words, the end;
and what a caller of each got, read again."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from e2e.bookkeeper import SPEECH, Counts
from e2e.canned_anthropic import anthropic_events
from e2e.vendor import Exchange, dumps, gemini_events, openai_events

PROTOCOLS = tuple(SPEECH)
COUNTS = Counts(input=9, cached=0, written=0, output=3, thought=0)


class Speech(NamedTuple):
    """A stream in three pieces, and the same as a whole answer; `kind` is the stream's content type, `event` one more of its
    events."""

    protocol: str
    array: bool
    kind: str
    opening: bytes
    words: bytes
    end: bytes
    whole: bytes

    def event(self, value: bytes) -> bytes:
        if self.array:
            return b"\n,\r\n" + value
        return b"data: " + value + (b"\r\n\r\n" if self.protocol == "gemini" else b"\n\n")


def speech(protocol: str, text: str, counts: Counts = COUNTS, *, array: bool = False) -> Speech:
    told, events = SPEECH[protocol]
    whole = dumps(told(text, counts)).encode()
    kind = "text/event-stream"
    match protocol:
        case "openai-chat":
            role = {"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}
            opening = openai_events({"id": "c", "model": "m", "choices": [role]}, done=False)[0]
            words, end = events(text, counts)
        case "openai-responses":
            *began, words, end = events(text, counts)
            opening = b"".join(began)
        case "anthropic":
            *began, words, end = events(text, counts)
            opening = b"".join(began) + anthropic_events({"type": "ping"})[0]
        case _:
            words, end = events(text, counts)
            opening = gemini_events({"candidates": [{"content": {"role": "model", "parts": [{"text": ""}]}}]})[0]
            if array:
                opening, words, end = (piece.removeprefix(b"data: ").rstrip() for piece in (opening, words, end))
                opening, words, end = b"[" + opening, b"\n,\r\n" + words, b"\n,\r\n" + end + b"\n]"
                kind = "application/json"
    return Speech(protocol, array, kind, opening, words, end, whole)


class Asked(NamedTuple):
    """What a vendor was asked for; `place` is the first part of the path."""

    place: str
    protocol: str
    streams: bool
    array: bool


def asked(exchange: Exchange) -> Asked:
    seen = exchange.seen
    place = seen.path.split("/")[1]
    if seen.path.endswith(("GenerateContent", "generateContent")):
        streams = seen.path.endswith(":streamGenerateContent")
        return Asked(place, "gemini", streams, streams and "alt=sse" not in seen.query)
    protocol = {"completions": "openai-chat", "responses": "openai-responses", "messages": "anthropic"}[
        seen.path.rpartition("/")[2]
    ]
    return Asked(place, protocol, bool(seen.json.get("stream")), False)


def question(protocol: str, model: str, form: str, text: str = "hi") -> tuple[str, dict[str, Any]]:
    """Path and body of a caller's request; `form` is `one`, `events` or `array`."""
    streams = form != "one"
    match protocol:
        case "gemini":
            method = {
                "one": "generateContent",
                "events": "streamGenerateContent?alt=sse",
                "array": "streamGenerateContent",
            }
            asked = {"contents": [{"role": "user", "parts": [{"text": text}]}]}
            return f"/v1beta/models/{model}:{method[form]}", asked
        case "openai-responses":
            return "/v1/responses", {"model": model, "input": text, "stream": streams}
        case "anthropic":
            turns = [{"role": "user", "content": text}]
            return "/v1/messages", {"model": model, "messages": turns, "stream": streams, "max_tokens": 100}
        case _:
            turns = [{"role": "user", "content": text}]
            return "/v1/chat/completions", {"model": model, "messages": turns, "stream": streams}


def read_events(protocol: str, form: str, body: bytes) -> list[Any]:
    """The values of a stream that came to its end, whatever that is; `[DONE]` as it is, comments left out."""
    if form == "array":
        found: list[Any] = json.loads(body)
        return found
    text = body.decode()
    blank = "\r\n\r\n" if protocol == "gemini" else "\n\n"
    assert text.endswith(blank), text[-300:]
    values: list[Any] = []
    for event in text[: -len(blank)].split(blank):
        lines = [line for line in event.split("\n") if not line.startswith((":", "event: "))]
        assert len(lines) <= 1, event
        if lines:
            data = lines[0].removeprefix("data: ")
            values.append(data if data == "[DONE]" else json.loads(data))
    return values


def is_error(value: Any) -> bool:
    return isinstance(value, dict) and (value.get("type") in ("error", "response.failed") or bool(value.get("error")))


def is_whole(protocol: str, values: list[Any]) -> bool:
    """Whether a client would take the stream for a whole answer."""
    if not values or any(map(is_error, values)):
        return False
    match protocol:
        case "openai-chat":
            return bool(values[-1] == "[DONE]")
        case "openai-responses":
            return bool(values[-1]["type"] == "response.completed")
        case "anthropic":
            return bool(values[0]["type"] == "message_start" and values[-1]["type"] == "message_stop")
    return any("finishReason" in candidate for value in values for candidate in value.get("candidates", ()))


def check_refusal(protocol: str, status: int, value: Any) -> str:
    """Asserts that `value` is an error as `protocol` tells it, with this status where the shape tells one; its message."""
    if isinstance(value, list):
        (value,) = value
    if protocol == "openai-responses" and value.get("type") == "response.failed":
        error = value["response"]["error"]
        assert set(error) == {"code", "message"}
        return str(error["message"])
    error = value["error"]
    message: str = error["message"]
    assert isinstance(message, str) and len(message) > 10
    if protocol == "gemini":
        assert error["code"] == status and error["status"].isupper()
    elif protocol == "anthropic":
        assert value["type"] == "error" and error["type"].endswith("_error")
    else:
        assert set(error) >= {"message", "type", "param", "code"} and isinstance(error["type"], str)
    return message
