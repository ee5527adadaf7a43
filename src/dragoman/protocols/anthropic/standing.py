"""Anthropic's rate-limit headers (docs.claude.com/en/api/rate-limits, 2026)."""

from datetime import UTC, datetime

from dragoman.limits import Standing
from dragoman.protocols.base import Headers


def write_standing(standing: Standing, when: float) -> Headers:
    found: Headers = []
    for kind, level in ((b"requests", standing.requests), (b"tokens", standing.tokens)):
        if level is not None:
            # In whole seconds of RFC 3339, as Anthropic's are; rounded up, so that who waits for it has waited long enough.
            reset = datetime.fromtimestamp(-int(-(when + level.reset) // 1), UTC)
            head = b"anthropic-ratelimit-" + kind
            found += (
                (head + b"-limit", b"%d" % level.limit),
                (head + b"-remaining", b"%d" % level.remaining),
                (head + b"-reset", f"{reset:%Y-%m-%dT%H:%M:%SZ}".encode()),
            )
    return found
