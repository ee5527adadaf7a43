"""Call ids that every vendor takes: at most 40 characters of `[A-Za-z0-9_-]`, each once in a conversation.

(A `tool_call_id` of Chat Completions has at most 40 characters; Anthropic's ids fit `^[a-zA-Z0-9_-]+$` and are unique.) An id
that does not fit becomes a hash of itself, so that calls and results agree in every replay, and nothing need be kept.
"""

import re
from collections import deque
from hashlib import sha256

from dragoman.ir import ToolCall, ToolResult

# What the ids begin with that are made for calls which have none. Gemini, which may give none, is not told of them.
MINTED = "gcall_"
_fits = re.compile(r"[A-Za-z0-9_-]{1,40}").fullmatch


def _hash(seed: str) -> str:
    return sha256(seed.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def legal(id: str) -> str:
    return id if _fits(id) else f"call_{_hash(id)}"


class HistoryIds:
    """The ids of a conversation, as its vendor gets them. `given` are those that its caller knows."""

    __slots__ = ("_last", "_used", "_waiting", "given")

    def __init__(self) -> None:
        self.given: set[str] = set()
        self._used: set[str] = set()
        # Calls without a result so far: (name, id as written), by the caller's id.
        self._waiting: dict[str, deque[tuple[str, str]]] = {}
        self._last: dict[str, str] = {}

    def call(self, call: ToolCall, turn: int, number: int) -> str:
        given = call.id
        if given:
            self.given.add(given)
            written = legal(given)
        else:
            written = f"{MINTED}{_hash(f'{turn}:{number}:{call.name}:{call.arguments}')}"
        if written in self._used:
            # Some servers count their calls anew in each answer; Anthropic's refuses an id that comes twice.
            written = f"call_{_hash(f'{given}:{turn}:{number}')}"
        self._used.add(written)
        self._last[given] = written
        self._waiting.setdefault(given, deque()).append((call.name, written))
        return written

    def result(self, result: ToolResult) -> str:
        """That of the call it answers: the first of its id that still waits; without an id, the first of its name."""
        waiting = self._waiting.get(result.call_id)
        if not waiting:
            return self._last.get(result.call_id) or legal(result.call_id)
        if not result.call_id:
            for at, (name, written) in enumerate(waiting):
                if name == result.name:
                    del waiting[at]
                    return written
        return waiting.popleft()[1]


class AnswerIds:
    """The ids of one answer's calls, as its caller gets them: the vendor's own where they fit and are new.

    `seed` is the answer's own: a minted id must not be another conversation's, for signatures are kept under it."""

    __slots__ = ("_given", "_minted", "_seed")

    def __init__(self, given: set[str], seed: str) -> None:
        self._given = given
        self._seed = seed
        self._minted = 0

    def call(self, id: str) -> str:
        handed = legal(id) if id else ""
        if not handed or handed in self._given:
            self._minted += 1
            handed = f"{MINTED}{_hash(f'{self._seed}:{self._minted}')}"
        self._given.add(handed)
        return handed
