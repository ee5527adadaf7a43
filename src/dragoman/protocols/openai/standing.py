"""OpenAI's rate-limit headers (platform.openai.com/docs/guides/rate-limits, 2026)."""

from functools import lru_cache

from dragoman.limits import Standing
from dragoman.protocols.base import Headers


def write_standing(standing: Standing, when: float) -> Headers:
    found: Headers = []
    if (level := standing.requests) is not None:
        found += (
            _limit(b"requests", level.limit),
            (b"x-ratelimit-remaining-requests", b"%d" % level.remaining),
            (b"x-ratelimit-reset-requests", _duration(int(level.reset * 1000))),
        )
    if (level := standing.tokens) is not None:
        found += (
            _limit(b"tokens", level.limit),
            (b"x-ratelimit-remaining-tokens", b"%d" % level.remaining),
            (b"x-ratelimit-reset-tokens", _duration(int(level.reset * 1000))),
        )
    return found


@lru_cache(maxsize=1024)
def _limit(kind: bytes, limit: int) -> tuple[bytes, bytes]:
    return b"x-ratelimit-limit-" + kind, b"%d" % limit


@lru_cache(maxsize=4096)
def _duration(milliseconds: int) -> bytes:
    """As OpenAI writes it: 20ms, 59.5s, 1m2s."""
    if milliseconds < 1000:
        return b"%dms" % milliseconds
    minutes, rest = divmod(milliseconds, 60_000)
    seconds = b"%d" % (rest // 1000)
    if rest % 1000:
        seconds += (b".%03d" % (rest % 1000)).rstrip(b"0")
    return b"%dm%bs" % (minutes, seconds) if minutes else seconds + b"s"
