"""How much a model is to think, in each protocol's words for each family of models, as Google's and OpenAI's tables have it."""

import json
from typing import Any

import pytest

from dragoman.catalog.profile import profile_for
from dragoman.ir import Losses
from dragoman.protocols.base import Route
from dragoman.protocols.known import PROTOCOLS

# What a Chat caller says -> each Gemini model's level or budget (ai.google.dev/gemini-api/docs/openai, and its limits).
NAMES = ("2.5-flash", "2.5-pro", "2.5-flash-lite", "3-pro-preview", "3.1-pro", "3-flash")
EFFORTS = {
    "none": (0, 128, 0, "LOW", "LOW", "MINIMAL"),
    "minimal": (1024, 1024, 1024, "LOW", "LOW", "MINIMAL"),
    "low": (1024, 1024, 1024, "LOW", "LOW", "LOW"),
    "medium": (8192, 8192, 8192, "HIGH", "MEDIUM", "MEDIUM"),
    "high": (24576, 24576, 24576, "HIGH", "HIGH", "HIGH"),
    "xhigh": (24576, 32768, 24576, "HIGH", "HIGH", "HIGH"),
    "max": (24576, 32768, 24576, "HIGH", "HIGH", "HIGH"),
}


def sent(source: str, body: Any, target: str, model: str) -> tuple[dict[str, Any], list[str]]:
    whole = (
        {"model": "m", "messages": [{"role": "user", "content": "Hi"}], **body}
        if source == "openai-chat"
        else {"contents": [{"parts": [{"text": "Hi"}]}], **body}
    )
    request = PROTOCOLS[source].read_request(json.dumps(whole).encode(), Route("generate", "m"))
    losses = Losses(PROTOCOLS[source].spelling)
    out = PROTOCOLS[target].write_request(request, model, profile_for(target, model), losses)
    return json.loads(out.body), [loss.path for loss in losses.serious]


def thinking(body: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = body.get("generationConfig", {}).get("thinkingConfig", {})
    return told


@pytest.mark.parametrize(
    ("effort", "model", "wanted"),
    [
        (effort, f"gemini-{name}", wanted)
        for effort, row in EFFORTS.items()
        for name, wanted in zip(NAMES, row, strict=True)
    ],
)
def test_efforts_for_gemini(effort: str, model: str, wanted: Any) -> None:
    body, losses = sent("openai-chat", {"reasoning_effort": effort}, "gemini", model)
    assert thinking(body) == {"thinkingLevel" if isinstance(wanted, str) else "thinkingBudget": wanted}
    assert losses == []


@pytest.mark.parametrize(
    ("asked", "effort", "ark"),
    [
        ({"thinkingBudget": 0}, "none", {"thinking": {"type": "disabled"}}),
        ({"thinkingBudget": 512}, "minimal", {"thinking": {"type": "enabled"}, "reasoning_effort": "minimal"}),
        ({"thinkingBudget": 1024}, "low", {"thinking": {"type": "enabled"}, "reasoning_effort": "low"}),
        ({"thinkingBudget": 8192}, "medium", {"thinking": {"type": "enabled"}, "reasoning_effort": "medium"}),
        ({"thinkingBudget": 24576}, "high", {"thinking": {"type": "enabled"}, "reasoning_effort": "high"}),
        ({"thinkingBudget": 30000}, "xhigh", {"thinking": {"type": "enabled"}, "reasoning_effort": "high"}),
        ({"thinkingBudget": -1}, None, {"thinking": {"type": "auto"}}),
        ({"thinkingLevel": "high"}, "high", {"thinking": {"type": "enabled"}, "reasoning_effort": "high"}),
        ({"thinking_level": "MINIMAL"}, "minimal", {"thinking": {"type": "enabled"}, "reasoning_effort": "minimal"}),
        ({"includeThoughts": True}, None, {}),
    ],
)
def test_geminis_words_for_others(asked: Any, effort: str | None, ark: Any) -> None:
    config = {"generationConfig": {"thinkingConfig": asked}}
    body, losses = sent("gemini", config, "openai-chat", "gpt-5.2")
    assert body.get("reasoning_effort") == effort and losses == []
    body, losses = sent("gemini", config, "openai-chat", "doubao-seed-1-8")
    assert {name: body[name] for name in ("thinking", "reasoning_effort") if name in body} == ark and losses == []


GOOGLE = {"thinking_config": {"include_thoughts": True}}


@pytest.mark.parametrize(
    "told", [{"extra_body": {"google": GOOGLE}}, {"google": GOOGLE}, {"extra_body": {"extra_body": {"google": GOOGLE}}}]
)
def test_thoughts_are_asked_for_beside_an_effort(told: Any) -> None:
    body, _ = sent("openai-chat", {"reasoning_effort": "low", **told}, "gemini", "gemini-3-flash")
    assert thinking(body) == {"thinkingLevel": "LOW", "includeThoughts": True}
    body, losses = sent("openai-chat", {"reasoning_effort": "low", **told}, "openai-chat", "gpt-5.2")
    assert body["reasoning_effort"] == "low" and "extra_body" not in body and losses == []


def test_googles_own_words_win_over_an_effort() -> None:
    google: Any = {"thinking_config": {"thinking_budget": 2048}}
    body, _ = sent("openai-chat", {"reasoning_effort": "high", "google": google}, "gemini", "gemini-2.5-flash")
    assert thinking(body) == {"thinkingBudget": 2048}
    google = {"thinking_config": {"thinking_level": "low"}}
    body, _ = sent("openai-chat", {"reasoning_effort": "high", "google": google}, "gemini", "gemini-3.1-pro")
    assert thinking(body) == {"thinkingLevel": "LOW"}


def test_nothing_said_is_nothing_sent() -> None:
    for model in ("gemini-2.5-pro", "gemini-3-pro-preview"):
        assert thinking(sent("openai-chat", {}, "gemini", model)[0]) == {}
    for model in ("gpt-5", "doubao-seed-1-8", "other"):
        assert not {"reasoning_effort", "thinking"} & sent("gemini", {}, "openai-chat", model)[0].keys()
