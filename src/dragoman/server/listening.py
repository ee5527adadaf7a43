"""uvicorn as our processes run it: on a socket that the supervisor has opened, and without what we do ourselves."""

from __future__ import annotations

import socket
import ssl
from typing import Any

import uvicorn

# In the admin process longer than workers keep a connection that they do not use.
_KEEP_ALIVE_SECONDS = 75


def server_of(application: Any, **more: Any) -> uvicorn.Server:
    """`more` as uvicorn.Config has it."""
    return uvicorn.Server(
        uvicorn.Config(
            application,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            # X-Forwarded-For would be believed from any local process; and a layer more costs every request.
            proxy_headers=False,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=2,
            **more,
        )
    )


async def begin(server: uvicorn.Server, listener: socket.socket) -> None:
    """From now on connections are taken; `main_loop` and `shutdown` are the caller's."""
    config = server.config
    config.load()
    if config.ssl is not None:
        config.ssl.minimum_version = ssl.TLSVersion.TLSv1_2
    server.lifespan = config.lifespan_class(config)
    await server.startup(sockets=[listener])
