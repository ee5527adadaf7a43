"""Makes a request fit for its vendor: names and ids that it takes, and its own signatures back on the calls of the history."""

from __future__ import annotations

import re
from collections.abc import Callable

from msgspec.structs import replace

from dragoman.carry.ids import HistoryIds
from dragoman.carry.names import Names, names_for, renamed_choice, renamed_tools, renamed_turn
from dragoman.carry.signatures import Kept
from dragoman.ir import Losses, Message, Part, Request, Signature, Text, Thought, ToolCall, ToolResult

# Documented for calls that Gemini did not make, or whose signature is lost (the thought-signatures page, Vertex too, 2026-10);
# sent literally.
SKIP = "skip_thought_signature_validator"

Recall = Callable[[str], Kept | None]


def carries(request: Request) -> bool:
    """Whether there is anything to do at all: not without tools and calls."""
    if request.tools:
        return True
    for message in request.messages:
        for part in message.parts:
            if part.__class__ is ToolCall or part.__class__ is ToolResult:
                return True
    return False


def history_calls(request: Request) -> list[str]:
    """The ids of the calls in the history, as the caller has them."""
    return [
        part.id
        for message in request.messages
        if message.role == "assistant"
        for part in message.parts
        if part.__class__ is ToolCall and part.id
    ]


def outward(
    request: Request, legal: re.Pattern[str], recall: Recall | None, losses: Losses, *, signed_calls: bool = False
) -> tuple[Request, Names | None, set[str]]:
    """The request for its vendor, the names that were changed, and the ids that the caller knows.

    `recall` gives what is kept with a call and is good for the vendor; None where it signs nothing. `signed_calls`: the vendor
    refuses a call without its signature."""
    names = names_for(request, legal)
    ids = HistoryIds()
    messages = list(request.messages)
    changed = False
    first = -1
    for at, message in enumerate(request.messages):
        if message.role == "assistant":
            first = at if first < 0 else first
            continue
        if first >= 0:
            changed |= _run(messages, first, at, ids, recall, losses)
            first = -1
        answered = _answered(message, ids)
        if answered is not message:
            messages[at] = answered
            changed = True
    if first >= 0:
        changed |= _run(messages, first, len(messages), ids, recall, losses)
    if signed_calls:
        changed |= _sign_the_rest(messages, losses)
    if names is not None:
        renamed = names.at_vendor
        messages = [renamed_turn(message, renamed) for message in messages]
        request = replace(
            request,
            tools=renamed_tools(request.tools, renamed),
            tool_choice=renamed_choice(request.tool_choice, renamed),
        )
        changed = True
    return replace(request, messages=tuple(messages)) if changed else request, names, ids.used


def _answered(message: Message, ids: HistoryIds) -> Message:
    """A user's turn with its results under the ids of their calls."""
    parts: list[Part] | None = None
    for number, part in enumerate(message.parts):
        if part.__class__ is not ToolResult:
            continue
        id = ids.result(part)
        if id != part.call_id:
            parts = parts or list(message.parts)
            parts[number] = replace(part, call_id=id)
    return message if parts is None else replace(message, parts=tuple(parts))


def _run(messages: list[Message], first: int, end: int, ids: HistoryIds, recall: Recall | None, losses: Losses) -> bool:
    """The assistant's turns that follow each other are one answer: what stood before a call may be another turn's by now.

    Whether anything is changed."""
    calls: dict[tuple[int, int], tuple[str, Kept | None]] = {}
    changed = False
    for turn in range(first, end):
        for number, part in enumerate(messages[turn].parts):
            if part.__class__ is ToolCall:
                id = ids.call(part, turn, number)
                kept = recall(part.id) if recall is not None and part.id and part.signature is None else None
                calls[turn, number] = (id, kept)
                changed = changed or kept is not None or id != part.id
    if not changed:
        return False
    run = _Run(losses)
    for turn in range(first, end):
        message = messages[turn]
        for number, part in enumerate(message.parts):
            if isinstance(part, ToolCall):
                id, kept = calls[turn, number]
                written = part if id == part.id else replace(part, id=id)
                run.call(turn, message, number, written, None if run.is_signed else kept)
            else:
                run.add(turn, message, number, part)
    for turn in range(first, end):
        messages[turn] = run.message(turn, messages[turn])
    return True


class _Run:
    """Parts as they come, each with its turn and its place in the caller's body. A step begins behind the last call."""

    __slots__ = ("_begun", "_losses", "_moved", "_parts")

    def __init__(self, losses: Losses) -> None:
        self._losses = losses
        self._parts: list[tuple[int, Part, tuple[Message, int]]] = []
        self._begun = 0
        self._moved: set[int] = set()  # turns that have other parts than they had

    @property
    def is_signed(self) -> bool:
        """Whether the caller itself gave back what the vendor signed."""
        return any(
            isinstance(part, Thought) and (part.signature is not None or part.redacted is not None)
            for _, part, _ in self._parts[self._begun :]
        )

    def add(self, turn: int, message: Message, number: int, part: Part) -> None:
        self._parts.append((turn, part, (message, number)))

    def call(self, turn: int, message: Message, number: int, call: ToolCall, kept: Kept | None) -> None:
        here = (message, number)
        if kept is not None:
            if kept.before or kept.behind:
                self._put_back(turn, here, kept)
            if kept.text is not None:
                self._sign_text(kept.text)
            if kept.call is not None:
                call = replace(call, signature=kept.call)
        self._parts.append((turn, call, here))
        self._begun = len(self._parts)

    def _put_back(self, turn: int, here: tuple[Message, int], kept: Kept) -> None:
        """The vendor's own thoughts in place of what the caller has of them."""
        step = self._parts[self._begun :]
        first = step[0][0] if step else turn
        said = [held for held in step if not isinstance(held[1], Thought)]
        self._parts[self._begun :] = [
            *((first, thought, here) for thought in kept.before),
            *said,
            *((turn, thought, here) for thought in kept.behind),
        ]
        self._moved.update(held[0] for held in step)
        self._moved.update((first, turn))

    def _sign_text(self, signature: Signature) -> None:
        for at in range(len(self._parts) - 1, self._begun - 1, -1):
            turn, part, place = self._parts[at]
            if isinstance(part, Text):
                if part.signature is None:
                    self._parts[at] = (turn, replace(part, signature=signature), place)
                return

    def message(self, turn: int, message: Message) -> Message:
        mine = [(part, place) for number, part, place in self._parts if number == turn]
        parts = tuple([part for part, _ in mine])
        if turn in self._moved:
            return replace(message, parts=parts, places=tuple([self._losses.part_path(*place) for _, place in mine]))
        if all(part is was for part, was in zip(parts, message.parts, strict=True)):
            return message
        return replace(message, parts=parts)


def _sign_the_rest(messages: list[Message], losses: Losses) -> bool:
    """Gemini 3 looks at the current turn, which begins behind the last turn of the user's that is more than results, and there at
    the first call of each step."""
    start = len(messages)
    while start and (
        messages[start - 1].role == "assistant"
        or all(part.__class__ is ToolResult for part in messages[start - 1].parts)
    ):
        start -= 1
    stepped = False
    changed = False
    for turn in range(start, len(messages)):
        message = messages[turn]
        if message.role != "assistant":
            stepped = False
            continue
        for number, part in enumerate(message.parts):
            if stepped or not isinstance(part, ToolCall):
                continue
            stepped = True
            if part.signature is None or part.signature.maker != "gemini":
                losses.add_part(message, number, "the call's signature is not known; the vendor is told to do without")
                signed = replace(part, signature=Signature("gemini", SKIP))
                messages[turn] = replace(message, parts=(*message.parts[:number], signed, *message.parts[number + 1 :]))
                changed = True
    return changed
