"""Calls and their results in the order that the strictest vendors want: after the turn that calls come all its results, one for
each call, in the calls' order, and nothing before them.

Gemini answers 400 where the numbers differ ("the number of function response parts is equal to the number of function call
parts"), OpenAI where a call has no `tool` message, Anthropic where a result has no call. How a turn is written stays the
writers' business.
"""

from collections import deque

from dragoman.ir.loss import Losses
from dragoman.ir.parts import FetchResult, Part, SearchResult, Text, ToolCall, ToolResult
from dragoman.ir.request import Message

NO_RESULT = "No result was given."
_Placed = tuple[Part, str]


def paired(messages: tuple[Message, ...], losses: Losses) -> tuple[Message, ...]:
    """The same conversation so ordered. A call without a result, where the conversation goes on, gets one that says so; a result
    without a call becomes text; both are losses. Calls that nothing follows are left as they are."""
    if not _has_tools(messages):
        return messages
    ordered: list[Message] = []
    calls: list[tuple[ToolCall, str]] = []  # of the assistant's turn before, each with its place
    at = 0
    while at < len(messages):
        message = messages[at]
        if message.role == "assistant":
            if not (ordered and ordered[-1].role == "assistant"):
                calls = []
            for number, part in enumerate(message.parts):
                if part.__class__ is ToolCall:
                    calls.append((part, losses.part_path(message, number)))
            ordered.append(message)
            at += 1
            continue
        end = at
        while end < len(messages) and messages[end].role != "assistant":
            end += 1
        _settle(messages[at:end], calls, losses, ordered)
        calls = []
        at = end
    return tuple(ordered)


def has_result(parts: tuple[Part, ...], number: int) -> bool:
    """Whether what a search found, or the reading of a page gave, stands right after the part that it is of."""
    return number + 1 < len(parts) and isinstance(parts[number + 1], SearchResult | FetchResult)


def _has_tools(messages: tuple[Message, ...]) -> bool:
    for message in messages:
        for part in message.parts:
            if part.__class__ is ToolCall or part.__class__ is ToolResult:
                return True
    return False


def _settle(
    turns: tuple[Message, ...], calls: list[tuple[ToolCall, str]], losses: Losses, ordered: list[Message]
) -> None:
    """Puts into `ordered` what was said between two of the assistant's turns, the first of which made `calls`."""
    if _is_settled(turns, calls):
        ordered += turns
        return
    given: list[_Placed | None] = [None] * len(calls)
    waiting = _Open(calls, given)
    rest: list[Message] = []
    for turn in turns:
        kept: list[_Placed] = []
        for number, part in enumerate(turn.parts):
            path = losses.part_path(turn, number)
            if not isinstance(part, ToolResult):
                kept.append((part, path))
                continue
            asked = waiting.asked(part)
            if asked is None:
                losses.add_path(path, "no call before it asks for this result; it is told as text")
                kept.append((Text(f"Result of {part.name or part.call_id or 'a call'}: {part.content}"), path))
                kept += [(media, path) for media in part.media]
                continue
            call = calls[asked][0]
            given[asked] = (_of(part, call), path)
        if len(kept) == len(turn.parts):
            rest.append(
                turn if all(now is was for (now, _), was in zip(kept, turn.parts, strict=True)) else _turn(turn, kept)
            )
        elif kept:
            rest.append(_turn(turn, kept))
    if calls:
        results: list[_Placed] = []
        for (call, place), result in zip(calls, given, strict=True):
            if result is None:
                losses.add_path(place, "the call has no result; the model is told that none was given")
                result = ToolResult(call.id, call.name, NO_RESULT, is_error=True), place
            results.append(result)
        ordered.append(_turn(Message("user", (), turns[0].origin), results))
    ordered += rest


def _is_settled(turns: tuple[Message, ...], calls: list[tuple[ToolCall, str]]) -> bool:
    """Whether the first turn begins with the results in their order, and there are no others."""
    found = 0
    for number, turn in enumerate(turns):
        for at, part in enumerate(turn.parts):
            if part.__class__ is not ToolResult:
                continue
            if number or at != found or found == len(calls) or part.call_id != calls[found][0].id or not part.call_id:
                return False
            found += 1
    return found == len(calls)


class _Open:
    """The calls of one turn that have no result yet."""

    __slots__ = ("_by_id", "_by_name", "_given", "_next")

    def __init__(self, calls: list[tuple[ToolCall, str]], given: list[_Placed | None]) -> None:
        self._given = given
        self._next = 0
        self._by_id: dict[str, deque[int]] = {}
        self._by_name: dict[str, deque[int]] = {}
        for number, (call, _) in enumerate(calls):
            self._by_id.setdefault(call.id, deque()).append(number)
            self._by_name.setdefault(call.name, deque()).append(number)

    def asked(self, result: ToolResult) -> int | None:
        """The ordinal of the call that the result answers: by its id, else the first open one of its name, else, where it has
        neither, the first open one."""
        if result.call_id:
            found = self._first(self._by_id.get(result.call_id))
            if found is not None:
                return found
        if result.name:
            return self._first(self._by_name.get(result.name))
        if result.call_id:
            return None
        while self._next < len(self._given) and self._given[self._next] is not None:
            self._next += 1
        return self._next if self._next < len(self._given) else None

    def _first(self, numbers: deque[int] | None) -> int | None:
        while numbers:
            if self._given[numbers[0]] is None:
                return numbers[0]
            numbers.popleft()
        return None


def _of(result: ToolResult, call: ToolCall) -> ToolResult:
    if result.call_id == call.id:
        return result
    return ToolResult(call.id, call.name, result.content, result.is_json, result.is_error, result.media, result.extras)


def _turn(turn: Message, placed: list[_Placed]) -> Message:
    return Message(
        turn.role, tuple([part for part, _ in placed]), turn.origin, turn.name, tuple([path for _, path in placed])
    )
