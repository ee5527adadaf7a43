"""Vendors' lists of models: who waits for one, and for how long."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dragoman.config import Provider
from dragoman.pipeline import lists
from dragoman.pipeline.lists import FRESH_SECONDS, Lists
from dragoman.providers.endpoint import Endpoint, endpoint_of
from dragoman.wire import json


def endpoint(key: str = "one") -> Endpoint:
    provider = {"protocols": ["openai-chat"], "base_url": "http://v/v1", "api_key": key, "models": ["*"]}
    return endpoint_of("vendor", Provider.model_validate(provider))


class Vendor:
    """A transport to one vendor, whose list comes when `answers` is set."""

    def __init__(self, *names: str) -> None:
        self.names = names
        self.asked = 0
        self.answers = asyncio.Event()
        self.answers.set()
        self.status = 200

    async def send(self, request: Any) -> Any:
        self.asked += 1
        await self.answers.wait()
        return self

    async def read(self, limit: int) -> bytes:
        return json.encode({"object": "list", "data": [{"id": name, "object": "model"} for name in self.names]})

    def close(self) -> None:
        pass


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(lists, "monotonic", lambda: now[0])
    return now


async def names(kept: Lists, vendor: Any, of: Endpoint) -> list[str]:
    return [card.id for card in await kept.of(vendor, of)]


async def test_a_kept_list_is_shown_while_it_is_asked_for_anew(clock: list[float]) -> None:
    vendor, kept, whom = Vendor("a"), Lists(), endpoint()
    assert await names(kept, vendor, whom) == ["a"]
    assert await names(kept, vendor, whom) == ["a"]
    assert vendor.asked == 1
    clock[0] += FRESH_SECONDS + 1
    vendor.names = ("b",)
    vendor.answers.clear()
    # A reload makes another endpoint of the same vendor.
    assert await names(kept, vendor, endpoint()) == ["a"]
    assert await names(kept, vendor, whom) == ["a"]
    vendor.answers.set()
    await asyncio.gather(*kept._tasks)
    assert await names(kept, vendor, whom) == ["b"]
    assert vendor.asked == 2


async def test_nobody_waits_long_for_a_first_list(clock: list[float]) -> None:
    vendor, kept = Vendor("a"), Lists(patience=0.01)
    vendor.answers.clear()
    assert await asyncio.gather(*(names(kept, vendor, endpoint()) for _ in range(3))) == [[], [], []]
    assert vendor.asked == 1
    vendor.answers.set()
    await asyncio.gather(*kept._tasks)
    assert await names(kept, vendor, endpoint()) == ["a"]


async def test_a_bad_answer_hides_nothing_and_is_asked_again_soon(clock: list[float]) -> None:
    vendor, kept = Vendor("a"), Lists()
    await names(kept, vendor, endpoint())
    clock[0] += FRESH_SECONDS + 1
    vendor.status = 500
    for asked in (2, 3):
        assert await names(kept, vendor, endpoint()) == ["a"]
        await asyncio.gather(*kept._tasks)
        assert vendor.asked == asked
        assert await names(kept, vendor, endpoint()) == ["a"]
        assert vendor.asked == asked
        clock[0] += 16


async def test_another_key_may_see_other_models(clock: list[float]) -> None:
    vendor, kept = Vendor("a"), Lists()
    await names(kept, vendor, endpoint())
    vendor.names = ("b",)
    assert await names(kept, vendor, endpoint("two")) == ["b"]


async def test_closing_ends_what_is_asked(clock: list[float]) -> None:
    vendor, kept = Vendor("a"), Lists(patience=0.01)
    vendor.answers.clear()
    await names(kept, vendor, endpoint())
    (asking,) = kept._tasks
    await kept.aclose()
    assert asking.cancelled()
