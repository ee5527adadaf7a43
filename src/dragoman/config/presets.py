"""The providers that are there without a file: those whose key variable is set, and the built-in model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LOCAL_MODEL = "smollm2-135m"


@dataclass(frozen=True, slots=True)
class Preset:
    """A vendor's endpoint as `dragoman init` and the built-in defaults write it."""

    name: str
    title: str
    variables: tuple[str, ...]
    protocols: tuple[str, ...]
    base_url: str
    models: tuple[str, ...]

    def key_variable(self, env: Mapping[str, str]) -> str | None:
        """The variable that holds a key, the first named winning; None when all are unset or empty."""
        return next((name for name in self.variables if env.get(name, "").strip()), None)


PRESETS = (
    Preset(
        "google",
        "Google Gemini",
        ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        ("gemini",),
        "https://generativelanguage.googleapis.com",
        ("gemini-*",),
    ),
    Preset(
        "openai",
        "OpenAI",
        ("OPENAI_API_KEY",),
        ("openai-chat", "openai-responses"),
        "https://api.openai.com/v1",
        ("gpt-*", "sora-*"),
    ),
    Preset(
        "anthropic",
        "Anthropic",
        ("ANTHROPIC_API_KEY",),
        ("anthropic",),
        "https://api.anthropic.com",
        ("claude-*",),
    ),
    Preset(
        "ark",
        "Volcengine Ark (Doubao)",
        ("ARK_API_KEY",),
        ("openai-chat",),
        "https://ark.cn-beijing.volces.com/api/v3",
        ("doubao-*",),
    ),
)


@dataclass(slots=True)
class Standard:
    """Providers taken from the environment; `demo` when only the built-in model is left."""

    providers: dict[str, dict[str, Any]]
    variables: dict[str, str]
    demo: bool


def standard_providers(env: Mapping[str, str]) -> Standard:
    """Data for `providers`, and for each vendor the variable its key was taken from."""
    providers: dict[str, dict[str, Any]] = {}
    variables: dict[str, str] = {}
    for preset in PRESETS:
        variable = preset.key_variable(env)
        if variable is None:
            continue
        variables[preset.name] = variable
        providers[preset.name] = {
            "protocols": list(preset.protocols),
            "base_url": preset.base_url,
            "api_key": env[variable].strip(),
            "models": list(preset.models),
        }
    demo = not providers
    providers["local"] = {"protocols": ["local"], "models": [LOCAL_MODEL]}
    return Standard(providers, variables, demo)
