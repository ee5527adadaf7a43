"""One target, asked and relayed, and its outcome counted."""

from __future__ import annotations

import asyncio
from time import perf_counter

from dragoman.ir import DragomanError
from dragoman.pipeline.attempt import attempt
from dragoman.pipeline.call import Call
from dragoman.pipeline.caller import Caller
from dragoman.pipeline.count import count_tokens
from dragoman.pipeline.fit import fit
from dragoman.pipeline.gateway import Gateway, admitted
from dragoman.pipeline.places import Place
from dragoman.pipeline.relay import relay
from dragoman.pipeline.room import SHORT, check_room
from dragoman.pipeline.step import Step


async def ask_target(call: Call, caller: Caller, gateway: Gateway, step: Step, place: Place | None = None) -> None:
    """The target's whole answer, given to the caller. `place` is the one at its provider, where it was waited for.

    Raises UpstreamError, Overloaded (AtBound where the provider has no place free), Unfit, BadRequest."""
    assert call.route is not None
    if place is None and gateway.places.bounded:
        place = gateway.places.take(call, step)
    began = perf_counter()
    outcome = "ok"
    try:
        if step.endpoint.local:
            async with admitted(gateway, step.endpoint):
                await _ask(call, caller, gateway, step)
        else:
            await _ask(call, caller, gateway, step, place)
        outcome = call.error or "ok"
    except DragomanError as error:
        outcome = error.code or "error"
        raise
    except asyncio.CancelledError:
        outcome = "client_closed"
        raise
    finally:
        if place is not None:
            place.give_back()
        now = perf_counter()
        first_byte = call.first_byte - began if call.first_byte is not None else None
        gateway.tally.attempt(
            step.target.provider, step.target.model, call.route.operation, outcome, now - began, first_byte
        )


async def _ask(call: Call, caller: Caller, gateway: Gateway, step: Step, place: Place | None = None) -> None:
    assert call.route is not None
    if call.route.operation == "count_tokens":
        await count_tokens(call, caller, gateway, step)
    else:
        if len(call.body) > SHORT:
            check_room(call, step)
        step, outgoing = await fit(call, gateway, step)
        response = await attempt(call, gateway, step, outgoing)
        if place is not None:  # a caller that reads slowly does not keep the vendor from others
            response.when_over(place.give_back)
        await relay(call, caller, gateway, step, response)
