"""Gemini on both sides: the caller's bytes go on untouched, but for the spellings that Google refuses.

Mended, in bodies where they occur and nowhere else:

- OpenAI-shaped tools (`{"type": "function", "function": {…}}`, `{"type": "web_search"}`) become Gemini's: with parameters a
  function declaration, without them and with a built-in tool's name that tool.
- The model's name inside `generateContentRequest` (countTokens), where the vendor calls it otherwise.
- `imageSize` in lower case (`"2k"`) becomes upper case.
- Another vendor's calls in the current turn, which have no signature, where the model wants one (`unsigned`).
"""

from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from dragoman.catalog.profile import Profile
from dragoman.ir import BadRequest, BuiltinTool, Extra, FunctionTool, Loss, UpstreamBroken, Usage
from dragoman.protocols.base import Outgoing, Peek, Route, count_in, word_in
from dragoman.protocols.gemini.fields import Object
from dragoman.protocols.gemini.read_response import answer_in
from dragoman.protocols.gemini.read_tools import ALIASES, read_openai_shape
from dragoman.protocols.gemini.unsigned import signed
from dragoman.protocols.gemini.usage import Counts, usage_of_counts
from dragoman.protocols.gemini.usage import read_usage as read_counts
from dragoman.protocols.gemini.write_request import image_config, path_of
from dragoman.wire.json import NotJson, decode, decode_object, encode

_TOOL_NAMES = {
    "web_search": "googleSearch",
    "code_execution": "codeExecution",
    "url_context": "urlContext",
}
_TOOL_WORDS = tuple(f'"{word}"'.encode() for word in ("function", *ALIASES))


class _Head(Struct, gc=False):
    """Any JSON object; its members are checked to be JSON, and but for these not kept."""

    generationConfig: Raw | UnsetType = UNSET
    generation_config: Raw | UnsetType = UNSET
    serviceTier: Raw | UnsetType = UNSET
    service_tier: Raw | UnsetType = UNSET


class _Bounds(Struct, gc=False):
    maxOutputTokens: Raw | UnsetType = UNSET
    max_output_tokens: Raw | UnsetType = UNSET
    candidateCount: Raw | UnsetType = UNSET
    candidate_count: Raw | UnsetType = UNSET


class _Answer(Struct, gc=False):
    """What metering must know of an answer, the rest only checked to be JSON."""

    candidates: Raw | UnsetType = UNSET
    error: Raw | UnsetType = UNSET
    usageMetadata: Counts | None = None


_decode_answer = msgspec.json.Decoder(_Answer).decode
_decode_head = msgspec.json.Decoder(_Head).decode
_decode_bounds = msgspec.json.Decoder(_Bounds).decode


def peek(body: bytes, route: Route) -> Peek:
    try:
        head = _decode_head(body)
        if not body.isascii():
            body.decode()  # the decoder does not look into the strings it skips
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        decode_object(body)  # says what is wrong
        raise BadRequest("The request body is not valid JSON.", code="invalid_json") from None
    if not route.model:
        raise BadRequest("The path names no model.", param="model", code="missing_model")
    config = head.generationConfig if head.generationConfig is not UNSET else head.generation_config
    bound, answers = (None, 1) if config is UNSET else _bounds(config)
    tier = word_in(head.serviceTier, head.service_tier)
    return Peek(route.model, bool(route.stream), True, bound, answers, tier)


def _bounds(config: Raw) -> tuple[int | None, int]:
    try:
        told = _decode_bounds(config)
    except msgspec.ValidationError:  # the vendor says what is wrong
        return None, 1
    answers = count_in(told.candidateCount, told.candidate_count)
    return count_in(told.maxOutputTokens, told.max_output_tokens), answers or 1


def forward(body: bytes, route: Route, model: str, profile: Profile) -> Outgoing:
    if _is_suspect(body):
        body = _mended(body)
    stream = bool(route.stream)
    losses: tuple[Loss, ...] = ()
    if route.operation == "count_tokens":
        if b"enerateContentRequest" in body or b"generate_content_request" in body:
            body = _with_model(body, model)
        path = path_of(model, stream=False).removesuffix("generateContent") + "countTokens"
    else:
        path = path_of(model, stream, route.array)
        if profile.thinking == "level":
            body, losses = signed(body)
    return Outgoing(path, body, stream, losses)


def _with_model(body: bytes, model: str) -> bytes:
    """A request inside the body names its model again, and Google wants it to be the path's."""
    value = decode_object(body)
    nested = value.get("generateContentRequest", value.get("generate_content_request"))
    name = f"models/{model.removeprefix('models/')}"
    if not isinstance(nested, dict) or nested.get("model") in (None, name, model):
        return body
    nested["model"] = name
    return encode(value)


def _is_suspect(body: bytes) -> bool:
    """Whether a refused spelling may stand in the body; keys are looked for, nothing is decoded."""
    if b'"type"' in body and any(word in body for word in _TOOL_WORDS):
        return True
    return b'"imageSize"' in body or b'"image_size"' in body


def _mended(body: bytes) -> bytes:
    try:
        value = decode(body)
    except NotJson:
        return body
    if not isinstance(value, dict):
        return body
    nested = value.get("generateContentRequest", value.get("generate_content_request"))
    changed = False
    for request in (value, nested):
        if isinstance(request, dict):
            changed = _mend_tools(request) or changed
            changed = _mend_image_size(request) or changed
    return encode(value) if changed else body


def _mend_tools(request: Object) -> bool:
    tools = request.get("tools")
    if not isinstance(tools, list) or not any(_is_openais(tool) for tool in tools):
        return False
    kept: list[Any] = []
    declarations: list[Object] = []
    for number, tool in enumerate(tools):
        if not _is_openais(tool):
            kept.append(tool)
            continue
        unknown: list[Extra] = []
        match read_openai_shape(tool, f"tools[{number}]", unknown):
            case FunctionTool() as function:
                declaration: Object = {"name": function.name}
                if function.description is not None:
                    declaration["description"] = function.description
                if function.parameters is not None:
                    declaration["parametersJsonSchema"] = function.parameters
                declarations.append(declaration)
            case BuiltinTool(kind=kind) if kind in _TOOL_NAMES:
                if {_TOOL_NAMES[kind]: {}} not in kept:
                    kept.append({_TOOL_NAMES[kind]: {}})
            case BuiltinTool(kind=kind):
                raise BadRequest(f"Gemini has no built-in tool {kind!r}.", param=f"tools[{number}]")
    if declarations:
        kept.append({"functionDeclarations": declarations})
    request["tools"] = kept
    return True


def _is_openais(tool: Any) -> bool:
    return isinstance(tool, dict) and isinstance(tool.get("type"), str)


def _mend_image_size(request: Object) -> bool:
    for outer in ("generationConfig", "generation_config"):
        config = request.get(outer)
        if not isinstance(config, dict):
            continue
        for inner in ("imageConfig", "image_config"):
            image = config.get(inner)
            mended = image_config(image)
            if mended != image:
                config[inner] = mended
                return True
    return False


def read_usage(body: bytes) -> Usage | None:
    try:
        answer = _decode_answer(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        answer = _Answer()
    if answer.candidates is not UNSET and answer.error is UNSET and answer.usageMetadata is not None:
        return usage_of_counts(answer.usageMetadata)
    value = answer_in(body)
    candidates = value.get("candidates")
    if not (isinstance(candidates, list) or "promptFeedback" in value or "totalTokens" in value):
        raise UpstreamBroken("The upstream answered without a candidate.")
    return read_counts(value.get("usageMetadata"))
