"""Token counts as `usageMetadata` and back.

Google counts tool-use tokens outside `promptTokenCount` and thoughts outside `candidatesTokenCount`; its total is the sum of
the four (recorded: 55 + 51 + 89 + 56 = 251).
"""

from typing import Annotated, Any

from msgspec import Meta, Struct, ValidationError, convert

from dragoman.ir import Losses, Usage

_Tokens = Annotated[int, Meta(ge=0)]

_TIERS = frozenset({"flex", "standard", "priority"})
_DETAILS = ("promptTokensDetails", "cacheTokensDetails", "candidatesTokensDetails", "toolUsePromptTokensDetails")


class _Share(Struct, gc=False):
    modality: str
    tokenCount: _Tokens = 0


class Counts(Struct, gc=False):
    """A `usageMetadata` object as it should be; what is not so is read by `read_usage`, from plain values."""

    promptTokenCount: _Tokens = 0
    candidatesTokenCount: _Tokens | None = None
    thoughtsTokenCount: _Tokens | None = None
    toolUsePromptTokenCount: _Tokens = 0
    cachedContentTokenCount: _Tokens = 0
    totalTokenCount: _Tokens = 0
    promptTokensDetails: tuple[_Share, ...] = ()
    candidatesTokensDetails: tuple[_Share, ...] = ()
    cacheTokensDetails: tuple[_Share, ...] = ()
    toolUsePromptTokensDetails: tuple[_Share, ...] = ()


def usage_of_counts(counts: Counts) -> Usage:
    """As `read_usage`, of a typed object."""
    prompt, tool = counts.promptTokenCount, counts.toolUsePromptTokenCount
    told, thoughts = counts.candidatesTokenCount, counts.thoughtsTokenCount
    if told is None and thoughts is None:
        output = max(0, counts.totalTokenCount - prompt - tool)
    else:
        output = (told or 0) + (thoughts or 0)
    return Usage(
        prompt + tool,
        output,
        counts.cachedContentTokenCount,
        0,
        thoughts or 0,
        tool,
        _shares(counts.promptTokensDetails) if counts.promptTokensDetails else (),
        _shares(counts.candidatesTokensDetails) if counts.candidatesTokensDetails else (),
        _shares(counts.cacheTokensDetails) if counts.cacheTokensDetails else (),
        _shares(counts.toolUsePromptTokensDetails) if counts.toolUsePromptTokensDetails else (),
    )


def _shares(details: tuple[_Share, ...]) -> tuple[tuple[str, int], ...]:
    return tuple([(share.modality.lower(), share.tokenCount) for share in details])


def read_usage(meta: Any) -> Usage | None:
    """The counts of a `usageMetadata` object; None where there is none."""
    if not isinstance(meta, dict) or not meta:
        return None
    try:
        return usage_of_counts(convert(meta, Counts))
    except ValidationError:
        pass
    get = meta.get
    prompt = _count(get("promptTokenCount"))
    tool = _count(get("toolUsePromptTokenCount"))
    thoughts = _count(get("thoughtsTokenCount"))
    output = _count(get("candidatesTokenCount")) + thoughts
    if get("candidatesTokenCount") is None and get("thoughtsTokenCount") is None:
        output = max(0, _count(get("totalTokenCount")) - prompt - tool)
    return Usage(
        input=prompt + tool,
        output=output,
        cached_input=_count(get("cachedContentTokenCount")),
        reasoning=thoughts,
        tool_input=tool,
        input_by_modality=_modalities(get("promptTokensDetails")),
        output_by_modality=_modalities(get("candidatesTokensDetails")),
        cached_by_modality=_modalities(get("cacheTokensDetails")),
        tool_input_by_modality=_modalities(get("toolUsePromptTokensDetails")),
    )


def read_tier(meta: Any) -> str | None:
    """The service tier in the neutral spelling, where OpenAI's `default` is Google's `standard`."""
    tier = meta.get("serviceTier") if isinstance(meta, dict) else None
    if not isinstance(tier, str) or not tier:
        return None
    tier = tier.lower()
    return "default" if tier == "standard" else tier


def write_tier(tier: str) -> str | None:
    """Google's word for a neutral service tier; None where it has none."""
    word = "standard" if tier in ("default", "standard") else tier
    return word if word in _TIERS else None


def write_usage(usage: Usage, losses: Losses) -> dict[str, Any]:
    meta: dict[str, Any] = {
        "promptTokenCount": max(0, usage.input - usage.tool_input),
        "candidatesTokenCount": max(0, usage.output - usage.reasoning),
        "totalTokenCount": usage.input + usage.output,
    }
    if usage.cache_write:
        why = "Gemini counts what is written to a cache as any other input."
        losses.add_path("usageMetadata.promptTokenCount", why, harmless=True)
    if usage.cached_input:
        meta["cachedContentTokenCount"] = usage.cached_input
    if usage.reasoning:
        meta["thoughtsTokenCount"] = usage.reasoning
    if usage.tool_input:
        meta["toolUsePromptTokenCount"] = usage.tool_input
    details = (
        usage.input_by_modality,
        usage.cached_by_modality,
        usage.output_by_modality,
        usage.tool_input_by_modality,
    )
    if any(details):
        for name, counts in zip(_DETAILS, details, strict=True):
            if counts:
                meta[name] = [{"modality": modality.upper(), "tokenCount": tokens} for modality, tokens in counts]
    return meta


def _count(value: Any) -> int:
    if value.__class__ is int or value.__class__ is float:
        return max(0, int(value))
    whole = isinstance(value, str) and len(value) < 19 and value.isascii() and value.isdecimal()
    return int(value) if whole else 0


def _modalities(details: Any) -> tuple[tuple[str, int], ...]:
    if not isinstance(details, list):
        return ()
    return tuple(
        [
            (item["modality"].lower(), _count(item.get("tokenCount")))
            for item in details
            if isinstance(item, dict) and isinstance(item.get("modality"), str)
        ]
    )
