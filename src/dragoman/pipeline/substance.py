"""Whether an answer says anything: a success that is empty because the vendor's model went wrong is an error in disguise."""

from __future__ import annotations

from collections.abc import Sequence

from dragoman.ir import (
    Event,
    Finish,
    Finished,
    Response,
    Started,
    TextDelta,
    ThoughtDelta,
    UpstreamBroken,
    UsageReported,
)

# A natural end, the token limit and a refusal are answers, empty as they may be; these are not.
_WENT_WRONG = frozenset({"malformed_call", "no_media", "other"})


def check_answer(response: Response, provider: str) -> None:
    """Raises UpstreamBroken where every candidate is empty and went wrong."""
    if not response.candidates or response.block is not None:
        return
    for candidate in response.candidates:
        if candidate.parts or candidate.finish is None or candidate.finish.reason not in _WENT_WRONG:
            return
    finish = response.candidates[0].finish
    assert finish is not None
    raise _empty(finish, provider)


def check_first_events(events: Sequence[Event], provider: str) -> bool:
    """The same for the events of a stream of which nothing has said anything yet: whether these do.

    Raises where they are its end and it is none."""
    finish: Finish | None = None
    for event in events:
        if isinstance(event, Finished):
            if event.finish.reason not in _WENT_WRONG:
                return True
            finish = event.finish
        elif not isinstance(event, Started | UsageReported | TextDelta | ThoughtDelta) or _says(event):
            return True
    if finish is not None:
        raise _empty(finish, provider)
    return False


def _says(event: Started | UsageReported | TextDelta | ThoughtDelta) -> bool:
    match event:
        case TextDelta():
            return bool(event.text or event.signature)
        case ThoughtDelta():
            return bool(event.text or event.signature or event.redacted)
    return False


def _empty(finish: Finish, provider: str) -> UpstreamBroken:
    words = ": ".join(word for word in (finish.native or finish.reason, finish.message) if word)
    return UpstreamBroken(f"The provider {provider!r} ended without an answer ({words}).", code="empty_answer")
