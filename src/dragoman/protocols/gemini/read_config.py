"""Reads `generationConfig`: sampling, output format, reasoning, modalities, and what only Gemini knows."""

from collections.abc import Callable
from typing import Any

from dragoman.ir import BadRequest, Extra, OutputFormat, Reasoning, Sampling
from dragoman.protocols.gemini.fields import (
    EMPTY,
    Object,
    array,
    below,
    boolean,
    camel_deep,
    choice,
    integer,
    invalid,
    members,
    number,
    plain_object,
    text,
    texts,
)
from dragoman.protocols.gemini.schema import json_schema
from dragoman.protocols.gemini.shapes import CONFIG, check

# Nobody else's; a hint (True) changes no answer's content.
_GEMINIS = {
    "speechConfig": False,
    "imageConfig": False,
    "mediaResolution": True,
    "enableEnhancedCivicAnswers": True,
    "responseFormat": False,
    "audioTimestamp": False,
    "routingConfig": True,
    "modelSelectionConfig": True,
}
_KNOWN = frozenset(
    {
        "temperature",
        "topP",
        "topK",
        "candidateCount",
        "maxOutputTokens",
        "stopSequences",
        "seed",
        "presencePenalty",
        "frequencyPenalty",
        "responseLogprobs",
        "logprobs",
        "responseMimeType",
        "responseSchema",
        "responseJsonSchema",
        "responseModalities",
        "thinkingConfig",
        *_GEMINIS,
    }
)
_THINKING = frozenset({"includeThoughts", "thinkingBudget", "thinkingLevel"})
_LEVELS = ("THINKING_LEVEL_UNSPECIFIED", "LOW", "MEDIUM", "HIGH", "MINIMAL", "XHIGH", "MAX", "NONE")
_MODALITIES = ("MODALITY_UNSPECIFIED", "TEXT", "IMAGE", "AUDIO", "VIDEO")


class Config:
    """A `generationConfig`, read."""

    __slots__ = ("extras", "format", "modalities", "reasoning", "sampling")

    def __init__(self, value: Any, path: str, unknown: list[Extra]) -> None:
        config = members(value, _KNOWN, path, unknown)
        get = config.get
        self.sampling = _sampling(config, path) if config else Sampling()
        self.format: OutputFormat | None = None
        self.extras: list[Extra] = []
        if "responseMimeType" in config or "responseSchema" in config or "responseJsonSchema" in config:
            self.format = self._format(config, path)
        thinking = get("thinkingConfig")
        self.reasoning = None if thinking is None else _reasoning(thinking, f"{path}.thinkingConfig", unknown)
        modalities = get("responseModalities")
        self.modalities = () if modalities is None else _modalities(modalities, f"{path}.responseModalities")
        if not _GEMINIS.keys().isdisjoint(config):
            self._keep_googles(config, path)

    def _keep_googles(self, config: Object, path: str) -> None:
        for name, held in config.items():
            if name in _GEMINIS and held not in EMPTY:
                check(held, CONFIG[name], below(path, name))
                whole = f"generationConfig.{name}"
                self.extras.append(Extra("gemini", whole, camel_deep(held), below(path, name), _GEMINIS[name]))

    def _format(self, config: Object, path: str) -> OutputFormat | None:
        mime = text(config.get("responseMimeType", ""), below(path, "responseMimeType"))
        if "responseSchema" in config and "responseJsonSchema" in config:
            raise invalid(below(path, "responseJsonSchema"), "responseSchema and responseJsonSchema exclude each other")
        schema: Object | None = None
        if "responseSchema" in config:
            schema = json_schema(config["responseSchema"], below(path, "responseSchema"))
        elif "responseJsonSchema" in config:
            schema = plain_object(config["responseJsonSchema"], below(path, "responseJsonSchema"))
        match mime.partition(";")[0].strip().lower():
            case "text/x.enum":
                return OutputFormat("enum", schema)
            case "application/json" | "":
                return OutputFormat("json") if schema is None else OutputFormat("schema", schema)
            case "text/plain" if schema is None:
                return None
        if schema is not None:
            raise invalid(below(path, "responseMimeType"), "a response schema needs application/json")
        at = below(path, "responseMimeType")
        self.extras.append(Extra("gemini", "generationConfig.responseMimeType", mime, at))
        return None


# Google's name, ours, and what reads it.
_SAMPLING: dict[str, tuple[str, Callable[[Any, str], Any]]] = {
    "temperature": ("temperature", number),
    "topP": ("top_p", number),
    "topK": ("top_k", integer),
    "maxOutputTokens": ("max_output_tokens", integer),
    "stopSequences": ("stop", texts),
    "seed": ("seed", integer),
    "presencePenalty": ("presence_penalty", number),
    "frequencyPenalty": ("frequency_penalty", number),
    "candidateCount": ("candidate_count", integer),
    "responseLogprobs": ("logprobs", boolean),
    "logprobs": ("top_logprobs", integer),
}


def _sampling(config: Object, path: str) -> Sampling:
    told: dict[str, Any] = {}
    for name, held in config.items():
        field = _SAMPLING.get(name)
        if field is not None:
            told[field[0]] = field[1](held, f"{path}.{name}")
    return Sampling(**told)


def _reasoning(value: Any, path: str, unknown: list[Extra]) -> Reasoning | None:
    thinking = members(value, _THINKING, path, unknown)
    budget = thinking.get("thinkingBudget")
    level = thinking.get("thinkingLevel")
    include = thinking.get("includeThoughts")
    effort = None
    if level is not None:
        word = choice(level, _LEVELS, below(path, "thinkingLevel"))
        effort = None if word == "THINKING_LEVEL_UNSPECIFIED" else word.lower()
    if effort is not None and budget is not None:
        raise BadRequest(
            "You can only set only one of thinking budget and thinking level.", param=path, code="invalid_value"
        )
    if effort is None and budget is None and include is None:
        return None
    return Reasoning(
        effort=effort,  # type: ignore[arg-type]
        budget=None if budget is None else integer(budget, below(path, "thinkingBudget")),
        include_thoughts=None if include is None else boolean(include, below(path, "includeThoughts")),
    )


def _modalities(value: Any, path: str) -> tuple[str, ...]:
    words = [choice(item, _MODALITIES, f"{path}[{n}]") for n, item in enumerate(array(value, path))]
    return tuple([word.lower() for word in words if word != "MODALITY_UNSPECIFIED"])
