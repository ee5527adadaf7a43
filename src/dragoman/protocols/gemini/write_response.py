"""Writes a GenerateContentResponse, in camelCase, for Gemini's callers; the pieces serve streams too."""

from collections.abc import Sequence

from dragoman.ir import (
    Candidate,
    CodeCall,
    CodeResult,
    Extra,
    FetchCall,
    FetchResult,
    Finish,
    Losses,
    Media,
    Opaque,
    Part,
    Refusal,
    Response,
    SearchCall,
    SearchResult,
    Signature,
    Text,
    Thought,
    TokenLogprob,
    ToolCall,
    ToolResult,
)
from dragoman.protocols.base import Stamp
from dragoman.protocols.gemini.fields import Object
from dragoman.protocols.gemini.finish import write_block, write_finish
from dragoman.protocols.gemini.read_response import CANDIDATE_EXTRAS
from dragoman.protocols.gemini.speech import sound_type
from dragoman.protocols.gemini.usage import write_tier, write_usage
from dragoman.protocols.gemini.write_grounding import Rests
from dragoman.protocols.gemini.write_parts import put
from dragoman.wire.json import NotJson, decode, encode

NO_FIELD = "Gemini's answers have no such field"
_OUTCOMES = {"ok": "OUTCOME_OK", "failed": "OUTCOME_FAILED", "timeout": "OUTCOME_DEADLINE_EXCEEDED"}


def write_response(response: Response, stamp: Stamp, losses: Losses) -> bytes:
    body: Object = {}
    if response.candidates:
        body["candidates"] = [_candidate(candidate, losses) for candidate in response.candidates]
    if response.block is not None:
        body["promptFeedback"] = write_block(response.block)
    if response.usage is not None:
        body["usageMetadata"] = write_usage(response.usage, losses)
        if response.service_tier is not None:
            tier = write_tier(response.service_tier)
            if tier is not None:
                body["usageMetadata"]["serviceTier"] = tier
    body["modelVersion"] = stamp.model
    body["responseId"] = stamp.id
    for extra in response.extras:
        if extra.owner == "gemini":
            put(body, extra.name, extra.value)
        else:
            losses.add_path(extra.path, NO_FIELD, harmless=extra.harmless)
    return encode(body)


def _candidate(candidate: Candidate, losses: Losses) -> Object:
    finish = candidate.finish
    if len(candidate.parts) == 1 and finish is not None and not (candidate.extras or candidate.citations):
        (only,) = candidate.parts
        if type(only) is Text and candidate.logprobs is None:  # nearly every answer
            content: Object = {"parts": [_signed({"text": only.text}, only.signature)], "role": "model"}
            return {"content": content, **finish_fields(finish, False, None), "index": candidate.index}
    parts: list[Object] = []
    malformed: str | None = None
    refused = False
    rests = Rests(losses, f"candidates[{candidate.index}]")
    texts: list[tuple[int, str]] = []
    for part in candidate.parts:
        refused = refused or isinstance(part, Refusal)
        written = write_part(part)
        if isinstance(part, Text):
            texts.append((len(parts), part.text))
        if isinstance(part, Media) and part.extras:
            losses.add_extras(part.extras, "gemini", NO_FIELD)
        if written is not None:
            parts.append(written)
        elif isinstance(part, ToolCall):
            malformed = malformed or malformed_call(part)
        elif isinstance(part, Opaque):
            losses.add_path(f"candidates[{candidate.index}].content", f"{NO_FIELD}: {part.what}")
        elif isinstance(part, Thought):
            losses.add_path(f"candidates[{candidate.index}].content", "encrypted thoughts have no place", harmless=True)
        else:
            rests.part(part)
    content = {"parts": parts, "role": "model"} if parts else {"role": "model"}
    told: Object = {"content": content}
    if candidate.finish is not None:
        told.update(finish_fields(candidate.finish, refused, malformed))
    told["index"] = candidate.index
    if candidate.logprobs:
        told.update(logprob_fields(candidate.logprobs))
    told.update(extra_fields(candidate.extras))
    rests.citations(candidate.citations)
    told.update(rests.fields(texts, candidate.extras))
    losses.add_extras(candidate.extras, "gemini", NO_FIELD)
    return told


def write_part(part: Part) -> Object | None:
    """A part of the model's; None where Gemini has no words for it."""
    match part:
        case Text():
            return _signed({"text": part.text}, part.signature)
        case Thought():
            if not part.text and part.redacted is not None:
                return None
            return _signed({"text": part.text, "thought": True}, part.signature)
        case Refusal():
            return {"text": part.text}
        case ToolCall():
            args = arguments_of(part.arguments)
            if args is None:
                return None
            call: Object = {"name": part.name, "args": args}
            if part.id:
                call["id"] = part.id
            return _signed({"functionCall": call}, part.signature)
        case Media():
            held: Object
            if part.data is not None:
                mime = sound_type(part.mime) if part.mime else "application/octet-stream"
                held = {"inlineData": {"mimeType": mime, "data": part.data}}
            else:
                file: Object = {"fileUri": part.url or part.file_id or ""}
                if part.mime:
                    file["mimeType"] = part.mime
                held = {"fileData": file}
            if part.thought:
                held["thought"] = True
            return _signed(held, part.signature)
        case CodeCall():
            code: Object = {"language": part.language.upper(), "code": part.code}
            if part.id:
                code["id"] = part.id
            return _signed({"executableCode": code}, part.signature)
        case CodeResult():
            result: Object = {"outcome": _OUTCOMES.get(part.outcome, "OUTCOME_FAILED"), "output": part.output}
            if part.id:
                result["id"] = part.id
            return _signed({"codeExecutionResult": result}, part.signature)
        case Opaque(owner="gemini"):
            return dict(part.value)
        case Opaque() | ToolResult() | SearchCall() | SearchResult() | FetchCall() | FetchResult():
            return None


def _signed(written: Object, signature: Signature | None) -> Object:
    if signature is not None and signature.maker == "gemini":
        written["thoughtSignature"] = signature.data
    return written


def arguments_of(arguments: str) -> Object | None:
    """A call's arguments as the object that `functionCall.args` must be; None where they are not one."""
    if not arguments.strip():
        return {}
    try:
        value = decode(arguments.encode("utf-8", "surrogatepass"))
    except NotJson:
        return None
    return value if isinstance(value, dict) else None


def malformed_call(call: ToolCall) -> str:
    return f"Malformed function call: {call.name}({call.arguments})"


def finish_fields(finish: Finish, refused_in_words: bool, malformed: str | None) -> Object:
    """finishReason and finishMessage. A call whose arguments are no object is told as Google tells its own."""
    reason, message = write_finish(finish, refused_in_words)
    if malformed is not None and reason != "MAX_TOKENS":
        reason, message = "MALFORMED_FUNCTION_CALL", malformed
    elif malformed is not None:
        message = message or malformed
    return {"finishReason": reason, "finishMessage": message} if message else {"finishReason": reason}


def logprob_fields(logprobs: Sequence[TokenLogprob]) -> Object:
    chosen = [{"token": one.token, "logProbability": one.logprob} for one in logprobs]
    result: Object = {"chosenCandidates": chosen}
    if any(one.top for one in logprobs):
        result["topCandidates"] = [
            {"candidates": [{"token": token, "logProbability": logprob} for token, logprob in one.top]}
            for one in logprobs
        ]
    average = sum(one.logprob for one in logprobs) / len(logprobs)
    return {"avgLogprobs": average, "logprobsResult": result}


def extra_fields(extras: Sequence[Extra]) -> Object:
    return {extra.name: extra.value for extra in extras if extra.owner == "gemini" and extra.name in CANDIDATE_EXTRAS}
