"""What can go wrong between us and an upstream. What the caller is told about it is decided elsewhere.

    TransportError              sent: may a byte of the request have reached the peer?
    ├── ConnectFailed           no connection: reason is dns, refused, unreachable, tls or closed
    ├── DeadlineExceeded        too slow: phase is connect, first_byte, idle or total
    ├── ConnectionBroken        reset or end of stream before the end of the answer
    ├── ProtocolViolation       the peer's bytes are not an HTTP/1.1 answer that we accept
    ├── BodyTooLarge            the body passed the limit given to read()
    └── PoolExhausted           no connection came free within the connect deadline

A request whose error says `sent=False` has certainly not been seen by the upstream: it may be sent again.
"""

from __future__ import annotations

from typing import Literal

ConnectReason = Literal["dns", "refused", "unreachable", "tls", "closed"]
Phase = Literal["connect", "first_byte", "idle", "total"]


class TransportError(Exception):
    """Any failure of one upstream call.

    `sent` is whether any byte of the request may have reached the peer.
    """

    def __init__(self, message: str, *, sent: bool = True) -> None:
        super().__init__(message)
        self.sent = sent


class ConnectFailed(TransportError):
    """No connection could be made; the request was not sent.

    `reason`: `dns` (the name does not resolve), `refused`, `unreachable` (any other network error), `tls`
    (handshake or certificate), `closed` (our own transport has been closed).
    """

    def __init__(self, message: str, *, reason: ConnectReason) -> None:
        super().__init__(message, sent=False)
        self.reason: ConnectReason = reason


class DeadlineExceeded(TransportError):
    """A deadline of the request passed; `phase` says which one (see `Deadlines`)."""

    def __init__(self, message: str, *, phase: Phase, sent: bool = True) -> None:
        super().__init__(message, sent=sent)
        self.phase: Phase = phase


class ConnectionBroken(TransportError):
    """The connection ended (reset, end of stream, closed by us) before the answer was complete."""


class ProtocolViolation(TransportError):
    """The peer's bytes are not HTTP/1.1, or its head is too large, or its coding is one we did not ask for."""


class BodyTooLarge(TransportError):
    """The body is larger than the `limit` (bytes) given to `read`; the connection has been closed."""

    def __init__(self, message: str, *, limit: int) -> None:
        super().__init__(message, sent=True)
        self.limit = limit


class PoolExhausted(TransportError):
    """All connections to the origin stayed busy for the whole connect deadline; the request was not sent."""

    def __init__(self, message: str) -> None:
        super().__init__(message, sent=False)
