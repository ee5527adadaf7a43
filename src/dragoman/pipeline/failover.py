"""Failover: one target after the other until one answers. What has begun to leave for the caller is never begun again.

Whom to ask next, and after how long, `health` decides; here it is done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from time import perf_counter

import structlog

from dragoman.health import Failure, TargetHealth, Walk, failure_of
from dragoman.ir import DragomanError, Overloaded, UpstreamBroken, UpstreamError
from dragoman.pipeline.attempt import Unfit
from dragoman.pipeline.call import Call
from dragoman.pipeline.caller import Caller
from dragoman.pipeline.gateway import Gateway
from dragoman.pipeline.places import Place
from dragoman.pipeline.step import Step
from dragoman.pipeline.target import ask_target

_log = structlog.get_logger(__name__)

# What an answer can break off with that is the target's own doing.
_BROKEN = frozenset({"upstream_broken", "upstream_timeout", "upstream_error", "overloaded"})


async def ask_in_turn(call: Call, caller: Caller, gateway: Gateway, steps: Sequence[Step]) -> None:
    """The answer of the first of `steps` that gives one. Targets whose providers have no place free are waited for when no other
    has answered. Raises the most telling error where none does, or why there is no place."""
    told = await _first(call, caller, gateway, steps)
    while told is not None and call.full:
        full, call.full = call.full, []
        step, place = await gateway.places.wait(call, full)
        full.remove(step)
        told = await _first(call, caller, gateway, (step,), place)
        call.full += full
    if told is not None:
        raise told


async def _first(
    call: Call, caller: Caller, gateway: Gateway, steps: Sequence[Step], place: Place | None = None
) -> DragomanError | None:
    """Why none of them has answered. Raises what no other target could mend. `place` is for the first that is asked."""
    walk = Walk([step.health or health_of(gateway, step) for step in steps], gateway.health.policy, perf_counter())
    while (found := walk.next(perf_counter(), gateway.chance)) is not None:
        step = steps[found.place]
        if found.wait:
            if place is not None:  # others need not wait for it meanwhile
                place.give_back()
                place = None
            call.upstream += found.wait
        call.credential = found.credential
        began = perf_counter() + found.wait
        try:
            if found.wait:
                await asyncio.sleep(found.wait)
            given, place = place, None
            await ask_target(call, caller, gateway, step, given)
        except Unfit as error:
            walk.failed(Failure.UNFIT, error.why, perf_counter())
        except (UpstreamError, Overloaded) as error:
            failure = failure_of(error)
            walk.failed(failure, error, perf_counter(), counts=call.route is None or call.route.operation == "generate")
            if caller.started or gateway.closing or failure is Failure.CALLER:
                raise
        except BaseException:
            walk.released()
            raise
        else:
            if call.error in _BROKEN:
                walk.broke_off(UpstreamBroken(f"An answer broke off: {call.error}."), perf_counter())
            else:
                now = perf_counter()
                walk.succeeded(now)
                if call.resolved is not None and call.resolved.strategy == "least_latency" and step.health is not None:
                    step.health.took((call.first_byte or now) - began)
            if walk.failures:
                _log.warning("answered after others failed", request_id=call.id, target=step.label, before=walk.trail)
            return None
    if place is not None:  # its target is not to be asked now
        place.give_back()
    told = walk.telling(perf_counter())
    if walk.failures and len(walk.trail) > 1:
        _log.warning("no target answered", request_id=call.id, asked=walk.trail)
    if told is None:
        told = Overloaded(f"No target of the model {call.model!r} can be asked now.", retry_after=1.0)
    return told


def health_of(gateway: Gateway, step: Step) -> TargetHealth:
    """What is known of a step's target; looked up once."""
    endpoint, target = step.endpoint, step.target
    health = gateway.health
    found = health.target(target.provider, target.model, len(endpoint.credentials), endpoint.identity, perf_counter())
    if health.policy.remember:
        for one in (step, *step.others):
            one.health = found
        gateway.alarm.known(target, found)
    return found
