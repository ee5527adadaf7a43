"""Makes an answer fit for its caller: its own names for the tools, ids that every vendor will take, and what must be kept."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from dragoman.carry.ids import AnswerIds
from dragoman.carry.names import Names
from dragoman.carry.signatures import Kept
from dragoman.ir import (
    Candidate,
    Event,
    Finished,
    Part,
    Response,
    Signature,
    Text,
    TextDelta,
    Thought,
    ThoughtDelta,
    ToolCall,
    ToolCallStarted,
)


class _Step:
    """What a candidate has said since its last call."""

    __slots__ = ("before", "behind", "raw", "said", "text", "words")

    def __init__(self) -> None:
        self.before: list[Thought] = []
        self.behind: list[Thought] = []
        self.said = False
        self.text: Signature | None = None
        self.words: list[str] = []  # of a thought whose signature is to come
        self.raw = False

    def thought(self, thought: Thought) -> None:
        if thought.signature is not None or thought.redacted is not None:
            (self.behind if self.said else self.before).append(thought)

    def begin_text(self) -> None:
        self.said = True
        self.words.clear()

    def kept(self, provider: str, call: Signature | None) -> Kept | None:
        thoughts = [thought for thought in (*self.before, *self.behind) if thought.signature is not None]
        proof = call or self.text or (thoughts[0].signature if thoughts else None)
        redacted = bool(self.before or self.behind)
        if proof is None and not redacted:
            return None
        # Only Claude redacts.
        maker = proof.maker if proof is not None else "anthropic"
        return Kept(maker, provider, call, tuple(self.before), tuple(self.behind), self.text)


class Inward:
    """One answer's. `kept` is what is to be remembered, by the id that the caller is given; None for a call without a proof."""

    __slots__ = ("_at_caller", "_ids", "_provider", "_steps", "ended", "kept")

    def __init__(self, names: Names | None, given: set[str], *, provider: str, seed: str) -> None:
        self._at_caller = {} if names is None else names.at_caller
        self._ids = AnswerIds(given, seed)
        self._provider = provider
        self._steps: dict[int, _Step] = {}
        self.kept: dict[str, Kept | None] = {}
        self.ended = False

    def response(self, response: Response) -> Response:
        for candidate in response.candidates:
            if any(part.__class__ is ToolCall for part in candidate.parts):
                candidates = tuple([self._candidate(candidate) for candidate in response.candidates])
                return replace(response, candidates=candidates)
        return response

    def _candidate(self, candidate: Candidate) -> Candidate:
        step = _Step()
        parts: list[Part] = []
        for part in candidate.parts:
            if isinstance(part, ToolCall):
                id = self._call(step, part.id, part.signature)
                step = _Step()
                part = replace(part, id=id, name=self._at_caller.get(part.name, part.name))
            elif isinstance(part, Thought):
                step.thought(part)
            elif isinstance(part, Text):
                step.said = True
                step.text = part.signature or step.text
            parts.append(part)
        return replace(candidate, parts=tuple(parts))

    def events(self, events: Sequence[Event]) -> list[Event]:
        """`ended` says afterwards whether a candidate's end is among them, before which is told what must be kept."""
        self.ended = False
        told: list[Event] = []
        for event in events:
            kind = event.__class__
            if kind is TextDelta:
                self._text(event)  # type: ignore[arg-type]
            elif kind is ThoughtDelta:
                self._thought(event)  # type: ignore[arg-type]
            elif kind is ToolCallStarted:
                event = self._started(event)  # type: ignore[arg-type]
            elif kind is Finished:
                self.ended = True
            told.append(event)
        return told

    def _step(self, index: int) -> _Step:
        step = self._steps.get(index)
        if step is None:
            step = self._steps[index] = _Step()
        return step

    def _text(self, event: TextDelta) -> None:
        step = self._step(event.index)
        step.begin_text()
        if event.signature is not None:
            step.text = event.signature

    def _thought(self, event: ThoughtDelta) -> None:
        step = self._step(event.index)
        if event.text:
            if event.raw != step.raw:  # OpenAI's reasoning items may hold both; what is signed comes last
                step.words.clear()
                step.raw = event.raw
            step.words.append(event.text)
        if event.signature is not None or event.redacted is not None:
            raw = step.raw if step.words else event.raw
            step.thought(Thought("".join(step.words), event.signature, event.redacted, raw))
            step.words.clear()

    def _started(self, event: ToolCallStarted) -> ToolCallStarted:
        id = self._call(self._step(event.index), event.id, event.signature)
        self._steps[event.index] = _Step()
        name = self._at_caller.get(event.name, event.name)
        return ToolCallStarted(event.index, event.call, id, name, event.signature)

    def _call(self, step: _Step, id: str, signature: Signature | None) -> str:
        handed = self._ids.call(id)
        self.kept[handed] = step.kept(self._provider, signature)
        return handed
