"""Token counts: OpenAI's `prompt_tokens` include cached input and its `completion_tokens` include reasoning, as ours do."""

from typing import Annotated, Any

from msgspec import Meta, Struct, ValidationError, convert

from dragoman.ir import Usage
from dragoman.wire.json import count_in

_Tokens = Annotated[int, Meta(ge=0)] | None

# Field of *_tokens_details -> modality.
_MODALITIES = {"text_tokens": "text", "image_tokens": "image", "audio_tokens": "audio", "video_tokens": "video"}
_NONE: dict[str, Any] = {}


class _Into(Struct, gc=False):
    cached_tokens: _Tokens = 0
    cache_write_tokens: _Tokens = 0
    text_tokens: _Tokens = 0
    image_tokens: _Tokens = 0
    audio_tokens: _Tokens = 0
    video_tokens: _Tokens = 0


class _Out(Struct, gc=False):
    reasoning_tokens: _Tokens = 0
    accepted_prediction_tokens: _Tokens = 0
    rejected_prediction_tokens: _Tokens = 0
    text_tokens: _Tokens = 0
    image_tokens: _Tokens = 0
    audio_tokens: _Tokens = 0
    video_tokens: _Tokens = 0


class Counts(Struct, gc=False):
    """A `usage` object as it should be; what is not so is read by `read_usage`, from plain values."""

    prompt_tokens: _Tokens = 0
    completion_tokens: _Tokens = 0
    total_tokens: _Tokens = 0
    prompt_tokens_details: _Into | None = None
    completion_tokens_details: _Out | None = None
    prompt_cache_hit_tokens: _Tokens = 0


_NO_INTO = _Into()
_NO_OUT = _Out()


def usage_of_counts(counts: Counts) -> Usage:
    """As `read_usage`, of a typed object."""
    into = counts.prompt_tokens_details or _NO_INTO
    out = counts.completion_tokens_details or _NO_OUT
    prompt = counts.prompt_tokens or 0
    reasoning = out.reasoning_tokens or 0
    return Usage(
        prompt,
        _completion(prompt, counts.completion_tokens or 0, reasoning, counts.total_tokens or 0),
        into.cached_tokens or counts.prompt_cache_hit_tokens or 0,
        into.cache_write_tokens or 0,
        reasoning,
        0,
        _typed_modalities(into),
        _typed_modalities(out),
        (),
        (),
        out.accepted_prediction_tokens or 0,
        out.rejected_prediction_tokens or 0,
    )


def _typed_modalities(details: _Into | _Out) -> tuple[tuple[str, int], ...]:
    # On every answer's way, and nearly always nothing: so no generator.
    if not (details.text_tokens or details.image_tokens or details.audio_tokens or details.video_tokens):
        return ()
    return tuple((name, count) for field, name in _MODALITIES.items() if (count := getattr(details, field)))


def _completion(prompt: int, completion: int, reasoning: int, total: int) -> int:
    """All output tokens, whichever way the vendor counts its reasoning."""
    if not completion and total > prompt:
        return total - prompt
    if reasoning > completion or (reasoning and total == prompt + completion + reasoning):
        # xAI and Google's compatible endpoint count reasoning beside the completion, not inside it.
        return completion + reasoning
    return completion


def read_usage(value: Any) -> Usage | None:
    """The counts of a `usage` object; None where there are none. Counts that are not whole numbers count as 0."""
    if type(value) is not dict:
        return None
    try:
        return usage_of_counts(convert(value, Counts))
    except ValidationError:
        pass
    into = value.get("prompt_tokens_details")
    out = value.get("completion_tokens_details")
    into = into if type(into) is dict else _NONE
    out = out if type(out) is dict else _NONE
    cached = count_in(into, "cached_tokens")
    if not cached:  # DeepSeek's spelling (api-docs.deepseek.com, context caching)
        cached = count_in(value, "prompt_cache_hit_tokens")
    prompt = count_in(value, "prompt_tokens")
    reasoning = count_in(out, "reasoning_tokens")
    return Usage(
        input=prompt,
        output=_completion(prompt, count_in(value, "completion_tokens"), reasoning, count_in(value, "total_tokens")),
        cached_input=cached,
        cache_write=count_in(into, "cache_write_tokens"),
        reasoning=reasoning,
        input_by_modality=_modalities(into),
        output_by_modality=_modalities(out),
        accepted_prediction=count_in(out, "accepted_prediction_tokens"),
        rejected_prediction=count_in(out, "rejected_prediction_tokens"),
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
        "total_tokens": usage.input + usage.output,
        "prompt_tokens_details": into,
        "completion_tokens_details": out,
    }


def _modalities(details: dict[str, Any]) -> tuple[tuple[str, int], ...]:
    get = details.get
    if not (get("text_tokens") or get("image_tokens") or get("audio_tokens") or get("video_tokens")):
        return ()
    return tuple((name, count) for field, name in _MODALITIES.items() if (count := count_in(details, field)))
