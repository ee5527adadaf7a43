"""Tools, the choice among them, and the answer's format, as a caller writes them; Google's options in an OpenAI body too."""

from typing import Any

from dragoman.ir import BuiltinTool, Extra, FunctionTool, OutputFormat, Tool, ToolChoice
from dragoman.ir.effort import EFFORTS
from dragoman.ir.request import Effort
from dragoman.protocols.builtins import GATEWAYS_NAMES
from dragoman.protocols.openai import fields

# A function of such a name *with* parameters or a description is the caller's own.
BUILTIN_NAMES = {
    **GATEWAYS_NAMES,
    "web_search_preview": "web_search",
    "file_search": "file_search",
    "fileSearch": "file_search",
    "image_generation": "image_generation",
    "computer_use_preview": "computer",
    "computer_use": "computer",
    "computerUse": "computer",
    "mcp": "mcp",
}
# Those that a bare function name may mean.
_BY_FUNCTION = frozenset(
    name for name, kind in BUILTIN_NAMES.items() if kind in ("web_search", "code_execution", "url_context")
)
_TOOL = frozenset({"type", "function"})
_FUNCTION = frozenset({"name", "description", "parameters", "strict"})
_CHOICE = frozenset({"type", "function", "custom", "allowed_tools", "name", "mode", "tools"})
_INSIDE = {
    "function": frozenset({"name"}),
    "custom": frozenset({"name"}),
    "allowed_tools": frozenset({"mode", "tools"}),
}
_FORMAT = frozenset({"type", "json_schema", "schema"})
_SCHEMA = frozenset({"name", "description", "schema", "strict"})


def read_tools(value: Any, path: str = "tools") -> tuple[Tool, ...]:
    return tuple(_tool(tool, f"{path}[{number}]") for number, tool in enumerate(fields.array(value, path)))


def read_functions(value: Any, path: str) -> tuple[Tool, ...]:
    """The legacy `functions`, each a function without an envelope."""
    return tuple(
        _function(fields.table(function, f"{path}[{number}]"), f"{path}[{number}]", f"{path}[{number}]")
        for number, function in enumerate(fields.array(value, path))
    )


def _tool(tool: Any, path: str) -> Tool:
    if type(tool) is not dict:
        raise fields.refuse(path, "an object", tool)
    kind = tool.get("type")
    function = tool.get("function")
    if kind == "function" or (kind is None and function is not None):
        if function is None and type(tool.get("name")) is str:  # the flat form of Responses
            function = {key: part for key, part in tool.items() if key != "type"}
            return _function(function, path, path)
        if function is None:
            raise fields.missing(f"{path}.function")
        beside = fields.unknown(tool, _TOOL, path)
        return _function(fields.table(function, f"{path}.function"), f"{path}.function", path, beside)
    if kind == "custom":
        custom = fields.table(tool.get("custom"), f"{path}.custom")
        if custom.get("format") is not None:
            fields.table(custom["format"], f"{path}.custom.format")
        return FunctionTool(
            fields.text(custom.get("name"), f"{path}.custom.name"),
            fields.optional_text(custom.get("description"), f"{path}.custom.description"),
            {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]},
            origin=path,
            # Only a grammar is lost where the tool becomes a function; free text is free text.
            extras=(
                Extra("openai", "custom", custom, f"{path}.custom.format", harmless=_is_free(custom.get("format"))),
            ),
        )
    if kind is None:
        for name, options in tool.items():
            if name in BUILTIN_NAMES:
                return BuiltinTool(BUILTIN_NAMES[name], fields.table(options or {}, f"{path}.{name}") or None, path)
        raise fields.missing(f"{path}.type")
    name = fields.text(kind, f"{path}.type")
    known = BUILTIN_NAMES.get(name)
    if known is None and name.startswith("web_search"):  # dated names: web_search_2025_08_26
        known = "web_search"
    if known is None:
        raise fields.invalid(f"{path}.type", f"'{name}'. Supported values are: 'function' and 'custom'.")
    return BuiltinTool(known, {key: part for key, part in tool.items() if key != "type"} or None, path)


def _is_free(form: Any) -> bool:
    return form is None or (type(form) is dict and form.get("type") == "text")


def _function(function: dict[str, Any], path: str, origin: str, beside: tuple[Extra, ...] = ()) -> Tool:
    name = function.get("name")
    if name is None:
        raise fields.missing(f"{path}.name")
    name = fields.text(name, f"{path}.name")
    if not name:
        raise fields.invalid(f"{path}.name", "empty string.")
    parameters = function.get("parameters")
    description = fields.optional_text(function.get("description"), f"{path}.description")
    if parameters is None and not description and name in _BY_FUNCTION:
        return BuiltinTool(BUILTIN_NAMES[name], None, origin)
    strict = function.get("strict")
    return FunctionTool(
        name,
        description,
        None if parameters is None else fields.table(parameters, f"{path}.parameters"),
        None if strict is None else fields.flag(strict, f"{path}.strict"),
        path,
        (*beside, *fields.unknown(function, _FUNCTION, path)),
    )


def beside_choice(value: Any, path: str) -> tuple[Extra, ...]:
    """What stands in a choice that was read, and nobody has a word for."""
    if type(value) is not dict:
        return ()
    found = [*fields.unknown(value, _CHOICE, path)]
    for name, known in _INSIDE.items():
        if type(value.get(name)) is dict:
            found += fields.unknown(value[name], known, f"{path}.{name}")
    if value.get("type") == "allowed_tools":
        deeper = "allowed_tools" in value
        inside = f"{path}.allowed_tools" if deeper else path
        for number, tool in enumerate((value["allowed_tools"] if deeper else value)["tools"]):
            found += beside_choice(tool, f"{inside}.tools[{number}]")
    return tuple(found)


def beside_format(value: dict[str, Any], path: str) -> tuple[Extra, ...]:
    schema = value.get("json_schema")
    inside = fields.unknown(schema, _SCHEMA, f"{path}.json_schema") if type(schema) is dict else ()
    return (*fields.unknown(value, _FORMAT, path), *inside)


def read_tool_choice(value: Any, path: str = "tool_choice") -> ToolChoice:
    if type(value) is str:
        if value == "auto" or value == "none":
            return ToolChoice(value)  # type: ignore[arg-type]
        if value == "required" or value == "any":
            return ToolChoice("any")
        raise fields.invalid(path, f"'{value}'. Supported values are: 'none', 'auto' and 'required'.")
    choice = fields.table(value, path)
    kind = choice.get("type")
    if kind == "allowed_tools":
        allowed = fields.table(choice.get("allowed_tools", choice), f"{path}.allowed_tools")
        mode = allowed.get("mode", "auto")
        if mode not in ("auto", "required"):
            raise fields.invalid(f"{path}.allowed_tools.mode", "supported values are: 'auto' and 'required'.")
        listed = fields.array(allowed.get("tools"), f"{path}.allowed_tools.tools")
        names = tuple(_chosen(tool, f"{path}.allowed_tools.tools[{number}]") for number, tool in enumerate(listed))
        return ToolChoice("any" if mode == "required" else "auto", names)
    if kind in ("function", "custom", None):
        return ToolChoice("any", (_chosen(choice, path),))
    if kind in ("auto", "none"):
        return ToolChoice(kind)
    if kind in ("any", "required"):
        return ToolChoice("any")
    raise fields.invalid(f"{path}.type", "supported values are: 'function', 'custom' and 'allowed_tools'.")


def _chosen(value: Any, path: str) -> str:
    choice = fields.table(value, path)
    fields.optional_text(choice.get("type"), f"{path}.type")
    word = "custom" if choice.get("type") == "custom" else "function"
    inside = f"{path}.{word}" if word in choice else path  # the legacy form and Responses' have the name itself there
    name = fields.table(choice.get(word, choice), inside).get("name")
    if name is None:
        raise fields.missing(f"{inside}.name")
    return fields.text(name, f"{inside}.name")


def read_format(value: Any, path: str = "response_format") -> OutputFormat | None:
    holder = fields.table(value, path)
    match holder.get("type"):
        case "text":
            return None
        case "json_object":
            # llama.cpp and others take a schema here (github.com/ggml-org/llama.cpp, tools/server/README.md).
            schema = holder.get("schema")
            if schema is None:
                return OutputFormat("json")
            return OutputFormat("schema", fields.table(schema, f"{path}.schema"))
        case "json_schema":
            inside = f"{path}.json_schema"
            if (given := holder.get("json_schema")) is None:
                raise fields.missing(inside)
            given = fields.table(given, inside)
            schema = given.get("schema")
            strict = given.get("strict")
            return OutputFormat(
                "json" if schema is None else "schema",
                None if schema is None else fields.table(schema, f"{inside}.schema"),
                fields.optional_text(given.get("name"), f"{inside}.name"),
                fields.optional_text(given.get("description"), f"{inside}.description"),
                None if strict is None else fields.flag(strict, f"{inside}.strict"),
            )
        case None:
            raise fields.missing(f"{path}.type")
        case other:
            fields.text(other, f"{path}.type")
            raise fields.invalid(
                f"{path}.type", f"'{other}'. Supported values are: 'text', 'json_object' and 'json_schema'."
            )


def read_effort(value: Any, path: str) -> Effort:
    word = value.lower() if type(value) is str else value
    if type(value) is not str:
        raise fields.refuse(path, "a string", value)
    if word in EFFORTS:
        return word
    raise fields.invalid(
        path, f"'{value}'. Supported values are: 'none', 'minimal', 'low', 'medium', 'high', 'xhigh' and 'max'."
    )
