"""A streamed call whose name has not come yet.

Some vendors tell a call's id in one chunk and its function's name in the next. Callers of other protocols are told a call with
its name or not at all, so that it waits; what comes meanwhile of its arguments is bounded.
"""

from dragoman.ir import Event, Signature, ToolCallDelta, ToolCallStarted

LONGEST = 1 << 20  # characters of arguments


class Nameless:
    __slots__ = ("_length", "_pieces", "signature")

    def __init__(self, signature: Signature | None) -> None:
        self.signature = signature
        self._pieces: list[str] = []
        self._length = 0

    @property
    def says(self) -> bool:
        return self._length > 0

    def add(self, arguments: str) -> bool:
        """False where it has waited for too long."""
        self._pieces.append(arguments)
        self._length += len(arguments)
        return self._length <= LONGEST

    def named(self, index: int, ordinal: int, id: str, name: str) -> list[Event]:
        started = ToolCallStarted(index, ordinal, id, name, self.signature)
        if not self._pieces:
            return [started]
        return [started, ToolCallDelta(index, ordinal, "".join(self._pieces))]
