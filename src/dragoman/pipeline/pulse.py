"""Signs of life to a caller whose stream has begun and whose vendor is silent: what lies between does not take it for dead.

Each protocol has its own (`sign_of_life`), which its clients pass over. Before the stream has begun there is none: its status is
still open. Costs one timer a stream, which is not moved when something comes.
"""

from __future__ import annotations

import asyncio

from dragoman.pipeline.call import Call
from dragoman.pipeline.caller import Caller

# Seconds. Proxies and load balancers give up on a connection after 30 to 60 s of silence; this comes within twice as long.
EVERY = 12.0


class Pulse:
    __slots__ = ("_call", "_caller", "_loop", "_sign", "_size", "_timer")

    def __init__(self, call: Call, caller: Caller) -> None:
        assert call.protocol is not None
        self._sign = call.protocol.sign_of_life
        self._call = call
        self._caller = caller
        self._size = 0
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(EVERY, self._beat)

    def end(self) -> None:
        self._timer.cancel()

    def _beat(self) -> None:
        size = self._call.heard.size
        if size == self._size and self._caller.started:
            self._caller.nudge(self._sign)
        self._size = size
        self._timer = self._loop.call_later(EVERY, self._beat)
