"""The list of models and one model, in OpenAI's shape, and the answer to a count of tokens."""

from collections.abc import Sequence
from typing import Any

from dragoman.protocols.base import ModelCard
from dragoman.wire.json import encode


def write_models(models: Sequence[ModelCard]) -> bytes:
    return encode({"object": "list", "data": [_card(model) for model in models]})


def write_model(model: ModelCard) -> bytes:
    return encode(_card(model))


def write_count(tokens: int) -> bytes:
    """OpenAI has no such operation in this protocol."""
    return encode({"total_tokens": tokens})


def _card(model: ModelCard) -> dict[str, Any]:
    return {"id": model.id, "object": "model", "created": model.created, "owned_by": model.owner}
