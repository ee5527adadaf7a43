"""A request of the neutral language for a vendor that speaks Messages, as the model's profile wants it."""

from typing import Any

from dragoman.catalog.profile import Profile
from dragoman.ir import BadRequest, Losses, Request, Sampling, ToolCall
from dragoman.protocols.anthropic.write_messages import THINKING, write_messages
from dragoman.protocols.anthropic.write_thinking import field_of, write_sampling, write_thinking
from dragoman.protocols.anthropic.write_tools import forces, write_format, write_tools
from dragoman.protocols.base import Outgoing
from dragoman.wire.json import encode

Json = dict[str, Any]
PATH = "/v1/messages"
COUNT_PATH = "/v1/messages/count_tokens"
_NO_SAMPLING = Sampling()
_NO_PLACE = "The model's protocol has no such member."
_TIERS = {"auto": "auto", "default": "standard_only", "standard": "standard_only", "priority": "auto"}
# What a count of tokens takes (anthropic 2.12, MessageCountTokensParams).
_COUNTED = ("model", "messages", "system", "tools", "tool_choice", "thinking", "output_config", "cache_control")


def write_request(request: Request, model: str, profile: Profile, losses: Losses) -> Outgoing:
    """Raises BadRequest where the request cannot be carried at all."""
    return Outgoing(PATH, encode(_body(request, model, profile, losses)), request.stream)


def write_count_request(request: Request, model: str, profile: Profile, losses: Losses) -> Outgoing:
    body = _body(request, model, profile, losses)
    return Outgoing(COUNT_PATH, encode({name: body[name] for name in _COUNTED if name in body}), False)


def _body(request: Request, model: str, profile: Profile, losses: Losses) -> Json:
    losses.places = request.places
    sampling = request.sampling
    body: Json = {"model": model, "max_tokens": sampling.max_output_tokens or profile.max_output_tokens}
    system, messages = write_messages(request, profile, losses)
    if system:
        body["system"] = system[0]["text"] if len(system) == 1 and len(system[0]) == 2 else system
    body["messages"] = messages
    thinks = request.reasoning is not None and _think(request, profile, losses, body)
    if messages[-1]["role"] == "assistant":
        _prefill(request, profile, thinks, losses, messages)
    budgeted = thinks and profile.thinking == "budget"
    if sampling is not _NO_SAMPLING:
        write_sampling(sampling, profile, thinks, losses, body)
        _limits(sampling, losses, body)
    if request.tools or request.tool_choice is not None:
        write_tools(request, model, profile, budgeted, losses, body)
    if request.format is not None:
        write_format(request, profile, losses, body)
    for modality in request.modalities:
        if modality != "text":
            raise BadRequest(
                f"The model {model!r} answers in text only, not in {modality}.",
                param=losses.path("modalities"),
                code="unsupported_value",
            )
    if request.user is not None:
        body["metadata"] = {"user_id": request.user}
    if request.service_tier is not None:
        tier = _TIERS.get(request.service_tier)
        if tier is None:
            losses.add("service_tier", f"Anthropic has no tier {request.service_tier!r}.")
        else:
            body["service_tier"] = tier
    if request.stream:
        body["stream"] = True
    for extra in request.extras:
        if extra.owner == "gemini" and extra.name in ("cachedContent", "cached_content"):
            raise BadRequest(
                f"{extra.path} names content that only Gemini holds; the model {model!r} cannot read it.",
                param=extra.path,
                code="unsupported_parameter",
            )
        if extra.name == "output_config.effort" and profile.thinking != "adaptive":
            losses.add_path(extra.path, "The model takes no efforts.", harmless=True)
        elif extra.owner == "anthropic":
            _put(body, extra.name, extra.value)
        else:
            losses.add_path(extra.path, _NO_PLACE, harmless=extra.harmless)
    return body


def _put(body: Json, name: str, value: Any) -> None:
    """Sets the dotted `name`; what was written there already stays."""
    outer, dot, inner = name.partition(".")
    if dot:
        held = body.setdefault(outer, {})
        if type(held) is dict:
            held.setdefault(inner, value)
    else:
        body.setdefault(name, value)


def _think(request: Request, profile: Profile, losses: Losses, body: Json) -> bool:
    """Whether the model will think; `body` says so."""
    reasoning = request.reasoning
    assert reasoning is not None
    off = reasoning.effort == "none" or reasoning.budget == 0
    # Adaptive thinking asks neither of a turn (platform.claude.com/docs/en/build-with-claude/adaptive-thinking).
    if not off and profile.thinking == "budget":
        why = None
        if _steps_unsigned(body["messages"]):
            # 400 "Expected `thinking` or `redacted_thinking`, but found `tool_use`. When `thinking` is enabled, …"
            why = "The last step's thoughts are missing or another model's, so that the model cannot go on thinking."
        elif forces(request, profile):
            why = "The model cannot think while it is held to the answer's format."
        if why is not None:
            losses.add(field_of(reasoning), why)
            return False
    return write_thinking(reasoning, profile, request.sampling.max_output_tokens is not None, losses, body)


def _steps_unsigned(messages: list[Json]) -> bool:
    """Whether the conversation ends with results of calls that no genuine thought stands before."""
    if len(messages) < 2 or messages[-1]["content"][0]["type"] != "tool_result":
        return False
    return messages[-2]["content"][0]["type"] not in THINKING


def _prefill(request: Request, profile: Profile, thinks: bool, losses: Losses, messages: list[Json]) -> None:
    """Words put into the model's mouth: they end without white space, where the model takes them at all."""
    last = request.messages[-1]
    if (profile.prefill and not thinks) or any(type(part) is ToolCall for part in last.parts):
        content = messages[-1]["content"]
        if content[-1]["type"] == "text":
            content[-1] = {**content[-1], "text": content[-1]["text"].rstrip()}
        return
    losses.add_path(last.origin, "The model does not continue an answer that was begun for it.")
    messages.pop()
    if not messages:
        raise BadRequest("There is nothing to answer.", param=last.origin, code="missing_field")


def _limits(sampling: Sampling, losses: Losses, body: Json) -> None:
    if sampling.stop:
        words = [word for word in sampling.stop if word.strip()]
        if len(words) < len(sampling.stop):
            losses.add("stop", "Anthropic takes no stop sequence of white space alone.")
        if words:
            body["stop_sequences"] = words
    if sampling.candidate_count is not None and sampling.candidate_count > 1:
        raise BadRequest(
            f"The model gives one answer, not {sampling.candidate_count}.",
            param=losses.path("candidate_count"),
            code="unsupported_value",
        )
    for name, asked in (("logprobs", sampling.logprobs), ("top_logprobs", sampling.top_logprobs)):
        if asked:
            raise BadRequest(
                "The model tells no log probabilities.", param=losses.path(name), code="unsupported_parameter"
            )
    for name, value in (
        ("seed", sampling.seed),
        ("presence_penalty", sampling.presence_penalty or None),
        ("frequency_penalty", sampling.frequency_penalty or None),
        ("logit_bias", sampling.logit_bias or None),
    ):
        if value is not None:
            losses.add(name, _NO_PLACE)
