"""Plan: which targets can serve the model, in which order, and in which protocol each is spoken to."""

from __future__ import annotations

from collections.abc import Iterable

from dragoman.catalog.directory import Target, is_plausible
from dragoman.ir import DragomanError, NotFound
from dragoman.pipeline.authenticate import authorise
from dragoman.pipeline.call import Call
from dragoman.pipeline.gateway import Gateway
from dragoman.protocols.base import WireProtocol
from dragoman.protocols.known import SPOKEN_AS, protocol_of
from dragoman.providers.endpoint import Endpoint


class Step:
    """One target to try: `named` is the protocol as the provider's entry names it, `protocol` what speaks it."""

    __slots__ = ("endpoint", "named", "protocol", "same", "target")

    def __init__(self, target: Target, endpoint: Endpoint, named: str, protocol: WireProtocol, same: bool) -> None:
        self.target = target
        self.endpoint = endpoint
        self.named = named
        self.protocol = protocol
        self.same = same


def choose(call: Call, gateway: Gateway) -> list[Step]:
    """The steps in order, at least one. Raises NotFound with the nearest names, Forbidden."""
    assert call.protocol is not None
    snapshot = call.snapshot
    call.resolved = resolved = snapshot.directory.resolve(call.model)
    if resolved is None:
        raise unknown_model(call, gateway.lists.names())
    authorise(call)
    steps = []
    for target in gateway.balance.order(resolved.targets):
        endpoint = snapshot.endpoints[target.provider]
        step = _step(target, endpoint, call.protocol)
        if step is not None:
            steps.append(step)
    if not steps:
        names = ", ".join(sorted({target.provider for target in resolved.targets}))
        raise DragomanError(
            f"The model {call.model!r} is served by {names}, which speaks no protocol that this version can translate to.",
            status=501,
            code="unsupported",
        )
    return steps


def _step(target: Target, endpoint: Endpoint, wanted: WireProtocol) -> Step | None:
    """The caller's own protocol where the provider speaks it, else the first that we can translate to."""
    fallback = None
    for named in endpoint.protocols:
        if SPOKEN_AS.get(named, named) == wanted.name:
            return Step(target, endpoint, named, wanted, True)
        if fallback is None and (protocol := protocol_of(named)) is not None:
            fallback = Step(target, endpoint, named, protocol, False)
    return fallback


def unknown_model(call: Call, listed: Iterable[str] = ()) -> NotFound:
    """The 404 with the nearest names; `listed` are names that vendors have told us."""
    name = call.model.removeprefix("models/")
    if not name:
        return NotFound(
            "The request names no model. Ask GET /v1/models for those there are.", code="model_not_found", param="model"
        )
    if not is_plausible(name):
        return NotFound(
            "No model has such a name. GET /v1/models lists those there are.", code="model_not_found", param="model"
        )
    near = call.snapshot.directory.nearest(name, listed)
    hint = f" Did you mean {' or '.join(repr(n) for n in near)}?" if near else ""
    return NotFound(
        f"The model {name!r} does not exist here.{hint} GET /v1/models lists those there are.",
        code="model_not_found",
        param="model",
    )
