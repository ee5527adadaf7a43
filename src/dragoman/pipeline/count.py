"""Count: how many tokens a request would be, by whoever will read it: the vendor's own counting, or the built-in model's."""

from __future__ import annotations

from dragoman.carry import carries, outward
from dragoman.catalog.profile import profile_for
from dragoman.ir import BadRequest, DragomanError, Losses, Request, UpstreamBroken
from dragoman.local.count import count_tokens as count_locally
from dragoman.pipeline.attempt import Unfit, attempt, check_losses, prepare, read, upstream_error
from dragoman.pipeline.call import Call
from dragoman.pipeline.caller import Caller
from dragoman.pipeline.gateway import Gateway
from dragoman.pipeline.record import record
from dragoman.pipeline.relay import relay
from dragoman.pipeline.step import Step
from dragoman.protocols.base import Outgoing
from dragoman.upstream.errors import TransportError
from dragoman.wire import json

_MAX_COUNT_ANSWER = 64 * 1024 * 1024


async def count_tokens(call: Call, caller: Caller, gateway: Gateway, step: Step) -> None:
    """Answers with the true count. Raises Unfit (501) where the target has no way to count."""
    assert call.protocol is not None and call.route is not None
    if step.same and not step.endpoint.local:
        await relay(call, caller, gateway, step, await attempt(call, gateway, step, prepare(call, step)))
        return
    read(call)
    request = call.request
    assert request is not None
    if not step.endpoint.local:
        await _count_at_vendor(call, caller, gateway, step, request)
        return
    profile = profile_for(step.named, step.target.model)
    try:
        outgoing = step.protocol.write_request(request, step.target.model, profile, Losses(call.protocol.spelling))
    except BadRequest as error:
        raise Unfit(error) from None
    call.step = step
    call.attempts += 1
    body = json.decode(outgoing.body)
    endpoint = await gateway.engine.endpoint(step.endpoint)

    async def post(path: str, content: bytes) -> bytes:
        sent = endpoint.request(step.named, path, content)
        sent.target = path.encode()
        try:
            response = await gateway.transport(endpoint).send(sent)
            found = await response.read(_MAX_COUNT_ANSWER)
        except TransportError as error:
            raise upstream_error(error, call, step) from None
        if response.status != 200:
            raise UpstreamBroken(f"The built-in model could not count: status {response.status}.")
        return found

    await _answer(call, caller, gateway, await count_locally(post, body["messages"], body.get("tools")))


async def _count_at_vendor(call: Call, caller: Caller, gateway: Gateway, step: Step, request: Request) -> None:
    step, outgoing = _asked(call, step, request)
    response = await attempt(call, gateway, step, outgoing)
    try:
        body = await response.read(_MAX_COUNT_ANSWER)
    except TransportError as error:
        raise upstream_error(error, call, step) from None
    finally:
        response.close()
    await _answer(call, caller, gateway, step.protocol.read_count(body))


def _asked(call: Call, step: Step, request: Request) -> tuple[Step, Outgoing]:
    """The call that counts, in the first of the provider's protocols that has one."""
    assert call.protocol is not None
    for one in (step, *step.others):
        losses = Losses(call.protocol.spelling)
        profile = profile_for(one.named, one.target.model)
        said = outward(request, one.protocol.tool_names, None, losses)[0] if carries(request) else request
        try:
            outgoing = one.protocol.write_count_request(said, one.target.model, profile, losses)
        except BadRequest as error:
            raise Unfit(error) from None
        if outgoing is not None:
            call.losses = losses.found
            try:
                check_losses(call, one)
            except BadRequest as error:
                raise Unfit(error) from None
            return one, outgoing
    told = f"{step.target} cannot count tokens: its protocol, {step.named}, has no such call."
    raise Unfit(DragomanError(told, status=501, code="unsupported"))


async def _answer(call: Call, caller: Caller, gateway: Gateway, tokens: int) -> None:
    assert call.protocol is not None
    call.status = 200
    record(call, gateway)
    await caller.answer(
        200, [(b"content-type", b"application/json"), *call.headers()], call.protocol.write_count(tokens)
    )
