"""Tools, the choice among them and the answer's format, for a vendor."""

import re
from typing import Any

from dragoman.catalog.profile import Profile
from dragoman.ir import BadRequest, BuiltinTool, FunctionTool, Losses, OutputFormat, Request, ToolChoice
from dragoman.protocols.openai.capabilities import check_format, takes_functions

Json = dict[str, Any]
_LEGAL_FORMAT_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def write_tools(request: Request, model: str, profile: Profile, losses: Losses, body: Json) -> None:
    """Puts `tools`, `tool_choice`, `parallel_tool_calls` and `web_search_options` into `body`."""
    choice = request.tool_choice
    functions = [tool for tool in request.tools if type(tool) is FunctionTool]
    for tool in request.tools:
        if type(tool) is BuiltinTool:
            _builtin(tool, model, losses, body)
    if not takes_functions(len(functions), choice, model, profile, losses):
        return
    written: list[Json] = []
    allowed = () if choice is None else choice.allowed
    known = {tool.name for tool in functions}
    for name in allowed:
        if name not in known:
            raise BadRequest(
                f"Tool choice '{name}' not found in 'tools' parameter.",
                param=losses.path("tool_choice"),
                code="invalid_value",
            )
    subset = choice is not None and len(allowed) > (1 if choice.mode == "any" else 0)
    for tool in functions:
        # Only OpenAI's own API knows `allowed_tools`; elsewhere the other tools are left out.
        if subset and profile.family != "openai" and tool.name not in allowed:
            continue
        written.append(_function(tool, losses))
    if not written:
        if choice is not None and choice.mode == "any" and not request.tools:
            raise BadRequest(
                "'tool_choice' is only allowed when 'tools' are specified.", param=losses.path("tool_choice")
            )
        return
    body["tools"] = written
    if choice is not None:
        body["tool_choice"] = _choice(choice, subset and profile.family == "openai", losses, _customs(functions))
    if request.parallel_tool_calls is not None:
        body["parallel_tool_calls"] = request.parallel_tool_calls


def _builtin(tool: BuiltinTool, model: str, losses: Losses, body: Json) -> None:
    if tool.kind == "web_search" and "search" in model:
        # Chat Completions searches with its search models only: 400 "Web search options not supported with this model."
        options = {name: value for name, value in (tool.options or {}).items() if name in _SEARCH_OPTIONS}
        for name in tool.options or {}:
            if name not in options:
                losses.add_path(f"{tool.origin}.{name}", "Chat Completions' web search has no such option.")
        place = options.get("user_location")
        if type(place) is dict and "approximate" not in place:  # other protocols name the city beside the type
            rest = {name: held for name, held in place.items() if name != "type"}
            options["user_location"] = {"type": "approximate", "approximate": rest}
        body["web_search_options"] = options
        return
    raise BadRequest(
        f"The model '{model}' has no built-in tool {tool.kind} here. Leave it out, or ask a model that has it.",
        param=tool.origin or losses.path("tools"),
        code="unsupported_value",
    )


_SEARCH_OPTIONS = frozenset({"search_context_size", "user_location"})


def _function(tool: FunctionTool, losses: Losses) -> Json:
    for extra in tool.extras:
        if extra.owner == "openai" and extra.name == "custom":
            return {"type": "custom", "custom": extra.value}
    losses.add_extras(tool.extras, "openai", "OpenAI's tools have no such member.")
    function: Json = {"name": tool.name}
    if tool.description is not None:
        function["description"] = tool.description
    if tool.parameters is not None:
        # 400 "schema must be a JSON Schema of 'type: \"object\"', got 'type: None'"; arguments are always one.
        bare = "type" not in tool.parameters and "$ref" not in tool.parameters
        function["parameters"] = {"type": "object", **tool.parameters} if bare else tool.parameters
    if tool.strict is not None:
        function["strict"] = tool.strict
    return {"type": "function", "function": function}


def _customs(tools: list[FunctionTool]) -> frozenset[str]:
    return frozenset(tool.name for tool in tools for extra in tool.extras if extra.name == "custom")


def _choice(choice: ToolChoice, subset: bool, losses: Losses, custom: frozenset[str]) -> Any:
    if choice.mode == "validated":
        losses.add("tool_choice", "The model's protocol cannot ask for validated calls.", harmless=True)
    mode = {"any": "required", "none": "none"}.get(choice.mode, "auto")
    if subset and mode != "none":
        tools = [_named(name, custom) for name in choice.allowed]
        return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": tools}}
    if mode == "required" and len(choice.allowed) == 1:
        return _named(choice.allowed[0], custom)
    return mode


def _named(name: str, custom: frozenset[str]) -> Json:
    if name in custom:
        return {"type": "custom", "custom": {"name": name}}
    return {"type": "function", "function": {"name": name}}


def write_format(wanted: OutputFormat, profile: Profile, losses: Losses, messages: list[Json]) -> Json | None:
    """`response_format`; what it cannot say is said in the system text of `messages`."""
    check_format(wanted.kind, profile, losses.path("format"))
    if wanted.kind == "json":
        if profile.family == "openai" and not _mentions_json(messages):
            # 400 "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'."
            instruct(messages, "Answer in JSON.")
        return {"type": "json_object"}
    if wanted.kind == "enum":
        words = (wanted.schema or {}).get("enum") or []
        instruct(messages, "Answer with exactly one of these words and nothing else: " + ", ".join(map(str, words)))
        losses.add("format", "The model is told the allowed answers, but not held to them.")
        return None
    schema = wanted.schema or {}
    name = wanted.name or schema.get("title")
    if type(name) is not str or not _LEGAL_FORMAT_NAME.fullmatch(name):
        name = re.sub(r"[^a-zA-Z0-9_-]+", "_", name)[:64].strip("_") if type(name) is str else ""
    # `strict: true` demands additionalProperties:false and every property required; a schema from elsewhere seldom has that.
    given: Json = {"name": name or "response", "schema": schema, "strict": bool(wanted.strict)}
    if wanted.description is not None:
        given["description"] = wanted.description
    return {"type": "json_schema", "json_schema": given}


def instruct(messages: list[Json], words: str) -> None:
    """Adds `words` to the system text."""
    first = messages[0] if messages else None
    if first is not None and first["role"] in ("system", "developer"):
        content = first["content"]
        if type(content) is str:
            first["content"] = f"{content}\n\n{words}"
        else:
            first["content"] = [*content, {"type": "text", "text": words}]
    else:
        messages.insert(0, {"role": "system", "content": words})


def _mentions_json(messages: list[Json]) -> bool:
    for message in messages:
        content = message["content"]
        if type(content) is str:
            if "json" in content.lower():
                return True
        elif content is not None and any("json" in part.get("text", "").lower() for part in content):
            return True
    return False
