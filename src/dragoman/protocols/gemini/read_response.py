"""Reads a GenerateContentResponse, whole or as one chunk of a stream.

The vendor's oddities are law here (recorded exchanges, 2026): `content` may be `{}` or lack `parts`, `index` may be absent,
a blocked prompt has no candidates, unknown finish reasons and parts come along, a call needs no declared function.
"""

from typing import Any

from dragoman.ir import (
    Block,
    Candidate,
    Citation,
    CodeCall,
    CodeResult,
    Extra,
    Media,
    Opaque,
    Part,
    Response,
    Signature,
    Text,
    Thought,
    TokenLogprob,
    ToolCall,
    UpstreamBroken,
)
from dragoman.protocols.gemini.errors import error_in
from dragoman.protocols.gemini.fields import Object
from dragoman.protocols.gemini.finish import read_block, read_finish
from dragoman.protocols.gemini.read_grounding import NAMES as RESTS
from dragoman.protocols.gemini.read_grounding import Grounding
from dragoman.protocols.gemini.read_parts import CODE_OUTCOMES
from dragoman.protocols.gemini.usage import read_tier, read_usage
from dragoman.wire.json import NotJson, decode, encode_text

# Of a candidate; `True` marks what changes no answer.
CANDIDATE_EXTRAS = {
    "safetyRatings": True,
    "citationMetadata": False,
    "groundingMetadata": False,
    "urlContextMetadata": False,
    "avgLogprobs": True,
    "tokenCount": True,
    "groundingAttributions": True,
}
_BESIDE = frozenset(CANDIDATE_EXTRAS) | RESTS


def answer_in(body: bytes) -> Object:
    """The answer's object. Raises UpstreamRefused for an error inside a 200, UpstreamBroken for what is no answer."""
    try:
        value = decode(body)
    except NotJson as error:
        raise UpstreamBroken(f"The upstream's answer is not JSON: {error}.") from None
    return checked(value)


def checked(value: Any) -> Object:
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, dict):
        raise UpstreamBroken("The upstream's answer is not a JSON object.")
    if "error" in value:
        refused = error_in(value)
        if refused is not None:
            raise refused
    return value


def read_response(body: bytes) -> Response:
    value = answer_in(body)
    judged = "promptFeedback" in value
    block = block_in(value) if judged else None
    candidates = candidates_in(value)
    if not candidates and block is None:
        raise UpstreamBroken("The upstream answered without a candidate.")
    meta = value.get("usageMetadata")
    return Response(
        # By place: by name costs several times as much.
        words(value.get("responseId")),
        words(value.get("modelVersion")).removeprefix("models/"),
        tuple([_candidate(candidate, number) for number, candidate in enumerate(candidates)]),
        read_usage(meta),
        block,
        0,
        read_tier(meta),
        response_extras(value) if judged else (),
    )


def candidates_in(value: Object) -> list[Object]:
    candidates = value.get("candidates")
    if not isinstance(candidates, list):
        return []
    return [candidate for candidate in candidates if isinstance(candidate, dict)]


def block_in(value: Object) -> Block | None:
    feedback = value.get("promptFeedback")
    if not isinstance(feedback, dict):
        return None
    reason = feedback.get("blockReason")
    if not isinstance(reason, str) or not reason or reason == "BLOCK_REASON_UNSPECIFIED":
        return None
    message = feedback.get("blockReasonMessage")
    return read_block(reason, message if isinstance(message, str) else None)


def response_extras(value: Object) -> tuple[Extra, ...]:
    feedback = value.get("promptFeedback")
    if not isinstance(feedback, dict) or not feedback.get("safetyRatings"):
        return ()
    name = "promptFeedback.safetyRatings"
    return (Extra("gemini", name, feedback["safetyRatings"], name, harmless=True),)


def _candidate(candidate: Object, number: int) -> Candidate:
    parts = parts_in(candidate)
    native = candidate.get("finishReason")
    finish = None
    if isinstance(native, str) and native:
        called = False
        for part in parts:
            if part.__class__ is ToolCall:
                called = True
        finish = read_finish(native, words(candidate.get("finishMessage")) or None, called)
    extras: tuple[Extra, ...] = ()
    citations: tuple[Citation, ...] = ()
    if not _BESIDE.isdisjoint(candidate):
        extras = extras_in(candidate, f"candidates[{number}]")
        if not RESTS.isdisjoint(candidate):
            rests = Grounding(candidate, texts_in(candidate), f"candidates[{number}]")
            citations = tuple(rests.citations)
            extras = (*[extra for extra in extras if extra.name not in RESTS], *rests.extras)
            parts = with_deeds(parts, rests.deeds)
    return Candidate(index_of(candidate, number), parts, finish, logprobs_in(candidate), citations, extras)


def texts_in(candidate: Object) -> list[tuple[int, str]]:
    """The candidate's text, as far as it is its answer, by the number of each part."""
    content = candidate.get("content")
    parts = content.get("parts") if isinstance(content, dict) else None
    return [
        (number, part["text"])
        for number, part in enumerate(parts if isinstance(parts, list) else ())
        if isinstance(part, dict) and isinstance(part.get("text"), str) and part.get("thought") is not True
    ]


def with_deeds(parts: tuple[Part, ...], deeds: tuple[Part, ...]) -> tuple[Part, ...]:
    """The parts with what was searched and read before the first text, which rests on it."""
    at = next((number for number, part in enumerate(parts) if isinstance(part, Text)), len(parts))
    return (*parts[:at], *deeds, *parts[at:])


def index_of(candidate: Object, number: int = 0) -> int:
    index = candidate.get("index")
    return index if index.__class__ is int and 0 <= index < 1024 else number


def extras_in(candidate: Object, path: str) -> tuple[Extra, ...]:
    return tuple(
        [
            Extra("gemini", name, held, f"{path}.{name}", CANDIDATE_EXTRAS[name])
            for name, held in candidate.items()
            if name in CANDIDATE_EXTRAS and held not in (None, [], {})
        ]
    )


def parts_in(candidate: Object) -> tuple[Part, ...]:
    content = candidate.get("content")
    parts = content.get("parts") if isinstance(content, dict) else None
    if not isinstance(parts, list):
        return ()
    return tuple([read for part in parts if isinstance(part, dict) and (read := read_part(part)) is not None])


def read_part(part: Object) -> Part | None:
    """A part of the model's; None for one that says nothing."""
    text = part.get("text")
    if len(part) == 1 and text.__class__ is str:
        return Text(text) if text else None
    proof = part.get("thoughtSignature")
    signature = Signature("gemini", proof) if isinstance(proof, str) and proof else None
    if isinstance(text, str):
        if part.get("thought") is True:
            return Thought(text, signature) if text or signature else None
        return Text(text, signature) if text or signature else None
    for name in ("inlineData", "fileData"):
        blob = part.get(name)
        if isinstance(blob, dict):
            uri = name == "fileData"
            held = blob.get("fileUri" if uri else "data")
            if not isinstance(held, str):
                return None
            return Media(
                mime=words(blob.get("mimeType")).lower(),
                data=None if uri else held,
                url=held if uri else None,
                thought=part.get("thought") is True,
                signature=signature,
            )
    call = part.get("functionCall")
    if isinstance(call, dict):
        args = call.get("args")
        return ToolCall(
            id=words(call.get("id")),
            name=words(call.get("name")),
            arguments=encode_text(args) if isinstance(args, dict) else "{}",
            signature=signature,
        )
    code = part.get("executableCode")
    if isinstance(code, dict):
        language = words(code.get("language")).lower() or "python"
        return CodeCall(words(code.get("code")), language, words(code.get("id")), signature)
    result = part.get("codeExecutionResult")
    if isinstance(result, dict):
        outcome = CODE_OUTCOMES.get(words(result.get("outcome")), "failed")
        return CodeResult(words(result.get("output")), outcome, words(result.get("id")), signature)
    if signature is not None and part.keys() <= {"thoughtSignature", "thought"}:
        return Text("", signature)
    kinds = [name for name in part if name not in ("thought", "thoughtSignature")]
    return Opaque("gemini", part, kinds[0]) if kinds else None


def logprobs_in(candidate: Object) -> tuple[TokenLogprob, ...] | None:
    result = candidate.get("logprobsResult")
    if result is None:
        return None
    chosen = result.get("chosenCandidates") if isinstance(result, dict) else None
    if not isinstance(chosen, list):
        return None
    tops = result.get("topCandidates") if isinstance(result, dict) else None
    tops = tops if isinstance(tops, list) else []
    found: list[TokenLogprob] = []
    for number, item in enumerate(chosen):
        read = _logprob(item)
        if read is None:
            continue
        top = tops[number].get("candidates") if number < len(tops) and isinstance(tops[number], dict) else None
        pairs = [pair for one in top if (pair := _logprob(one)) is not None] if isinstance(top, list) else []
        found.append(TokenLogprob(read[0], read[1], tuple(pairs)))
    return tuple(found)


def _logprob(item: Any) -> tuple[str, float] | None:
    if not isinstance(item, dict):
        return None
    value = item.get("logProbability", 0.0)  # proto leaves zeros out
    return (words(item.get("token")), value) if isinstance(value, (int, float)) else None


def words(value: Any) -> str:
    return value if isinstance(value, str) else ""
