"""The one administrative call that there is so far: reload the configuration. The root key opens it and nothing else does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from dragoman.pipeline.authenticate import credential
from dragoman.pipeline.caller import Caller
from dragoman.pipeline.gateway import Gateway
from dragoman.pipeline.snapshot import digest
from dragoman.protocols.base import Headers
from dragoman.wire import json

_JSON: Headers = [(b"content-type", b"application/json")]


async def reload_config(gateway: Gateway, caller: Caller, reload: Callable[[], Awaitable[tuple[int, bytes]]]) -> None:
    if caller.method != "POST":
        await _error(caller, 405, "Reload with POST.", [(b"allow", b"POST")])
        return
    _, secret = credential(caller)
    key = gateway.snapshot.keys.get(digest(secret)) if secret else None
    if key is None:
        await _error(caller, 401, "Send the root key as 'Authorization: Bearer KEY'.")
    elif not key.root:
        await _error(caller, 403, "Only the root key may reload the configuration.")
    else:
        status, body = await reload()
        await caller.answer(status, _JSON, body)


async def _error(caller: Caller, status: int, message: str, headers: Headers | None = None) -> None:
    body = json.encode({"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None}})
    await caller.answer(status, [*_JSON, *(headers or [])], body)
