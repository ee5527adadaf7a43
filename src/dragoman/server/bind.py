"""Opening the public port: loopback unless told otherwise, and never wider with a root key that anybody could guess."""

from __future__ import annotations

import ipaddress
import socket

EXAMPLE_KEYS = frozenset(
    {"sk-1234", "changeme", "change-me", "secret", "root", "admin", "password", "test", "example", "dragoman"}
)
_LEAST_KEY = 16


class BindError(Exception):
    """The port cannot be opened, or may not be; the message says what to do."""


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def check_exposure(host: str, root_key: str | None) -> None:
    """Raises BindError for a bind wider than loopback without a root key of the operator's own."""
    if is_loopback(host):
        return
    if root_key is None:
        raise BindError(
            f"Refusing to listen on {host}: that is wider than this machine, and DRAGOMAN_ROOT_KEY is not set. "
            f'Set it to a long random secret, e.g. DRAGOMAN_ROOT_KEY="$(openssl rand -hex 32)", or listen on 127.0.0.1.'
        )
    if root_key.lower() in EXAMPLE_KEYS or len(root_key) < _LEAST_KEY:
        raise BindError(
            f"Refusing to listen on {host}: DRAGOMAN_ROOT_KEY is an example or shorter than {_LEAST_KEY} characters. "
            f'Set it to a long random secret, e.g. DRAGOMAN_ROOT_KEY="$(openssl rand -hex 32)".'
        )


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises BindError."""
    try:
        family, kind, number, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise BindError(f"Cannot listen on {host}: {error.strerror or error}. Check --host.") from None
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
