"""OpenAI's rate-limit headers (platform.openai.com/docs/guides/rate-limits, 2026)."""

from functools import lru_cache

from dragoman.limits import Standing
from dragoman.protocols.base import Headers


def write_standing(standing: Standing, when: float) -> Headers:
    found: Headers = []
    if (level := standing.requests) is not None:
        found += _settled(b"requests", level.limit, int(level.reset * 1000))
        found.append((b"x-ratelimit-remaining-requests", b"%d" % level.remaining))
    if (level := standing.tokens) is not None:
        found += _settled(b"tokens", level.limit, int(level.reset * 1000))
        found.append((b"x-ratelimit-remaining-tokens", b"%d" % level.remaining))
    return found


@lru_cache(maxsize=4096)
def _settled(kind: bytes, limit: int, milliseconds: int) -> Headers:
    """What is the same in the next answer, for nearly all are let in and then told of a whole minute."""
    return [
        (b"x-ratelimit-limit-" + kind, b"%d" % limit),
        (b"x-ratelimit-reset-" + kind, _duration(milliseconds)),
    ]


def _duration(milliseconds: int) -> bytes:
    """As OpenAI writes it: 20ms, 59.5s, 1m2s."""
    if milliseconds < 1000:
        return b"%dms" % milliseconds
    minutes, rest = divmod(milliseconds, 60_000)
    seconds = b"%d" % (rest // 1000)
    if rest % 1000:
        seconds += (b".%03d" % (rest % 1000)).rstrip(b"0")
    return b"%dm%bs" % (minutes, seconds) if minutes else seconds + b"s"
