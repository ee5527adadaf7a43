"""A request of the neutral language for a vendor that speaks Responses, as the model's profile wants it.

Nothing is kept at the vendor's: every request holds its whole conversation, and a model that reasons gives its reasoning back
encrypted (`include: ["reasoning.encrypted_content"]`), so that the next request can hold that too.
"""

from typing import Any

from dragoman.catalog.profile import Profile
from dragoman.ir import BadRequest, Losses, Reasoning, Request, Sampling
from dragoman.ir.effort import effort_of
from dragoman.protocols.base import Outgoing
from dragoman.protocols.openai_responses.draft import OWNER
from dragoman.protocols.openai_responses.forward import PATH
from dragoman.protocols.openai_responses.write_input import write_input
from dragoman.protocols.openai_responses.write_tools import write_format, write_tools
from dragoman.wire.json import encode

Json = dict[str, Any]
_NO_SAMPLING = Sampling()
_NO_PLACE = "The model's protocol has no such member."
_FIXED = "The model reasons, and its sampling is fixed."
_ENCRYPTED = "reasoning.encrypted_content"
# What Chat Completions and Responses both have, where it stands here.
_SHARED = frozenset(
    {
        "metadata", "store", "prompt_cache_key", "prompt_cache_retention", "prompt_cache_options", "safety_identifier",
        "moderation",
    }
)  # fmt: skip


def write_request(request: Request, model: str, profile: Profile, losses: Losses) -> Outgoing:
    """Raises BadRequest where the request cannot be carried at all."""
    return Outgoing(PATH, encode(write_body(request, model, profile, losses)), request.stream)


def write_body(request: Request, model: str, profile: Profile, losses: Losses) -> Json:
    losses.places = request.places
    body: Json = {"model": model}
    instructions = [text.text for text in request.system]
    for text in request.system:
        losses.add_extras(text.extras, OWNER, _NO_PLACE)
    body["input"] = written = write_input(request, profile, losses)
    if instructions and not written:  # there must be some input
        role = "developer" if profile.developer_role else "system"
        written.append({"role": role, "content": "\n\n".join(instructions)})
    elif instructions:
        body["instructions"] = "\n\n".join(instructions)
    include: list[str] = []
    if request.sampling is not _NO_SAMPLING:
        _sampling(request.sampling, profile, losses, body, include)
    if request.tools or request.tool_choice is not None:
        write_tools(request, model, profile, losses, body)
    if request.parallel_tool_calls is not None and "tools" in body:
        body["parallel_tool_calls"] = request.parallel_tool_calls
    if request.format is not None:
        _put_format(request, profile, losses, body, written)
    if request.reasoning is not None:
        _reasoning(request.reasoning, profile, losses, body)
    if request.modalities:
        _modalities(request, model, losses, body)
    if request.user is not None:
        body["user"] = request.user
    if request.service_tier is not None:
        body["service_tier"] = (
            "default" if request.service_tier in ("standard", "standard_only") else request.service_tier
        )
    body["store"] = False
    if request.stream:
        body["stream"] = True
    _extras(request, losses, body, include)
    if profile.thinking == "effort" and profile.family == "openai" and _ENCRYPTED not in include:
        # 400 at a model that does not reason: "Encrypted content is not supported with this model."
        include.append(_ENCRYPTED)
    if include:
        body["include"] = include
    return body


def _sampling(sampling: Sampling, profile: Profile, losses: Losses, body: Json, include: list[str]) -> None:
    if sampling.candidate_count is not None and sampling.candidate_count > 1:
        raise BadRequest(
            "The model's protocol gives one answer a request, not several.",
            param=losses.path("candidate_count"),
            code="unsupported_value",
        )
    if sampling.stop:
        raise BadRequest(
            "The model's protocol knows no stop sequences. Leave them out, or ask a model that takes them.",
            param=losses.path("stop"),
            code="unsupported_parameter",
        )
    if sampling.max_output_tokens is not None:
        body["max_output_tokens"] = sampling.max_output_tokens
    for name, neutral in (("temperature", 1), ("top_p", 1)):
        value = getattr(sampling, name)
        if value is None:
            continue
        if profile.sampling:
            body[name] = value
        elif value != neutral:
            # 400 "Unsupported parameter: 'temperature' is not supported with this model." (o-series, gpt-5)
            losses.add(name, _FIXED)
    if sampling.logprobs or sampling.top_logprobs:
        if profile.sampling:
            include.append("message.output_text.logprobs")
            if sampling.top_logprobs:
                body["top_logprobs"] = sampling.top_logprobs
        else:
            losses.add("logprobs" if sampling.logprobs else "top_logprobs", _FIXED)
    for name in ("top_k", "seed"):
        if getattr(sampling, name) is not None:
            losses.add(name, _NO_PLACE)
    for name in ("presence_penalty", "frequency_penalty", "logit_bias"):
        if getattr(sampling, name):  # 0 is what holds without it
            losses.add(name, _NO_PLACE)


def _put_format(request: Request, profile: Profile, losses: Losses, body: Json, written: list[Json]) -> None:
    assert request.format is not None
    form, words = write_format(request.format, profile, losses)
    if form is not None:
        body["text"] = {"format": form}
        if form["type"] == "json_object" and not _mentions_json(written):
            # 400 "Response input messages must contain the word 'json' in some form to use 'text.format' of type
            # 'json_object'."; the instructions do not count.
            written.insert(0, {"role": "developer", "content": "Answer in JSON."})
    if words is not None:
        body["instructions"] = f"{body['instructions']}\n\n{words}" if "instructions" in body else words


def _mentions_json(written: list[Json]) -> bool:
    return b"json" in encode([item.get("content", item.get("output")) for item in written]).lower()


def _reasoning(reasoning: Reasoning, profile: Profile, losses: Losses, body: Json) -> None:
    effort: str | None = reasoning.effort
    if effort is None and reasoning.budget is not None:
        effort = effort_of(reasoning.budget)
    told: Json = {}
    if profile.thinking == "none":
        if effort not in (None, "none"):
            losses.add("reasoning.effort" if reasoning.effort else "reasoning.budget", "The model does not reason.")
        if reasoning.include_thoughts:
            losses.add("reasoning.include_thoughts", "The model does not reason.", harmless=True)
        return
    if effort is not None:
        told["effort"] = effort
    if reasoning.include_thoughts and effort != "none":
        told["summary"] = "auto"
    if told:
        body["reasoning"] = told


def _modalities(request: Request, model: str, losses: Losses, body: Json) -> None:
    for modality in request.modalities:
        if modality == "image":
            tools: list[Json] = body.setdefault("tools", [])
            if all(tool["type"] != "image_generation" for tool in tools):
                tools.append({"type": "image_generation"})
        elif modality != "text":
            raise BadRequest(
                f"The model '{model}' does not answer in {modality} here.",
                param=losses.path("modalities"),
                code="unsupported_value",
            )


def _extras(request: Request, losses: Losses, body: Json, include: list[str]) -> None:
    for extra in request.extras:
        if not extra.path and extra.harmless:
            continue  # a reader's mark
        name = extra.name
        if extra.owner == OWNER:
            if name == "include":
                include.append(extra.value)
            elif name.startswith("reasoning."):
                body.setdefault("reasoning", {})[name.partition(".")[2]] = extra.value
            else:
                body[name] = extra.value
        elif extra.owner == "openai" and name in _SHARED:
            body[name] = extra.value
        elif extra.owner == "openai" and name == "verbosity":
            body.setdefault("text", {})["verbosity"] = extra.value
        elif extra.owner == "openai" and name == "stream_options.include_obfuscation":
            if request.stream:
                body["stream_options"] = {"include_obfuscation": extra.value}
        elif extra.owner == "gemini" and name == "cachedContent":
            raise BadRequest(
                f"'{extra.path}' names content that only Gemini holds; the model '{body['model']}' cannot read it.",
                param=extra.path,
                code="unsupported_parameter",
            )
        else:
            losses.add_path(extra.path, _NO_PLACE, harmless=extra.harmless)
