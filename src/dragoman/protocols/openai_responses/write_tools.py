"""Tools, the choice among them and the answer's format, for a vendor."""

import re
from typing import Any

from dragoman.catalog.profile import Profile
from dragoman.ir import BadRequest, BuiltinTool, FunctionTool, Losses, OutputFormat, Request, ToolChoice
from dragoman.protocols.openai.capabilities import check_format, takes_functions
from dragoman.protocols.openai_responses.draft import OWNER

Json = dict[str, Any]
_LEGAL_FORMAT_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_NO_PARAMETERS: Json = {"type": "object", "properties": {}}
_NAMES = {
    "web_search": "web_search",
    "code_execution": "code_interpreter",
    "image_generation": "image_generation",
    "file_search": "file_search",
    "computer": "computer_use_preview",
    "mcp": "mcp",
}
# The options that OpenAI knows for each (openai 3.54.0, ToolParam); without those marked the tool can do nothing.
_OPTIONS: dict[str, frozenset[str]] = {
    "web_search": frozenset({"filters", "user_location", "search_context_size", "external_web_access"}),
    "code_execution": frozenset({"container", "allowed_callers"}),
    "image_generation": frozenset(
        {
            "action", "background", "input_fidelity", "input_image_mask", "model", "moderation", "output_compression",
            "output_format", "partial_images", "quality", "size", "complexity", "frame_count", "frame_duration_ms", "svg",
        }
    ),
    "file_search": frozenset({"vector_store_ids", "filters", "max_num_results", "ranking_options"}),
    "computer": frozenset({"environment", "display_width", "display_height"}),
    "mcp": frozenset(
        {
            "server_label", "server_url", "server_description", "allowed_tools", "authorization", "connector_id",
            "headers", "require_approval", "defer_loading", "allowed_callers", "tunnel_id",
        }
    ),
}  # fmt: skip
_MUSTS = {
    "file_search": ("vector_store_ids",),
    "computer": ("environment", "display_width", "display_height"),
    "mcp": ("server_label",),
}
# Tools of OpenAI's that no other vendor has; they stand under their own names.
_OWN = frozenset(
    {"local_shell", "shell", "apply_patch", "namespace", "tool_search", "programmatic_tool_calling", "computer_use"}
)


def write_tools(request: Request, model: str, profile: Profile, losses: Losses, body: Json) -> None:
    """Puts `tools` and `tool_choice` into `body`."""
    choice = request.tool_choice
    functions = [tool for tool in request.tools if type(tool) is FunctionTool]
    taken = takes_functions(len(functions), choice, model, profile, losses)
    known = {tool.name for tool in functions}
    for name in () if choice is None else choice.allowed:
        if name not in known:
            raise BadRequest(
                f"Tool choice '{name}' not found in 'tools' parameter.",
                param=losses.path("tool_choice"),
                code="invalid_value",
            )
    written = [
        _function(tool, losses) if type(tool) is FunctionTool else _builtin(tool, model, losses)  # type: ignore[arg-type]
        for tool in request.tools
        if taken or type(tool) is not FunctionTool
    ]
    if not written:
        if choice is not None and choice.mode == "any":
            raise BadRequest(
                "'tool_choice' is only allowed when 'tools' are specified.", param=losses.path("tool_choice")
            )
        return
    body["tools"] = written
    if choice is not None:
        body["tool_choice"] = _choice(choice, losses, _customs(functions))


def _function(tool: FunctionTool, losses: Losses) -> Json:
    custom: Json | None = None
    for extra in tool.extras:
        if extra.owner == "openai" and extra.name == "custom":
            custom = extra.value
    written: Json = _custom(custom, tool) if custom is not None else {"type": "function", "name": tool.name}
    for extra in tool.extras:
        if extra.owner == OWNER:
            written[extra.name] = extra.value
        elif extra.owner != "openai" or extra.name != "custom":
            losses.add_path(extra.path, "OpenAI's tools have no such member.", harmless=extra.harmless)
    if custom is not None:
        return written
    if tool.description is not None:
        written["description"] = tool.description
    written["parameters"] = _NO_PARAMETERS if tool.parameters is None else tool.parameters
    # Where nothing is said, OpenAI holds calls to their schemas and refuses schemas that it cannot hold them to.
    written["strict"] = bool(tool.strict)
    return written


def _custom(custom: Json, tool: FunctionTool) -> Json:
    written: Json = {"type": "custom", "name": tool.name}
    if tool.description is not None:
        written["description"] = tool.description
    form = custom.get("format")
    if type(form) is dict:
        grammar = form.get("grammar")
        written["format"] = {"type": "grammar", **grammar} if type(grammar) is dict else form
    return written


def _builtin(tool: BuiltinTool, model: str, losses: Losses) -> Json:
    if tool.kind in _OWN:
        return {"type": tool.kind, **(tool.options or {})}
    name = _NAMES.get(tool.kind)
    options = _translated(tool)
    known = _OPTIONS.get(tool.kind, frozenset())
    if name is None or any(must not in options for must in _MUSTS.get(tool.kind, ())):
        raise BadRequest(
            f"The model '{model}' has no built-in tool {tool.kind} here. Leave it out, or ask a model that has it.",
            param=tool.origin or losses.path("tools"),
            code="unsupported_value",
        )
    written: Json = {"type": name}
    for option, value in options.items():
        if option in known:
            written[option] = value
        else:
            losses.add_path(f"{tool.origin}.{option}", f"OpenAI's {tool.kind} has no such option.")
    if tool.kind == "code_execution":
        written.setdefault("container", {"type": "auto"})
    return written


def _translated(tool: BuiltinTool) -> Json:
    """A search's options as Chat Completions and Anthropic write them, in this protocol's form."""
    options = dict(tool.options or {})
    if tool.kind != "web_search":
        return options
    place = options.get("user_location")
    if type(place) is dict and type(place.get("approximate")) is dict:
        options["user_location"] = {"type": "approximate", **place["approximate"]}
    domains = options.pop("allowed_domains", None)
    if domains is not None:
        options["filters"] = {"allowed_domains": domains}
    return options


def _customs(tools: list[FunctionTool]) -> frozenset[str]:
    return frozenset(tool.name for tool in tools for extra in tool.extras if extra.name == "custom")


def _choice(choice: ToolChoice, losses: Losses, custom: frozenset[str]) -> Any:
    if choice.mode == "validated":
        losses.add("tool_choice", "The model's protocol cannot ask for validated calls.", harmless=True)
    mode = {"any": "required", "none": "none"}.get(choice.mode, "auto")
    if mode == "none" or not choice.allowed:
        return mode
    if mode == "required" and len(choice.allowed) == 1:
        return _named(choice.allowed[0], custom)
    return {"type": "allowed_tools", "mode": mode, "tools": [_named(name, custom) for name in choice.allowed]}


def _named(name: str, custom: frozenset[str]) -> Json:
    return {"type": "custom" if name in custom else "function", "name": name}


def write_format(wanted: OutputFormat, profile: Profile, losses: Losses) -> tuple[Json | None, str | None]:
    """`text.format`, and what it cannot say in words for the model."""
    check_format(wanted.kind, profile, losses.path("format"))
    if wanted.kind == "json":
        return {"type": "json_object"}, None
    if wanted.kind == "enum":
        words = (wanted.schema or {}).get("enum") or []
        losses.add("format", "The model is told the allowed answers, but not held to them.")
        return None, "Answer with exactly one of these words and nothing else: " + ", ".join(map(str, words))
    schema = wanted.schema or {}
    name = wanted.name or schema.get("title")
    if type(name) is not str or not _LEGAL_FORMAT_NAME.fullmatch(name):
        name = re.sub(r"[^a-zA-Z0-9_-]+", "_", name)[:64].strip("_") if type(name) is str else ""
    # `strict: true` demands additionalProperties:false and every property required; a schema from elsewhere seldom has that.
    given: Json = {"type": "json_schema", "name": name or "response", "schema": schema, "strict": bool(wanted.strict)}
    if wanted.description is not None:
        given["description"] = wanted.description
    return given, None
