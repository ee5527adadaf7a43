"""Settle: what a request was and used, once, whatever became of it."""

from __future__ import annotations

from time import perf_counter

from dragoman.observe.logs import RequestEntry
from dragoman.pipeline.call import Call
from dragoman.pipeline.caller import Caller
from dragoman.pipeline.gateway import Gateway


def settle(call: Call, caller: Caller, gateway: Gateway) -> None:
    duration = perf_counter() - call.started
    first_byte = None if call.first_byte is None else call.first_byte - call.started
    protocol = call.protocol.name if call.protocol is not None else ""
    operation = call.route.operation if call.route is not None else ""
    step = call.step
    # An unknown model's name is the caller's to choose: it must not become a series of its own.
    model = call.resolved.name if call.resolved is not None else ""
    usage = call.usage
    gateway.tally.request(
        protocol=protocol,
        operation=operation,
        model=model,
        provider=step.target.provider if step is not None else "",
        status=call.status,
        duration=duration,
        first_byte=first_byte,
        upstream=call.upstream,
        usage=usage,
        stream=call.stream,
    )
    for loss in call.losses:
        gateway.tally.loss(protocol, step.named if step is not None else "", loss.path)
    gateway.log.write(
        RequestEntry(
            ts=call.when,
            request_id=call.id,
            protocol=protocol,
            operation=operation,
            method=caller.method,
            path=caller.path,
            model=call.model or None,
            target=step.label if step is not None else None,
            attempts=call.attempts,
            status=call.status,
            error=call.error,
            stream=call.stream,
            losses=[loss.path for loss in call.losses] or None,
            input_tokens=usage.input if usage else None,
            cached_input_tokens=usage.cached_input if usage else None,
            output_tokens=usage.output if usage else None,
            reasoning_tokens=usage.reasoning if usage else None,
            first_byte_ms=None if first_byte is None else round(first_byte * 1000, 2),
            duration_ms=round(duration * 1000, 2),
            upstream_ms=round(call.upstream * 1000, 2),
            client_closed=call.client_closed or None,
            key=call.key.name if call.key is not None else None,
            remote=caller.remote or None,
        )
    )
