"""Plan: which targets can serve the model, in which order, and in which protocol each is spoken to."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from time import perf_counter

from dragoman.catalog.directory import Resolved, Target, is_plausible
from dragoman.health import Use
from dragoman.ir import DragomanError, NotFound
from dragoman.pipeline.authenticate import authorise
from dragoman.pipeline.call import Call
from dragoman.pipeline.cost import price_asked
from dragoman.pipeline.gateway import Gateway
from dragoman.pipeline.step import Step, steps_of
from dragoman.routing.plan import order, ranked

_MOST_PLANS = 4096
# The share of requests that goes by weights all the same, so that it is noticed when a slow target has become fast.
_EXPLORED = 0.05

Plan = tuple[Resolved, dict[Target, Step]]


def choose(call: Call, gateway: Gateway) -> Sequence[Step]:
    """The steps in order, at least one. Raises NotFound with the nearest names, Forbidden."""
    plan = plan_of(call)
    if plan is None:
        raise unknown_model(call, gateway.lists.names())
    call.resolved, steps = plan
    authorise(call)
    if len(steps) > 1:
        aside = passed_over(gateway, steps.values())
        found = order(list(steps.values()), aside)
        return found if call.resolved.strategy == "weighted" else _ranked(call, gateway, found, aside)
    if not steps:
        names = ", ".join(sorted({target.provider for target in call.resolved.targets}))
        raise DragomanError(
            f"The model {call.model!r} is served by {names}, which speaks no protocol that this version can translate to.",
            status=501,
            code="unsupported",
        )
    return list(steps.values())


def plan_of(call: Call) -> Plan | None:
    """Where the model leads, and the steps there; None where there is no such model."""
    assert call.protocol is not None
    snapshot = call.snapshot
    known = (call.model, call.protocol.name)
    plan = snapshot.plans.get(known)
    if plan is None:
        resolved = snapshot.directory.resolve(call.model)
        if resolved is None:
            return None
        plan = (resolved, steps_of(resolved, snapshot.endpoints, call.protocol))
        # Callers choose the names, so what is remembered has a bound.
        if len(snapshot.plans) < _MOST_PLANS:
            snapshot.plans[known] = plan
    return plan


def passed_over(gateway: Gateway, steps: Iterable[Step]) -> Collection[Step]:
    """Those that cannot serve now, whose turn the others take. Where none is in trouble this is two looks at each."""
    found: list[Step] = []
    now = 0.0
    for step in steps:
        health = step.health
        if health is not None and not health.sound:
            now = now or perf_counter()
            if health.use(now) is not Use.YES:
                health.pass_over()
                found.append(step)
    return found


def _ranked(call: Call, gateway: Gateway, found: Sequence[Step], aside: Collection[Step]) -> Sequence[Step]:
    """By what the model's strategy goes by, within each priority; equals stay in the order of their turns."""
    assert call.resolved is not None
    if call.resolved.strategy == "cheapest":
        return ranked(found, lambda step: _price(call, step), aside)
    if gateway.chance() < _EXPLORED:
        return found
    return ranked(found, lambda step: step.health.latency if step.health is not None else 0.0, aside)


def _price(call: Call, step: Step) -> float:
    """Of a request with three times as much input as output, which is what most are like; unknown prices are the highest."""
    price = price_asked(call, step)
    return float("inf") if price is None else 3 * price.rates.input + price.rates.output


def unknown_model(call: Call, listed: Iterable[str] = ()) -> NotFound:
    """The 404 with the nearest names of those that the key may use; `listed` are names that vendors have told us."""
    name = call.model.removeprefix("models/")
    if not name:
        return NotFound(
            "The request names no model. Ask GET /v1/models for those there are.", code="model_not_found", param="model"
        )
    if not is_plausible(name):
        return NotFound(
            "No model has such a name. GET /v1/models lists those there are.", code="model_not_found", param="model"
        )
    directory, key = call.snapshot.directory, call.key
    if key is None or key.root:
        near = directory.nearest(name, listed)
    else:
        near = directory.nearest(name, listed, allowed=key.may_use)
    hint = f" Did you mean {' or '.join(repr(n) for n in near)}?" if near else ""
    return NotFound(
        f"The model {name!r} does not exist here.{hint} GET /v1/models lists those there are.",
        code="model_not_found",
        param="model",
    )
