"""Attempt: one call of one target. What goes wrong comes out as an UpstreamError that says what the caller should know."""

from __future__ import annotations

from time import perf_counter

import structlog

from dragoman.carry import carries
from dragoman.catalog.profile import profile_for
from dragoman.ir import (
    BadRequest,
    DragomanError,
    Losses,
    Overloaded,
    UpstreamBroken,
    UpstreamCredentials,
    UpstreamError,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from dragoman.pipeline import carrying
from dragoman.pipeline.call import Call
from dragoman.pipeline.conceal import conceal
from dragoman.pipeline.gateway import Gateway
from dragoman.pipeline.refused_losses import cut, told
from dragoman.pipeline.step import Step
from dragoman.protocols.base import Outgoing
from dragoman.upstream.base import IncomingResponse
from dragoman.upstream.errors import (
    BodyTooLarge,
    ConnectFailed,
    ConnectReason,
    DeadlineExceeded,
    PoolExhausted,
    ProtocolViolation,
    TransportError,
)
from dragoman.wire import json

_log = structlog.get_logger(__name__)

_MAX_ERROR_BODY = 1024 * 1024
_MAX_RAW_ERROR = 64 * 1024  # a larger one is told in our own words: searching it for secrets takes time

_REASONS: dict[ConnectReason, str] = {
    "dns": "its name does not resolve",
    "refused": "the connection was refused",
    "unreachable": "there is no way to it",
    "tls": "the TLS handshake failed",
    "closed": "the gateway is shutting down",
}


class Unfit(DragomanError):
    """The request is good and this target cannot carry it; another may. `why` is what the caller is told where none does."""

    def __init__(self, why: DragomanError) -> None:
        super().__init__(why.message, code=why.code, param=why.param, status=why.status)
        self.why = why


async def attempt(call: Call, gateway: Gateway, step: Step, outgoing: Outgoing) -> IncomingResponse:
    """The target's answer to `outgoing`, its status a good one, its body still to come. Raises UpstreamError."""
    call.step = step
    call.attempts += 1
    call.usage = None
    endpoint = step.endpoint
    if endpoint.local:
        endpoint = await gateway.engine.endpoint(endpoint)
    credential = call.credential
    passed = call.passed if step.same else ()
    request = endpoint.request(step.named, outgoing.path, outgoing.body, credential=credential, passed=passed)
    began = perf_counter()
    try:
        response = await gateway.transport(endpoint).send(request)
        if response.status != 200:
            body = await _error_body(response)
    except TransportError as error:
        raise upstream_error(error, call, step) from None
    finally:
        call.upstream += perf_counter() - began
    if response.status != 200:
        raise _refused(call, step, response, body, credential)
    if call.stream and step.health is not None:
        step.health.began(perf_counter())
    return response


def read(call: Call) -> None:
    """Sets `request`, and whether it holds what must be carried with care. Raises BadRequest."""
    if call.request is None:
        assert call.protocol is not None and call.route is not None
        if call.state is not None:
            call.request = call.state.request(call.body)
        else:
            call.request = call.protocol.read_request(call.body, call.route)
        call.carries = carries(call.request)


def prepare(call: Call, step: Step) -> Outgoing:
    """The call as the target will get it. Raises Unfit, also for losses that `x-dragoman-strict` forbids; BadRequest where
    the caller's body is at fault, whatever the target."""
    assert call.protocol is not None and call.route is not None and call.peek is not None
    call.losses = []
    if call.request is None and not step.same:
        read(call)
    try:
        return _write(call, step)
    except DragomanError as error:
        raise Unfit(error) from None


def _write(call: Call, step: Step) -> Outgoing:
    assert call.protocol is not None and call.route is not None and call.peek is not None
    profile = profile_for(step.named, step.target.model)
    if step.same:
        body = call.body if call.state is None else call.state.body(call.body, step)
        outgoing = step.protocol.forward(body, call.peek, call.route, step.target.model, profile)
        call.losses = [*outgoing.losses]
    else:
        assert call.request is not None
        losses = Losses(call.protocol.spelling)
        request = carrying.pack(call, step, profile, losses) if call.carries else call.request
        outgoing = step.protocol.write_request(request, step.target.model, profile, losses)
        call.losses = losses.found
    check_losses(call, step)
    return outgoing


def check_losses(call: Call, step: Step) -> None:
    """Raises BadRequest for losses that `x-dragoman-strict` forbids."""
    if call.strict and (serious := [loss for loss in call.losses if not loss.harmless]):
        raise BadRequest(
            f"x-dragoman-strict is set and {step.target} cannot carry: {told(serious)}",
            code="losses",
            param=cut(serious[0].path),
        )


async def _error_body(response: IncomingResponse) -> bytes:
    try:
        return await response.read(_MAX_ERROR_BODY)
    except BodyTooLarge:
        return b""


def _refused(call: Call, step: Step, response: IncomingResponse, body: bytes, credential: int) -> UpstreamError:
    status = response.status
    if not 400 <= status < 600:
        return UpstreamBroken(
            f"The provider {step.target.provider!r} answered with status {status} in place of an answer."
        )
    error = step.protocol.read_error(status, response.headers, body)
    redactor = call.snapshot.redactor
    conceal(error, redactor)
    if error.status in (401, 402, 403):
        # The vendor refuses the gateway's key, which is no business of the caller's: its own key is good.
        labels = step.endpoint.credentials
        where = labels[credential].label if labels else f"providers.{step.target.provider}"
        return UpstreamCredentials(
            f"The provider {step.target.provider!r} refused the gateway's own credential ({where}, status {status}): "
            f"{error.message} The gateway's operator can mend it there.",
            vendor_status=error.status,
        )
    own_words = not step.same or len(body) > _MAX_RAW_ERROR or call.route is None or call.route.array
    if not own_words and _is_true_to_form(step.protocol.name, body):
        error.raw = redactor(body)
    return error


def _is_true_to_form(protocol: str, body: bytes) -> bool:
    """Whether a vendor's error is what the protocol's clients can read: many a server has the envelope right and the members
    wrong. A code is a number at Google and a word at OpenAI, and typed clients break on the other."""
    try:
        value = json.decode(body)
    except json.NotJson:
        return False
    error = value.get("error") if isinstance(value, dict) else None
    if not isinstance(error, dict) or not isinstance(error.get("message"), str):
        return False
    if protocol == "gemini":
        return type(error.get("code")) is int and isinstance(error.get("status"), str)
    if protocol == "anthropic":
        return value.get("type") == "error" and isinstance(error.get("type"), str)
    return isinstance(error.get("code"), str | None)


def upstream_error(error: TransportError, call: Call, step: Step) -> UpstreamError | Overloaded:
    """What a failure of the connection means to the caller, who learns no address of ours: the log has the whole of it."""
    name = step.target.provider
    _log.warning("a call of a provider failed", request_id=call.id, target=step.label, error=str(error))
    match error:
        case ConnectFailed():
            return UpstreamUnreachable(f"The provider {name!r} cannot be reached: {_REASONS[error.reason]}.")
        case PoolExhausted():
            return Overloaded(f"All connections to the provider {name!r} are busy. Try again shortly.", retry_after=1.0)
        case DeadlineExceeded(phase="connect"):
            return UpstreamTimeout(f"The provider {name!r} did not accept a connection in time.")
        case DeadlineExceeded(phase="first_byte"):
            return UpstreamTimeout(f"The provider {name!r} did not begin to answer in time.")
        case DeadlineExceeded(phase="idle"):
            return UpstreamTimeout(f"The provider {name!r} fell silent in the middle of its answer.")
        case DeadlineExceeded():
            return UpstreamTimeout(f"The provider {name!r} did not finish its answer in time.")
        case ProtocolViolation():
            return UpstreamBroken(f"The provider {name!r} sent something other than an HTTP answer.")
        case BodyTooLarge():
            return UpstreamBroken(f"The provider {name!r} sent an answer of more than {error.limit} bytes.")
        case _:
            return UpstreamBroken(f"The provider {name!r} broke off before its answer was complete.")
