"""Failover: one target after the other until one answers. What has begun to leave for the caller is never begun again.

Whom to ask next, and after how long, `health` decides; here it is done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from time import perf_counter

import structlog

from dragoman.health import Failure, TargetHealth, Walk, failure_of
from dragoman.ir import Overloaded, UpstreamBroken, UpstreamError
from dragoman.pipeline.attempt import Unfit
from dragoman.pipeline.call import Call
from dragoman.pipeline.caller import Caller
from dragoman.pipeline.gateway import Gateway
from dragoman.pipeline.step import Step
from dragoman.pipeline.target import ask_target

_log = structlog.get_logger(__name__)

# What an answer can break off with that is the target's own doing.
_BROKEN = frozenset({"upstream_broken", "upstream_timeout", "upstream_error", "overloaded"})


async def ask_in_turn(call: Call, caller: Caller, gateway: Gateway, steps: Sequence[Step]) -> None:
    """The answer of the first of `steps` that gives one. Raises the most telling error where none does."""
    walk = Walk([step.health or health_of(gateway, step) for step in steps], gateway.health.policy, perf_counter())
    while (found := walk.next(perf_counter(), gateway.chance)) is not None:
        step = steps[found.place]
        if found.wait:
            call.upstream += found.wait
            await _pause(walk, found.wait)
        call.credential = found.credential
        began = perf_counter()
        try:
            await ask_target(call, caller, gateway, step)
        except Unfit as error:
            walk.failed(Failure.UNFIT, error.why, perf_counter())
        except (UpstreamError, Overloaded) as error:
            walk.failed(failure_of(error), error, perf_counter())
            if caller.started or gateway.closing:
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
            return
    told = walk.telling(perf_counter())
    if len(walk.trail) > 1:
        _log.warning("no target answered", request_id=call.id, asked=walk.trail)
    if told is None:
        told = Overloaded(f"No target of the model {call.model!r} can be asked now.", retry_after=1.0)
    raise told


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


async def _pause(walk: Walk, seconds: float) -> None:
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        walk.released()
        raise
