"""Who gets a place at a provider with a bound, who waits for one, and that none is lost whatever becomes of those who wait."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dragoman.config import Settings
from dragoman.ir import DragomanError, Overloaded, TooManyRequests
from dragoman.observe import metrics
from dragoman.observe.metrics import Tally
from dragoman.pipeline.call import Call
from dragoman.pipeline.closing import CLOSING
from dragoman.pipeline.key import Key
from dragoman.pipeline.places import AtBound, Place, Places
from dragoman.pipeline.snapshot import Snapshot, snapshot_of
from dragoman.pipeline.step import Step, steps_of
from dragoman.protocols.known import PROTOCOLS


def settings(**bounds: dict[str, Any]) -> Settings:
    """A model `m` at all of the providers, with their bounds."""
    url = {"protocols": ["openai-chat"], "base_url": "http://127.0.0.1:1", "api_key": "a-vendors-secret"}
    return Settings.model_validate(
        {
            "providers": {name: {**url, **bound} for name, bound in bounds.items()},
            "models": {"m": {"targets": [{"provider": name, "model": "m"} for name in bounds]}},
        }
    )


class House:
    """One worker's places, and requests that want one."""

    def __init__(self, workers: int = 1, number: int = 0, **bounds: dict[str, Any]) -> None:
        self.tally = Tally()
        self.places = Places(self.tally, workers, number)
        self.snapshot: Snapshot
        self.set(**bounds)

    def set(self, **bounds: dict[str, Any]) -> None:
        self.snapshot = snapshot_of(settings(**bounds), demo=False, root_key=None)
        self.places.set(self.snapshot.settings.providers)

    @property
    def steps(self) -> list[Step]:
        resolved = self.snapshot.directory.resolve("m")
        assert resolved is not None
        return list(steps_of(resolved, self.snapshot.endpoints, PROTOCOLS["openai-chat"]).values())

    def call(self, key: str = "k") -> Call:
        call = Call(self.snapshot)
        call.key = Key(key, key)
        return call

    def take(self, at: int = 0) -> Place | None:
        return self.places.take(self.call(), self.steps[at])

    async def get(self, key: str = "k") -> tuple[Step, Place | None]:
        return await self.places.wait(self.call(key), self.steps)

    def waits(self, key: str = "k") -> asyncio.Task[tuple[Step, Place | None]]:
        return asyncio.create_task(self.get(key))

    @property
    def figures(self) -> dict[str, tuple[int, int]]:
        return {provider: (in_use, waiting) for provider, in_use, waiting in self.places.figures()}


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_without_a_bound_there_are_no_places() -> None:
    house = House(a={})
    assert not house.places.bounded
    assert house.take() is None


def test_a_full_provider_is_noted_and_passed_over() -> None:
    house = House(a={"max_concurrent_requests": 1}, b={})
    place = house.take()
    call = house.call()
    with pytest.raises(AtBound) as full:
        house.places.take(call, house.steps[0])
    assert [step.label for step in call.full] == ["a/m"]
    assert full.value.status == 503
    assert full.value.code == "provider_busy"
    assert full.value.retry_after is not None
    assert house.take(1) is None
    assert place is not None
    place.give_back()
    place.give_back()
    assert house.figures == {"a": (0, 0)}


async def test_a_place_goes_to_who_waits() -> None:
    house = House(a={"max_concurrent_requests": 1})
    place = house.take()
    waiting = house.waits()
    await turns()
    assert house.figures == {"a": (1, 1)}
    assert place is not None
    place.give_back()
    with pytest.raises(AtBound):  # it is given away already
        house.take()
    _, got = await waiting
    assert got is not None
    got.give_back()
    assert house.figures == {"a": (0, 0)}


async def test_a_flood_of_one_key_does_not_starve_another() -> None:
    house = House(a={"max_concurrent_requests": 1, "max_queued_requests": 100})
    place = house.take()
    order: list[str] = []

    async def ask(key: str) -> None:
        _, got = await house.get(key)
        order.append(key)
        assert got is not None
        got.give_back()

    flood = [asyncio.create_task(ask("flood")) for _ in range(100)]
    await turns()
    quiet = [asyncio.create_task(ask("quiet")) for _ in range(3)]
    await turns()
    assert place is not None
    place.give_back()
    told = await asyncio.gather(*flood, *quiet, return_exceptions=True)
    assert order[:6] == ["flood", "quiet"] * 3
    refused = [one for one in told if one is not None]
    assert [type(one) for one in refused] == [TooManyRequests] * 3
    assert "your key has its share of those that may wait for it" in str(refused[0])
    assert house.figures == {"a": (0, 0)}


async def test_who_has_nothing_waiting_is_told_that_we_are_full() -> None:
    house = House(a={"max_concurrent_requests": 1, "max_queued_requests": 2})
    assert house.take() is not None
    waiting = [house.waits("one"), house.waits("two")]
    await turns()
    with pytest.raises(Overloaded) as full:
        await house.get("three")
    with pytest.raises(TooManyRequests) as many:
        await house.get("two")
    assert (full.value.status, full.value.code) == (503, "provider_busy")
    assert (many.value.status, many.value.code) == (429, "rate_limit_exceeded")
    for error in (full.value, many.value):
        assert error.retry_after is not None
        assert error.retry_after >= 1
    for task in waiting:
        task.cancel()
    await turns()
    assert house.figures == {"a": (1, 0)}


async def test_nobody_waits_for_ever() -> None:
    house = House(a={"max_concurrent_requests": 1, "queue_timeout": "10ms"})
    assert house.take() is not None
    call = house.call()
    with pytest.raises(Overloaded, match=r"within 0\.01 s") as late:
        await house.places.wait(call, house.steps)
    assert late.value.code == "provider_busy"
    assert late.value.retry_after is not None
    assert call.upstream >= 0.009  # it is not our own time
    assert house.figures == {"a": (1, 0)}


async def test_a_thousand_who_leave_leave_nothing_behind() -> None:
    house = House(a={"max_concurrent_requests": 1, "max_queued_requests": 2000})
    place = house.take()
    tasks = [house.waits(f"key-{number % 7}") for number in range(1000)]
    await turns()
    assert house.figures == {"a": (1, 1000)}
    for task in tasks:
        task.cancel()
    told = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(one) for one in told} == {asyncio.CancelledError}
    assert house.figures == {"a": (1, 0)}
    assert not house.places._doors["a"]._lines
    assert place is not None
    place.give_back()
    assert house.figures == {"a": (0, 0)}
    assert house.take() is not None


async def test_a_place_given_in_the_moment_of_leaving_goes_on() -> None:
    house = House(a={"max_concurrent_requests": 1})
    place = house.take()
    first, second = house.waits(), house.waits()
    await turns()
    assert place is not None
    place.give_back()  # `first` has it, and has not run since
    first.cancel()
    _, got = await second
    assert first.cancelled()
    assert house.figures == {"a": (1, 0)}
    assert got is not None
    got.give_back()
    assert house.figures == {"a": (0, 0)}


async def test_who_left_a_moment_before_is_passed_over() -> None:
    house = House(a={"max_concurrent_requests": 1})
    place = house.take()
    first, second = house.waits(), house.waits()
    await turns()
    first.cancel()  # it has not run since
    assert place is not None
    place.give_back()
    _, got = await second
    assert got is not None
    got.give_back()
    await turns()
    assert house.figures == {"a": (0, 0)}


async def test_shutting_down_is_told_from_leaving() -> None:
    house = House(a={"max_concurrent_requests": 1})
    assert house.take() is not None
    waiting = house.waits()
    await turns()
    waiting.cancel(*CLOSING)
    with pytest.raises(asyncio.CancelledError) as ended:
        await waiting
    assert ended.value.args == CLOSING
    assert house.figures == {"a": (1, 0)}


async def test_the_first_of_several_providers_is_taken() -> None:
    house = House(a={"max_concurrent_requests": 1}, b={"max_concurrent_requests": 1})
    ours, theirs = house.take(0), house.take(1)
    waiting = house.waits()
    await turns()
    assert house.figures == {"a": (1, 1), "b": (1, 1)}
    assert theirs is not None
    theirs.give_back()
    step, got = await waiting
    assert step.target.provider == "b"
    assert house.figures == {"a": (1, 0), "b": (1, 0)}
    for place in (ours, got):
        assert place is not None
        place.give_back()
    assert house.figures == {"a": (0, 0), "b": (0, 0)}


async def test_who_is_driven_out_of_one_queue_waits_on_in_the_other() -> None:
    house = House(
        a={"max_concurrent_requests": 1, "max_queued_requests": 2},
        b={"max_concurrent_requests": 1, "max_queued_requests": 9},
    )
    assert house.take(0) is not None
    place = house.take(1)
    waiting = [house.waits("flood") for _ in range(2)]
    await turns()
    other = asyncio.create_task(house.places.wait(house.call("quiet"), house.steps[:1]))
    await turns()
    assert house.figures == {"a": (1, 2), "b": (1, 2)}
    assert place is not None
    place.give_back()
    step, got = await waiting[0]
    assert step.target.provider == "b"
    assert got is not None
    got.give_back()
    step, got = await waiting[1]
    assert step.target.provider == "b"
    assert house.figures == {"a": (1, 1), "b": (1, 0)}
    other.cancel()


async def test_a_wider_bound_lets_in_who_waits() -> None:
    house = House(a={"max_concurrent_requests": 1})
    assert house.take() is not None
    waiting = [house.waits() for _ in range(3)]
    await turns()
    house.set(a={"max_concurrent_requests": 3})
    await turns()
    assert [task.done() for task in waiting] == [True, True, False]
    house.set(a={})
    await turns()
    assert waiting[2].done()
    assert house.figures == {"a": (4, 0)}


async def test_a_bound_that_was_taken_out_still_counts_who_is_inside() -> None:
    house = House(a={"max_concurrent_requests": 1})
    before = house.take()
    house.set(a={})
    between = house.take()
    house.set(a={"max_concurrent_requests": 2})
    with pytest.raises(AtBound):
        house.take()
    for place in (before, between):
        assert place is not None
        place.give_back()
    assert house.figures == {"a": (0, 0)}
    house.set(a={})
    assert house.figures == {}
    assert not house.places.bounded


def test_a_narrower_bound_lets_those_inside_end() -> None:
    house = House(a={"max_concurrent_requests": 3})
    places = [house.take() for _ in range(3)]
    house.set(a={"max_concurrent_requests": 1})
    for place in places[:2]:
        assert place is not None
        place.give_back()
        with pytest.raises(AtBound):
            house.take()
    assert places[2] is not None
    places[2].give_back()
    assert house.take() is not None


@pytest.mark.parametrize(("bound", "shares"), [(5, [3, 2]), (2, [1, 1]), (1, [1, 1])])
def test_each_worker_has_its_share(bound: int, shares: list[int]) -> None:
    for number, share in enumerate(shares):
        house = House(2, number, a={"max_concurrent_requests": bound})
        for _ in range(share):
            assert house.take() is not None
        with pytest.raises(AtBound):
            house.take()


async def test_refusals_and_figures_are_in_the_metrics(tmp_path: Any) -> None:
    house = House(a={"max_concurrent_requests": 1, "max_queued_requests": 1})
    assert house.take() is not None
    waiting = house.waits("one")
    await turns()
    for key in ("one", "two"):
        with pytest.raises(DragomanError):
            await house.get(key)
    house.tally.places(house.places.figures())
    text = metrics.render(tmp_path, house.tally).decode()
    assert 'dragoman_provider_places_in_use{provider="a"} 1.0' in text
    assert 'dragoman_provider_requests_waiting{provider="a"} 1.0' in text
    assert 'dragoman_provider_requests_refused_total{provider="a",reason="share"} 1.0' in text
    assert 'dragoman_provider_requests_refused_total{provider="a",reason="full"} 1.0' in text
    house.tally.places(())
    assert 'places_in_use{provider="a"}' not in metrics.render(tmp_path, house.tally).decode()
    waiting.cancel()


@pytest.mark.parametrize("order", [("full", "roomy"), ("roomy", "full")])
async def test_who_finds_one_queue_full_waits_in_the_other(order: tuple[str, str]) -> None:
    bounds = {
        "full": {"max_concurrent_requests": 1, "max_queued_requests": 0},
        "roomy": {"max_concurrent_requests": 1, "max_queued_requests": 5},
    }
    house = House(**{name: bounds[name] for name in order})
    held = [house.take(0), house.take(1)]
    task = house.waits()
    await asyncio.sleep(0)
    assert house.figures["roomy"] == (1, 1)
    place = held[order.index("roomy")]
    assert place is not None
    place.give_back()
    step, place = await task
    assert step.target.provider == "roomy"
    assert place is not None
