"""A request as bytes: the request line, Host, the caller's headers, the framing.

Knows nothing of connections. One join a request, and two scans of the result instead of a check of every header.
"""

from __future__ import annotations

from dragoman.upstream.base import FixedHeaders, Headers, Origin, OutgoingRequest

_DEFAULT_PORTS = {"http": 80, "https": 443}
# Methods for which a missing body is the rule, so that `Content-Length: 0` would be odd.
_BODILESS = frozenset((b"GET", b"HEAD", b"DELETE", b"OPTIONS"))
# Set here and nowhere else: two writers of the framing is how requests are smuggled.
_OURS = (b"\nhost:", b"\ncontent-length:", b"\ntransfer-encoding:", b"\nconnection:", b"\nexpect:")


# Targets that were found fit; callers choose the models in them, so what is remembered has a bound.
_targets: set[bytes] = set()
_MOST_TARGETS = 4096


def ascii_host(host: str) -> str:
    """Return the host as DNS and TLS want it: ASCII, by IDNA where needed. Raises UnicodeError."""
    return host if host.isascii() else host.encode("idna").decode("ascii")


def host_line(origin: Origin) -> bytes:
    """Return the end of the request line and the Host header of an origin; made once for each pool.

    Raises UnicodeError for a host that has no ASCII form, ValueError for one that would break the line.
    """
    if origin.scheme == "unix":
        return b" HTTP/1.1\r\nHost: localhost\r\n"
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
    headers = request.headers
    if isinstance(headers, FixedHeaders):
        given = headers.written
        if given is None:
            given = headers.written = _lines(headers)
    else:
        given = _lines(headers)
    method, target = request.method, request.target
    if target not in _targets:
        if not target or len(target.split(None, 1)[0]) != len(target):
            raise ValueError("the target cannot stand in a request line")
        if len(_targets) < _MOST_TARGETS:
            _targets.add(target)
    if not method.isalpha():
        raise ValueError("the method cannot stand in a request line")
    if request.body or method not in _BODILESS:
        return b"%b %b%b%bContent-Length: %d\r\n\r\n" % (method, target, host, given, len(request.body))
    return b"%b %b%b%b\r\n" % (method, target, host, given)


def _lines(headers: Headers) -> bytes:
    lines: list[bytes] = []
    for name, value in headers:
        lines += (name, b": ", value, b"\r\n")
    given = b"".join(lines)
    breaks = len(headers)
    if given.count(b"\n") != breaks or given.count(b"\r") != breaks or b"\0" in given:
        raise ValueError("a header holds a line break or a NUL")
    lower = b"\n" + given.lower()
    for name in _OURS:
        if name in lower:
            raise ValueError(f"the header {name[1:-1].decode()!r} is set by the transport")
    return given if b"\naccept-encoding:" in lower else given + b"Accept-Encoding: identity\r\n"
