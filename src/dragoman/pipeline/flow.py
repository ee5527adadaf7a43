"""One request from its first byte to its last. Read it top to bottom: each line is a room."""

from __future__ import annotations

import asyncio
from time import perf_counter

import structlog

from dragoman.ir import DragomanError, Overloaded, UpstreamError
from dragoman.pipeline.admit import admit
from dragoman.pipeline.attempt import attempt, worth_another
from dragoman.pipeline.authenticate import authenticate
from dragoman.pipeline.call import Call
from dragoman.pipeline.caller import Caller
from dragoman.pipeline.choose import Step, choose
from dragoman.pipeline.closing import CLOSING, shutting_down
from dragoman.pipeline.count import count_tokens
from dragoman.pipeline.gateway import Gateway, admitted
from dragoman.pipeline.models import answer_models
from dragoman.pipeline.refuse import refuse
from dragoman.pipeline.relay import relay
from dragoman.pipeline.settle import settle

_log = structlog.get_logger(__name__)
_BODY_SECONDS = 60.0


async def serve(gateway: Gateway, caller: Caller) -> None:
    """Answers `caller`, come what may, and leaves one line in the log."""
    call = Call(gateway.snapshot)
    task = asyncio.current_task()
    assert task is not None
    gateway.active.add(task)
    gateway.tally.up()
    try:
        admit(call, caller)
        authenticate(call, caller)
        if caller.method == "POST":
            await _read(call, caller)
            await _answer(call, caller, gateway)
        else:
            await answer_models(call, caller, gateway)
    except DragomanError as error:
        await refuse(call, caller, error)
    except asyncio.CancelledError as cancelled:
        # The upstream's connection was closed by the cancelling.
        if cancelled.args == CLOSING:
            await refuse(call, caller, shutting_down())
        else:
            call.client_closed = True
            call.status = 499
            call.error = "client_closed"
    except Exception as error:
        _log.exception("a request failed for a reason of our own", request_id=call.id)
        await refuse(
            call,
            caller,
            DragomanError(f"The gateway itself failed ({type(error).__name__}); see its log for {call.id}."),
        )
    finally:
        gateway.active.discard(task)
        gateway.tally.down()
        settle(call, caller, gateway)


async def _read(call: Call, caller: Caller) -> None:
    assert call.protocol is not None and call.route is not None
    call.strict = caller.headers.get(b"x-dragoman-strict", b"").lower() == b"true"
    call.body = await caller.body(call.snapshot.max_body, _BODY_SECONDS)
    call.peek = call.protocol.peek(call.body, call.route)
    call.model = call.peek.model
    call.stream = call.peek.stream


async def _answer(call: Call, caller: Caller, gateway: Gateway) -> None:
    """Tries one target after the other until one answers. What has begun to leave is never begun again."""
    steps = choose(call, gateway)
    for left, step in zip(range(len(steps) - 1, -1, -1), steps, strict=True):
        try:
            if step.endpoint.local:
                async with admitted(gateway):
                    await _try(call, caller, gateway, step)
            else:
                await _try(call, caller, gateway, step)
            return
        except (UpstreamError, Overloaded) as error:
            if caller.started or not left or gateway.closing or not worth_another(error):
                raise
            _log.warning("trying the next target", request_id=call.id, target=str(step.target), error=error.message)


async def _try(call: Call, caller: Caller, gateway: Gateway, step: Step) -> None:
    assert call.route is not None
    began = perf_counter()
    outcome = "ok"
    try:
        if call.route.operation == "count_tokens":
            await count_tokens(call, caller, gateway, step)
        else:
            response = await attempt(call, gateway, step)
            await relay(call, caller, step, response)
            outcome = call.error or "ok"
    except DragomanError as error:
        outcome = error.code or "error"
        raise
    except asyncio.CancelledError:
        outcome = "client_closed"
        raise
    finally:
        now = perf_counter()
        first_byte = call.first_byte - began if call.first_byte is not None else None
        gateway.tally.attempt(
            step.target.provider, step.target.model, call.route.operation, outcome, now - began, first_byte
        )
