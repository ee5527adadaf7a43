"""OpenAI's rate-limit headers (platform.openai.com/docs/guides/rate-limits, 2026)."""

from dragoman.limits import Level, Standing
from dragoman.protocols.base import Headers


def write_standing(standing: Standing, when: float) -> Headers:
    found: Headers = []
    if (level := standing.requests) is not None:
        found += (
            (b"x-ratelimit-limit-requests", b"%d" % level.limit),
            (b"x-ratelimit-remaining-requests", b"%d" % level.remaining),
            (b"x-ratelimit-reset-requests", _until(level)),
        )
    if (level := standing.tokens) is not None:
        found += (
            (b"x-ratelimit-limit-tokens", b"%d" % level.limit),
            (b"x-ratelimit-remaining-tokens", b"%d" % level.remaining),
            (b"x-ratelimit-reset-tokens", _until(level)),
        )
    return found


def _until(level: Level) -> bytes:
    """A duration as OpenAI writes it: 20ms, 59.5s, 1m2s."""
    milliseconds = int(level.reset * 1000)
    if milliseconds < 1000:
        return b"%dms" % milliseconds
    minutes, rest = divmod(milliseconds, 60_000)
    seconds = b"%d" % (rest // 1000)
    if rest % 1000:
        seconds += (b".%03d" % (rest % 1000)).rstrip(b"0")
    return b"%dm%bs" % (minutes, seconds) if minutes else seconds + b"s"
