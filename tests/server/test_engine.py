"""The built-in model as a worker sees it: who waits for it, who is told at once, and what is kept of it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dragoman.config import Provider
from dragoman.ir import Overloaded
from dragoman.providers.endpoint import Endpoint, endpoint_of
from dragoman.server.engine import RemoteEngine

READY = {"state": "ready", "base_url": "http://127.0.0.1:7", "api_key": "k"}
FAILED = {"state": "failed", "base_url": None, "api_key": "k", "trouble": "could not be fetched", "again_in": 7.5}


def template(**timeouts: str) -> Endpoint:
    provider = {"protocols": ["local"], "models": ["m"], "timeouts": timeouts}
    return endpoint_of("local", Provider.model_validate(provider))


class Supervised:
    """An engine whose supervisor answers each demand with the next of `answers`."""

    def __init__(self, *answers: dict[str, Any]) -> None:
        self.demands = 0
        self._answers = list(answers)
        self.engine = RemoteEngine(self._demanded)

    def _demanded(self) -> None:
        self.demands += 1
        if self._answers:
            asyncio.get_running_loop().call_soon(self.engine.tell, self._answers.pop(0))


async def test_who_asks_while_it_starts_waits() -> None:
    house = Supervised({"state": "starting"})
    asking = asyncio.create_task(house.engine.endpoint(template()))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not asking.done() and house.demands == 1
    house.engine.tell(READY)
    assert (await asking).origin.port == 7


async def test_in_the_cool_down_everybody_is_told_at_once() -> None:
    house = Supervised()
    house.engine.tell(FAILED)
    with pytest.raises(Overloaded, match=r"could not be fetched.*Try again in 8 s") as told:
        await house.engine.endpoint(template())
    assert told.value.retry_after == 8.0
    assert house.demands == 0


async def test_after_the_cool_down_it_is_tried_anew() -> None:
    house = Supervised({"state": "pulling"})
    house.engine.tell({**FAILED, "again_in": 0.0})
    asking = asyncio.create_task(house.engine.endpoint(template()))
    for _ in range(5):
        await asyncio.sleep(0)
    house.engine.tell(FAILED)
    with pytest.raises(Overloaded, match="could not be fetched"):
        await asking
    assert house.demands == 1


@pytest.mark.parametrize("answer", [FAILED, {"state": "stopped"}])
async def test_a_supervisor_that_does_not_start_it_ends_the_wait(answer: dict[str, Any]) -> None:
    house = Supervised(answer)
    with pytest.raises(Overloaded, match="built-in model"):
        await house.engine.endpoint(template())


async def test_a_reload_brings_its_own_deadlines() -> None:
    house = Supervised()
    house.engine.tell(READY)
    before, after = template(total="10m"), template(total="20s")
    made = await house.engine.endpoint(before)
    assert made is await house.engine.endpoint(before)
    assert (await house.engine.endpoint(after)).deadlines.total == 20.0
