"""uvicorn's HTTP/1.1 connection, with one thing added: a caller that leaves cancels the task that serves it.

ASGI tells of a caller's leaving only to those who wait in `receive`, which would cost every request a task of its own.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# Where the application leaves its task, for the connection to find.
TASK = "dragoman.task"


class CallerConnection(HttpToolsProtocol):
    def connection_lost(self, exc: Exception | None) -> None:
        cycle: Any = self.cycle
        super().connection_lost(exc)
        if cycle is not None and not cycle.response_complete:
            task: asyncio.Task[Any] | None = cycle.scope.get(TASK)
            if task is not None:
                task.cancel()
