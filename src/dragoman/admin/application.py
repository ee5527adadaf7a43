"""The admin API as an ASGI application: who may ask, what is there, and every mistake in one shape."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from http import HTTPStatus
from time import time
from typing import Any, cast

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from dragoman.admin import configuration, keys, ledger, sources
from dragoman.admin.asked import Asked
from dragoman.admin.desk import Desk
from dragoman.admin.endpoint import Answer, Endpoint
from dragoman.admin.openapi import document
from dragoman.ir import (
    BadRequest,
    CallerError,
    DragomanError,
    Forbidden,
    MethodNotAllowed,
    NotFound,
    Overloaded,
    TooLarge,
    Unauthenticated,
    UnsupportedMediaType,
)
from dragoman.pipeline.authenticate import credential
from dragoman.pipeline.key import digest, end_text, expired
from dragoman.protocols.openai.errors import write_error
from dragoman.store import StoreRefused
from dragoman.store.key_fields import InvalidKey, KeyEnded, NoSuchKey
from dragoman.wire import json

_log = structlog.get_logger(__name__)

PREFIX = "/admin/v1"
MAX_BODY = 1024 * 1024
REMOTE = "x-dragoman-remote"
_ALIKE = {"HEAD": "GET"}


@cache
def described() -> dict[str, Any]:
    """The OpenAPI document. It is not to be changed."""
    return document(ENDPOINTS)


async def _openapi(desk: Desk, asked: Asked) -> Answer:
    return 200, described()


ENDPOINTS: tuple[Endpoint, ...] = (
    *keys.ENDPOINTS,
    *ledger.ENDPOINTS,
    *sources.ENDPOINTS,
    *configuration.ENDPOINTS,
    Endpoint("GET", "/openapi.json", "getOpenapi", "This document.", _openapi, {200: {"type": "object"}}),
)


def application(desk: Desk, now: Callable[[], float] = time) -> ASGIApp:
    """`now` gives Unix seconds."""
    places: dict[str, list[Endpoint]] = {}
    for endpoint in ENDPOINTS:
        places.setdefault(endpoint.path, []).append(endpoint)
    routes: Sequence[BaseRoute] = [Route(PREFIX + path, _Place(desk, there, now)) for path, there in places.items()]
    app = Starlette(routes=routes, exception_handlers={HTTPException: _nothing_here})
    app.router.redirect_slashes = False
    return app


class _Place:
    """What is at one path."""

    def __init__(self, desk: Desk, endpoints: Iterable[Endpoint], now: Callable[[], float]) -> None:
        self._desk = desk
        self._endpoints = {endpoint.method: endpoint for endpoint in endpoints}
        self._now = now

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            status, answer = await self._answer(request)
            response = Response(json.encode(answer), status, media_type="application/json")
            response.headers["cache-control"] = "no-store"
        except DragomanError as error:
            response = _refusal(error)
        except StoreRefused as error:
            response = _refusal(Overloaded(str(error), code="database_unavailable", retry_after=5.0))
        except InvalidKey as error:
            response = _refusal(BadRequest(str(error), param=error.field))
        except NoSuchKey as error:
            response = _refusal(NotFound(str(error), code="key_not_found"))
        except KeyEnded as error:
            response = _refusal(CallerError(str(error), status=409, code="key_revoked"))
        except Exception as error:
            response = _failed(request, error)
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Answer:
        endpoint = self._endpoints.get(cast("Any", _ALIKE.get(request.method, request.method)))
        if endpoint is None:
            allow = tuple(self._endpoints) + (("HEAD",) if "GET" in self._endpoints else ())
            raise MethodNotAllowed(
                f"{request.url.path} is asked with {' or '.join(self._endpoints)}, not {request.method}.", allow=allow
            )
        self._check_key(request)
        body = await _body(request) if endpoint.method != "GET" else b""
        asked = Asked(
            request.path_params,
            request.scope["query_string"],
            body,
            request.headers.get(REMOTE, ""),
            [one.name for one in endpoint.query],
        )
        return await endpoint.answer(self._desk, asked)

    def _check_key(self, request: Request) -> None:
        """Raises Unauthenticated, Forbidden. A query's `key` is none here: it is a filter."""
        carrier, secret = credential(dict(request.headers.raw))
        if not secret:
            raise Unauthenticated("Send the root key as 'Authorization: Bearer KEY'.")
        key = self._desk.gateway.snapshot.keys.get(digest(secret))
        if key is None:
            raise Unauthenticated(f"The key in {carrier} is not one of this gateway's. Send the root key.")
        if expired(key, self._now()):
            raise Unauthenticated(f"The key in {carrier} {end_text(key)}")
        if not key.root:
            raise Forbidden("Only the root key opens the admin API.", code="root_key_required")


async def _body(request: Request) -> bytes:
    """Raises TooLarge, UnsupportedMediaType."""
    pieces: list[bytes] = []
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size > MAX_BODY:
            raise TooLarge(f"The request body is larger than {MAX_BODY} bytes.")
        pieces.append(piece)
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    # What curl says by itself of a body given with -d; there is no other way to read it here.
    if size and kind not in ("application/json", "application/merge-patch+json", "application/x-www-form-urlencoded"):
        raise UnsupportedMediaType(f"Content-Type is {kind[:80]!r}; send JSON with 'Content-Type: application/json'.")
    return b"".join(pieces)


async def _nothing_here(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code != HTTPStatus.NOT_FOUND:
        return _refusal(CallerError(error.detail, status=error.status_code))
    return _refusal(
        NotFound(
            f"There is nothing at {request.method} {request.url.path}. What there is: {PREFIX}/openapi.json",
            code="unknown_url",
        )
    )


def _failed(request: Request, error: Exception) -> Response:
    name = request.headers.get("x-request-id", "")
    _log.error("an administrator's request failed for a reason of our own", request_id=name, exc_info=error)
    told = f"The gateway itself failed ({type(error).__name__}); its log says more of {name}."
    return _refusal(DragomanError(told, code="internal_error"))


def _refusal(error: DragomanError) -> Response:
    status, headers, body = write_error(error, None)
    response = Response(body, status)
    response.raw_headers += [header for header in headers if header[0] != b"retry-after-ms"]
    return response
