"""Reads a GenerateContentRequest (or CountTokensRequest) into the neutral language.

Unknown fields become extras that nobody owns, so that a translation names them as losses; wrong types are refused with the
field's path in Google's spelling.
"""

from typing import Any

from dragoman.ir import BadRequest, Extra, OutputFormat, Reasoning, Request, Sampling, Tool, ToolChoice
from dragoman.protocols.base import Route
from dragoman.protocols.gemini.fields import EMPTY, below, camel_deep, members, plain_object, text
from dragoman.protocols.gemini.read_config import Config
from dragoman.protocols.gemini.read_parts import Turns
from dragoman.protocols.gemini.read_system import read_system
from dragoman.protocols.gemini.read_tools import read_tool_config, read_tools
from dragoman.protocols.gemini.shapes import REQUEST, check
from dragoman.wire.json import decode_object

# Nobody else's; a hint (True) changes no answer's content.
_GEMINIS = {
    "safetySettings": False,
    "cachedContent": False,
    "continuationToken": False,
    "labels": True,
    "store": True,
}
_KNOWN = frozenset(
    {
        "contents",
        "systemInstruction",
        "tools",
        "toolConfig",
        "generationConfig",
        "serviceTier",
        "model",
        "generateContentRequest",
        *_GEMINIS,
    }
)
_NO_SAMPLING = Sampling()


def read_request(body: bytes, route: Route) -> Request:
    value = decode_object(body)
    unknown: list[Extra] = []
    path = ""
    if route.operation == "count_tokens":
        nested = value.get("generateContentRequest", value.get("generate_content_request"))
        if nested is not None:
            path = "generateContentRequest"
            value = plain_object(nested, path)
    found = members(value, _KNOWN, path, unknown)
    messages = Turns(unknown).read(found.pop("contents", None), below(path, "contents"))
    system: tuple[Any, ...] = ()
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    sampling = _NO_SAMPLING
    output: OutputFormat | None = None
    reasoning: Reasoning | None = None
    modalities: tuple[str, ...] = ()
    tier: str | None = None
    extras: list[Extra] = []
    for name, held in found.items():
        at = below(path, name)
        match name:
            case "generationConfig":
                config = Config(held, at, unknown)
                sampling, output = config.sampling, config.format
                reasoning, modalities = config.reasoning, config.modalities
                extras += config.extras
            case "systemInstruction":
                system = read_system(held, at, unknown)
            case "tools":
                tools = read_tools(held, at, unknown)
            case "toolConfig":
                tool_choice, more = read_tool_config(held, at, unknown)
                extras += more
            case "serviceTier":
                tier = text(held, at).lower()
                tier = "default" if tier == "standard" else tier
            case "model":
                pass  # legal and ignored: the path names the model
            case "generateContentRequest":
                unknown.append(Extra("", name, held, at))
            case _ if held not in EMPTY:
                check(held, REQUEST[name], at)
                kept = held if name == "labels" else camel_deep(held)
                extras.append(Extra("gemini", name, kept, at, _GEMINIS[name]))
    if route.model is None:
        raise BadRequest("The path names no model.", param="model", code="missing_model")
    return Request(
        # By place: by name costs several times as much.
        route.model,
        messages,
        system,
        tools,
        tool_choice,
        None,  # whether calls may be parallel: Gemini has no word for it
        sampling,
        output,
        reasoning,
        modalities,
        bool(route.stream),
        True,
        None,  # user
        tier,
        (*extras, *unknown),
    )
