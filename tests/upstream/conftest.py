"""Every test here runs on both event loops; those of the seam on both transports, over TCP and over TLS."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
import trustme
import uvloop
from scripted_upstream import Script, Upstream, running

from dragoman.upstream.aiohttp_transport import AiohttpTransport
from dragoman.upstream.base import Deadlines, OutgoingRequest
from dragoman.upstream.lean import LeanTransport

TRANSPORTS = {"lean": LeanTransport, "aiohttp": AiohttpTransport}
# Nothing here takes so long; it only keeps a broken test from hanging.
PATIENCE = 20.0


def pytest_asyncio_loop_factories(config: object, item: object) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    return context


@pytest.fixture(scope="session")
def client_tls(authority: trustme.CA) -> ssl.SSLContext:
    # Not the default context: reading the system's authorities would cost 30 ms.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(context)
    return context


@pytest.fixture(autouse=True)
async def no_tasks_left() -> AsyncIterator[None]:
    before = asyncio.all_tasks()
    yield
    for _ in range(5):
        await asyncio.sleep(0)
    left = {task for task in asyncio.all_tasks() - before if task is not asyncio.current_task()}
    assert not left, f"tasks left behind: {left}"


@pytest.fixture(params=TRANSPORTS)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
async def make_transport(kind: str, client_tls: ssl.SSLContext) -> AsyncIterator[Callable[..., Any]]:
    """Make transports of the kind under test that trust the test's authority; they are closed afterwards."""
    made = []

    def make(**options: Any) -> Any:
        transport = TRANSPORTS[kind](**{"ssl_context": client_tls, **options})
        made.append(transport)
        return transport

    yield make
    for transport in made:
        await asyncio.wait_for(transport.aclose(), PATIENCE)


@pytest.fixture
def transport(make_transport: Callable[..., Any]) -> Any:
    return make_transport()


@pytest.fixture(params=["tcp", "tls"])
def serve(
    request: pytest.FixtureRequest, server_tls: ssl.SSLContext
) -> Callable[[Script], AbstractAsyncContextManager[Upstream]]:
    """Run a script as a server over TCP or TLS."""
    tls = server_tls if request.param == "tls" else None

    @asynccontextmanager
    async def run(script: Script) -> AsyncIterator[Upstream]:
        async with asyncio.timeout(PATIENCE), running(script, tls) as upstream:
            yield upstream

    return run


@pytest.fixture
def ask() -> Callable[..., OutgoingRequest]:
    """Make a request to a scripted upstream."""

    def make(upstream: Upstream, method: bytes = b"POST", target: bytes = b"/", **more: Any) -> OutgoingRequest:
        if deadlines := more.pop("deadlines", None):
            more["deadlines"] = Deadlines(**deadlines)
        if method == b"POST":
            more.setdefault("body", b"{}")
        return OutgoingRequest(upstream.origin, method, target, **more)

    return make
