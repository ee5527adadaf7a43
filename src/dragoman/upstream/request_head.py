"""A request as bytes: the request line, Host, the caller's headers, the framing.

Knows nothing of connections. One join a request, and two scans of the result instead of a check of every header.
"""

from __future__ import annotations

from dragoman.upstream.base import Origin, OutgoingRequest

_DEFAULT_PORTS = {"http": 80, "https": 443}
# Methods for which a missing body is the rule, so that `Content-Length: 0` would be odd.
_BODILESS = frozenset((b"GET", b"HEAD", b"DELETE", b"OPTIONS"))
# Set here and nowhere else: two writers of the framing is how requests are smuggled.
_OURS = (b"\nhost:", b"\ncontent-length:", b"\ntransfer-encoding:", b"\nconnection:", b"\nexpect:")


def ascii_host(host: str) -> str:
    """Return the host as DNS and TLS want it: ASCII, by IDNA where needed. Raises UnicodeError."""
    return host if host.isascii() else host.encode("idna").decode("ascii")


def host_line(origin: Origin) -> bytes:
    """Return the end of the request line and the Host header of an origin; made once for each pool.

    Raises UnicodeError for a host that has no ASCII form, ValueError for one that would break the line.
    """
    host = ascii_host(origin.host)
    if not host or not host.isprintable() or any(c in host for c in " /?#@"):
        raise ValueError(f"{origin.host!r} is not a host name")
    if ":" in host:
        host = f"[{host}]"
    if origin.port != _DEFAULT_PORTS.get(origin.scheme):
        host = f"{host}:{origin.port}"
    return b" HTTP/1.1\r\nHost: " + host.encode("ascii") + b"\r\n"


def encode_head(request: OutgoingRequest, host: bytes) -> bytes:
    """Return everything of the request that goes before its body; `host` comes from `host_line`.

    Raises ValueError when a line break, a NUL or a space would change what the bytes mean, or when a header is
    given that only the transport may set.
    """
    lines: list[bytes] = []
    for name, value in request.headers:
        lines += (name, b": ", value, b"\r\n")
    given = b"".join(lines)
    if given:
        breaks = len(request.headers)
        if given.count(b"\n") != breaks or given.count(b"\r") != breaks or b"\0" in given:
            raise ValueError("a header holds a line break or a NUL")
        lower = b"\n" + given.lower()
        for name in _OURS:
            if name in lower:
                raise ValueError(f"the header {name[1:-1].decode()!r} is set by the transport")
        identity = b"" if b"\naccept-encoding:" in lower else b"Accept-Encoding: identity\r\n"
    else:
        identity = b"Accept-Encoding: identity\r\n"
    method, target = request.method, request.target
    if not method.isalpha() or not target or len(target.split(None, 1)[0]) != len(target):
        raise ValueError("the method or the target cannot stand in a request line")
    if request.body or method not in _BODILESS:
        return b"%b %b%b%b%bContent-Length: %d\r\n\r\n" % (
            method,
            target,
            host,
            given,
            identity,
            len(request.body),
        )
    return b"%b %b%b%b%b\r\n" % (method, target, host, given, identity)
