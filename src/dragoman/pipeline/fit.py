"""Fit: which of a provider's protocols carries a request with the fewest losses, where none of them is the caller's own."""

from __future__ import annotations

from dragoman.pipeline import carrying
from dragoman.pipeline.attempt import Unfit, prepare, read
from dragoman.pipeline.call import Call
from dragoman.pipeline.gateway import Gateway
from dragoman.pipeline.step import Step
from dragoman.protocols.base import Outgoing


async def fit(call: Call, gateway: Gateway, step: Step) -> tuple[Step, Outgoing]:
    """The target in the protocol that suits it best, and the request in it; of equals the first that the provider's entry names.

    Raises Unfit where none will do; BadRequest."""
    if not step.same:
        read(call)
    if not step.others:
        if call.carries and not step.same:
            await carrying.fetch(call, gateway, step)
        return step, prepare(call, step)
    fewest: int | None = None
    best, refusal = step, None
    for one in (step, *step.others):
        try:
            outgoing = await _said(call, gateway, one)
        except Unfit as error:
            refusal = refusal or error
            continue
        serious = sum(not loss.harmless for loss in call.losses)
        if not serious:
            return one, outgoing
        if fewest is None or serious < fewest:
            fewest, best = serious, one
    if fewest is None and refusal is not None:
        raise refusal
    # Once more, for what the call holds now belongs to the last one tried.
    return best, await _said(call, gateway, best)


async def _said(call: Call, gateway: Gateway, step: Step) -> Outgoing:
    if call.carries and not step.same:
        await carrying.fetch(call, gateway, step)
    return prepare(call, step)
