"""Cached: a request that was answered before is answered the same again, where its model or its key has that switched on.

Requests are the same where key, protocol, route, model as asked, body and the headers that change an answer are. Those that come
while the first is under way wait for its answer. Kept is what the first caller was sent, once it was complete and good.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from time import monotonic, perf_counter

from msgspec import Struct

from dragoman.cache import Answer, Flight, Outcome, name_of, packed, unpacked
from dragoman.catalog.directory import Resolved
from dragoman.ir import DragomanError, Usage
from dragoman.pipeline.authenticate import authorise
from dragoman.pipeline.call import HIT, MISS, Call
from dragoman.pipeline.caller import Caller
from dragoman.pipeline.choose import Plan, plan_of
from dragoman.pipeline.gateway import Gateway
from dragoman.pipeline.record import record
from dragoman.pipeline.recorder import Recorder
from dragoman.pipeline.reserve import reserve
from dragoman.pipeline.step import Step
from dragoman.protocols.base import Headers

Walk = Callable[[Call, Caller, Gateway], Awaitable[None]]

_NOTHING_USED = Usage()


def cached(walk: Walk) -> Walk:
    """`walk`, but for what is known already."""
    return partial(_answer, walk)


async def _answer(walk: Walk, call: Call, caller: Caller, gateway: Gateway) -> None:
    """What `walk` would answer, without it where that is known already. Raises what `walk` raises, and TooManyRequests."""
    asked = caller.headers.get(b"cache-control", b"").lower()
    plan = plan_of(call)
    ttl = None if plan is None or b"no-store" in asked else _ttl(call, plan[0])
    if ttl is None or plan is None:
        await walk(call, caller, gateway)
        return
    cache = gateway.cache
    name = _name(call, caller)
    looks = b"no-cache" not in asked
    if looks:
        answer = cache.get(name)
        flight = None if answer is not None else cache.flight(name)
        if answer is not None:
            await reserve(call, gateway, (), free=True)
        elif flight is not None:
            await reserve(call, gateway, (), free=True)
            call.cache = MISS
            try:
                answer = await _wait_for(call, flight)
            except DragomanError:
                cache.misses += 1
                raise
            if answer is None:
                _give_back(call, gateway)
        if answer is not None and (step := _step_of(answer, plan)) is not None:
            cache.hits += 1
            await _replay(call, caller, gateway, answer, step)
            return
        if answer is not None:
            _give_back(call, gateway)
    await _lead(call, caller, gateway, _Wanted(walk, plan, name, ttl, looks))


class _Wanted(Struct, frozen=True):
    """An answer that is not in memory: by what walk, of what plan, under what name and how long kept. `looks`: it may be on the
    shelf."""

    walk: Walk
    plan: Plan
    name: bytes
    ttl: float
    looks: bool


def _ttl(call: Call, resolved: Resolved) -> float | None:
    """For how many seconds the answer may be kept; None where it may not. Raises Forbidden."""
    caching, key, route = call.snapshot.caching, call.key, call.route
    assert caching is not None and key is not None and route is not None
    if route.operation != "generate":
        return None
    call.resolved = resolved
    authorise(call)
    ttl = key.cache if key.cache is not None else caching.ttls.get(resolved.name)
    # What can be named again must be another thing each time that it is made.
    if call.state is not None and not (call.state.aloof and b'"background"' not in call.body):
        return None
    return ttl


def _name(call: Call, caller: Caller) -> bytes:
    caching, key, protocol, route = call.snapshot.caching, call.key, call.protocol, call.route
    assert caching is not None and key is not None and protocol is not None and route is not None
    extras = caller.headers.get(b"x-dragoman-extras", b"")
    about = (
        *(caching.edition, key.id, protocol.name, route.operation, call.model),
        *(call.stream, route.array, call.strict, extras, call.passed),
    )
    return name_of(about, call.body)


async def _wait_for(call: Call, flight: Flight) -> Answer | None:
    """Raises the error that the call ended with, before anything had left."""
    landed: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
    tell = partial(_tell, landed)
    began = perf_counter()
    flight.join(tell)
    try:
        outcome = await landed
    finally:
        flight.leave(tell)
        call.upstream += perf_counter() - began
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def _tell(landed: asyncio.Future[Outcome], outcome: Outcome) -> None:
    if not landed.done():
        landed.set_result(outcome)


def _give_back(call: Call, gateway: Gateway) -> None:
    """What a free answer was to be counted as; the request is counted again as what it is."""
    if call.grant is not None and gateway.meter is not None:
        gateway.meter.cancel(call.grant, monotonic())
        call.grant = call.standing = None


async def _lead(call: Call, caller: Caller, gateway: Gateway, wanted: _Wanted) -> None:
    cache, name = gateway.cache, wanted.name
    recorder = Recorder(caller, cache)
    shared = cache.flight(name) is None
    outcome: Outcome = None
    if shared:
        task = asyncio.current_task()
        assert task is not None
        caller.leaving = partial(_stays, call, cache.begin(name, task.cancel))
    try:
        if wanted.looks and gateway.shelf is not None and (found := await _shelved(call, gateway, wanted)) is not None:
            answer, step = found
            await reserve(call, gateway, (), free=True)
            outcome = answer
            cache.hits += 1
            await _replay(call, caller, gateway, answer, step)
            return
        if wanted.looks:
            cache.misses += 1
            call.cache = MISS
        await wanted.walk(call, recorder, gateway)
        made = recorder.recorded(call)
        recorder.close()
        if made is not None:
            cache.put(name, made, wanted.ttl)
            outcome = made
            if gateway.shelf is not None:
                gateway.shelf.put(name, packed(made), wanted.ttl, call.snapshot.settings.cache.shared_memory)
    except DragomanError as error:
        if not recorder.started:
            outcome = error
        raise
    finally:
        recorder.close()
        if shared:
            caller.leaving = None
            cache.land(name, outcome)


async def _shelved(call: Call, gateway: Gateway, wanted: _Wanted) -> tuple[Answer, Step] | None:
    """What another worker has made; in memory from here on."""
    assert gateway.shelf is not None
    data = await gateway.shelf.get(wanted.name)
    answer = None if data is None else unpacked(data)
    step = None if answer is None else _step_of(answer, wanted.plan)
    if answer is None or step is None or not answer.pieces:
        return None
    gateway.cache.put(wanted.name, answer, wanted.ttl - max(0.0, call.when - answer.made))
    return answer, step


def _stays(call: Call, flight: Flight) -> bool:
    """The caller leaves: whether its call goes on, for others who wait for the answer."""
    stays = flight.leader_leaves()
    if stays:
        call.client_closed = True
    return stays


def _step_of(answer: Answer, plan: Plan) -> Step | None:
    for first in plan[1].values():
        for step in (first, *first.others):
            if step.label == answer.target and step.named == answer.spoken:
                return step
    return None


async def _replay(call: Call, caller: Caller, gateway: Gateway, answer: Answer, step: Step) -> None:
    call.cache = HIT
    call.step = step
    call.losses = [*answer.losses]
    call.usage = _NOTHING_USED
    call.status = 200
    call.first_byte = perf_counter()
    age = max(0, int(call.when - answer.made))
    headers: Headers = [*answer.headers, (b"age", b"%d" % age), *call.headers()]
    *pieces, last = answer.pieces
    if answer.whole:
        record(call, gateway)
        await caller.answer(200, headers, last)
        return
    await caller.start(200, headers)
    for piece in pieces:
        await caller.write(piece)
    record(call, gateway)
    await caller.write(last)
    await caller.finish()
