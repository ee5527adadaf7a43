"""The list of models and one model, in OpenAI's shape."""

from collections.abc import Sequence
from typing import Any

from dragoman.protocols.base import ModelCard
from dragoman.wire.json import encode


def write_models(models: Sequence[ModelCard]) -> bytes:
    return encode({"object": "list", "data": [_card(model) for model in models]})


def write_model(model: ModelCard) -> bytes:
    return encode(_card(model))


def _card(model: ModelCard) -> dict[str, Any]:
    return {"id": model.id, "object": "model", "created": model.created, "owned_by": model.owner}
