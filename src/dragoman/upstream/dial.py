"""Open one connection: DNS, happy eyeballs, TCP, TLS, all within one deadline."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import TypeVar

from aiohappyeyeballs import start_connection

from dragoman.upstream.base import Origin
from dragoman.upstream.errors import ConnectFailed, DeadlineExceeded, Phase
from dragoman.upstream.request_head import ascii_host

# How long the first address family is given before the second is tried beside it (RFC 8305, section 5).
_EYEBALLS_DELAY = 0.25

P = TypeVar("P", bound=asyncio.Protocol)


async def dial(origin: Origin, make: Callable[[], P], tls: ssl.SSLContext | None, at: float, phase: Phase) -> P:
    """Return a connected protocol made by `make`; `at` is the deadline in the loop's time.

    Raises ConnectFailed, and DeadlineExceeded with the given phase.
    """
    limit = asyncio.timeout_at(at)
    try:
        async with limit:
            return await _connect(origin, make, tls)
    except TimeoutError as error:
        if not limit.expired():
            raise ConnectFailed(f"cannot connect to {_name(origin)}: {error}", reason="unreachable") from error
        raise DeadlineExceeded(
            f"no connection to {_name(origin)} within the {phase} deadline", phase=phase, sent=False
        ) from None


async def _connect(origin: Origin, make: Callable[[], P], tls: ssl.SSLContext | None) -> P:
    loop = asyncio.get_running_loop()
    if origin.scheme == "unix":
        return await _connect_here(origin, make, loop)
    try:
        host = ascii_host(origin.host)
        addresses = await loop.getaddrinfo(host, origin.port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        raise ConnectFailed(f"cannot resolve {origin.host!r}: {error}", reason="dns") from error
    try:
        sock = await start_connection(addresses, happy_eyeballs_delay=_EYEBALLS_DELAY, interleave=1, loop=loop)
    except ConnectionRefusedError as error:
        raise ConnectFailed(f"{_name(origin)} refused the connection", reason="refused") from error
    except TimeoutError:
        raise
    except OSError as error:
        raise ConnectFailed(f"cannot connect to {_name(origin)}: {error}", reason="unreachable") from error
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _, protocol = await loop.create_connection(
            make, sock=sock, ssl=tls, server_hostname=host if tls is not None else None
        )
    except BaseException as error:
        sock.close()
        if isinstance(error, OSError) and not isinstance(error, TimeoutError):
            if tls is not None:
                raise ConnectFailed(f"no TLS with {_name(origin)}: {error}", reason="tls") from error
            raise ConnectFailed(f"cannot connect to {_name(origin)}: {error}", reason="unreachable") from error
        raise
    return protocol


async def _connect_here(origin: Origin, make: Callable[[], P], loop: asyncio.AbstractEventLoop) -> P:
    try:
        _, protocol = await loop.create_unix_connection(make, origin.host)
    except TimeoutError:
        raise
    except OSError as error:
        raise ConnectFailed(f"cannot connect to {_name(origin)}: {error}", reason="refused") from error
    return protocol


def _name(origin: Origin) -> str:
    if origin.scheme == "unix":
        return f"unix:{origin.host}"
    return f"{origin.scheme}://{origin.host}:{origin.port}"
