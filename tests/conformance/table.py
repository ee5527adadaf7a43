"""The table: every feature once, in neutral words, with what becomes of it between each caller and each vendor.

What is not told is `carried` (and `native` where both speak the same protocol). The expectations come from the protocols' own
documentation, never from the code: where a case fails, one of the two is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from conformance.neutral import Said, Wish
from conformance.outcomes import PLAIN, Expected

GEMINI, CHAT, RESPONSES, ANTHROPIC = PROTOCOLS = ("gemini", "openai-chat", "openai-responses", "anthropic")
# The models that stand for each vendor.
MODELS = {GEMINI: "gemini-3-pro-preview", CHAT: "gpt-4o", RESPONSES: "gpt-4.1", ANTHROPIC: "claude-opus-4-6"}
REASONING = {CHAT: "gpt-5.4", RESPONSES: "gpt-5.4-mini"}

TEXT = "Grüß dich, 世界! 👋"
TURNS: list[Any] = [("user", [("text", "Hello, 世界")])]
SAID: Said = {"parts": [("text", TEXT)], "finish": "stop"}
TOWN = {
    "type": "object",
    "properties": {"town": {"type": "string"}},
    "required": ["town"],
    "additionalProperties": False,
}
WEATHER = {"name": "get_weather", "description": "The weather.", "parameters": TOWN}
TIME = {"name": "get_time", "description": "The time.", "parameters": TOWN}
PARIS = ("call", "call_1", "get_weather", {"town": "Paris"})
OSLO = ("call", "call_2", "get_time", {"town": "Oslo"})

RICH: dict[str, Any] = {
    "type": "object",
    "properties": {
        "town": {"$ref": "#/$defs/town"},
        "when": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
        "days": {"type": "integer", "enum": [1, 7]},
        "unit": {"type": ["string", "null"]},
    },
    "required": ["town"],
    "$defs": {"town": {"type": "string", "minLength": 1}},
}
TOLD_JSON = "Answer with one JSON object and nothing else: no words around it, no code fence."
NO = "I can't help with that."
CITED: Said = {
    "parts": [("text", "世界: Paris is the capital of France.")],
    "finish": "stop",
    "queries": ["capital of France"],
    "citations": [("https://example.com/a", "Paris")],
}


@dataclass(frozen=True)
class Feature:
    """`carries` are the fields of the wish that must reach the vendor as they are; `hears` what of the answer must reach the
    caller. `outcomes` go by vendor, or by caller and vendor."""

    name: str
    en: str
    zh: str
    wish: Wish
    carries: tuple[str, ...] = ()
    said: Said = field(default_factory=lambda: SAID)
    hears: tuple[str, ...] = ("parts", "finish")
    models: dict[str, str] = field(default_factory=dict)
    outcomes: dict[Any, Expected | None] = field(default_factory=dict)
    # What is tried: an exchange, or `error`, `broken` (a stream), `count`, `renamed` (a function), `continued` (by a response's
    # id), `kept` and `dropped` (two turns with a signature).
    kind: str = "exchange"

    def expected(self, caller: str, vendor: str, stream: bool) -> Expected | None:
        """None: there is nothing to try."""
        for key in ((caller, vendor, stream), (caller, vendor), vendor):
            if key in self.outcomes:
                return self.outcomes[key]
        return PLAIN


def wish(**fields: Any) -> Wish:
    return {"turns": TURNS, **fields}


def given(*parts: Any) -> Wish:
    return {"turns": [("user", [("text", "Look."), *parts])]}


def answered(*results: Any, calls: tuple[Any, ...] = (("call", "1", "get_weather", {"town": "Paris"}),)) -> Wish:
    # In a turn that is over: of the current one Gemini 3 would want signatures.
    over = [("model", [("text", "18.")]), ("user", [("text", "And?")])]
    return {"turns": [*TURNS, ("model", list(calls)), ("user", list(results)), *over], "tools": [WEATHER, TIME]}


def setting(name: str, en: str, zh: str, key: str, value: Any, **more: Any) -> Feature:
    return Feature(name, en, zh, wish(**{key: value}), (key,), **more)


def no(what: str, zh: str) -> tuple[str, str]:
    return f"The vendor's protocol has no {what}.", f"服务商的协议没有{zh}。"
