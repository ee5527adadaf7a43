"""Token counts. Anthropic's `input_tokens` leave out what was read from and written to its cache, ours include it; its
`output_tokens` include the thinking, as ours do."""

from typing import Any

from dragoman.ir import Usage
from dragoman.wire.json import count_in


def read_usage(value: Any) -> Usage | None:
    """The counts of a `usage` object; None where there are none. Counts that are not whole numbers count as 0."""
    if type(value) is not dict:
        return None
    read = count_in(value, "cache_read_input_tokens")
    written = count_in(value, "cache_creation_input_tokens")
    details = value.get("output_tokens_details")
    lasting = value.get("cache_creation")
    return Usage(
        input=count_in(value, "input_tokens") + read + written,
        output=count_in(value, "output_tokens"),
        cached_input=read,
        cache_write=written,
        reasoning=count_in(details, "thinking_tokens") if type(details) is dict else 0,
        cache_write_hour=count_in(lasting, "ephemeral_1h_input_tokens") if type(lasting) is dict else 0,
    )


def merged(begun: Any, later: Any) -> Any:
    """The counts of a stream: `message_delta` overrides what `message_start` told, member by member."""
    if type(begun) is not dict or type(later) is not dict:
        return later if type(later) is dict else begun
    return {**begun, **{name: count for name, count in later.items() if count is not None}}


def write_usage(usage: Usage | None) -> dict[str, Any]:
    usage = usage or Usage()
    told: dict[str, Any] = {
        "input_tokens": max(0, usage.input - usage.cached_input - usage.cache_write),
        "cache_creation_input_tokens": usage.cache_write,
        "cache_read_input_tokens": usage.cached_input,
        "output_tokens": usage.output,
    }
    if usage.reasoning:
        told["output_tokens_details"] = {"thinking_tokens": usage.reasoning}
    return told


def read_tier(usage: Any) -> str | None:
    tier = usage.get("service_tier") if type(usage) is dict else None
    return tier if type(tier) is str and tier else None
