"""Token counts: OpenAI's `prompt_tokens` include cached input and its `completion_tokens` include reasoning, as ours do."""

from typing import Any

from dragoman.ir import Usage

# Field of *_tokens_details -> modality.
_MODALITIES = {"text_tokens": "text", "image_tokens": "image", "audio_tokens": "audio", "video_tokens": "video"}
_NONE: dict[str, Any] = {}


def read_usage(value: Any) -> Usage | None:
    """The counts of a `usage` object; None where there are none. Counts that are not whole numbers count as 0."""
    if type(value) is not dict:
        return None
    into = value.get("prompt_tokens_details")
    out = value.get("completion_tokens_details")
    into = into if type(into) is dict else _NONE
    out = out if type(out) is dict else _NONE
    cached = _count(into, "cached_tokens")
    if not cached:  # DeepSeek's spelling (api-docs.deepseek.com, context caching)
        cached = _count(value, "prompt_cache_hit_tokens")
    prompt = _count(value, "prompt_tokens")
    completion = _count(value, "completion_tokens")
    total = _count(value, "total_tokens")
    reasoning = _count(out, "reasoning_tokens")
    if not completion and total > prompt:
        completion = total - prompt
    elif reasoning > completion or (reasoning and total == prompt + completion + reasoning):
        # xAI and Google's compatible endpoint count reasoning beside the completion, not inside it.
        completion += reasoning
    return Usage(
        input=prompt,
        output=completion,
        cached_input=cached,
        cache_write=_count(into, "cache_write_tokens"),
        reasoning=reasoning,
        input_by_modality=_modalities(into),
        output_by_modality=_modalities(out),
        accepted_prediction=_count(out, "accepted_prediction_tokens"),
        rejected_prediction=_count(out, "rejected_prediction_tokens"),
    )


def write_usage(usage: Usage) -> dict[str, Any]:
    into = {"cached_tokens": usage.cached_input, "audio_tokens": 0}
    out = {
        "reasoning_tokens": usage.reasoning,
        "audio_tokens": 0,
        "accepted_prediction_tokens": usage.accepted_prediction,
        "rejected_prediction_tokens": usage.rejected_prediction,
    }
    if usage.cache_write:
        into["cache_write_tokens"] = usage.cache_write
    for modality, tokens in usage.input_by_modality:
        into[f"{modality}_tokens"] = tokens
    for modality, tokens in usage.output_by_modality:
        out[f"{modality}_tokens"] = tokens
    return {
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.total,
        "prompt_tokens_details": into,
        "completion_tokens_details": out,
    }


def _count(holder: dict[str, Any], key: str) -> int:
    value = holder.get(key)
    if type(value) is int and value > 0:
        return value
    if type(value) is float and 0 < value < 2**53:
        return int(value)
    return 0


def _modalities(details: dict[str, Any]) -> tuple[tuple[str, int], ...]:
    get = details.get
    # On every answer's way, and nearly always nothing: so no generator.
    if not (get("text_tokens") or get("image_tokens") or get("audio_tokens") or get("video_tokens")):
        return ()
    return tuple((name, count) for field, name in _MODALITIES.items() if (count := _count(details, field)))
