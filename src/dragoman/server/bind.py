"""Opening the public port: loopback unless told otherwise, and never wider with a root key that anybody could guess."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from typing import Any

from dragoman.config import FileKey
from dragoman.config.check import LEAST_KEY

EXAMPLE_KEYS = frozenset(
    {"sk-1234", "changeme", "change-me", "secret", "root", "admin", "password", "test", "example", "dragoman"}
)
_NO_SUCH_HOST = (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME))


class BindError(Exception):
    """The port cannot be opened, or may not be; the message says what to do."""


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def check_exposure(host: str, root_key: str | None, keys: Iterable[FileKey] = ()) -> None:
    """Raises BindError for a bind wider than loopback without a root key of the operator's own, or with a caller's key
    that could be guessed; and for a host that is none."""
    if is_loopback(host):
        return
    _resolve(host, 0)
    if root_key is None:
        raise BindError(
            f"Refusing to listen on {host}: that is wider than this machine, and DRAGOMAN_ROOT_KEY is not set. "
            f'Set it to a long random secret, e.g. DRAGOMAN_ROOT_KEY="$(openssl rand -hex 32)", or listen on 127.0.0.1.'
        )
    if root_key.lower() in EXAMPLE_KEYS or len(root_key) < LEAST_KEY:
        raise BindError(
            f"Refusing to listen on {host}: DRAGOMAN_ROOT_KEY is an example or shorter than {LEAST_KEY} characters. "
            f'Set it to a long random secret, e.g. DRAGOMAN_ROOT_KEY="$(openssl rand -hex 32)".'
        )
    short = [key.name for key in keys if len(key.key.get_secret_value()) < LEAST_KEY]
    if short:
        raise BindError(
            f"Refusing to listen on {host}: the key of {', '.join(map(repr, short))} in the configuration is shorter than "
            f'{LEAST_KEY} characters and could be guessed. Make another, e.g. "$(openssl rand -hex 32)".'
        )


def _resolve(host: str, port: int) -> tuple[Any, ...]:
    try:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except (OSError, UnicodeError) as error:
        if isinstance(error, UnicodeError) or error.errno in _NO_SUCH_HOST:
            raise BindError(f"Cannot listen on {host}: there is no such host. Check --host.") from None
        raise BindError(f"Cannot listen on {host}: {error.strerror or error}. Check --host.") from None


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises BindError."""
    family, kind, number, _, address = _resolve(host, port)
    opened = socket.socket(family, kind, number)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(address)
        opened.listen(2048)
    except OSError as error:
        opened.close()
        if isinstance(error, PermissionError):
            raise BindError(f"Not allowed to listen on port {port}. Take one above 1023, e.g. --port 8000.") from None
        raise BindError(
            f"Cannot listen on {host}:{port}: {error.strerror or error}. If another program has the port, "
            f"take another one, e.g. --port {port + 1 if 0 < port < 65535 else 8000}."
        ) from None
    opened.setblocking(False)
    return opened
