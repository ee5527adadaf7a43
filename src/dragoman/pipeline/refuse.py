"""Refuse: an error on its way to the caller, in the caller's own protocol."""

from __future__ import annotations

from dragoman.ir import DragomanError, UpstreamError, UpstreamRefused
from dragoman.pipeline.call import Call
from dragoman.pipeline.caller import Caller
from dragoman.pipeline.conceal import conceal
from dragoman.pipeline.gateway import Gateway
from dragoman.pipeline.record import record
from dragoman.protocols.known import PROTOCOLS

_FALLBACK = PROTOCOLS["openai-chat"]


async def refuse(call: Call, caller: Caller, gateway: Gateway, error: DragomanError) -> None:
    """Answers with `error`, unless an answer has begun already."""
    if isinstance(error, UpstreamError):
        conceal(error, call.snapshot.redactor)
    call.error = error.code or type(error).__name__
    if caller.started:
        return
    protocol = call.protocol or _FALLBACK
    error.request_id = call.id
    status, headers, body = protocol.write_error(error, call.route)
    if isinstance(error, UpstreamRefused) and error.raw is not None:
        body = error.raw
    call.status = status
    record(call, gateway)
    await caller.answer(status, [*headers, *call.headers()], body)
