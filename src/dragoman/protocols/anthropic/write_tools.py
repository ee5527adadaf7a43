"""Tools, the choice among them and the answer's format, for a vendor."""

from typing import Any

from dragoman.catalog.profile import Profile
from dragoman.ir import BadRequest, BuiltinTool, FunctionTool, Losses, OutputFormat, Request, ToolChoice
from dragoman.protocols.anthropic import schema, stand_in
from dragoman.wire.json import encode_text

Json = dict[str, Any]
_NO_PLACE = "Anthropic's tools have no such member."
# The tools that Anthropic runs: their type, and the options that each knows (anthropic 2.12).
_BUILTINS = {
    "web_search": ("web_search_20250305", "web_search"),
    "url_context": ("web_fetch_20250910", "web_fetch"),
    "code_execution": ("code_execution_20250825", "code_execution"),
}
_HINTS = frozenset({"cache_control", "defer_loading", "strict", "allowed_callers", "max_uses"})
_OPTIONS = {
    "web_search": _HINTS | {"allowed_domains", "blocked_domains", "user_location"},
    "url_context": _HINTS | {"allowed_domains", "blocked_domains", "citations", "max_content_tokens", "url_sources"},
    "code_execution": _HINTS - {"max_uses"},
}
_PLACE = ("city", "region", "country", "timezone")


def write_tools(request: Request, model: str, profile: Profile, thinks: bool, losses: Losses, body: Json) -> None:
    """Puts `tools` and `tool_choice` into `body`. `thinks`: whether the model has a thinking budget."""
    choice = request.tool_choice
    functions = [tool for tool in request.tools if type(tool) is FunctionTool]
    allowed = () if choice is None else choice.allowed
    known = {tool.name for tool in functions}
    for name in allowed:
        if name not in known:
            raise BadRequest(
                f"Tool choice {name!r} is not among the tools.", param=losses.path("tool_choice"), code="invalid_value"
            )
    # There is no choice among several; the others are left out.
    narrowed = choice is not None and len(allowed) > (1 if choice.mode == "any" else 0) and choice.mode != "none"
    written: list[Json] = []
    for tool in request.tools:
        if type(tool) is BuiltinTool:
            given = _builtin(tool, model, losses)
            if all(known["name"] != given["name"] for known in written):  # 400 "Tool names must be unique."
                written.append(given)
        elif type(tool) is FunctionTool and not (narrowed and tool.name not in allowed):
            written.append(_function(tool, profile, losses))
    if not written:
        if choice is not None and choice.mode == "any":
            raise BadRequest("tool_choice is only allowed with tools.", param=losses.path("tool_choice"))
        return
    body["tools"] = written
    told = None if choice is None else _choice(choice, narrowed, losses)
    if told is not None and told["type"] in ("any", "tool"):
        why = None
        if not profile.forced_calls:
            why = "The model cannot be forced to call a tool."
        elif thinks:
            why = "While the model thinks it cannot be forced to call a tool."
        if why is not None:
            losses.add("tool_choice", why)
            told = {"type": "auto"}
    if request.parallel_tool_calls is False and (told is None or told["type"] != "none"):
        told = {**(told or {"type": "auto"}), "disable_parallel_tool_use": True}
    if told is not None:
        body["tool_choice"] = told


def _function(tool: FunctionTool, profile: Profile, losses: Losses) -> Json:
    kind = "object" if tool.parameters is None else tool.parameters.get("type", "object")
    if kind != "object" and not (type(kind) is list and "object" in kind):
        raise BadRequest(
            f"The parameters of {tool.name!r} must be an object.",
            param=tool.origin or losses.path("tools"),
            code="invalid_value",
        )
    written: Json = {"name": tool.name, "input_schema": schema.input_schema(tool.parameters)}
    if tool.description is not None:
        written["description"] = tool.description
    if tool.strict:
        if profile.native_format and schema.is_closed(written["input_schema"]):
            written["strict"] = True
        else:
            losses.add_path(f"{tool.origin}.strict", "The model is not held to such a schema.", harmless=True)
    for extra in tool.extras:
        if extra.owner == "anthropic":
            written[extra.name] = extra.value
        else:
            losses.add_path(extra.path, _NO_PLACE, harmless=extra.harmless)
    return written


def _builtin(tool: BuiltinTool, model: str, losses: Losses) -> Json:
    found = _BUILTINS.get(tool.kind)
    if found is None:
        raise BadRequest(
            f"The model {model!r} has no built-in tool {tool.kind} here. Leave it out, or ask a model that has it.",
            param=tool.origin or losses.path("tools"),
            code="unsupported_value",
        )
    written: Json = {"type": found[0], "name": found[1]}
    known = _OPTIONS[tool.kind]
    for name, option in (tool.options or {}).items():
        if name == "user_location" and name in known and type(option) is dict:
            given = option.get("approximate", option)
            place = {word: given[word] for word in _PLACE if type(given) is dict and type(given.get(word)) is str}
            written[name] = {"type": "approximate", **place}
        elif name == "filters" and "allowed_domains" in known and type(option) is dict and "allowed_domains" in option:
            written["allowed_domains"] = option["allowed_domains"]
        elif name in known:
            written[name] = option
        else:
            usual = option in ({"type": "auto"}, "medium")  # what holds where nothing is said
            losses.add_path(f"{tool.origin}.{name}", f"Anthropic's {found[1]} has no such option.", harmless=usual)
    return written


def _choice(choice: ToolChoice, narrowed: bool, losses: Losses) -> Json:
    if choice.mode == "validated":
        losses.add("tool_choice", "The model's protocol cannot ask for validated calls.", harmless=True)
    if choice.mode == "any":
        return {"type": "tool", "name": choice.allowed[0]} if len(choice.allowed) == 1 else {"type": "any"}
    return {"type": "none" if choice.mode == "none" else "auto"}


def forces(request: Request, profile: Profile) -> bool:
    """Whether a forced call is to stand in for the answer's format, so that the model cannot think meanwhile."""
    wanted = request.format
    if wanted is None or wanted.kind == "json" or not profile.forced_calls:
        return False
    if request.tool_choice is not None and request.tool_choice.mode == "any" and request.tools:
        return False
    return not (wanted.kind == "schema" and profile.native_format and _answer_schema(wanted) is not None)


def write_format(request: Request, profile: Profile, losses: Losses, body: Json) -> None:
    """`output_config.format`, or the forced call that stands in for it, or words in the system text."""
    wanted = request.format
    assert wanted is not None
    if forces(request, profile):
        _stand_in(request, wanted, body)
    elif wanted.kind == "schema" and profile.native_format and (told := _answer_schema(wanted)) is not None:
        body.setdefault("output_config", {})["format"] = {"type": "json_schema", "schema": told}
    elif body.get("tool_choice", {}).get("type") in ("any", "tool"):
        losses.add("format", "The model is to call a tool, and its answer has no other form.")
        return
    elif wanted.kind == "json":
        instruct(body, "Answer with one JSON object and nothing else: no words around it, no code fence.")
        losses.add("format", "The model is told to answer in JSON, but not held to it.", harmless=True)
    elif wanted.kind == "enum":
        words = (wanted.schema or {}).get("enum") or []
        instruct(body, "Answer with exactly one of these words and nothing else: " + ", ".join(map(str, words)))
        losses.add("format", "The model is told the allowed answers, but not held to them.")
    else:
        from_schema = encode_text(wanted.schema or {})
        instruct(body, f"Answer with JSON that fits this schema, and nothing else: {from_schema}")
        losses.add("format", "The model is told the schema, but not held to it.")
    if wanted.name:
        losses.add("format.name", "Anthropic's formats have no name.", harmless=True)


def _answer_schema(wanted: OutputFormat) -> Json | None:
    try:
        told = schema.answer_schema(wanted.schema or {})
    except schema.Unbounded:
        return None
    if wanted.description and "description" not in told:
        told["description"] = wanted.description
    return told or None


def _stand_in(request: Request, wanted: OutputFormat, body: Json) -> None:
    given = wanted.schema or {}
    if wanted.kind == "enum":
        name = stand_in.WORD
        given = {"type": "string", "enum": given.get("enum") or []}
    elif given.get("type") == "object" and not any(word in given for word in ("anyOf", "oneOf", "allOf", "$ref")):
        name = stand_in.OBJECT
    else:
        name = stand_in.VALUE
    body.setdefault("tools", []).append(stand_in.tool(name, given, wanted.description))
    choice = body.get("tool_choice", {})
    if len(body["tools"]) > 1 and choice.get("type") != "none":
        body["tool_choice"] = {**choice, "type": "any"}  # a call of the caller's, or the answer
    else:
        body["tool_choice"] = {"type": "tool", "name": name}


def instruct(body: Json, words: str) -> None:
    """Adds `words` to the system text."""
    system = body.get("system")
    if system is None:
        body["system"] = words
    elif type(system) is str:
        body["system"] = f"{system}\n\n{words}"
    else:
        body["system"] = [*system, {"type": "text", "text": words}]
