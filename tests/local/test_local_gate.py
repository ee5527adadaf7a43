"""Admission to the model: bounds, order, cancellation."""

from __future__ import annotations

import asyncio

import pytest

from dragoman.local.gate import Busy, Gate


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_no_more_than_parallel_at_once_and_first_come_first_served() -> None:
    gate, order, done = Gate(2, 8), [], [asyncio.Event() for _ in range(6)]

    async def work(number: int) -> None:
        async with gate.enter():
            order.append(number)
            await done[number].wait()

    tasks = [asyncio.create_task(work(number)) for number in range(6)]
    await turns()
    assert (order, gate.under_way, gate.waiting) == ([0, 1], 2, 4)
    done[1].set()
    await turns()
    assert order == [0, 1, 2]
    for event in done:
        event.set()
    await asyncio.gather(*tasks)
    assert order == [0, 1, 2, 3, 4, 5]
    assert (gate.under_way, gate.waiting) == (0, 0)


async def test_a_full_queue_is_busy_and_says_when_to_come_back() -> None:
    gate = Gate(1, 1)
    await gate.acquire()
    waiter = asyncio.create_task(gate.acquire())
    await turns()
    with pytest.raises(Busy) as busy:
        await gate.acquire()
    assert 1 <= busy.value.retry_after_seconds <= 60
    gate.release()
    await waiter
    gate.release()
    assert gate.under_way == 0


async def test_a_queue_of_none_refuses_at_once() -> None:
    gate = Gate(1, 0)
    async with gate.enter():
        with pytest.raises(Busy):
            await gate.acquire()
    async with gate.enter():
        pass


async def test_a_cancelled_waiter_frees_its_place() -> None:
    gate = Gate(1, 1)
    await gate.acquire()
    waiter = asyncio.create_task(gate.acquire())
    await turns()
    waiter.cancel()
    await turns()
    assert gate.waiting == 0
    following = asyncio.create_task(gate.acquire())
    await turns()
    gate.release()
    await following
    assert (gate.under_way, gate.waiting) == (1, 0)


async def test_a_place_given_in_the_moment_of_cancelling_is_not_lost() -> None:
    gate = Gate(1, 2)
    await gate.acquire()
    first = asyncio.create_task(gate.acquire())
    second = asyncio.create_task(gate.acquire())
    await turns()
    gate.release()  # hands the place to `first`, which has not run since
    first.cancel()
    await second
    assert first.cancelled()
    assert (gate.under_way, gate.waiting) == (1, 0)
    gate.release()
    assert gate.under_way == 0


async def test_an_error_inside_gives_the_place_back() -> None:
    gate = Gate(1, 0)
    with pytest.raises(LookupError):
        async with gate.enter():
            raise LookupError
    assert gate.under_way == 0
