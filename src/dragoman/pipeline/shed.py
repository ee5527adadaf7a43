"""Shed: requests beyond what a worker takes at once are refused before they are read, so that load cannot fill its memory."""

from __future__ import annotations

import asyncio

from dragoman.ir import DragomanError, Overloaded
from dragoman.pipeline.admit import admit
from dragoman.pipeline.call import Call
from dragoman.pipeline.caller import Caller
from dragoman.pipeline.gateway import Gateway
from dragoman.pipeline.refuse import refuse
from dragoman.pipeline.settle import settle

_SOON = 1.0


async def shed(gateway: Gateway, caller: Caller) -> None:
    """Answers that the gateway is full, in the protocol that the URL names. Nobody is asked who it is."""
    call = Call(gateway.snapshot)
    gateway.tally.shed()
    try:
        admit(call, caller)
        raise Overloaded(
            "The gateway has as many requests under way as it takes (server.max_in_flight_requests). Try again shortly.",
            code="gateway_busy",
            retry_after=_SOON,
        )
    except DragomanError as error:
        await refuse(call, caller, gateway, error)
    except asyncio.CancelledError:
        call.client_left()
    finally:
        settle(call, caller, gateway)
