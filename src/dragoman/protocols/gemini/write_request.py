"""Writes a GenerateContentRequest, in camelCase, for a vendor that speaks Gemini."""

from functools import lru_cache
from urllib.parse import quote

from dragoman.catalog.profile import Profile
from dragoman.ir import BadRequest, Losses, Message, Request, Text, ToolCall
from dragoman.ir.turns import paired
from dragoman.protocols.base import Outgoing
from dragoman.protocols.gemini.fields import Object, camel
from dragoman.protocols.gemini.speech import is_speech
from dragoman.protocols.gemini.usage import write_tier
from dragoman.protocols.gemini.write_config import write_config
from dragoman.protocols.gemini.write_parts import Contents, put
from dragoman.protocols.gemini.write_tools import write_tools
from dragoman.wire.json import encode

_WHY = "Gemini has no such field"
_CONFIG_EXTRAS = frozenset({"speechConfig", "imageConfig", "mediaResolution", "thinkingConfig"})


def write_request(request: Request, model: str, profile: Profile, losses: Losses) -> Outgoing:
    body: Object = {}
    losses.places = request.places
    messages = request.messages
    system = list(request.system)
    if messages and messages[0].role == "system":
        messages = _hoist(messages, system)
    if messages and messages[-1].role == "assistant":
        messages = _without_prefill(messages, losses)
    messages = paired(messages, losses)
    body["contents"] = contents = Contents(profile, losses).write(messages)
    told: list[Object] = []
    for text in system:
        told.append({"text": text.text})
        if text.extras:
            losses.add_extras(text.extras, "gemini", _WHY)
    if not contents:
        # A system text alone is a 400 ("contents is not specified"): it becomes the one turn.
        if not told:
            raise BadRequest(
                "There is nothing to answer: every turn is empty.", param=losses.path("messages"), code="missing_field"
            )
        contents.append({"role": "user", "parts": told})
    elif told:
        body["systemInstruction"] = {"parts": told}
    config = write_config(request, profile, losses)
    if config:
        body["generationConfig"] = config
    if request.tools or request.tool_choice is not None or request.parallel_tool_calls is False:
        write_tools(request, profile, losses, body)
    if request.service_tier not in (None, "auto"):
        tier = write_tier(request.service_tier or "")
        if tier is None:
            losses.add("service_tier", f"Gemini has no tier {request.service_tier!r}")
        else:
            body["serviceTier"] = tier
    if request.user is not None:
        losses.add("user", "Gemini takes no user id", harmless=True)
    if request.extras:
        _extras(request, body, losses)
    return Outgoing(path_of(model, request.stream), encode(body), request.stream)


def write_count_request(request: Request, model: str, profile: Profile, losses: Losses) -> Outgoing:
    """`countTokens` of the whole request: of bare `contents` it would leave system text and tools out."""
    asked = write_request(request, model, profile, losses).body
    path = path_of(model, stream=False).removesuffix("generateContent") + "countTokens"
    name = encode(f"models/{model.removeprefix('models/')}")
    return Outgoing(path, b'{"generateContentRequest":{"model":%b,%b}' % (name, asked[1:]), False)


@lru_cache(maxsize=4096)
def path_of(model: str, stream: bool, array: bool = False) -> str:
    """The path behind the provider's base URL, which by the vendor's SDK's convention names no version."""
    name = model if model.startswith("tunedModels/") else f"models/{model.removeprefix('models/')}"
    method = "streamGenerateContent" if stream else "generateContent"
    query = "?alt=sse" if stream and not array else ""
    return f"/v1beta/{quote(name, safe='/-._~@:')}:{method}{query}"


def _hoist(messages: tuple[Message, ...], system: list[Text]) -> tuple[Message, ...]:
    """System turns that precede the conversation are its system instruction."""
    at = 0
    while at < len(messages) and messages[at].role == "system":
        system += [part for part in messages[at].parts if isinstance(part, Text)]
        at += 1
    return messages[at:]


def _without_prefill(messages: tuple[Message, ...], losses: Losses) -> tuple[Message, ...]:
    """Gemini does not continue an answer that was begun for it; a closing call is left for the vendor to judge."""
    while len(messages) > 1 and messages[-1].role == "assistant":
        last = messages[-1]
        if any(isinstance(part, ToolCall) for part in last.parts):
            break
        losses.add_path(last.origin, "Gemini does not continue an answer that was begun for it")
        messages = messages[:-1]
    return messages


def _extras(request: Request, body: Object, losses: Losses) -> None:
    for extra in request.extras:
        if is_speech(extra, request):
            continue
        if extra.owner != "gemini":
            losses.add_path(extra.path, _WHY, harmless=extra.harmless)
            continue
        name = ".".join([camel(word) for word in extra.name.split(".")])
        if name.partition(".")[0] in _CONFIG_EXTRAS:
            name = f"generationConfig.{name}"
        value = extra.value
        if name == "generationConfig.imageConfig":
            value = image_config(value)
        put(body, name, value)


def image_config(value: object) -> object:
    """Google knows `1K`, `2K` and `4K`; callers write `2k` too."""
    if not isinstance(value, dict):
        return value
    return {
        name: held.upper() if name in ("imageSize", "image_size") and isinstance(held, str) else held
        for name, held in value.items()
    }
