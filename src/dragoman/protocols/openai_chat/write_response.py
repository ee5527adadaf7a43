"""An answer of the neutral language as a `chat.completion`.

Chat Completions has one `content` and one `reasoning_content` a message: text, code and thoughts that stood between each
other are joined, each kind in its order.
"""

from typing import Any

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
    Refusal,
    Request,
    Response,
    SearchCall,
    SearchResult,
    Signature,
    Text,
    Thought,
    TokenLogprob,
    ToolCall,
)
from dragoman.protocols.base import Stamp
from dragoman.protocols.openai.media import data_url, standard
from dragoman.protocols.openai_chat import speech
from dragoman.protocols.openai_chat.annotations import Deed, Shifts, tell_deeds, write_annotations
from dragoman.protocols.openai_chat.draft import LEGACY
from dragoman.protocols.openai_chat.finish import write_finish
from dragoman.protocols.openai_chat.usage import write_usage
from dragoman.protocols.openai_chat.write_messages import custom_input, custom_names, fenced, minted_id
from dragoman.wire.json import encode

Json = dict[str, Any]
NO_PLACE = "Chat Completions has no such member."
# Gemini 3's picture models show drafts of a picture before it (marked as thoughts); callers take every picture for an answer.
DRAFT = "A draft of the picture is not part of the answer."


def write_response(response: Response, request: Request, stamp: Stamp, losses: Losses) -> bytes:
    candidates = response.candidates
    if not candidates:
        block = response.block
        finish = Finish("content_filter", native=block.native or block.reason) if block is not None else None
        parts = (Refusal(block.message),) if block is not None and block.message else ()
        candidates = (Candidate(0, parts, finish),)
    body: Json = {
        "id": stamp.id,
        "object": "chat.completion",
        "created": stamp.created,
        "model": stamp.model,
        "choices": [_choice(candidate, request, stamp, losses) for candidate in candidates],
    }
    if response.block is not None and not response.candidates:
        body["choices"][0]["native_finish_reason"] = response.block.native or response.block.reason
    if response.usage is not None:
        body["usage"] = write_usage(response.usage)
    if response.service_tier is not None:
        body["service_tier"] = "default" if response.service_tier == "standard" else response.service_tier
    for extra in response.extras:
        if extra.owner == "openai":
            body[extra.name] = extra.value
        else:
            losses.add_path(extra.path, NO_PLACE, harmless=extra.harmless)
    return encode(body)


def _choice(candidate: Candidate, request: Request, stamp: Stamp, losses: Losses) -> Json:
    message, called = _message(candidate, request, stamp, losses)
    word, native = write_finish(candidate.finish, called=called)
    if called and word == "tool_calls" and "function_call" in message:
        word = "function_call"
    choice: Json = {
        "index": candidate.index,
        "message": message,
        "logprobs": None if candidate.logprobs is None else write_logprobs(candidate.logprobs),
        "finish_reason": word,
    }
    if native is not None:
        choice["native_finish_reason"] = native
    return choice


def _message(candidate: Candidate, request: Request, stamp: Stamp, losses: Losses) -> tuple[Json, bool]:
    parts, finish = candidate.parts, candidate.finish
    if len(parts) == 1 and parts[0].__class__ is Text and not (candidate.citations or candidate.extras):
        only: Text = parts[0]
        if only.signature is None and not only.extras:  # nearly every answer
            declined = finish.message if finish is not None and finish.reason == "refusal" else None
            return {"role": "assistant", "content": only.text, "refusal": declined or None}, False
    said: list[str] | None = None
    thoughts: list[str] = []
    calls: list[Json] = []
    images: list[Json] = []
    sounds: list[Media] = []
    refusal: str | None = None
    message: Json = {"role": "assistant", "content": None, "refusal": None}
    custom = custom_names(request)
    deeds: list[Deed] = []
    shifts = Shifts() if candidate.citations else None
    for number, part in enumerate(candidate.parts):
        match part:
            case Text():
                if shifts is not None:
                    shifts.said(part.text)
                if part.text or part.signature is None:
                    said = [*(said or ()), part.text]
                if part.signature is not None and not sign(message, part.signature):
                    _unsigned(losses, candidate, number)
                if part.extras:
                    _extras(message, part.extras, losses)
            case Thought():
                if part.text:
                    thoughts.append(part.text)
                if part.redacted is not None:
                    _unsigned(losses, candidate, number)
            case ToolCall():
                id = part.id or minted_id(f"{stamp.id}.{candidate.index}.{len(calls)}")
                call = _call(part, id, custom)
                if part.signature is not None and not sign(call, part.signature):
                    _unsigned(losses, candidate, number)
                calls.append(call)
            case Refusal():
                refusal = (refusal or "") + part.text
            case Media(thought=True):
                losses.add_path(f"{_path(candidate)}.images", DRAFT, harmless=True)
            case Media(kind="audio", data=str()):
                sounds.append(part)
            case Media():
                _media(part, images, losses, f"{_path(candidate)}.images[{len(images)}]")
            case CodeCall() | CodeResult():
                code = fenced(part)
                said = [*(said or ()), code]
                if shifts is not None:
                    shifts.inserted(len(code))
            case SearchCall() | SearchResult() | FetchCall() | FetchResult():
                deeds.append(part)
            case Opaque():
                path = f"{_path(candidate)}.content[{number}]"
                losses.add_path(path, f"Chat Completions has no place for {part.what}.")
            case _:
                losses.add_path(f"{_path(candidate)}.content[{number}]", NO_PLACE)
    if said is not None:
        message["content"] = "".join(said)
    elif not calls and refusal is None and not images and not sounds and candidate.finish is not None:
        message["content"] = None if candidate.finish.reason in ("content_filter", "refusal") else ""
    if refusal is not None:
        message["refusal"] = refusal
    elif candidate.finish is not None and candidate.finish.reason == "refusal" and candidate.finish.message:
        message["refusal"] = candidate.finish.message
    if thoughts:
        message["reasoning_content"] = "".join(thoughts)
    if images:
        message["images"] = images
    if sounds:
        message["audio"] = _audio(sounds, candidate, request, stamp, losses)
    if calls:
        legacy = any(extra.name == LEGACY for extra in request.extras)
        if legacy and calls[0]["type"] == "function":
            message["function_call"] = calls[0]["function"]
            for number in range(1, len(calls)):
                losses.add_path(f"{_path(candidate)}.tool_calls[{number}]", "'functions' knows one call a turn.")
        else:
            message["tool_calls"] = calls
    path = f"{_path(candidate)}.annotations"
    if shifts is not None:
        message["annotations"] = write_annotations(candidate.citations, shifts, path, losses)
    if deeds:
        tell_deeds(deeds, bool(candidate.citations), path, losses)
    if candidate.extras:
        _extras(message, candidate.extras, losses)
    return message, bool(calls)


def _path(candidate: Candidate) -> str:
    return f"choices[{candidate.index}].message"


def _call(part: ToolCall, id: str, custom: frozenset[str]) -> Json:
    if part.name in custom:
        return {"id": id, "type": "custom", "custom": {"name": part.name, "input": custom_input(part.arguments)}}
    return {"id": id, "type": "function", "function": {"name": part.name, "arguments": part.arguments or "{}"}}


def _audio(sounds: list[Media], candidate: Candidate, request: Request, stamp: Stamp, losses: Losses) -> Json:
    """One sound: all of it that is PCM, in the format that was asked for, else the first."""
    first = sounds[0]
    audio: Json = speech.audio_head(stamp, candidate.index)
    if speech.is_pcm(first):
        samples = [part for part in sounds if speech.is_pcm(part)]
        pcm = speech.wants_pcm(request) or any(extra.owner == "openai" for extra in first.extras)
        audio["data"] = speech.as_pcm(samples) if pcm else speech.as_wav(samples)
        left = len(sounds) - len(samples)
    else:
        audio["data"] = standard(first.data or "")
        left = len(sounds) - 1
    if left:
        losses.add_path(f"{_path(candidate)}.audio", "Chat Completions has place for one sound.")
    for extra in first.extras:
        if extra.owner == "openai" and extra.name == "audio":
            audio.update(extra.value)
    return audio


def _media(part: Media, images: list[Json], losses: Losses, path: str) -> None:
    if part.kind == "image" and part.file_id is None:
        images.append(write_image(part, len(images)))
    else:
        losses.add_path(path, f"Chat Completions has no place for {part.mime or 'a file'} in an answer.")


def write_image(part: Media, number: int) -> Json:
    image: Json = {"type": "image_url", "image_url": {"url": part.url or data_url(part)}, "index": number}
    if part.signature is not None:
        sign(image, part.signature)
    return image


def write_logprobs(logprobs: tuple[TokenLogprob, ...]) -> Json:
    return {
        "content": [
            {
                "token": item.token,
                "logprob": item.logprob,
                "bytes": list(item.token.encode("utf-8", "replace")),
                "top_logprobs": [
                    {"token": token, "logprob": logprob, "bytes": list(token.encode("utf-8", "replace"))}
                    for token, logprob in item.top
                ],
            }
            for item in logprobs
        ],
        "refusal": None,
    }


def sign(holder: Json, signature: Signature) -> bool:
    """Puts Gemini's signature where Google's compatible endpoint has it; no other maker's has a place."""
    if signature.maker != "gemini":
        return False
    holder["extra_content"] = {"google": {"thought_signature": signature.data}}
    return True


def _unsigned(losses: Losses, candidate: Candidate, number: int) -> None:
    path = f"{_path(candidate)}.content[{number}]"
    losses.add_path(path, "Chat Completions has no place for this maker's signatures.", harmless=True)


def _extras(message: Json, extras: tuple[Extra, ...], losses: Losses) -> None:
    for extra in extras:
        if extra.owner == "openai" and extra.name == "annotations":
            message["annotations"] = [*message.get("annotations", ()), *extra.value]
        elif extra.owner == "openai":
            message[extra.name] = extra.value
        else:
            losses.add_path(extra.path, NO_PLACE, harmless=extra.harmless)
