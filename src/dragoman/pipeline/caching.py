"""What the settings say of the cache, worked out once for a snapshot."""

from __future__ import annotations

from hashlib import sha256

from msgspec import Struct

from dragoman.config import Settings


class Caching(Struct, frozen=True):
    """`ttls` are seconds by the model's own name; a key has its own. `edition` stands for the providers and models of the
    settings: with others a request may be answered otherwise."""

    ttls: dict[str, float]
    edition: bytes


def caching_of(settings: Settings) -> Caching | None:
    """None where nothing is ever cached."""
    ttls = {name: model.cache.ttl for name, model in settings.models.items() if model.cache is not None}
    if not ttls and all(key.cache is None for key in settings.keys):
        return None
    said = settings.model_dump_json(include={"providers", "models"})  # secrets covered
    return Caching(ttls, sha256(said.encode()).digest())
