"""Settle: what a request was and used, once, whatever became of it."""

from __future__ import annotations

from time import perf_counter

from dragoman.observe.logs import RequestEntry
from dragoman.pipeline.call import Call
from dragoman.pipeline.caller import Caller
from dragoman.pipeline.gateway import Gateway
from dragoman.pipeline.record import record


def settle(call: Call, caller: Caller, gateway: Gateway) -> None:
    record(call, gateway)
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
        # By place, in the order of its fields: by name costs seven times as much.
        RequestEntry(
            call.when,
            "",  # level: as the status says
            call.id,
            protocol,
            operation,
            caller.method,
            caller.path,
            call.model or None,
            step.label if step is not None else None,
            call.attempts,
            call.status,
            call.error,
            call.stream,
            [loss.path for loss in call.losses] if call.losses else None,
            usage.input if usage else None,
            usage.cached_input if usage else None,
            usage.output if usage else None,
            usage.reasoning if usage else None,
            None if first_byte is None else int(first_byte * 100_000) / 100,  # ms
            int(duration * 100_000) / 100,
            int(call.upstream * 100_000) / 100,
            call.client_closed or None,
            call.key.name if call.key is not None else None,
            caller.remote or None,
            call.cache,
        )
    )
