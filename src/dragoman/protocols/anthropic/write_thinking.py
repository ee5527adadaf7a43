"""How much the model is to think, as its family takes it, and the sampling that goes with it.

- Up to Claude 4.5: `thinking: {type: enabled, budget_tokens}`, at least 1,024 and less than `max_tokens`; meanwhile no
  temperature but 1, no top_k, no top_p under 0.95, and no forced call.
- From Claude 4.6 on: `thinking: {type: adaptive}`, steered by `output_config.effort`. Some of them always think, and refuse to
  be told otherwise.
"""

from typing import Any

from dragoman.catalog.profile import Profile
from dragoman.ir import Losses, Reasoning, Sampling
from dragoman.ir.effort import effort_of

Json = dict[str, Any]
_ORDER = ("minimal", "low", "medium", "high", "xhigh", "max")
_BUDGETS = {"minimal": 1024, "low": 2048, "medium": 8192, "high": 16384, "xhigh": 32768, "max": 32768}
_AS_IT_SEES_FIT = 10000
_ANSWER = 1024  # tokens that thinking leaves to the answer at least


def write_thinking(reasoning: Reasoning, profile: Profile, limited: bool, losses: Losses, body: Json) -> bool:
    """Puts `thinking` and `output_config.effort` into `body`; whether the model will think. `limited` says whether `max_tokens`
    is the caller's own: a budget that does not fit below it raises it."""
    field = field_of(reasoning)
    if reasoning.effort == "none" or reasoning.budget == 0:
        if profile.thinking != "adaptive":
            return False
        if profile.can_stop_thinking:
            body["thinking"] = {"type": "disabled"}
            return False
        least = profile.efforts[0]
        losses.add(field, f"The model always thinks; the effort {least} is sent.", harmless=True)
        body["output_config"] = {"effort": least}
        return True
    if reasoning.effort is None and reasoning.budget is None and not reasoning.include_thoughts:
        return False
    if profile.thinking == "none":
        losses.add(field, "The model does not think.")
        return False
    if profile.thinking == "adaptive":
        _adaptive(reasoning, profile, losses, body)
    else:
        _budget(reasoning, profile, limited, losses, body)
        if reasoning.include_thoughts is False:
            losses.add("reasoning.include_thoughts", "The model shows what it thinks.", harmless=True)
    return True


def field_of(reasoning: Reasoning) -> str:
    """Which of its fields asks for thinking."""
    if reasoning.effort is not None:
        return "reasoning.effort"
    return "reasoning.include_thoughts" if reasoning.budget is None else "reasoning.budget"


def _adaptive(reasoning: Reasoning, profile: Profile, losses: Losses, body: Json) -> None:
    thinking: Json = {"type": "adaptive"}
    if reasoning.include_thoughts is not None:
        thinking["display"] = "summarized" if reasoning.include_thoughts else "omitted"
    body["thinking"] = thinking
    effort: str | None = reasoning.effort
    if effort is None and reasoning.budget is not None and reasoning.budget > 0:
        effort = effort_of(reasoning.budget)
        assert effort is not None
        losses.add("reasoning.budget", f"The model takes efforts; {_nearest(effort, profile)} is sent.", harmless=True)
    if effort is not None:
        body.setdefault("output_config", {})["effort"] = _nearest(effort, profile)


def _nearest(effort: str, profile: Profile) -> str:
    """The first effort that is not below the wanted one."""
    wanted = _ORDER.index(effort)
    return next((known for known in profile.efforts if _ORDER.index(known) >= wanted), profile.efforts[-1])


def _budget(reasoning: Reasoning, profile: Profile, limited: bool, losses: Losses, body: Json) -> None:
    least = profile.budget[0]
    room: int = body["max_tokens"]
    if reasoning.budget is not None and reasoning.budget > 0:
        tokens = max(least, reasoning.budget)
        if tokens != reasoning.budget:
            losses.add("reasoning.budget", f"The model's budgets begin at {least}, which is sent.", harmless=True)
    else:
        tokens = _BUDGETS.get(reasoning.effort or "", _AS_IT_SEES_FIT)
        if tokens >= room:
            tokens = max(least, room // 2)  # a word is no number: it means a share of what there is
    if tokens >= room:
        raised = min(tokens + room, max(profile.max_output_tokens, room)) if limited else room
        if raised <= tokens:
            tokens = max(least, raised - _ANSWER)
            losses.add("reasoning.budget", f"The model's output has no room for more than {tokens}.", harmless=True)
        if raised != room:
            losses.add("max_output_tokens", f"It must be more than the thinking budget; {raised} is sent.")
        body["max_tokens"] = raised
    body["thinking"] = {"type": "enabled", "budget_tokens": tokens}


def write_sampling(sampling: Sampling, profile: Profile, thinks: bool, losses: Losses, body: Json) -> None:
    """`temperature`, `top_p` and `top_k`, as far as the model takes them."""
    temperature, top_p, top_k = sampling.temperature, sampling.top_p, sampling.top_k
    if not profile.sampling:
        for name, value, neutral in (("temperature", temperature, 1), ("top_p", top_p, 1), ("top_k", top_k, None)):
            if value is not None and value != neutral:
                losses.add(name, "The model's sampling is fixed.")
        return
    if temperature is not None and temperature > 1:
        losses.add("temperature", "The model's temperatures go from 0 to 1; 1 is sent.")
        temperature = 1
    if thinks and profile.thinking == "budget":
        if temperature not in (None, 1):
            losses.add("temperature", "While the model thinks its temperature is 1.")
            temperature = None
        if top_k is not None:
            losses.add("top_k", "While the model thinks it takes no top_k.")
            top_k = None
        if top_p is not None and top_p < 0.95:
            losses.add("top_p", "While the model thinks it takes no top_p under 0.95.")
            top_p = None
    if temperature is not None and top_p is not None and not profile.temperature_with_top_p:
        losses.add("top_p", "The model takes a temperature or a top_p; the temperature is sent.", harmless=top_p == 1)
        top_p = None
    for name, value in (("temperature", temperature), ("top_p", top_p), ("top_k", top_k)):
        if value is not None:
            body[name] = value
