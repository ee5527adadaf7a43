"""What the room `carry/` does, at its three places in a request's way; for translated requests with tools or calls only."""

from __future__ import annotations

from dragoman.carry import Inward, Kept, history_calls, outward
from dragoman.catalog.profile import Profile, profile_for
from dragoman.ir import Event, Losses, Request, Response
from dragoman.pipeline.call import Call
from dragoman.pipeline.gateway import Gateway
from dragoman.pipeline.step import Step


async def fetch(call: Call, gateway: Gateway, step: Step) -> None:
    """Brings into memory what is kept with the calls of the history, if the target wants any of it."""
    assert call.request is not None
    call.signatures = gateway.signatures
    if _maker(step) and (calls := history_calls(call.request)):
        await call.signatures.fetch(_owner(call), calls)


def pack(call: Call, step: Step, profile: Profile, losses: Losses) -> Request:
    """The request as its target can take it; what its answer will need for the way back is `call.inward`."""
    assert call.request is not None
    signatures, owner, maker, provider = call.signatures, _owner(call), _maker(step), step.target.provider

    def recall(id: str) -> Kept | None:
        kept = None if signatures is None else signatures.of(owner, id)
        return kept if kept is not None and kept.good_for(maker, provider) else None

    request, names, given = outward(
        call.request,
        step.protocol.tool_names,
        recall if maker else None,
        losses,
        signed_calls=profile.signed_calls,
    )
    call.inward = Inward(names, given, provider=provider, seed=call.id)
    return request


async def unpack(call: Call, inward: Inward, answer: Response) -> Response:
    """The answer as its caller can take it."""
    answer = inward.response(answer)
    await keep(call, inward)
    return answer


async def unpack_events(call: Call, inward: Inward, events: list[Event]) -> list[Event]:
    """What is to be kept is kept before the caller learns that the answer is whole: its next request may be quick."""
    events = inward.events(events)
    if inward.ended:
        await keep(call, inward)
    return events


async def keep(call: Call, inward: Inward) -> None:
    kept, inward.kept = inward.kept, {}
    if kept and call.signatures is not None:
        await call.signatures.keep(_owner(call), kept)


def _owner(call: Call) -> str:
    return call.key.id if call.key is not None else ""


def _maker(step: Step) -> str:
    """Whose signatures the target takes. In Chat Completions only Google has any."""
    if step.protocol.name == "openai-chat":
        return "gemini" if profile_for(step.named, step.target.model).family == "gemini" else ""
    return step.protocol.family
