"""Indexes of streamed calls that tell them apart, where the vendor's own do not.

Google's compatible endpoint sends the calls of one turn under one index, each with an id of its own
(NousResearch/hermes-agent#62940); OpenAI's SDKs join by index, and would make one call of them. An event in which nothing is
to be mended stays as it came.
"""

from typing import Any

import msgspec

from dragoman.wire.sse import payload

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


class CallIndexes:
    """Of one stream."""

    __slots__ = ("_choices",)

    def __init__(self) -> None:
        self._choices: dict[Any, _Calls] = {}

    def mend(self, event: bytes) -> bytes:
        if b'"tool_calls"' not in event:
            return event
        try:
            chunk = _decode(payload(event))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return event  # the caller's own reader will say what it thinks of it
        choices = chunk.get("choices") if type(chunk) is dict else None
        mended = False
        for choice in choices if type(choices) is list else ():
            delta = choice.get("delta") if type(choice) is dict else None
            calls = delta.get("tool_calls") if type(delta) is dict else None
            if type(calls) is not list or type(index := choice.get("index", 0)) is not int:
                continue
            known = self._choices.get(index)
            if known is None:
                known = self._choices[index] = _Calls()
            for call in calls:
                if type(call) is not dict or type(place := call.get("index")) is not int:
                    continue
                id = call.get("id")
                ours = known.index(place, id if type(id) is str else "")
                if ours != place:
                    call["index"] = ours
                    mended = True
        return b"data: " + _encode(chunk) + b"\n\n" if mended else event


class _Calls:
    """Of one choice: under which index of ours the last call of each index of the vendor's goes, and the id of each of ours."""

    __slots__ = ("_ids", "_ours")

    def __init__(self) -> None:
        self._ours: dict[int, int] = {}
        self._ids: dict[int, str] = {}

    def index(self, place: int, id: str) -> int:
        ours = self._ours.get(place)
        if ours is not None:
            if not id or not self._ids[ours] or id == self._ids[ours]:
                self._ids[ours] = self._ids[ours] or id
                return ours
            for known, told in self._ids.items():
                if told == id:
                    self._ours[place] = known
                    return known
        ours = place if place not in self._ids else max(self._ids) + 1
        self._ours[place] = ours
        self._ids[ours] = id
        return ours
