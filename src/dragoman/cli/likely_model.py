"""A model's name that can be asked for, found in the settings alone."""

from __future__ import annotations

from dragoman.catalog.directory import is_pattern
from dragoman.config import Provider, Settings
from dragoman.protocols.known import protocol_of

# A name that the vendor surely has, for the patterns that the built-in defaults give its provider.
_EXAMPLES = {
    "gemini-*": "gemini-2.5-flash",
    "gpt-*": "gpt-5.4-mini",
    "claude-*": "claude-opus-4-6",
    "doubao-*": "doubao-seed-1-8-251228",
}


def usable_providers(settings: Settings) -> dict[str, Provider]:
    """Those whose protocol we speak; vendors before the built-in model, which the built-in defaults put last too."""
    usable = {name: found for name, found in settings.providers.items() if any(map(protocol_of, found.protocols))}
    return dict(sorted(usable.items(), key=lambda entry: "local" in entry[1].protocols))


def likely_model(settings: Settings) -> str | None:
    """The first model of the operator's own, else the first that a provider names; None where no name is sure."""
    if settings.models:
        return next(iter(settings.models))
    for provider in usable_providers(settings).values():
        for pattern in provider.models:
            if not is_pattern(pattern):
                return pattern
            if pattern in _EXAMPLES:
                return _EXAMPLES[pattern]
    return None
