"""Which model is asked where the caller names none."""

from __future__ import annotations

from fnmatch import fnmatchcase

from dragoman.catalog.directory import is_pattern
from dragoman.cli.inprocess import Here
from dragoman.cli.output import Failed
from dragoman.config import Settings
from dragoman.protocols.known import protocol_of

# A name that the vendor surely has, for the patterns that the built-in defaults give its provider.
_EXAMPLES = {
    "gemini-*": "gemini-2.5-flash",
    "gpt-*": "gpt-5.4-mini",
    "claude-*": "claude-opus-4-6",
    "doubao-*": "doubao-seed-1-8-251228",
}


async def default_model(here: Here, settings: Settings) -> str:
    """The first model of the operator's own, else the first usable one in the providers' order. Raises Failed."""
    if settings.models:
        return next(iter(settings.models))
    # Vendors before the built-in model, which the built-in defaults put last too.
    usable = {
        name: provider for name, provider in settings.providers.items() if any(map(protocol_of, provider.protocols))
    }
    ordered = sorted(usable, key=lambda name: "local" in usable[name].protocols)
    for name in ordered:
        for pattern in usable[name].models:
            if not is_pattern(pattern):
                return pattern
            if pattern in _EXAMPLES:
                return _EXAMPLES[pattern]
    for name in ordered:
        endpoint = here.gateway.snapshot.endpoints[name]
        patterns = usable[name].models
        for card in await here.gateway.lists.of(here.gateway.transport(endpoint), endpoint):
            if not patterns:
                return f"{name}/{card.id}"
            if any(fnmatchcase(card.id, pattern) for pattern in patterns):
                return card.id
    raise Failed(
        "No provider names a model that could be asked.",
        "Name one: dragoman ask PROVIDER/MODEL PROMPT, or give providers a list of models in dragoman.yaml.",
    )
