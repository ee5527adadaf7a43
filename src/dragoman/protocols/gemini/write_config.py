"""Writes `generationConfig`: sampling, output format, reasoning and modalities, as the model's profile wants them."""

from dragoman.catalog.profile import Profile
from dragoman.ir import BadRequest, FunctionTool, Losses, OutputFormat, Reasoning, Request, Sampling
from dragoman.ir.effort import effort_of
from dragoman.protocols.gemini.clean_schema import clean
from dragoman.protocols.gemini.fields import Object
from dragoman.protocols.gemini.lower_schema import lower
from dragoman.protocols.gemini.schema import enum_schema
from dragoman.protocols.gemini.speech import write_modalities, write_speech

# Google's own table for its OpenAI-compatible endpoint (ai.google.dev/gemini-api/docs/openai, 2026-10).
_BUDGETS = {"minimal": 1024, "low": 1024, "medium": 8192, "high": 24576}
_ORDER = ("minimal", "low", "medium", "high", "xhigh", "max")
_NO_SAMPLING = Sampling()
MAX_STOPS = 5
MAX_CANDIDATES = 8
INT32 = 2**31


def write_config(request: Request, profile: Profile, losses: Losses) -> Object:
    config: Object = {}
    if request.sampling is not _NO_SAMPLING:
        _sampling(request.sampling, profile, losses, config)
    if request.format is not None:
        _format(request, request.format, profile, losses, config)
    if request.reasoning is not None:
        thinking = _thinking(request.reasoning, profile, losses)
        if thinking:
            config["thinkingConfig"] = thinking
    if request.modalities:
        config["responseModalities"] = write_modalities(request.modalities)
        speech = write_speech(request, losses)
        if speech is not None:
            config["speechConfig"] = speech
    return config


def _sampling(sampling: Sampling, profile: Profile, losses: Losses, config: Object) -> None:
    if sampling.temperature is not None:
        config["temperature"] = sampling.temperature
    if sampling.top_p is not None:
        config["topP"] = sampling.top_p
    if sampling.top_k is not None:
        config["topK"] = sampling.top_k
    if sampling.max_output_tokens is not None:
        config["maxOutputTokens"] = sampling.max_output_tokens
    if sampling.stop:
        if len(sampling.stop) > MAX_STOPS:
            raise BadRequest(
                f"Gemini takes at most {MAX_STOPS} stop sequences, not {len(sampling.stop)}.",
                param=losses.path("stop"),
                code="invalid_value",
            )
        config["stopSequences"] = list(sampling.stop)
    if sampling.seed is not None:
        if -INT32 <= sampling.seed < INT32:
            config["seed"] = sampling.seed
        else:
            losses.add("seed", "Gemini's seeds are 32-bit numbers")
    if sampling.presence_penalty:  # 0 is the default
        _penalty("presence_penalty", "presencePenalty", sampling.presence_penalty, profile, losses, config)
    if sampling.frequency_penalty:
        _penalty("frequency_penalty", "frequencyPenalty", sampling.frequency_penalty, profile, losses, config)
    if sampling.candidate_count is not None:
        if sampling.candidate_count > MAX_CANDIDATES:
            raise BadRequest(
                f"Gemini gives at most {MAX_CANDIDATES} answers, not {sampling.candidate_count}.",
                param=losses.path("candidate_count"),
                code="invalid_value",
            )
        config["candidateCount"] = sampling.candidate_count
    if sampling.logprobs is not None:
        config["responseLogprobs"] = sampling.logprobs
    if sampling.top_logprobs:
        config["responseLogprobs"] = True
        config["logprobs"] = sampling.top_logprobs
    if sampling.logit_bias:
        losses.add("logit_bias", "Gemini has no logit bias")


def _penalty(name: str, field: str, penalty: float, profile: Profile, losses: Losses, config: Object) -> None:
    if profile.penalties:
        config[field] = penalty
    else:
        losses.add(name, "the model takes no penalties")


def _format(request: Request, output: OutputFormat, profile: Profile, losses: Losses, config: Object) -> None:
    if not profile.formats:
        raise BadRequest(
            "This model cannot be held to a format. Leave it out, or ask a model that can.",
            param=losses.path("format"),
            code="unsupported_value",
        )
    functions = any(isinstance(tool, FunctionTool) for tool in request.tools)
    if functions and output.kind != "enum":
        forced = request.tool_choice is not None and request.tool_choice.mode == "any"
        if forced or not profile.tools_with_json:
            kind = "Forced function calling" if profile.tools_with_json else "Function calling"
            raise BadRequest(
                f"{kind} together with a JSON answer is unsupported by this model.",
                param=losses.path("format"),
                code="unsupported_value",
            )
    schema = output.schema
    if output.kind == "enum":
        config["responseMimeType"] = "text/x.enum"
        if schema is not None:
            config["responseSchema"] = enum_schema(schema)
        return
    config["responseMimeType"] = "application/json"
    if schema is not None:
        loosened: dict[str, None] = {}
        written = clean(schema, loosened) if profile.json_schemas else lower(schema, loosened)
        if output.description and "description" not in written:
            written["description"] = output.description
        config["responseJsonSchema" if profile.json_schemas else "responseSchema"] = written
        if loosened:
            why = f"Gemini's schemas do not hold to {', '.join(loosened)}"
            losses.add("format.schema", why, harmless=True)
    if output.name:
        losses.add("format.name", "Gemini's schemas have no name", harmless=True)


def _thinking(reasoning: Reasoning, profile: Profile, losses: Losses) -> Object:
    thinking: Object = {}
    effort, budget = reasoning.effort, reasoning.budget
    if profile.thinking == "none":
        for name, held in (("effort", effort), ("budget", budget)):
            if held not in (None, "none", 0):
                losses.add(f"reasoning.{name}", "the model does not think")
        if reasoning.include_thoughts:
            losses.add("reasoning.include_thoughts", "the model does not think")
        return thinking
    if reasoning.include_thoughts is not None:
        thinking["includeThoughts"] = reasoning.include_thoughts
    if profile.thinking == "level":
        level = _level(effort, budget, profile, losses)
        if level is not None:
            thinking["thinkingLevel"] = level.upper()
    else:
        tokens = _budget(effort, budget, profile, losses)
        if tokens is not None:
            thinking["thinkingBudget"] = tokens
    return thinking


def _level(effort: str | None, budget: int | None, profile: Profile, losses: Losses) -> str | None:
    name = "reasoning.effort"
    if budget is not None:
        effort, name = effort_of(budget), "reasoning.budget"
    if effort is None:
        return None
    levels = profile.levels
    if effort == "none":
        losses.add(name, f"the model always thinks; {levels[0]} is sent", harmless=True)
        return levels[0]
    wanted = _ORDER.index(effort)
    # The first level that is not below the wanted one: `medium` is `high` where there is no medium.
    level = next((level for level in levels if _ORDER.index(level) >= wanted), levels[-1])
    if budget is not None:
        losses.add(name, f"the model takes levels; {level} is sent", harmless=True)
    return level


def _budget(effort: str | None, budget: int | None, profile: Profile, losses: Losses) -> int | None:
    least, most = profile.budget
    name = "reasoning.budget"
    if budget is None:
        if effort is None:
            return None
        name = "reasoning.effort"
        budget = 0 if effort == "none" else _BUDGETS.get(effort, most)
    if budget < 0:
        return -1
    if budget == 0 and profile.can_stop_thinking:
        return 0
    clamped = min(max(budget, least), most)
    if clamped != budget:
        losses.add(name, f"the model's budgets are {least} to {most}; {clamped} is sent", harmless=True)
    return clamped
