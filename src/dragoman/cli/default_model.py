"""Which model is asked where the caller names none."""

from __future__ import annotations

from fnmatch import fnmatchcase

from dragoman.cli.inprocess import Here
from dragoman.cli.likely_model import likely_model, usable_providers
from dragoman.cli.output import Failed
from dragoman.config import Settings


async def default_model(here: Here, settings: Settings) -> str:
    """The first model of the operator's own, else the first usable one in the providers' order. Raises Failed."""
    if name := likely_model(settings):
        return name
    usable = usable_providers(settings)
    for name in usable:
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
