"""Token counts: `input_tokens` include cached input and `output_tokens` include reasoning, as ours do."""

from typing import Any

from dragoman.ir import Usage
from dragoman.wire.json import count_in

_NONE: dict[str, Any] = {}


def read_usage(value: Any) -> Usage | None:
    """The counts of a `usage` object; None where there are none. Counts that are not whole numbers count as 0."""
    if type(value) is not dict:
        return None
    into = value.get("input_tokens_details")
    out = value.get("output_tokens_details")
    into = into if type(into) is dict else _NONE
    out = out if type(out) is dict else _NONE
    given, answered = count_in(value, "input_tokens"), count_in(value, "output_tokens")
    total = count_in(value, "total_tokens")
    if not answered and total > given:
        answered = total - given
    return Usage(
        input=given,
        output=answered,
        cached_input=count_in(into, "cached_tokens"),
        cache_write=count_in(into, "cache_write_tokens"),
        reasoning=count_in(out, "reasoning_tokens"),
    )


def write_usage(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.input,
        "input_tokens_details": {"cached_tokens": usage.cached_input, "cache_write_tokens": usage.cache_write},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.total,
    }
