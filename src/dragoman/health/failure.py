"""What kind of failure an error is: whose fault, and who might do better."""

from __future__ import annotations

import re
from enum import Enum

from dragoman.ir import (
    DragomanError,
    Overloaded,
    UpstreamCredentials,
    UpstreamError,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)


class Failure(Enum):
    """In the order of what a caller should be told of several: what can be mended first."""

    CALLER = "the request itself"
    """No target would do better."""
    WAIT = "asked to wait"
    """This credential, for this model."""
    FAULT = "failed"
    """The target's: others may do better, and the same one a little later."""
    FULL = "full"
    """No place of our own: no word about the target."""
    TOO_LONG = "too long for it"
    """A target with a larger window may take it."""
    CREDENTIAL = "refused the credential"
    """The gateway's own credential, which is the operator's to mend."""
    UNFIT = "cannot carry it"
    """Nobody was asked."""


# OpenAI says it by code, others in words (docs of vLLM, Mistral, Groq, 2025).
_TOO_LONG = re.compile(
    r"maximum context length|context[ _](?:length|window|limit)|prompt is too long|too many (?:input )?tokens"
    r"|exceeds? the (?:maximum|model's|context)[^.]{0,40}tokens|input is too long",
    re.IGNORECASE,
)


def failure_of(error: DragomanError) -> Failure:
    if isinstance(error, UpstreamCredentials):
        return Failure.CREDENTIAL
    if isinstance(error, Overloaded):
        return Failure.FULL
    if not isinstance(error, UpstreamRefused):
        return Failure.FAULT if isinstance(error, UpstreamError) else Failure.CALLER
    status = error.status
    if status == 429:
        return Failure.WAIT
    if status == 501:
        return Failure.UNFIT
    if status >= 500 or status == 408 or "overloaded" in f"{error.code} {error.native}".lower():
        return Failure.FAULT
    if error.code == "context_length_exceeded" or (status in (400, 413, 422) and _TOO_LONG.search(error.message)):
        return Failure.TOO_LONG
    return Failure.CALLER


def weight_of(error: DragomanError) -> int:
    """How many failures an error counts for: where no connection can be made, nothing else is to be expected,
    and where no answer comes in time, each further try costs a caller that time."""
    return 2 if isinstance(error, UpstreamUnreachable | UpstreamTimeout) else 1
