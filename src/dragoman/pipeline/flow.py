"""One request from its first byte to its last. Read it top to bottom: each line is a room."""

from __future__ import annotations

import asyncio

import structlog

from dragoman.ir import DragomanError
from dragoman.pipeline.admit import admit
from dragoman.pipeline.authenticate import authenticate
from dragoman.pipeline.cached import cached
from dragoman.pipeline.call import Call
from dragoman.pipeline.caller import Caller
from dragoman.pipeline.choose import choose
from dragoman.pipeline.closing import CLOSING, shutting_down
from dragoman.pipeline.failover import ask_in_turn
from dragoman.pipeline.gateway import Gateway
from dragoman.pipeline.kept import answer_kept
from dragoman.pipeline.models import answer_models
from dragoman.pipeline.read import read
from dragoman.pipeline.record import check_ledger
from dragoman.pipeline.refuse import refuse
from dragoman.pipeline.reserve import reserve
from dragoman.pipeline.settle import settle
from dragoman.pipeline.state import State, owner_of
from dragoman.protocols.known import PROTOCOLS

_log = structlog.get_logger(__name__)
_RESPONSES = PROTOCOLS["openai-responses"]


async def serve(gateway: Gateway, caller: Caller) -> None:
    """Answers `caller`, come what may, and leaves one line in the log."""
    call = Call(gateway.snapshot)
    gateway.tally.up()
    try:
        admit(call, caller)
        authenticate(call, caller)
        check_ledger(call, gateway)
        if call.route is not None and call.route.item is not None:
            await answer_kept(call, caller, gateway)
        elif caller.method == "POST":
            await read(call, caller)
            if call.protocol is _RESPONSES:
                call.state = State(gateway.store, owner_of(call), call.body, call.snapshot.max_body)
                await call.state.recall()
            await (_answer if call.snapshot.caching is None else cached(_answer))(call, caller, gateway)
        else:
            await answer_models(call, caller, gateway)
    except DragomanError as error:
        await refuse(call, caller, gateway, error)
    except asyncio.CancelledError as cancelled:
        # The upstream's connection was closed by the cancelling.
        if cancelled.args == CLOSING:
            await refuse(call, caller, gateway, shutting_down())
        else:
            call.client_left()
    except Exception as error:
        _log.exception("a request failed for a reason of our own", request_id=call.id)
        told = f"The gateway itself failed ({type(error).__name__}); its log says more of {call.id}."
        await refuse(call, caller, gateway, DragomanError(told, code="internal_error"))
    finally:
        gateway.tally.down()
        settle(call, caller, gateway)


async def _answer(call: Call, caller: Caller, gateway: Gateway) -> None:
    await ask_in_turn(call, caller, gateway, await reserve(call, gateway, choose(call, gateway)))
