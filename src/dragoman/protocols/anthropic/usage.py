"""Token counts. Anthropic's `input_tokens` leave out what was read from and written to its cache, ours include it; its
`output_tokens` include the thinking, as ours do."""

from typing import Any

from dragoman.ir import Usage


def read_usage(value: Any) -> Usage | None:
    """The counts of a `usage` object; None where there are none. Counts that are not whole numbers count as 0."""
    if type(value) is not dict:
        return None
    read = _count(value, "cache_read_input_tokens")
    written = _count(value, "cache_creation_input_tokens")
    details = value.get("output_tokens_details")
    lasting = value.get("cache_creation")
    return Usage(
        input=_count(value, "input_tokens") + read + written,
        output=_count(value, "output_tokens"),
        cached_input=read,
        cache_write=written,
        reasoning=_count(details, "thinking_tokens") if type(details) is dict else 0,
        cache_write_hour=_count(lasting, "ephemeral_1h_input_tokens") if type(lasting) is dict else 0,
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


def _count(holder: dict[str, Any], key: str) -> int:
    value = holder.get(key)
    if type(value) is int and value > 0:
        return value
    if type(value) is float and 0 < value < 2**53:
        return int(value)
    return 0
