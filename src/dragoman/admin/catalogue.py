"""The models that the configuration leads to, as rows and as a whole entry: what `dragoman models` prints.

The names are those of GET /v1/models and come from the same code; here they also tell where each comes from.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from time import time
from typing import Any, Literal

import msgspec

from dragoman.admin.price_words import price_told
from dragoman.catalog.directory import Directory, Resolved, Target, is_pattern
from dragoman.catalog.profile import Profile, profile_for
from dragoman.config import Loaded, redacted
from dragoman.config.reading import spell
from dragoman.pipeline.gateway import Gateway
from dragoman.pipeline.models import cards_of
from dragoman.pipeline.snapshot import Snapshot
from dragoman.protocols.base import ModelCard
from dragoman.protocols.known import protocol_of

Kind = Literal["own", "alias", "listed", "pattern"]


@dataclass(frozen=True, slots=True)
class Row:
    """A name that callers may use, or a pattern of such names."""

    name: str
    provider: str
    kind: Kind
    alias_of: str | None = None
    card: ModelCard | None = None

    def as_dict(self) -> dict[str, Any]:
        card = self.card
        return {
            "name": self.name,
            "provider": self.provider,
            "kind": self.kind,
            "alias_of": self.alias_of,
            "display_name": card.display_name if card else self.name,
            "description": card.description if card else "",
            "input_tokens": card.input_tokens if card else None,
            "output_tokens": card.output_tokens if card else None,
        }


async def every_row(gateway: Gateway, *, offline: bool) -> tuple[list[Row], list[str]]:
    """Every model, and the providers with patterns from whom no list of models could be had."""
    directory = gateway.snapshot.directory
    aliases = {alias: name for name, model in directory.named.items() for alias in model.aliases}
    patterned = [name for name, found in directory.patterns.items() if any(map(is_pattern, found))]
    cards = _known_cards(directory) if offline else await cards_of(gateway, gateway.snapshot, None)
    rows = []
    for card in cards:
        if card.id in aliases:
            name = aliases[card.id]
            rows.append(Row(card.id, _providers(directory.named[name].targets), "alias", name, card))
        elif card.id in directory.named:
            rows.append(Row(card.id, _providers(directory.named[card.id].targets), "own", None, card))
        else:
            rows.append(Row(card.id, card.owner, "listed", None, card))
    for name in patterned:
        rows += [Row(pattern, name, "pattern") for pattern in directory.patterns[name] if is_pattern(pattern)]
    if offline:
        return rows, []
    # Asked a moment ago, so this is what was kept of it.
    endpoints = [gateway.snapshot.endpoints[name] for name in patterned]
    kept = [await gateway.lists.of(gateway.transport(endpoint), endpoint) for endpoint in endpoints]
    silent = [name for name, found in zip(patterned, kept, strict=True) if not found]
    return rows, silent


def _known_cards(directory: Directory) -> list[ModelCard]:
    owners = {pattern: name for name, found in directory.patterns.items() for pattern in found}
    return [
        ModelCard(
            name, owners.get(name, ""), 0, name, named.description if (named := directory.named.get(name)) else ""
        )
        for name in directory.names()
    ]


def _providers(targets: tuple[Target, ...]) -> str:
    return ", ".join(dict.fromkeys(target.provider for target in targets))


def entry(loaded: Loaded, snapshot: Snapshot, asked: str, resolved: Resolved) -> dict[str, Any]:
    """All that is known of one model without asking anybody."""
    directory = snapshot.directory
    bare = asked.removeprefix("models/")
    own = loaded.settings.models.get(resolved.name)
    kind, source = _source(loaded, directory, bare, resolved)
    return {
        "name": resolved.name,
        "asked": asked,
        "kind": kind,
        "aliases": list(own.aliases) if own else [],
        "description": own.description if own else None,
        "targets": [target_shown(loaded, snapshot, resolved.name, target) for target in resolved.targets],
        "price": redacted(loaded.settings)["models"][resolved.name]["price"] if own else None,
        "source": source,
    }


def target_shown(loaded: Loaded, snapshot: Snapshot, name: str, target: Target) -> dict[str, Any]:
    provider = loaded.settings.providers[target.provider]
    spoken = next((name for name in provider.protocols if protocol_of(name)), None)
    return {
        "provider": target.provider,
        "model": target.model,
        "weight": target.weight,
        "priority": target.priority,
        "protocol": spoken,
        "protocols": list(provider.protocols),
        "price": price_told(snapshot.quote(name, target, time()).price),
        "context_window": snapshot.windows.get(name) or snapshot.book.window_of(target.provider, target.model),
        "profile": msgspec.to_builtins(profile_for(spoken or provider.protocols[0], target.model)),
    }


def _source(loaded: Loaded, directory: Directory, name: str, resolved: Resolved) -> tuple[str, str]:
    """Which kind of name it is, and the place in the configuration that makes it one."""
    if resolved.name in directory.named:
        kind = "own" if name == resolved.name else "alias"
        return kind, _place(loaded, "models", resolved.name)
    for provider, patterns in directory.patterns.items():
        for n, pattern in enumerate(patterns):
            if fnmatchcase(name, pattern):
                kind = "pattern" if is_pattern(pattern) else "listed"
                return kind, _place(loaded, "providers", provider, "models", n)
    provider, _, model = name.partition("/")
    if directory.stand_in is None or (model and provider in directory.patterns):
        return "provider", _place(loaded, "providers", provider)
    return "stand-in", "demo mode: no vendor's key is set, so the built-in model answers under every name"


def _place(loaded: Loaded, *path: str | int) -> str:
    spelled = spell(path)
    return f"{spelled} [{loaded.origins.get(spelled, 'default')}]"


_USUAL = Profile(family="other")


def profile_words(profile: dict[str, Any]) -> str:
    """A profile in a line: its family, and whatever differs from the usual."""
    usual = msgspec.to_builtins(_USUAL)
    words = [f"family {profile['family']}"]
    for name, value in profile.items():
        if name != "family" and value != usual[name]:
            shown = ", ".join(map(str, value)) if isinstance(value, list | tuple) else value
            words.append(f"{name.replace('_', ' ')}: {'no' if value is False else 'yes' if value is True else shown}")
    return "; ".join(words)
