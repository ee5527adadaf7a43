"""A vendor's one-shot answer into the neutral language, read tolerantly: servers that imitate OpenAI leave things out."""

import re
from typing import Any

import msgspec
from msgspec import Struct

from dragoman.ir import (
    BadRequest,
    Candidate,
    Citation,
    Extra,
    Finish,
    Opaque,
    Part,
    Refusal,
    Response,
    Signature,
    Text,
    Thought,
    TokenLogprob,
    ToolCall,
    UpstreamBroken,
    Usage,
)
from dragoman.protocols.openai.errors import refusal_of
from dragoman.protocols.openai_responses.draft import OWNER
from dragoman.protocols.openai_responses.finish import read_finish
from dragoman.protocols.openai_responses.items import deed_parts
from dragoman.protocols.openai_responses.usage import read_usage
from dragoman.protocols.openai_responses.words import read_logprobs
from dragoman.wire import json

Json = dict[str, Any]
_OUTPUT = re.compile(rb"\[")
_DEEDS = frozenset({"web_search_call", "code_interpreter_call", "image_generation_call"})
_UNFINISHED = ("in_progress", "queued", "cancelled")


def read_response(body: bytes) -> Response:
    """Raises UpstreamRefused for an error inside a 200, UpstreamBroken for anything that is no answer."""
    value = read_object(body)
    output = value.get("output")
    if type(output) is not list:
        raise UpstreamBroken("The upstream's answer holds no output.")
    if value.get("status") in _UNFINISHED:
        raise UpstreamBroken(f"The upstream's answer is not finished: its status is {value['status']!r}.")
    reading = Reading()
    for number, item in enumerate(output):
        if type(item) is dict:
            reading.item(item, number)
    return Response(
        id=text_or_empty(value.get("id")),
        model=text_or_empty(value.get("model")),
        candidates=(
            Candidate(
                0,
                tuple(reading.parts),
                finish_of(value, called=reading.called),
                tuple(reading.logprobs) or None,
                tuple(reading.citations),
                tuple(reading.extras),
            ),
        ),
        usage=read_usage(value.get("usage")),
        created=whole(value.get("created_at")),
        service_tier=text_or_empty(value.get("service_tier")) or None,
    )


def finish_of(value: Json, *, called: bool) -> Finish:
    return read_finish(value, called=called)


def read_object(body: bytes) -> Json:
    """The answer's object. Raises as `read_response` does."""
    try:
        value = json.decode(body)
    except json.NotJson as error:
        raise UpstreamBroken(f"The upstream's answer is not JSON: {error}.") from None
    if type(value) is list and len(value) == 1:
        value = value[0]
    if type(value) is not dict:
        raise UpstreamBroken(f"The upstream's answer is {json.kind_of(value)}, not an object.")
    if value.get("error") or value.get("status") == "failed":
        raise refusal_of({"error": value.get("error") or {}}, 200)
    return value


def text_or_empty(value: Any) -> str:
    return value if type(value) is str else ""


def whole(value: Any) -> int:
    if type(value) is int:
        return value
    return int(value) if type(value) is float and 0 < value < 2**53 else 0


class Reading:
    """Gathers the parts of an answer while its items are read in order."""

    __slots__ = ("called", "chars", "citations", "extras", "logprobs", "parts")

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.citations: list[Citation] = []
        self.logprobs: list[TokenLogprob] = []
        self.extras: list[Extra] = []
        self.called = False
        self.chars = 0  # of the answer's text so far

    def item(self, item: Json, number: int) -> None:
        kind = item.get("type")
        if kind == "message":
            content = item.get("content")
            for place, part in enumerate(content if type(content) is list else ()):
                if type(part) is dict:
                    self._content(part, f"output[{number}].content[{place}]")
            return
        if kind in ("function_call", "custom_tool_call"):
            self.called = True
        self.parts.extend(item_parts(item))

    def _content(self, part: Json, path: str) -> None:
        if part.get("type") == "refusal":
            if words := text_or_empty(part.get("refusal")):
                self.parts.append(Refusal(words))
            return
        words = text_or_empty(part.get("text"))
        for annotation in listed(part.get("annotations")):
            cited = citation_of(annotation, self.chars)
            if cited is not None:
                self.citations.append(cited)
            else:
                self.extras.append(Extra(OWNER, "annotations", annotation, f"{path}.annotations"))
        self.logprobs.extend(read_logprobs(part.get("logprobs")))
        if words:
            self.chars += len(words)
            self.parts.append(Text(words))


def citation_of(annotation: Json, base: int) -> Citation | None:
    """`base` are the characters of the answer's text before the part that is cited."""
    url = annotation.get("url")
    if annotation.get("type") != "url_citation" or type(url) is not str:
        return None
    start, end = whole(annotation.get("start_index")), whole(annotation.get("end_index"))
    return Citation(url, base + start, base + end, text_or_empty(annotation.get("title")))


def item_parts(item: Json) -> list[Part]:
    """The parts of an item that is no message."""
    kind = item.get("type")
    match kind:
        case "function_call":
            name = text_or_empty(item.get("name"))
            return [ToolCall(text_or_empty(item.get("call_id")), name, arguments_text(item.get("arguments")))]
        case "custom_tool_call":
            body = json.encode_text({"input": text_or_empty(item.get("input"))})
            return [ToolCall(text_or_empty(item.get("call_id")), text_or_empty(item.get("name")), body)]
        case "reasoning":
            return _thoughts(item)
        case str() if kind in _DEEDS:
            try:
                return deed_parts(item, "output")
            except BadRequest:
                raise UpstreamBroken(f"The upstream's answer holds a {kind} that cannot be read.") from None
    return [Opaque(OWNER, item, f"a {kind} item")] if type(kind) is str else []


def signature_of(item: Json) -> Signature | None:
    proof = item.get("encrypted_content")
    return Signature("openai", proof, text_or_empty(item.get("id"))) if type(proof) is str and proof else None


def _thoughts(item: Json) -> list[Part]:
    signature = signature_of(item)
    raw = thought_text(item.get("content"))
    summary = thought_text(item.get("summary"))
    found: list[Part] = []
    if raw:
        found.append(Thought(raw, None if summary else signature, raw=True))
    if summary or (signature is not None and not raw):
        found.append(Thought(summary, signature))
    return found


def thought_text(parts: Any) -> str:
    return "\n\n".join(part["text"] for part in listed(parts) if type(part.get("text")) is str)


def arguments_text(value: Any) -> str:
    """Arguments as JSON text. A call without any comes as `""`; some servers send the object itself."""
    if type(value) is str:
        return value or "{}"
    return json.encode_text(value) if type(value) is dict else "{}"


def listed(value: Any) -> list[Json]:
    return [item for item in value if type(item) is dict] if type(value) is list else []


class _Counted(Struct, gc=False):
    object: str = ""
    status: str = ""
    output: msgspec.Raw = msgspec.Raw(b"")
    usage: Any = None
    error: msgspec.Raw = msgspec.Raw(b"null")


_decode_counted = msgspec.json.Decoder(_Counted).decode


def usage_of(body: bytes) -> Usage | None:
    """The counts of a one-shot answer that is passed on as it came."""
    try:
        seen = _decode_counted(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        seen = None
    if seen is not None and bytes(seen.error) == b"null":
        if seen.object == "response.input_tokens":
            return None
        if _OUTPUT.match(bytes(seen.output)) and seen.status != "failed":
            return read_usage(seen.usage)
    return read_response(body).usage
