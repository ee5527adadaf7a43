"""Reads `tools` and `toolConfig`, OpenAI's shape of a tool included."""

from typing import Any

from dragoman.ir import BuiltinTool, Extra, FunctionTool, Tool, ToolChoice
from dragoman.protocols.builtins import GATEWAYS_NAMES
from dragoman.protocols.gemini.fields import (
    EMPTY,
    Object,
    array,
    below,
    boolean,
    camel_deep,
    choice,
    invalid,
    members,
    plain_object,
    text,
    texts,
)
from dragoman.protocols.gemini.schema import json_schema
from dragoman.protocols.gemini.shapes import TOOL_CONFIG, TOOLS, check

# Gemini's name of each tool that the vendor runs, and the neutral one.
BUILTINS = {
    "googleSearch": "web_search",
    "googleSearchRetrieval": "web_search",
    "codeExecution": "code_execution",
    "urlContext": "url_context",
    "fileSearch": "file_search",
    "googleMaps": "google_maps",
    "computerUse": "computer",
    "enterpriseWebSearch": "web_search",
    "mcpServers": "mcp",
}
# What OpenAI-shaped callers name a built-in tool: a function without parameters, or a bare type.
ALIASES = {
    **GATEWAYS_NAMES,
    "web_search_preview": "web_search",
    "image_generation": "image_generation",
}
_TOOL = frozenset({"functionDeclarations", *BUILTINS})
_DECLARATION = frozenset(
    {"name", "description", "parameters", "parametersJsonSchema", "response", "responseJsonSchema", "behavior"}
)
_CONFIG = frozenset({"functionCallingConfig", "retrievalConfig", "includeServerSideToolInvocations"})
_CALLING = frozenset({"mode", "allowedFunctionNames", "streamFunctionCallArguments"})
_MODES = ("MODE_UNSPECIFIED", "AUTO", "ANY", "NONE", "VALIDATED")


def read_tools(value: Any, path: str, unknown: list[Extra]) -> tuple[Tool, ...]:
    tools: list[Tool] = []
    for number, item in enumerate(array(value, path)):
        at = f"{path}[{number}]"
        if item.__class__ is dict and item.get("type") is not None:
            tools.append(read_openai_shape(item, at, unknown))
            continue
        tool = members(item, _TOOL, at, unknown, empty_speaks=True)
        for name, held in tool.items():
            inside = below(at, name)
            if name in TOOLS:
                check(held, TOOLS[name], inside)
            if name == "functionDeclarations":
                declared = array(held, inside)
                tools += [_declaration(one, f"{inside}[{n}]", unknown) for n, one in enumerate(declared)]
            elif name == "mcpServers":
                servers = [camel_deep(plain_object(one, inside)) for one in array(held, inside)]
                tools.append(BuiltinTool("mcp", {"mcpServers": servers}, inside))
            else:
                options = camel_deep(plain_object(held, inside)) or None
                tools.append(BuiltinTool(BUILTINS[name], options, inside))
    return tuple(tools)


def read_openai_shape(item: Object, path: str, unknown: list[Extra]) -> Tool:
    """`{"type": "function", "function": {…}}`, which Google's parser refuses (400 Unknown name "type" at 'tools[0]')."""
    kind = text(item["type"], below(path, "type"))
    if kind != "function":
        known = ALIASES.get(kind)
        if known is None and kind.startswith("web_search"):  # dated names: web_search_2025_08_26
            known = "web_search"
        if known is not None:
            rest = {name: held for name, held in item.items() if name not in ("type", "name") and held not in EMPTY}
            return BuiltinTool(known, rest or None, path)
        raise invalid(below(path, "type"), f"{kind!r} is no type of tool that can be carried; function is")
    function = item.get("function", item)
    inside = below(path, "function") if function is not item else path
    told = members(function, frozenset({"type", "name", "description", "parameters", "strict"}), inside, unknown)
    name = text(told.get("name", ""), below(inside, "name"))
    if not name:
        raise invalid(below(inside, "name"), "the function's name is wanted")
    parameters = told.get("parameters")
    description = told.get("description")
    if parameters is None and not description and name in ALIASES:
        return BuiltinTool(ALIASES[name], None, path)
    strict = told.get("strict")
    return FunctionTool(
        name=name,
        description=None if description is None else text(description, below(inside, "description")),
        parameters=None if parameters is None else plain_object(parameters, below(inside, "parameters")),
        strict=None if strict is None else boolean(strict, below(inside, "strict")),
        origin=inside,
    )


def _declaration(value: Any, path: str, unknown: list[Extra]) -> FunctionTool:
    told = members(value, _DECLARATION, path, unknown)
    name = text(told.get("name", ""), below(path, "name"))
    if not name:
        raise invalid(below(path, "name"), "the function's name is wanted")
    parameters: Object | None = None
    if "parametersJsonSchema" in told:
        if "parameters" in told:
            raise invalid(below(path, "parametersJsonSchema"), "parameters and parametersJsonSchema exclude each other")
        parameters = plain_object(told["parametersJsonSchema"], below(path, "parametersJsonSchema"))
    elif "parameters" in told:
        parameters = json_schema(told["parameters"], below(path, "parameters"))
    description = told.get("description")
    if "response" in told:
        json_schema(told["response"], below(path, "response"))
    check(told.get("responseJsonSchema"), "any", below(path, "responseJsonSchema"))
    check(told.get("behavior"), "word", below(path, "behavior"))
    extras = [
        Extra("gemini", name_, told[name_], below(path, name_), harmless=True)
        for name_ in ("response", "responseJsonSchema", "behavior")
        if told.get(name_) not in EMPTY
    ]
    return FunctionTool(
        name=name,
        description=None if description is None else text(description, below(path, "description")),
        parameters=parameters,
        origin=path,
        extras=tuple(extras),
    )


def read_tool_config(value: Any, path: str, unknown: list[Extra]) -> tuple[ToolChoice | None, list[Extra]]:
    config = members(value, _CONFIG, path, unknown)
    for name in ("retrievalConfig", "includeServerSideToolInvocations"):
        check(config.get(name), TOOL_CONFIG[name], below(path, name))
    extras = [
        # Without built-in tools, or elsewhere, showing their calls means nothing.
        Extra("gemini", f"toolConfig.{name}", camel_deep(config[name]), below(path, name), name != "retrievalConfig")
        for name in ("retrievalConfig", "includeServerSideToolInvocations")
        if config.get(name) not in EMPTY
    ]
    if "functionCallingConfig" not in config:
        return None, extras
    inside = below(path, "functionCallingConfig")
    calling = members(config["functionCallingConfig"], _CALLING, inside, unknown)
    if "streamFunctionCallArguments" in calling:
        boolean(calling["streamFunctionCallArguments"], below(inside, "streamFunctionCallArguments"))
        extras.append(
            Extra(
                "gemini",
                "toolConfig.functionCallingConfig.streamFunctionCallArguments",
                calling["streamFunctionCallArguments"],
                below(inside, "streamFunctionCallArguments"),
                harmless=True,
            )
        )
    mode = choice(calling.get("mode", 0), _MODES, below(inside, "mode"))
    allowed = texts(calling.get("allowedFunctionNames", []), below(inside, "allowedFunctionNames"))
    if mode == "MODE_UNSPECIFIED":
        if not allowed:
            return None, extras
        mode = "AUTO"
    return ToolChoice(mode.lower(), allowed), extras  # type: ignore[arg-type]
