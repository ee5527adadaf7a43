"""An answer of the neutral language as a `response` object."""

from typing import Any

from dragoman.ir import Candidate, Losses, Refusal, Request, Response, Text, Thought, ToolCall
from dragoman.protocols.base import Stamp
from dragoman.protocols.openai_responses.envelope import envelope_of
from dragoman.protocols.openai_responses.finish import write_finish
from dragoman.protocols.openai_responses.scribe import Scribe
from dragoman.protocols.openai_responses.usage import write_usage
from dragoman.wire.json import encode

Json = dict[str, Any]


def write_response(response: Response, request: Request, stamp: Stamp, losses: Losses) -> bytes:
    envelope = envelope_of(request, stamp, response.service_tier)
    scribe = Scribe(request, stamp, losses)
    ranked = sorted(response.candidates, key=lambda candidate: candidate.index) or [Candidate(0, ())]
    candidate = ranked[0]
    for number, part in enumerate(candidate.parts):
        _add(scribe, part, number)
    finish = candidate.finish
    refused = any(type(part) is Refusal for part in candidate.parts)
    if finish is not None and finish.reason == "refusal" and finish.message and not refused:
        scribe.refusal(finish.message)
    for citation in candidate.citations:
        scribe.citation(citation)
    if candidate.logprobs:
        scribe.logprobs(candidate.logprobs)
    envelope.update(write_finish(finish, response.block if not response.candidates else None))
    scribe.end(whole=envelope["status"] == "completed")
    envelope["output"] = scribe.items
    if response.usage is not None:
        envelope["usage"] = write_usage(response.usage)
    for other in ranked[1:]:
        losses.add_path(f"output[{other.index}]", "Responses hold one answer; this was another.")
    for extras in (candidate.extras, response.extras):
        scribe.extras(extras)
    return encode(envelope)


def _add(scribe: Scribe, part: Any, number: int) -> None:
    match part:
        case Text():
            scribe.text(part.text, part.signature)
        case Thought():
            scribe.thought(part)
        case Refusal():
            scribe.refusal(part.text)
        case ToolCall():
            scribe.call(number, part.id, part.name, part.signature)
            scribe.arguments(number, part.arguments)
        case _:
            scribe.part(part)
