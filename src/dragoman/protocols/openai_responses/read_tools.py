"""Tools, the choice among them, and the answer's format, as a caller writes them."""

from typing import Any

from dragoman.ir import BuiltinTool, Extra, FunctionTool, OutputFormat, Text, Tool, ToolChoice
from dragoman.ir.effort import EFFORTS
from dragoman.ir.request import Effort
from dragoman.protocols.builtins import GATEWAYS_NAMES
from dragoman.protocols.openai import fields
from dragoman.protocols.openai.shapes import check
from dragoman.protocols.openai_responses.draft import OWNER
from dragoman.protocols.openai_responses.shapes import BUILTINS, CUSTOM, FUNCTION

# Tools that the vendor runs, by their name here. Those of which no neutral word is known keep their own.
_KINDS = {
    "web_search": "web_search",
    "web_search_preview": "web_search",
    "code_interpreter": "code_execution",
    "image_generation": "image_generation",
    "file_search": "file_search",
    "computer_use_preview": "computer",
    "computer": "computer",
    "mcp": "mcp",
}
_OTHERS = frozenset(
    {"local_shell", "shell", "apply_patch", "namespace", "tool_search", "programmatic_tool_calling", "computer_use"}
)
_FUNCTION = frozenset({"type", "name", "description", "parameters", "strict"})
_CUSTOM = frozenset({"type", "name", "description", "format"})
_CHOICE = frozenset({"type", "name", "mode", "tools", "function", "server_label"})
_FORMAT = frozenset({"type", "name", "description", "schema", "strict", "json_schema"})


def plain(words: str) -> Text:
    return Text(words)


def read_tools(value: Any, path: str = "tools") -> tuple[Tool, ...]:
    return tuple(_tool(tool, f"{path}[{number}]") for number, tool in enumerate(fields.array(value, path)))


def _tool(tool: Any, path: str) -> Tool:
    if type(tool) is not dict:
        raise fields.refuse(path, "an object", tool)
    kind = tool.get("type")
    if kind == "function":
        function = tool.get("function")
        if type(function) is dict and "name" not in tool:  # Chat Completions' form
            return _function({**function, "type": kind}, f"{path}.function", path)
        return _function(tool, path, path)
    if kind == "custom":
        return _custom(tool, path)
    if kind is None:
        raise fields.missing(f"{path}.type")
    name = fields.text(kind, f"{path}.type")
    known = _KINDS.get(name) or (name if name in _OTHERS else None)
    if known is None and name.startswith("web_search"):  # dated names: web_search_2025_08_26
        known = "web_search"
    if known is None:
        wanted = ", ".join(f"'{word}'" for word in ("function", "custom", *_KINDS))
        raise fields.invalid(f"{path}.type", f"'{name}'. Supported values are: {wanted}.")
    if (shape := BUILTINS.get(known)) is not None:
        check(tool, shape, path)
    return BuiltinTool(known, {key: part for key, part in tool.items() if key != "type"} or None, path)


def _function(tool: dict[str, Any], path: str, origin: str) -> Tool:
    name = _name(tool, path)
    description = fields.optional_text(tool.get("description"), f"{path}.description")
    parameters = tool.get("parameters")
    strict = tool.get("strict")
    if parameters is None and not description and name in GATEWAYS_NAMES:
        return BuiltinTool(GATEWAYS_NAMES[name], None, origin)
    return FunctionTool(
        name,
        description,
        None if parameters is None else fields.table(parameters, f"{path}.parameters"),
        None if strict is None else fields.flag(strict, f"{path}.strict"),
        path,
        _extras(tool, _FUNCTION, path),
    )


def _custom(tool: dict[str, Any], path: str) -> Tool:
    """A tool that takes free text. Its extra has Chat Completions' form, so that each of the two can read the other's."""
    name = _name(tool, path)
    description = fields.optional_text(tool.get("description"), f"{path}.description")
    custom: dict[str, Any] = {"name": name}
    if description is not None:
        custom["description"] = description
    form = tool.get("format")
    free = True
    if form is not None:
        check(form, CUSTOM["format"], f"{path}.format")
        free = form.get("type") in (None, "text")
        if form.get("type") == "grammar":
            grammar = {key: part for key, part in form.items() if key != "type"}
            form = {"type": "grammar", "grammar": grammar}
        custom["format"] = form
    return FunctionTool(
        name,
        description,
        {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]},
        origin=path,
        extras=(
            # Only a grammar is lost where the tool becomes a function; free text is free text.
            Extra("openai", "custom", custom, f"{path}.format", harmless=free),
            *_extras(tool, _CUSTOM, path),
        ),
    )


def _name(tool: dict[str, Any], path: str) -> str:
    name = tool.get("name")
    if name is None:
        raise fields.missing(f"{path}.name")
    if not fields.text(name, f"{path}.name"):
        raise fields.invalid(f"{path}.name", "empty string.")
    return str(name)


def _extras(tool: dict[str, Any], known: frozenset[str], path: str) -> tuple[Extra, ...]:
    if tool.keys() <= known:
        return ()
    check(tool, FUNCTION, path)
    return tuple(
        Extra(OWNER, key, part, f"{path}.{key}")
        for key, part in tool.items()
        if key not in known and part not in fields.EMPTY and part is not False
    )


def beside_choice(value: Any, path: str) -> tuple[Extra, ...]:
    """What stands in a choice that was read, and nobody has a word for."""
    if type(value) is not dict:
        return ()
    found = [*fields.unknown(value, _CHOICE, path)]
    for number, tool in enumerate(value["tools"] if value.get("type") == "allowed_tools" else ()):
        found += beside_choice(tool, f"{path}.tools[{number}]")
    return tuple(found)


def beside_format(value: dict[str, Any], path: str) -> tuple[Extra, ...]:
    return fields.unknown(value, _FORMAT, path)


def read_tool_choice(value: Any, path: str = "tool_choice") -> ToolChoice | None:
    """None for a choice of a tool that the vendor runs."""
    if type(value) is str:
        if value == "auto" or value == "none":
            return ToolChoice(value)  # type: ignore[arg-type]
        if value == "required" or value == "any":
            return ToolChoice("any")
        raise fields.invalid(path, f"'{value}'. Supported values are: 'none', 'auto' and 'required'.")
    choice = fields.table(value, path)
    kind = choice.get("type")
    if kind is None:
        raise fields.missing(f"{path}.type")
    if fields.text(kind, f"{path}.type") == "allowed_tools":
        mode = choice.get("mode", "auto")
        if mode not in ("auto", "required"):
            raise fields.invalid(f"{path}.mode", "supported values are: 'auto' and 'required'.")
        listed = fields.array(choice.get("tools"), f"{path}.tools")
        names = [_chosen(tool, f"{path}.tools[{number}]") for number, tool in enumerate(listed)]
        if None in names:
            return None
        return ToolChoice("any" if mode == "required" else "auto", tuple(name for name in names if name))
    name = _chosen(choice, path)
    return None if name is None else ToolChoice("any", (name,))


def _chosen(value: Any, path: str) -> str | None:
    """The function's name; None for a tool of the vendor's."""
    choice = fields.table(value, path)
    kind = choice.get("type")
    if kind is not None and fields.text(kind, f"{path}.type") not in ("function", "custom"):
        if kind not in _KINDS and kind not in _OTHERS and not kind.startswith("web_search"):
            raise fields.invalid(f"{path}.type", f"'{kind}'. Supported values are: 'function' and 'custom'.")
        return None
    holder = choice
    if "name" not in choice and type(choice.get("function")) is dict:  # Chat Completions' form
        holder, path = choice["function"], f"{path}.function"
    name = holder.get("name")
    if name is None:
        raise fields.missing(f"{path}.name")
    return fields.text(name, f"{path}.name")


def read_format(value: Any, path: str = "text.format") -> OutputFormat | None:
    holder = fields.table(value, path)
    kind = holder.get("type")
    if kind is None:
        raise fields.missing(f"{path}.type")
    match fields.text(kind, f"{path}.type"):
        case "text":
            return None
        case "json_object":
            return OutputFormat("json")
        case "json_schema":
            given = holder.get("json_schema")
            if type(given) is dict and "schema" not in holder:  # Chat Completions' form
                holder, path = given, f"{path}.json_schema"
            schema = holder.get("schema")
            if schema is None:
                raise fields.missing(f"{path}.schema")
            strict = holder.get("strict")
            return OutputFormat(
                "schema",
                fields.table(schema, f"{path}.schema"),
                fields.optional_text(holder.get("name"), f"{path}.name"),
                fields.optional_text(holder.get("description"), f"{path}.description"),
                None if strict is None else fields.flag(strict, f"{path}.strict"),
            )
    raise fields.invalid(f"{path}.type", f"'{kind}'. Supported values are: 'text', 'json_object' and 'json_schema'.")


def read_effort(value: Any, path: str) -> Effort:
    if type(value) is not str:
        raise fields.refuse(path, "a string", value)
    word = value.lower()
    for effort in EFFORTS:
        if word == effort:
            return effort
    raise fields.invalid(
        path, f"'{value}'. Supported values are: 'none', 'minimal', 'low', 'medium', 'high', 'xhigh' and 'max'."
    )
