"""The one administrative call that there is so far: reload the configuration. The root key opens it and nothing else does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from time import perf_counter, time

from dragoman.observe.ids import request_id
from dragoman.observe.logs import RequestEntry
from dragoman.pipeline.authenticate import credential
from dragoman.pipeline.caller import Caller
from dragoman.pipeline.gateway import Gateway
from dragoman.pipeline.key import Key, digest
from dragoman.protocols.base import Headers
from dragoman.wire import json

Reload = Callable[[], Awaitable[tuple[int, bytes]]]


async def reload_config(gateway: Gateway, caller: Caller, reload: Reload) -> None:
    """Answers `caller`, and leaves one line in the log as every request does."""
    name, when, began = request_id(), time(), perf_counter()
    key = _key_of(gateway, caller)
    status, headers, body = await _outcome(caller, key, reload)
    try:
        await caller.answer(status, [(b"content-type", b"application/json"), *headers, _id_header(name)], body)
    finally:
        gateway.log.write(
            RequestEntry(
                ts=when,
                request_id=name,
                operation="reload",
                method=caller.method,
                path=caller.path,
                attempts=0,
                status=status,
                stream=False,
                duration_ms=round((perf_counter() - began) * 1000, 2),
                key=key.name if key is not None else None,
                remote=caller.remote or None,
            )
        )


def _key_of(gateway: Gateway, caller: Caller) -> Key | None:
    _, secret = credential(caller)
    return gateway.snapshot.keys.get(digest(secret)) if secret else None


def _id_header(name: str) -> tuple[bytes, bytes]:
    return (b"x-request-id", name.encode())


async def _outcome(caller: Caller, key: Key | None, reload: Reload) -> tuple[int, Headers, bytes]:
    if caller.method != "POST":
        return 405, [(b"allow", b"POST")], _error("Reload with POST.")
    if key is None:
        return 401, [], _error("Send the root key as 'Authorization: Bearer KEY'.")
    if not key.root:
        return 403, [], _error("Only the root key may reload the configuration.")
    status, body = await reload()
    return status, [], body


def _error(message: str) -> bytes:
    return json.encode({"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None}})
