"""The list of models and one model, in Anthropic's shape, and the answer to a count of tokens."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from dragoman.protocols.base import ModelCard
from dragoman.wire.json import encode


def write_models(models: Sequence[ModelCard]) -> bytes:
    return encode(
        {
            "data": [_card(model) for model in models],
            "has_more": False,
            "first_id": models[0].id if models else None,
            "last_id": models[-1].id if models else None,
        }
    )


def write_model(model: ModelCard) -> bytes:
    return encode(_card(model))


def write_count(tokens: int) -> bytes:
    return encode({"input_tokens": tokens})


def _card(model: ModelCard) -> dict[str, Any]:
    """An unknown date is that of the epoch (docstring of ModelInfo, anthropic 2.12)."""
    created = datetime.fromtimestamp(max(0, model.created), UTC)
    card: dict[str, Any] = {
        "type": "model",
        "id": model.id,
        "display_name": model.display_name,
        "created_at": created.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "lifecycle": "active",
    }
    if model.input_tokens is not None:
        card["max_input_tokens"] = model.input_tokens
    if model.output_tokens is not None:
        card["max_tokens"] = model.output_tokens
    return card
