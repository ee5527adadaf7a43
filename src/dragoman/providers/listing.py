"""How a vendor's own list of models is asked for and read."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from dragoman.protocols.base import ModelCard
from dragoman.wire import json


class NoList(Exception):
    """The vendor's answer is no list of models."""


def list_path(protocol: str) -> str:
    """Where a vendor of `protocol` lists its models, behind its base URL."""
    return {"gemini": "/v1beta/models?pageSize=1000", "anthropic": "/v1/models?limit=1000"}.get(protocol, "/models")


def read_list(protocol: str, owner: str, body: bytes) -> list[ModelCard]:
    """The vendor's models. Raises NoList."""
    try:
        value = json.decode(body)
    except json.NotJson as error:
        raise NoList(f"not JSON: {error}") from None
    key, read = _READERS.get(protocol, ("data", _openai))
    entries = value.get(key) if isinstance(value, dict) else None
    if not isinstance(entries, list):
        raise NoList(f"no {key!r} list in it")
    return [read(owner, entry) for entry in entries if isinstance(entry, dict) and _name(entry)]


def _name(entry: dict[str, Any]) -> str:
    name = entry.get("id") or entry.get("name")
    return name.removeprefix("models/") if isinstance(name, str) else ""


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _gemini(owner: str, entry: dict[str, Any]) -> ModelCard:
    name = _name(entry)
    return ModelCard(
        id=name,
        owner=owner,
        created=0,
        display_name=str(entry.get("displayName") or name),
        description=str(entry.get("description") or ""),
        input_tokens=_whole(entry.get("inputTokenLimit")),
        output_tokens=_whole(entry.get("outputTokenLimit")),
    )


def _openai(owner: str, entry: dict[str, Any]) -> ModelCard:
    name = _name(entry)
    return ModelCard(id=name, owner=owner, created=_whole(entry.get("created")) or 0, display_name=name)


def _anthropic(owner: str, entry: dict[str, Any]) -> ModelCard:
    name = _name(entry)
    try:
        created = int(datetime.fromisoformat(str(entry.get("created_at"))).timestamp())
    except ValueError:
        created = 0
    return ModelCard(id=name, owner=owner, created=created, display_name=str(entry.get("display_name") or name))


_READERS: dict[str, tuple[str, Callable[[str, dict[str, Any]], ModelCard]]] = {
    "gemini": ("models", _gemini),
    "anthropic": ("data", _anthropic),
}
