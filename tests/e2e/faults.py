"""All that can go wrong between the gateway and a vendor, as answers that a scripted vendor gives.

A fault strikes at a `stage`: `connect` (nobody answers there), `head` (in place of an answer), `body` (inside a whole one),
`opening` (behind the frames that only begin a stream) or `middle` (behind its first words, which the caller has read).
"""

from __future__ import annotations

import functools
import threading
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from e2e.speech import Speech
from e2e.vendor import Exchange, dumps

MOON = "The moon is full tonight."
MEGABYTE = 1 << 20
# Where redirects lead to, below the vendor's own address; nobody is ever to come there.
ELSEWHERE = "elsewhere"

Strike = Callable[[Exchange, Speech, bool], None]
"""Does the rest of an answer that has begun, or all of it; the last says whether a stream was asked for."""


@dataclass(frozen=True, eq=False)
class Fault:
    """`stages` are those in which it strikes; `status` and `code` what the caller is told before the first byte; `timeouts` are
    the provider's, where only a deadline ends it; `heavy` moves hundreds of megabytes."""

    name: str
    stages: tuple[str, ...]
    status: int
    code: str | None
    strike: Strike | None = None
    timeouts: dict[str, str] | None = None
    heavy: bool = False

    def __str__(self) -> str:
        return self.name


def answer(
    exchange: Exchange, speech: Speech, streams: bool, stage: str, strike: Strike, seen: threading.Event
) -> None:
    """The whole of a vendor's answer with `strike` at its stage; in the `middle` once the caller has `seen` the first words."""
    if stage == "head":
        strike(exchange, speech, streams)
        return
    exchange.head(200, [("content-type", kind(speech, streams)), ("transfer-encoding", "chunked")])
    if stage != "body":
        exchange.chunk(speech.opening)
    if stage == "middle":
        exchange.chunk(speech.words)
        assert seen.wait(30)
    strike(exchange, speech, streams)


def kind(speech: Speech, streams: bool) -> str:
    return speech.kind if streams else "application/json"


def _reset(exchange: Exchange, speech: Speech, streams: bool) -> None:
    exchange.reset()


def _hang(exchange: Exchange, speech: Speech, streams: bool) -> None:
    exchange.wait_gone()


def _close(exchange: Exchange, speech: Speech, streams: bool) -> None:
    exchange.keep = False


def _rest(speech: Speech, streams: bool) -> bytes:
    """What would come next, with a character of several bytes in it."""
    if not streams:
        return speech.whole.replace(b"}", "}…世界".encode(), 1)
    return speech.event(dumps({"error": None, "x": "…世界"}).encode())


def _cut_chunk(exchange: Exchange, speech: Speech, streams: bool) -> None:
    exchange.raw(b"%x\r\n%b" % (9999, _rest(speech, streams)[:20]))
    exchange.keep = False


def _cut_character(exchange: Exchange, speech: Speech, streams: bool) -> None:
    rest = _rest(speech, streams)
    exchange.chunk(rest[: rest.index("世".encode()) + 1])
    exchange.keep = False


def _end_in_character(exchange: Exchange, speech: Speech, streams: bool) -> None:
    rest = _rest(speech, streams)
    exchange.chunk(rest[: rest.index("世".encode()) + 1])
    exchange.end()


def _end(exchange: Exchange, speech: Speech, streams: bool) -> None:
    exchange.end()


def _garbage(exchange: Exchange, speech: Speech, streams: bool) -> None:
    exchange.chunk(speech.event(b'{"candidates": [{"con') if streams else b'{"candidates": [{"con')
    exchange.end()


def _garbage_at_once(exchange: Exchange, speech: Speech, streams: bool) -> None:
    exchange.head(200, [("content-type", kind(speech, streams)), ("transfer-encoding", "chunked")])
    _garbage(exchange, speech, streams)


def _error(protocol: str) -> bytes:
    error = {"code": 503, "message": MOON, "status": "UNAVAILABLE"}
    if protocol != "gemini":
        error = {"type": "api_error" if protocol == "anthropic" else "server_error", "message": MOON}
    return dumps({"type": "error", "error": error} if protocol == "anthropic" else {"error": error}).encode()


def _error_event(exchange: Exchange, speech: Speech, streams: bool) -> None:
    exchange.chunk(speech.event(_error(speech.protocol)) + (b"]" if speech.array else b""))
    exchange.end()


def _error_body(exchange: Exchange, speech: Speech, streams: bool) -> None:
    """A 200 that is none, in JSON whatever was asked for."""
    body = _error(speech.protocol)
    exchange.head(200, [("content-type", "application/json"), ("content-length", str(len(body)))])
    exchange.raw(body)


def _drip(exchange: Exchange, speech: Speech, streams: bool) -> None:
    """A byte now and then, never enough of them and never so few that the silence is too long."""
    while not exchange.wait_gone(0.05):
        exchange.chunk(b" ")


def _drip_head(exchange: Exchange, speech: Speech, streams: bool) -> None:
    exchange.raw(b"HTTP/1.1 200 OK\r\nx: ")
    while not exchange.wait_gone(0.05):
        exchange.raw(b"x")


def _line(exchange: Exchange, speech: Speech, streams: bool) -> None:
    exchange.chunk(b'{"x":"' if not streams else speech.event(b'{"x":"').rstrip())
    piece = b"x" * MEGABYTE
    for _ in range(100):
        exchange.chunk(piece)
    exchange.chunk(b'"}')
    exchange.end()


def _redirect(status: int) -> Strike:
    def strike(exchange: Exchange, speech: Speech, streams: bool) -> None:
        where = f"{exchange.vendor.base_url}/{ELSEWHERE}{exchange.seen.target}"
        exchange.head(status, [("location", where), ("content-length", "0")])

    return strike


def _page(exchange: Exchange, speech: Speech, streams: bool) -> None:
    body = b"<html><title>It works!</title></html>"
    exchange.head(200, [("content-type", "text/html"), ("content-length", str(len(body)))])
    exchange.raw(body)


def _mistyped(exchange: Exchange, speech: Speech, streams: bool) -> None:
    """A good answer that says it is something else."""
    exchange.head(200, [("content-type", "application/octet-stream"), ("content-length", str(len(speech.whole)))])
    exchange.raw(speech.whole)


@functools.cache
def bomb() -> bytes:
    """300 MB of one line, in less than one."""
    packer = zlib.compressobj(1, wbits=16 + zlib.MAX_WBITS)
    piece = b"x" * MEGABYTE
    packed = [packer.compress(b'{"x":"'), *[packer.compress(piece) for _ in range(300)], packer.flush()]
    return b"".join(packed)


def _bomb(exchange: Exchange, speech: Speech, streams: bool) -> None:
    said = [("content-type", kind(speech, streams)), ("content-encoding", "gzip")]
    exchange.head(200, [*said, ("content-length", str(len(bomb())))])
    exchange.raw(bomb())


def _error_bomb(exchange: Exchange, speech: Speech, streams: bool) -> None:
    exchange.head(500, [("content-encoding", "gzip"), ("content-length", str(len(bomb())))])
    exchange.raw(bomb())


BROKEN, TIMEOUT, UNREACHABLE = "upstream_broken", "upstream_timeout", "upstream_unreachable"
_STREAM = ("opening", "middle")
# In the middle it must first come so far, on a busy machine too.
SHORT = {"first_byte": "300ms", "idle": "300ms"}
SILENT = {"idle": "1s"}

FAULTS = [
    Fault("refuses", ("connect",), 502, UNREACHABLE),
    Fault("no such name", ("connect",), 502, UNREACHABLE),
    Fault("unknown certificate", ("connect",), 502, UNREACHABLE),
    Fault("no TLS", ("connect",), 502, UNREACHABLE),
    Fault("resets", ("head", "body", *_STREAM), 502, BROKEN, _reset),
    Fault("closes", ("head", "body", *_STREAM), 502, BROKEN, _close),
    Fault("hangs", ("head", "body", "opening"), 504, TIMEOUT, _hang, SHORT),
    Fault("falls silent", ("middle",), 504, TIMEOUT, _hang, SILENT),
    Fault("cuts a chunk", ("body", *_STREAM), 502, BROKEN, _cut_chunk),
    Fault("cuts a character", ("body", *_STREAM), 502, BROKEN, _cut_character),
    Fault("ends in a character", ("body", *_STREAM), 502, BROKEN, _end_in_character),
    Fault("ends early", ("body", *_STREAM), 502, BROKEN, _end),
    Fault("garbage", ("body", "opening"), 502, BROKEN, _garbage),
    Fault("garbage at once", ("head",), 502, BROKEN, _garbage_at_once),
    Fault("a long line", ("body", *_STREAM), 502, BROKEN, _line, heavy=True),
    Fault("drips", ("body", "opening"), 504, TIMEOUT, _drip, {"total": "600ms"}),
    Fault("drips its head", ("head",), 504, TIMEOUT, _drip_head, {"first_byte": "600ms"}),
    Fault("an error in a 200", ("head",), 500, None, _error_body),
    Fault("an error event", _STREAM, 500, None, _error_event),
    Fault("redirects with 302", ("head",), 502, BROKEN, _redirect(302)),
    Fault("redirects with 307", ("head",), 502, BROKEN, _redirect(307)),
    Fault("a web page", ("head",), 502, BROKEN, _page),
    Fault("the wrong type", ("head",), 502, BROKEN, _mistyped),
    Fault("a gzip bomb", ("head",), 502, BROKEN, _bomb, heavy=True),
    Fault("a gzip bomb in a 500", ("head",), 500, None, _error_bomb, heavy=True),
]
