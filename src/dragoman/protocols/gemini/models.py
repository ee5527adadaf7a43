"""Lists of models and token counts, as Google's ModelService answers them."""

from collections.abc import Sequence
from typing import Any

from dragoman.ir import UpstreamBroken
from dragoman.protocols.base import ModelCard
from dragoman.wire.json import NotJson, decode, encode


def write_models(models: Sequence[ModelCard]) -> bytes:
    return encode({"models": [_card(model) for model in models]})


def write_model(model: ModelCard) -> bytes:
    return encode(_card(model))


def write_count(tokens: int) -> bytes:
    return b'{"totalTokens":%d}' % tokens


def read_count(body: bytes) -> int:
    try:
        value = decode(body)
    except NotJson:
        value = None
    tokens = value.get("totalTokens", 0) if isinstance(value, dict) else None  # proto JSON leaves a zero out
    if type(tokens) is not int:
        raise UpstreamBroken("The provider's answer to a count of tokens holds none.")
    return tokens


def _card(model: ModelCard) -> dict[str, Any]:
    card: dict[str, Any] = {"name": f"models/{model.id}", "version": "001", "displayName": model.display_name}
    if model.description:
        card["description"] = model.description
    if model.input_tokens is not None:
        card["inputTokenLimit"] = model.input_tokens
    if model.output_tokens is not None:
        card["outputTokenLimit"] = model.output_tokens
    card["supportedGenerationMethods"] = ["generateContent", "streamGenerateContent", "countTokens"]
    return card
