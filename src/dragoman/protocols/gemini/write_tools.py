"""Writes `tools` and `toolConfig`."""

from dragoman.catalog.profile import Profile
from dragoman.ir import BadRequest, BuiltinTool, FunctionTool, Losses, Request
from dragoman.protocols.gemini.clean_schema import clean
from dragoman.protocols.gemini.fields import Object
from dragoman.protocols.gemini.lower_schema import lower_parameters
from dragoman.protocols.gemini.schema_references import KEYWORDS

_BUILTINS = {
    "web_search": "googleSearch",
    "code_execution": "codeExecution",
    "url_context": "urlContext",
    "file_search": "fileSearch",
    "google_maps": "googleMaps",
    "computer": "computerUse",
}
# The options that Google knows for each (google-genai 3.4.0).
_OPTIONS = {
    "web_search": frozenset({"searchTypes", "timeRangeFilter", "excludeDomains", "blockingConfidence"}),
    "code_execution": frozenset[str](),
    "url_context": frozenset[str](),
    "file_search": frozenset({"fileSearchStoreNames", "topK", "metadataFilter"}),
    "google_maps": frozenset({"authConfig", "enableWidget"}),
    "computer": frozenset({"environment", "excludedPredefinedFunctions"}),
}
# How much is searched, and how the answer is drawn on its way: the answer is the same without them.
_HINTS = frozenset({"search_context_size", "partial_images", "return_token_budget"})
# OpenAI's sizes of pictures as Gemini's forms.
_RATIOS = {"1024x1024": "1:1", "1536x1024": "3:2", "1024x1536": "2:3"}
# What others call the places that a model may act in.
_ENVIRONMENTS = {
    "browser": "ENVIRONMENT_BROWSER",
    "windows": "ENVIRONMENT_DESKTOP",
    "mac": "ENVIRONMENT_DESKTOP",
    "linux": "ENVIRONMENT_DESKTOP",
    "ubuntu": "ENVIRONMENT_DESKTOP",
}


def write_tools(request: Request, profile: Profile, losses: Losses, body: Object) -> None:
    declarations: list[Object] = []
    tools: list[Object] = []
    functions = [tool for tool in request.tools if isinstance(tool, FunctionTool)]
    if functions and not profile.tools:
        if request.tool_choice is None or request.tool_choice.mode != "none":
            raise BadRequest(
                "This model takes no functions. Leave them out, or ask a model that takes them.",
                param=losses.path("tools"),
                code="unsupported_parameter",
            )
        losses.add("tools", "the model takes no functions; they were not to be called", harmless=True)
        functions = []
    calling, narrowed = _calling(request, functions, profile, losses) if functions else (None, False)
    held = calling is not None and calling["mode"] in ("ANY", "VALIDATED", "NONE")
    for tool in request.tools:
        match tool:
            case FunctionTool():
                if not functions:
                    continue
                if narrowed and request.tool_choice is not None and tool.name not in request.tool_choice.allowed:
                    continue
                declarations.append(_declaration(tool, held, profile, losses))
            case BuiltinTool(kind="mcp"):
                servers = (tool.options or {}).get("mcpServers")
                if servers is None:
                    raise _uncarried(tool)
                tools.append({"mcpServers": servers})
            case BuiltinTool(kind="image_generation"):
                config = body.setdefault("generationConfig", {})
                config["responseModalities"] = ["TEXT", "IMAGE"]
                size = _tell_options(tool, frozenset({"size"}), losses).get("size", "auto")
                if isinstance(size, str) and size in _RATIOS:
                    config["imageConfig"] = {"aspectRatio": _RATIOS[size]}
                elif size != "auto":
                    losses.add_path(f"{tool.origin}.size", "Gemini draws no pictures of this size")
            case BuiltinTool():
                name = _BUILTINS.get(tool.kind)
                if name is None:
                    raise _uncarried(tool)
                if all(name not in written for written in tools):
                    tools.append({name: _options(tool, losses)})
    if declarations:
        if tools and not profile.builtins_with_functions:
            first = next(tool for tool in request.tools if isinstance(tool, BuiltinTool))
            raise BadRequest(
                "This model takes built-in tools or functions, not both in one request.",
                param=first.origin or losses.path("tools"),
                code="unsupported_value",
            )
        if tools:
            # Gemini 3 wants this said where both are given; earlier models refuse it.
            body.setdefault("toolConfig", {})["includeServerSideToolInvocations"] = True
        tools.insert(0, {"functionDeclarations": declarations})
    if tools:
        body["tools"] = tools
    if calling is not None:
        # Without functions it is a 400: "Function calling config is set without function_declarations".
        body.setdefault("toolConfig", {})["functionCallingConfig"] = calling
    choice = request.tool_choice
    if choice is not None and not functions and (choice.mode == "any" or choice.allowed):
        losses.add("tool_choice", "there is no function to choose")
    if request.parallel_tool_calls is False and functions:
        losses.add("parallel_tool_calls", "Gemini can't be kept from calling several functions at once")


def _declaration(tool: FunctionTool, held: bool, profile: Profile, losses: Losses) -> Object:
    """`held`: calls are held to their schemas, or there will be none."""
    written: Object = {"name": tool.name}
    if tool.description is not None:
        written["description"] = tool.description
    if tool.parameters is not None:
        loosened: dict[str, None] = {}
        given = _as_object(tool.parameters)
        if profile.json_schemas:
            parameters = clean(given, loosened)
            if "type" not in parameters:
                parameters = {"type": "object", **parameters}
            written["parametersJsonSchema"] = parameters
        elif (lowered := lower_parameters(given, loosened)) is not None:
            written["parameters"] = lowered
        _tell_loosened(loosened, f"{tool.origin}.parameters", losses)
    if tool.strict and not held:
        losses.add_path(f"{tool.origin}.strict", "Gemini holds all calls to their schemas or none", harmless=True)
    for extra in tool.extras:
        if extra.owner == "gemini":
            written[extra.name] = extra.value
        else:
            losses.add_path(extra.path, "Gemini has no such field", harmless=extra.harmless)
    return written


def _tell_loosened(loosened: dict[str, None], path: str, losses: Losses) -> None:
    """The schema is looser than the caller's; what it accepts besides is for the caller to check, as ever."""
    if loosened:
        losses.add_path(path, f"Gemini's schemas do not hold to {', '.join(loosened)}", harmless=True)


def _as_object(parameters: Object) -> Object:
    """The schema of a function's arguments; some servers of tools give the bare properties."""
    if parameters and not KEYWORDS & parameters.keys() and all(isinstance(held, dict) for held in parameters.values()):
        return {"type": "object", "properties": parameters}
    return parameters


def _options(tool: BuiltinTool, losses: Losses) -> Object:
    """The tool's options in Google's words."""
    if tool.kind == "file_search" and not (tool.options or {}).get("fileSearchStoreNames"):
        raise BadRequest(
            "Gemini searches stores of its own, named in fileSearchStoreNames.",
            param=tool.origin or losses.path("tools"),
            code="unsupported_value",
        )
    told = _tell_options(tool, _OPTIONS[tool.kind], losses)
    place = told.get("environment")
    if tool.kind == "computer":
        told["environment"] = _ENVIRONMENTS.get(place, place) if isinstance(place, str) else _ENVIRONMENTS["browser"]
    return told


def _tell_options(tool: BuiltinTool, known: frozenset[str], losses: Losses) -> Object:
    """The options that Google knows; the others are losses."""
    options = tool.options or {}
    for name in options:
        if name not in known:
            harmless = name in _HINTS or options[name] in ("auto", {"type": "auto"})
            losses.add_path(f"{tool.origin}.{name}", f"Gemini's {tool.kind} has no such option", harmless=harmless)
    return {name: value for name, value in options.items() if name in known}


def _uncarried(tool: BuiltinTool) -> BadRequest:
    return BadRequest(f"Gemini has no built-in tool {tool.kind!r}.", param=tool.origin, code="unsupported_value")


def _calling(
    request: Request, functions: list[FunctionTool], profile: Profile, losses: Losses
) -> tuple[Object | None, bool]:
    """functionCallingConfig, and whether the functions must be narrowed to the allowed ones instead of naming them there."""
    choice = request.tool_choice
    names = {tool.name for tool in functions}
    for name in () if choice is None else choice.allowed:
        if name not in names:
            raise BadRequest(
                f"Tool choice {name!r} is not among the tools.", param=losses.path("tool_choice"), code="invalid_value"
            )
    mode = "auto" if choice is None else choice.mode
    allowed = () if choice is None else choice.allowed
    narrowed = False
    if mode == "auto" and allowed:
        # Names are taken with ANY and VALIDATED only.
        mode, narrowed = ("validated", False) if profile.validated_calls else ("auto", True)
    elif (
        mode == "auto" and all(tool.strict for tool in functions) and profile.validated_calls and request.format is None
    ):
        mode = "validated"  # the mode is the whole request's; with a JSON answer beside it nothing is documented
    elif mode == "validated" and not profile.validated_calls:
        losses.add("tool_choice", "the model does not check calls against their schemas", harmless=True)
        mode, narrowed = "auto", bool(allowed)
    if choice is None and mode == "auto":
        return None, False
    written: Object = {"mode": mode.upper()}
    if allowed and mode != "none" and not narrowed:
        written["allowedFunctionNames"] = list(allowed)
    return written, narrowed
