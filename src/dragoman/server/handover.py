"""What is not model traffic is handed on to the admin process, over a socket of this machine that nobody else reaches.

A worker knows from the supervisor whether that process answers. Until it does, a request waits for some seconds.
"""

from __future__ import annotations

import asyncio
from time import perf_counter, time
from urllib.parse import quote

import structlog

from dragoman.ir import DragomanError, Overloaded, TooLarge
from dragoman.observe.ids import request_id
from dragoman.observe.logs import RequestEntry
from dragoman.pipeline.authenticate import credential
from dragoman.pipeline.caller import Caller
from dragoman.pipeline.closing import CLOSING, shutting_down
from dragoman.pipeline.gateway import Gateway
from dragoman.pipeline.key import digest
from dragoman.protocols.base import Headers
from dragoman.protocols.openai.errors import write_error
from dragoman.upstream.base import Deadlines, IncomingResponse, Origin, OutgoingRequest
from dragoman.upstream.errors import ConnectionBroken, TransportError
from dragoman.upstream.lean import LeanTransport

_log = structlog.get_logger(__name__)

MAX_BODY = 1024 * 1024
PATIENCE = 10.0
# To test a provider may take a minute: the built-in model is started for it.
DEADLINES = Deadlines(connect=5.0, first_byte=120.0, idle=120.0, total=600.0)
_AT_ONCE = 64
_BODY_SECONDS = 30.0
_PIECE = 1024 * 1024
_SAFE = ("GET", "HEAD")
# RFC 9110, 7.6.1; and what is the transport's or the server's own to say.
_HOP = frozenset(
    (
        *(b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection", b"te"),
        *(b"trailer", b"transfer-encoding", b"upgrade", b"host", b"content-length", b"expect", b"accept-encoding"),
        *(b"date", b"server"),
    )
)
# Nobody says of himself who he is.
_OURS = frozenset((b"x-request-id", b"x-dragoman-remote", b"forwarded", b"x-forwarded-for", b"x-forwarded-proto"))


class Handover:
    """`tell` says where the admin process answers, or that it does not."""

    def __init__(self, gateway: Gateway, *, patience: float = PATIENCE) -> None:
        self._gateway = gateway
        self._patience = patience
        self._transport = LeanTransport(max_connections_per_origin=_AT_ONCE)
        self._origin: Origin | None = None
        self._changed = asyncio.Event()

    def tell(self, path: str | None) -> None:
        self._origin = None if path is None else Origin("unix", path, 0)
        self._changed.set()
        self._changed = asyncio.Event()

    async def serve(self, caller: Caller) -> None:
        """Answers `caller`, come what may, and leaves one line in the log."""
        name, when, began = request_id(), time(), perf_counter()
        status, left = 499, False
        try:
            status = await self._serve(caller, name)
        except DragomanError as error:
            status = await _refuse(caller, name, error)
        except asyncio.CancelledError as cancelled:
            if cancelled.args == CLOSING:
                status = await _refuse(caller, name, shutting_down())
            else:
                left = True
        finally:
            reload = caller.path.endswith("/config/reload")
            self._gateway.log.write(
                RequestEntry(
                    ts=when,
                    request_id=name,
                    operation="reload" if reload else "admin",
                    method=caller.method,
                    path=caller.path,
                    attempts=0,
                    status=status,
                    stream=False,
                    duration_ms=round((perf_counter() - began) * 1000, 2),
                    client_closed=left or None,
                    key=self._name_of_key(caller),
                    remote=caller.remote or None,
                )
            )

    async def aclose(self) -> None:
        await self._transport.aclose()

    async def _serve(self, caller: Caller, name: str) -> int:
        body = b"" if caller.method in _SAFE else await _body(caller)
        response = await self._send(caller, name, body)
        try:
            headers = [header for header in response.headers if header[0] not in _HOP]
            headers.append((b"x-request-id", name.encode()))
            sized = any(header[0] == b"content-length" for header in response.headers)
            first = await response.chunk()
            if sized and (rest := await _rest(response, len(first))) is not None:
                await caller.answer(response.status, headers, first + rest)
                return response.status
            await caller.start(response.status, headers)
            while first:
                await caller.write(first)
                first = await response.chunk()
            await caller.finish()
        except TransportError as error:
            raise _unanswered(error) from None
        finally:
            response.close()
        return response.status

    async def _send(self, caller: Caller, name: str, body: bytes) -> IncomingResponse:
        tries = 2 if caller.method in _SAFE else 1
        while True:
            tries -= 1
            request = _outgoing(caller, await self._whereabouts(), name, body)
            try:
                return await self._transport.send(request)
            except ValueError as error:
                raise DragomanError(f"This cannot be handed on: {error}.", status=400) from None
            except ConnectionBroken as error:
                # It died over it. What asks and changes nothing may be asked again, of the next one.
                if not tries:
                    raise _unanswered(error) from None
            except TransportError as error:
                raise _unanswered(error) from None

    async def _whereabouts(self) -> Origin:
        try:
            async with asyncio.timeout(self._patience):
                while self._origin is None:
                    await self._changed.wait()
        except TimeoutError:
            raise Overloaded(
                "The administration is being started. Try again in a moment.", code="admin_not_ready", retry_after=5.0
            ) from None
        return self._origin

    def _name_of_key(self, caller: Caller) -> str | None:
        secret = credential(caller.headers)[1]
        key = self._gateway.snapshot.keys.get(digest(secret)) if secret else None
        return key.name if key is not None else None


def _outgoing(caller: Caller, origin: Origin, name: str, body: bytes) -> OutgoingRequest:
    headers: Headers = [(key, value) for key, value in caller.headers.items() if key not in _HOP and key not in _OURS]
    headers.append((b"x-request-id", name.encode()))
    if caller.remote:
        headers.append((b"x-dragoman-remote", caller.remote.encode()))
    target = quote(caller.path, safe="/:@!$&'()*+,;=~").encode()
    if caller.query:
        target += b"?" + caller.query
    # An answer without its body is made of one with it, by whoever ends it.
    method = b"GET" if caller.method == "HEAD" else caller.method.encode()
    return OutgoingRequest(origin, method, target, headers, body, DEADLINES)


async def _body(caller: Caller) -> bytes:
    try:
        return await caller.body(MAX_BODY, _BODY_SECONDS)
    except TooLarge:
        raise TooLarge(f"The request body is larger than {MAX_BODY} bytes.") from None


async def _rest(response: IncomingResponse, had: int) -> bytes | None:
    """What of a body is still to come, where it is not too long to be held whole; else None."""
    length = next(int(value) for key, value in response.headers if key == b"content-length")
    return await response.read(length) if length - had <= _PIECE else None


def _unanswered(error: TransportError) -> Overloaded:
    _log.warning("the admin process did not answer", error=str(error))
    done = "" if not error.sent else " What was asked for may have been done or not."
    return Overloaded(
        f"The administration did not answer.{done} Try again in a moment.", code="admin_not_ready", retry_after=5.0
    )


async def _refuse(caller: Caller, name: str, error: DragomanError) -> int:
    status, headers, body = write_error(error, None)
    if not caller.started:
        headers = [header for header in headers if header[0] != b"retry-after-ms"]
        await caller.answer(status, [*headers, (b"x-request-id", name.encode())], body)
    return status
