"""The statuses that vendors' error words stand for, where no HTTP status says it: inside a stream, or inside a 200.

OpenAI's words, those of servers that imitate it, Anthropic's types, and Google's names for its own compatible endpoint.
Words for a refused key are left out: in an answer that was granted they are the vendor's own trouble.
"""

from collections.abc import Iterable

_STATUSES: dict[int, tuple[str, ...]] = {
    400: (
        "invalid_request_error",
        "invalid_request",
        "bad_request",
        "invalid_value",
        "invalid_type",
        "invalid_prompt",
        "context_length_exceeded",
        "content_policy_violation",
        "content_filter",
        "invalid_argument",
        "failed_precondition",
        "out_of_range",
    ),
    404: ("not_found", "not_found_error", "model_not_found"),
    408: ("request_timeout",),
    409: ("conflict", "conflict_error", "aborted", "already_exists"),
    413: ("request_too_large",),
    429: (
        "rate_limit_exceeded",
        "rate_limit_error",
        "rate_limit",
        "rate_limited",
        "too_many_requests",
        "requests",
        "tokens",
        "insufficient_quota",
        "quota_exceeded",
        "billing_hard_limit_reached",
        "resource_exhausted",
    ),
    499: ("cancelled",),
    500: (
        "server_error",
        "internal_error",
        "internal_server_error",
        "internal",
        "internalserviceerror",
        "api_error",
        "unknown",
        "data_loss",
    ),
    501: ("unimplemented",),
    503: (
        "overloaded",
        "overloaded_error",
        "server_overloaded",
        "serveroverloaded",
        "engine_overloaded",
        "engine_overloaded_error",
        "model_overloaded",
        "service_unavailable",
        "service_unavailable_error",
        "unavailable",
        "capacity_exceeded",
    ),
    504: ("timeout", "timeout_error", "deadline_exceeded", "gateway_timeout"),
}
_BY_WORD = {word: status for status, words in _STATUSES.items() for word in words}
# A word that says no more than whose fault it was; any other beside it says more.
_VAGUE = frozenset({"server_error", "api_error", "invalid_request_error"})


def status_of(words: Iterable[str | None]) -> int | None:
    """The status that the first telling word stands for; a vague one counts only where no other does."""
    vague: int | None = None
    for word in words:
        if word is None:
            continue
        known = word.strip().lower()
        status = _BY_WORD.get(known)
        if status is not None and known not in _VAGUE:
            return status
        vague = vague or status
    return vague
