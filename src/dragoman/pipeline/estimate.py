"""Our own count of tokens, where a vendor told none: an answer that was cut off, or one that came without counts.

Four characters a token is what vendors themselves call a rule of thumb for English text (ai.google.dev/gemini-api/docs/tokens;
OpenAI's help centre, "What are tokens", both 2026). What is counted so is marked.
"""

from __future__ import annotations

import re

from msgspec.structs import replace

from dragoman.ir import DragomanError, Response, Usage
from dragoman.pipeline.call import Call

_CHARACTERS_A_TOKEN = 4
# Base64 of pictures and sounds is no text: a long run of it counts as one picture of middling size does at the vendors.
LONG_BODY = 16 * 1024
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{2048,}={0,2}")
MEDIA_TOKENS = 1200


def input_tokens(body: bytes) -> int:
    """About how many tokens a request's body asks a model to read."""
    size, media = len(body), 0
    if size > LONG_BODY:
        for run in _BASE64.finditer(body):
            size -= run.end() - run.start()
            media += MEDIA_TOKENS
    return -(-size // _CHARACTERS_A_TOKEN) + media


def most_input_tokens(body: bytes) -> int:
    """More than a request's body can ask a model to read, as far as text goes: of the scripts that take the most tokens, one
    token stands for two bytes of JSON. What pictures, sounds and films come to is taken for what they are in bytes, by forty."""
    size, media = len(body), 0
    if size > LONG_BODY:
        for run in _BASE64.finditer(body):
            length = run.end() - run.start()
            size -= length
            media += max(MEDIA_TOKENS, length // 40)
    return -(-size // 2) + media


def output_tokens(call: Call) -> int:
    """About how many tokens the caller was given; of a stream from its bytes, and how much of the pieces that were kept was text:
    each stands for those that came behind it. What a stream begins with may be long and say nothing."""
    if not call.relayed:
        return -(-call.said // _CHARACTERS_A_TOKEN)
    assert call.protocol is not None
    reader = call.protocol.stream_reader()
    text = share = 0.0
    ends = [*(start for start, _ in call.samples[1:]), call.relayed]
    for (start, piece), end in zip(call.samples, ends, strict=True):
        try:
            found = sum(map(_length, reader.feed(piece)))
        except DragomanError:  # pieces that were not neighbours need not fit together
            reader, found = call.protocol.stream_reader(), 0
        if found:
            share = found / len(piece)
        if found or end - start > len(piece):
            text += (end - start) * share
    return max(1, round(text / _CHARACTERS_A_TOKEN))


def characters(answer: Response) -> int:
    """How much a whole answer says."""
    return sum(_length(part) for candidate in answer.candidates for part in candidate.parts)


def _length(said: object) -> int:
    text = getattr(said, "text", None) or getattr(said, "arguments", None)
    return len(text) if isinstance(text, str) else 0


def estimated(call: Call) -> Usage:
    """What the request used, as far as it went; of a vendor's own counts, what there is of them."""
    told = call.usage
    if told is None:
        return Usage(input=input_tokens(call.body), output=output_tokens(call), estimated=True)
    return replace(told, output=max(told.output, output_tokens(call)), estimated=True)
