"""A request of the neutral language for a vendor that speaks Chat Completions, as the model's profile wants it."""

from typing import Any

from dragoman.catalog.profile import Profile
from dragoman.ir import BadRequest, Losses, Reasoning, Request, Sampling
from dragoman.ir.effort import effort_of
from dragoman.protocols.base import Outgoing
from dragoman.protocols.openai_chat.draft import LEGACY
from dragoman.protocols.openai_chat.speech import is_speech, write_speech
from dragoman.protocols.openai_chat.write_messages import custom_names, write_messages
from dragoman.protocols.openai_chat.write_tools import write_format, write_tools
from dragoman.wire.json import encode

Json = dict[str, Any]
PATH = "/chat/completions"
MOST_STOPS = 4
_NO_SAMPLING = Sampling()
_GOOGLES = {
    "cachedContent": "cached_content",
    "safetySettings": "safety_settings",
    "generationConfig.imageConfig": "image_config",
}
_IMAGE_CONFIG = {"aspectRatio": "aspect_ratio", "imageSize": "image_size"}
_INCLUDE_USAGE = {"include_usage": True}
_NO_PLACE = "The model's protocol has no such member."
_FIXED = "The model reasons, and its sampling is fixed."


def write_request(request: Request, model: str, profile: Profile, losses: Losses) -> Outgoing:
    """Raises BadRequest where the request cannot be carried at all."""
    losses.places = request.places
    custom = custom_names(request)
    messages = write_messages(request, profile, losses, custom)
    body: Json = {"model": model, "messages": messages}
    if request.sampling is not _NO_SAMPLING:
        _sampling(request.sampling, profile, losses, body)
    if request.tools or request.tool_choice is not None:
        write_tools(request, model, profile, losses, body)
    if request.format is not None and (written := write_format(request.format, profile, losses, messages)) is not None:
        body["response_format"] = written
    if request.reasoning is not None:
        _reasoning(request.reasoning, profile, losses, body)
    if request.modalities and request.modalities != ("text",):
        body["modalities"] = _modalities(request, model, profile, losses)
        if "audio" in request.modalities and not any(
            extra.owner == "openai" and extra.name == "audio" for extra in request.extras
        ):
            body["audio"] = write_speech(request, losses)
    if request.user is not None:
        body["user"] = request.user
    if request.service_tier is not None:
        _service_tier(request.service_tier, profile, losses, body)
    if request.stream:
        body["stream"] = True
        body["stream_options"] = _INCLUDE_USAGE
    if request.extras:
        _extras(request, profile, losses, body)
    return Outgoing(PATH, encode(body), request.stream)


def _sampling(sampling: Sampling, profile: Profile, losses: Losses, body: Json) -> None:
    if sampling.max_output_tokens is not None:
        body[profile.max_tokens_field] = sampling.max_output_tokens
    if profile.sampling:
        if sampling.temperature is not None:
            body["temperature"] = sampling.temperature
        if sampling.top_p is not None:
            body["top_p"] = sampling.top_p
        if sampling.presence_penalty is not None:
            body["presence_penalty"] = sampling.presence_penalty
        if sampling.frequency_penalty is not None:
            body["frequency_penalty"] = sampling.frequency_penalty
        if sampling.logit_bias is not None:
            body["logit_bias"] = sampling.logit_bias
        if sampling.logprobs is not None:
            body["logprobs"] = sampling.logprobs
            if sampling.top_logprobs is not None and sampling.logprobs:
                body["top_logprobs"] = sampling.top_logprobs
        elif sampling.top_logprobs:
            body["logprobs"] = True
            body["top_logprobs"] = sampling.top_logprobs
    else:
        # 400 "Unsupported parameter: 'temperature' is not supported with this model." (o-series, gpt-5); the defaults may stand.
        for name, neutral in _FIXED_DEFAULTS:
            value = getattr(sampling, name)
            if value is not None and value != neutral:
                losses.add(name, _FIXED)
    if sampling.stop:
        if len(sampling.stop) > MOST_STOPS and profile.family != "llama":
            raise BadRequest(
                f"The model takes at most {MOST_STOPS} stop sequences, not {len(sampling.stop)}.",
                param=losses.path("stop"),
                code="array_above_max_length",
            )
        if profile.sampling:
            body["stop"] = list(sampling.stop)
        else:
            losses.add("stop", "The model reasons, and takes no stop sequences.")
    if sampling.seed is not None:
        body["seed"] = sampling.seed
    if sampling.candidate_count is not None:
        body["n"] = sampling.candidate_count
    if sampling.top_k is not None:
        if profile.family == "llama":
            body["top_k"] = sampling.top_k
        else:
            losses.add("top_k", _NO_PLACE)


_FIXED_DEFAULTS: tuple[tuple[str, Any], ...] = (
    ("temperature", 1),
    ("top_p", 1),
    ("presence_penalty", 0),
    ("frequency_penalty", 0),
    ("logit_bias", {}),
    ("logprobs", False),
    ("top_logprobs", 0),
)


def _reasoning(reasoning: Reasoning, profile: Profile, losses: Losses, body: Json) -> None:
    effort: str | None = reasoning.effort
    if reasoning.budget is not None and profile.family == "gemini":
        _google(body)["thinking_config"] = {"thinking_budget": reasoning.budget}
    elif effort is None and reasoning.budget is not None:
        effort = effort_of(reasoning.budget)
    match profile.thinking:
        case "none":
            if effort not in (None, "none"):
                losses.add("reasoning.effort" if reasoning.effort else "reasoning.budget", "The model does not reason.")
        case "ark":
            # `thinking.type` switches; `reasoning_effort` knows minimal to high (volcengine.com/docs/82379, 2026).
            if effort == "none":
                body["thinking"] = {"type": "disabled"}
            elif effort is not None:
                body["thinking"] = {"type": "enabled"}
                body["reasoning_effort"] = "high" if effort in ("xhigh", "max") else effort
            elif reasoning.budget is not None:
                body["thinking"] = {"type": "auto"}
        case _:
            if effort is not None:
                body["reasoning_effort"] = _known_effort(effort, reasoning, profile, losses)
    if reasoning.include_thoughts is not None:
        if profile.family == "gemini":
            _google(body).setdefault("thinking_config", {})["include_thoughts"] = reasoning.include_thoughts
        else:
            losses.add("reasoning.include_thoughts", "The vendor decides whether thoughts are shown.", harmless=True)


_ORDER = ("none", "minimal", "low", "medium", "high", "xhigh", "max")


def _known_effort(effort: str, reasoning: Reasoning, profile: Profile, losses: Losses) -> str:
    """The effort, or the next one that the model knows: the first that is not below it, else its highest."""
    levels = profile.levels
    if not levels or effort in levels or (effort == "none" and profile.can_stop_thinking):
        return effort
    wanted = _ORDER.index(effort)
    known = next((level for level in levels if _ORDER.index(level) >= wanted), levels[-1])
    name = "reasoning.effort" if reasoning.effort is not None else "reasoning.budget"
    losses.add(name, f"The model does not know the effort '{effort}'; '{known}' is sent.", harmless=True)
    return known


def _modalities(request: Request, model: str, profile: Profile, losses: Losses) -> list[str]:
    """OpenAI's own models answer in text and sound; pictures (`modalities: ["image", "text"]`) are an extension of gateways."""
    takes: tuple[str, ...] = ("text", "audio") if profile.family == "openai" else ("text",)
    for modality in request.modalities:
        if modality not in takes and profile.family not in ("other", "gemini"):
            raise BadRequest(
                f"The model '{model}' does not answer in {modality} here.",
                param=losses.path("modalities"),
                code="unsupported_value",
            )
    if "audio" in request.modalities and "text" not in request.modalities:
        return ["text", *request.modalities]  # there is no sound without its text
    return list(request.modalities)


def _service_tier(tier: str, profile: Profile, losses: Losses, body: Json) -> None:
    if profile.family in ("llama", "gemini"):
        losses.add("service_tier", "The model's server has no tiers.", harmless=True)
    else:
        body["service_tier"] = "default" if tier == "standard" else tier


def _google(body: Json) -> Json:
    """Google's options, where its compatible endpoint reads them: under a literal `extra_body`."""
    google: Json = body.setdefault("extra_body", {}).setdefault("google", {})
    return google


def _image_config(config: Any) -> Any:
    """Google's compatible endpoint spells its options so; `2k` it knows as `2K`."""
    if type(config) is not dict:
        return config
    told = {_IMAGE_CONFIG.get(name, name): value for name, value in config.items()}
    if type(told.get("image_size")) is str:
        told["image_size"] = told["image_size"].upper()
    return told


def _extras(request: Request, profile: Profile, losses: Losses, body: Json) -> None:
    for extra in request.extras:
        if extra.owner == "openai" and extra.name != LEGACY:
            if extra.name.startswith("stream_options."):
                if request.stream:
                    body["stream_options"] = {**body["stream_options"], extra.name.partition(".")[2]: extra.value}
            elif extra.name == "thinking" and profile.family != "ark":
                losses.add_path(extra.path, "Only Ark's models are switched so.", harmless=True)
            else:
                body.setdefault(extra.name, extra.value)
        elif extra.owner == "gemini" and profile.family == "gemini" and extra.name in _GOOGLES:
            name = _GOOGLES[extra.name]
            _google(body)[name] = _image_config(extra.value) if name == "image_config" else extra.value
        elif extra.owner == "gemini" and extra.name == "cachedContent":
            raise BadRequest(
                f"'{extra.path}' names content that only Gemini holds; the model '{body['model']}' cannot read it.",
                param=extra.path,
                code="unsupported_parameter",
            )
        elif extra.name != LEGACY and not is_speech(extra, request):
            losses.add_path(extra.path, _NO_PLACE, harmless=extra.harmless)
