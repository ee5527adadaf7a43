"""What a model answered, in one piece."""

from typing import Literal

from msgspec import Struct

from dragoman.ir.parts import Extra, Part
from dragoman.ir.usage import Usage

FinishReason = Literal[
    "stop",  # a natural end
    "stop_sequence",  # one of the caller's stop strings
    "length",  # the output limit
    "context_window",  # the model's window is full
    "tool_calls",  # the turn ended to call the caller's functions
    "content_filter",  # policy cut the answer
    "refusal",  # the model itself declined
    "malformed_call",  # the vendor could not read the model's own call
    "no_media",  # a picture was asked for and none came
    "pause",  # a vendor-run tool wants to go on in another turn
    "other",
]


class Finish(Struct, frozen=True, gc=False):
    """Why a candidate ended. `native` is the vendor's own word; `message` its explanation."""

    reason: FinishReason
    native: str | None = None
    message: str | None = None
    stop_sequence: str | None = None


class Block(Struct, frozen=True, gc=False):
    """The prompt itself was refused: `reason` in lower case (`safety`, `prohibited_content`, …)."""

    reason: str
    native: str | None = None
    message: str | None = None


class TokenLogprob(Struct, frozen=True):
    """One output token; `top` holds the likeliest alternatives as (token, logprob)."""

    token: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()


class Citation(Struct, frozen=True):
    """Words of an answer that rest on a page: characters `start` to `end` of the candidate's text, which is all its text parts
    joined without anything between. `quoted` is the page's own words, where the vendor tells them."""

    url: str
    start: int
    end: int
    title: str = ""
    quoted: str = ""
    extras: tuple[Extra, ...] = ()


class Candidate(Struct, frozen=True):
    index: int
    parts: tuple[Part, ...]
    finish: Finish | None = None
    logprobs: tuple[TokenLogprob, ...] | None = None
    citations: tuple[Citation, ...] = ()
    extras: tuple[Extra, ...] = ()


class Response(Struct, frozen=True):
    """`id` and `model` are as the vendor gave them; `created` is in Unix seconds, 0 where the vendor gave none."""

    id: str
    model: str
    candidates: tuple[Candidate, ...]
    usage: Usage | None = None
    block: Block | None = None
    created: int = 0
    service_tier: str | None = None
    extras: tuple[Extra, ...] = ()
