"""Waiting for what others may never answer: bounded, and fair to whoever was late itself."""

from __future__ import annotations

import asyncio
from typing import Any

PATIENCE = 0.2  # seconds for a batch to be answered
LONGEST = 0.3  # seconds that a request waits for Valkey in all

_STEP = 0.05
_ROUNDS = 3


class Unreachable(Exception):
    """Says why, in words for a log line."""


async def arrived(answer: asyncio.Future[Any], patience: float) -> bool:
    """Waits, but no longer than `patience`; whether it is done. Time in which this process itself did not run is nobody's
    fault: each step counts for what it was meant to take. And who was busy for so long has not looked yet whether the
    answer lies there: it does before it says no."""
    while patience > 0:
        step = min(patience, _STEP)
        done, _ = await asyncio.wait((answer,), timeout=step)
        if done:
            return True
        patience -= step
    for _ in range(_ROUNDS):
        if answer.done():
            return True
        await asyncio.sleep(0)
    return answer.done()
