"""What is left of a limit, in each protocol's headers."""

from __future__ import annotations

import pytest

from dragoman.limits import Level, Standing
from dragoman.protocols.known import PROTOCOLS

WHEN = 1_700_000_000.25
BOTH = Standing(Level(60, 59, 1.5), Level(100_000, 0, 59.9994))
OPENAI = {
    b"x-ratelimit-limit-requests": b"60",
    b"x-ratelimit-remaining-requests": b"59",
    b"x-ratelimit-reset-requests": b"1.5s",
    b"x-ratelimit-limit-tokens": b"100000",
    b"x-ratelimit-remaining-tokens": b"0",
    b"x-ratelimit-reset-tokens": b"59.999s",
}
ANTHROPIC = {
    b"anthropic-ratelimit-requests-limit": b"60",
    b"anthropic-ratelimit-requests-remaining": b"59",
    b"anthropic-ratelimit-requests-reset": b"2023-11-14T22:13:22Z",
    b"anthropic-ratelimit-tokens-limit": b"100000",
    b"anthropic-ratelimit-tokens-remaining": b"0",
    b"anthropic-ratelimit-tokens-reset": b"2023-11-14T22:14:21Z",
}


@pytest.mark.parametrize(
    ("protocol", "told"),
    [("openai-chat", OPENAI), ("openai-responses", OPENAI), ("anthropic", ANTHROPIC), ("gemini", {})],
)
def test_headers(protocol: str, told: dict[bytes, bytes]) -> None:
    assert dict(PROTOCOLS[protocol].write_standing(BOTH, WHEN)) == told
    assert PROTOCOLS[protocol].write_standing(Standing(), WHEN) == []
    only = dict(PROTOCOLS[protocol].write_standing(Standing(requests=BOTH.requests), WHEN))
    assert only == {name: value for name, value in told.items() if b"requests" in name}


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0.0, b"0ms"),
        (0.02, b"20ms"),
        (1.0, b"1s"),
        (59.5, b"59.5s"),
        (60.0, b"1m0s"),
        (62.25, b"1m2.25s"),
        (1.01, b"1.01s"),
    ],
)
def test_durations_as_openai_writes_them(seconds: float, told: bytes) -> None:
    standing = Standing(requests=Level(1, 1, seconds))
    assert dict(PROTOCOLS["openai-chat"].write_standing(standing, WHEN))[b"x-ratelimit-reset-requests"] == told
