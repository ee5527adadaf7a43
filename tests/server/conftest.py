"""The HTTP connection under a real uvicorn, with an application that a test gives."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import uvicorn

from dragoman.server.http import CallerConnection

Serve = Callable[..., contextlib.AbstractAsyncContextManager[int]]


@pytest.fixture
def serve() -> Serve:
    """Serves an ASGI application on a free port, which is given."""

    @contextlib.asynccontextmanager
    async def run(
        application: Callable[[Any, Any, Any], Awaitable[None]], connection: type[CallerConnection] = CallerConnection
    ) -> AsyncIterator[int]:
        config = uvicorn.Config(
            application, http=connection, ws="none", lifespan="off", log_config=None, access_log=False, port=0
        )
        config.load()
        server = uvicorn.Server(config)
        server.lifespan = config.lifespan_class(config)
        await server.startup()
        try:
            yield server.servers[0].sockets[0].getsockname()[1]
        finally:
            server.should_exit = True
            await server.shutdown()

    return run
