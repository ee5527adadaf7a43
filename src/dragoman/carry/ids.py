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
    """The ids of a conversation, as its vendor gets them. `used` are all of them, and those that its caller knows.

    The common id fits and comes once, and costs a look at a set."""

    __slots__ = ("_changed", "_open", "used")

    def __init__(self) -> None:
        self.used: set[str] = set()
        self._open: set[str] = set()  # calls without a result so far, whose id is the caller's
        # By the caller's id: (name, id as written) of those that wait, and the last one written.
        self._changed: dict[str, tuple[deque[tuple[str, str]], str]] = {}

    def call(self, call: ToolCall, turn: int, number: int) -> str:
        given = call.id
        if given not in self.used and _fits(given):
            self.used.add(given)
            self._open.add(given)
            return given
        written = legal(given) if given else f"{MINTED}{_hash(f'{turn}:{number}:{call.name}:{call.arguments}')}"
        if written in self.used:
            # Some servers count their calls anew in each answer; Anthropic's refuses an id that comes twice.
            written = f"call_{_hash(f'{given}:{turn}:{number}')}"
        self.used.add(given)
        self.used.add(written)
        waiting = self._changed[given][0] if given in self._changed else deque()
        if given in self._open:
            self._open.remove(given)
            waiting.append(("", given))
        waiting.append((call.name, written))
        self._changed[given] = (waiting, written)
        return written

    def result(self, result: ToolResult) -> str:
        """That of the call it answers: the first of its id that still waits; without an id, the first of its name."""
        id = result.call_id
        if id in self._open:
            self._open.remove(id)
            return id
        if id not in self._changed:
            return legal(id)
        waiting, last = self._changed[id]
        if not waiting:
            return last
        if not id:
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
