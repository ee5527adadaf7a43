"""Tools, the choice among them, thinking and the answer's format, as a caller writes them."""

import re
from typing import Any

from dragoman.ir import BuiltinTool, Extra, FunctionTool, OutputFormat, Tool, ToolChoice
from dragoman.ir.effort import EFFORTS
from dragoman.ir.request import Effort
from dragoman.protocols.anthropic import fields

# Anthropic's own tools, by name without their date. Those it runs have a neutral kind; those that a caller runs
# (`bash`, `text_editor`, `memory`) are known to its models only.
_KINDS = {
    "web_search": "web_search",
    "web_fetch": "url_context",
    "code_execution": "code_execution",
    "computer": "computer",
}
_DATED = re.compile(r"([a-z0-9_]+?)_(\d{8})")
_KNOWN = frozenset({"type", "name", "description", "input_schema", "strict"})
# A tool's other members: whether an answer is the same without them.
_OWN = {
    "cache_control": True,
    "eager_input_streaming": True,
    "input_examples": True,
    "defer_loading": True,
    "allowed_callers": False,
}


def read_tools(value: Any) -> tuple[Tool, ...]:
    return tuple([_tool(tool, f"tools.{at}") for at, tool in enumerate(fields.array(value, "tools"))])


def _tool(value: Any, path: str) -> Tool:
    tool = fields.table(value, path)
    kind = fields.optional_text(tool, "type", path)
    if kind is not None and kind != "custom":
        dated = _DATED.fullmatch(kind)
        bare = dated[1] if dated else kind
        options = {name: member for name, member in tool.items() if name not in ("type", "name") and member is not None}
        return BuiltinTool(_KINDS.get(bare, bare), options or None, path)
    name = fields.member(tool, "name", path)
    if not name:
        raise fields.invalid(f"{path}.name", "a tool needs a name.")
    schema = tool.get("input_schema")
    description = fields.optional_text(tool, "description", path)
    if schema is None:
        if name in _KINDS and not description:
            return BuiltinTool(_KINDS[name], None, path)
        raise fields.missing(f"{path}.input_schema")
    strict = tool.get("strict")
    return FunctionTool(
        name,
        description,
        fields.table(schema, f"{path}.input_schema"),
        None if strict is None else fields.flag(strict, f"{path}.strict"),
        path,
        tuple(
            Extra("anthropic" if key in _OWN else "", key, member, f"{path}.{key}", harmless=_OWN.get(key, False))
            for key, member in tool.items()
            if key not in _KNOWN and member not in fields.EMPTY and member is not False
        ),
    )


def read_choice(value: Any) -> tuple[ToolChoice, bool | None]:
    """The choice, and whether several calls at once are allowed."""
    choice = fields.table(value, "tool_choice")
    kind = choice.get("type")
    if kind is None:
        raise fields.missing("tool_choice.type")
    single = choice.get("disable_parallel_tool_use")
    parallel = None if single is None else not fields.flag(single, "tool_choice.disable_parallel_tool_use")
    match fields.text(kind, "tool_choice.type"):
        case "auto":
            return ToolChoice("auto"), parallel
        case "any":
            return ToolChoice("any"), parallel
        case "none":
            return ToolChoice("none"), parallel
        case "tool":
            return ToolChoice("any", (fields.member(choice, "name", "tool_choice"),)), parallel
    raise fields.invalid("tool_choice.type", f"{kind!r}; a choice is 'auto', 'any', 'tool' or 'none'.")


def read_effort(value: Any, path: str) -> Effort:
    word = fields.text(value, path)
    if word not in EFFORTS:
        raise fields.invalid(path, f"{word!r}; an effort is 'low', 'medium', 'high', 'xhigh' or 'max'.")
    return word


def read_format(value: Any, path: str) -> OutputFormat:
    holder = fields.table(value, path)
    kind = holder.get("type")
    if kind is None:
        raise fields.missing(f"{path}.type")
    if fields.text(kind, f"{path}.type") != "json_schema":
        raise fields.invalid(f"{path}.type", f"{kind!r}; a format is 'json_schema'.")
    schema = holder.get("schema")
    if schema is None:
        raise fields.missing(f"{path}.schema")
    return OutputFormat("schema", fields.table(schema, f"{path}.schema"))
