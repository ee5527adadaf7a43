"""Responses that are kept: shown again, listed by their input, deleted. A vendor is asked for what it makes in the background,
and to delete what it made."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, quote

import msgspec
import structlog
from msgspec.structs import replace

from dragoman.ir import BadRequest, Loss, NotFound, UpstreamBroken, UpstreamCredentials, UpstreamUnreachable
from dragoman.pipeline.call import Call
from dragoman.pipeline.caller import Caller
from dragoman.pipeline.gateway import Gateway
from dragoman.pipeline.record import record
from dragoman.pipeline.state import UNFINISHED, fetch, input_of, is_native, item_ids, owner_of, status_of, unavailable
from dragoman.protocols.known import PROTOCOLS
from dragoman.store import StoredResponse, StoreUnavailable
from dragoman.upstream.base import Deadlines
from dragoman.upstream.errors import TransportError
from dragoman.wire.json import encode

_log = structlog.get_logger(__name__)

Json = dict[str, Any]
_RESPONSES = PROTOCOLS["openai-responses"]
_MAX_ANSWER = 256 * 1024 * 1024
_MAX_WORD = 1024 * 1024
# A caller that deletes waits for the vendor too.
_DELETING = Deadlines(connect=3.0, first_byte=10.0, idle=5.0, total=15.0)
_MOST_LISTED = 100
_USUALLY_LISTED = 20


async def answer_kept(call: Call, caller: Caller, gateway: Gateway) -> None:
    """Raises NotFound for what is not there, or is another key's; BadRequest for what cannot be asked of it."""
    assert call.route is not None
    id = call.route.item or ""
    owner = owner_of(call)
    query = dict(parse_qsl(caller.query.decode("latin-1")))
    match call.route.operation:
        case "delete_response":
            body = await _delete(call, gateway, owner, id)
        case "list_input_items":
            items = await input_of(gateway.store, owner, id, call.snapshot.max_body)
            if items is None:
                raise not_found(id)
            body = encode(_page(items, query))
        case operation:
            found = await fetch(gateway.store, owner, id)
            if found is None:
                raise not_found(id)
            unfinished = status_of(found) in UNFINISHED
            if operation == "cancel_response" and not unfinished:
                raise BadRequest("Cannot cancel a synchronous response.", param="response_id")
            if query.get("stream", "").lower() == "true":
                raise BadRequest(
                    "A kept response is not streamed again. Ask for it without 'stream'.",
                    param="stream",
                    code="unsupported_parameter",
                )
            body = found.response
            if unfinished:
                body = await _of_vendor(call, gateway, found, cancel=operation == "cancel_response")
    call.status = 200
    record(call, gateway)
    await caller.answer(200, [(b"content-type", b"application/json"), *call.headers()], body)


async def _of_vendor(call: Call, gateway: Gateway, found: StoredResponse, *, cancel: bool) -> bytes:
    """What the vendor says by now of a response that it makes in the background. Raises UpstreamError."""
    endpoint = call.snapshot.endpoints.get(found.provider)
    if endpoint is None or _RESPONSES.name not in endpoint.protocols:
        return found.response
    path, method = f"/responses/{found.id}", b"GET"
    if cancel:
        path, method = f"{path}/cancel", b"POST"
    credential = endpoint.next_credential()
    request = endpoint.request(_RESPONSES.name, path, b"", method=method, credential=credential)
    try:
        response = await gateway.transport(endpoint).send(request)
        body = await response.read(_MAX_ANSWER)
    except TransportError as broken:
        raise UpstreamUnreachable(f"The provider {found.provider!r} could not be asked for the response.") from broken
    told = replace(found, response=body)
    if not 400 <= response.status < 600 and not _is_answer(response.status, told):
        raise UpstreamBroken(f"The provider {found.provider!r} sent something other than the response.")
    if response.status != 200:
        error = _RESPONSES.read_error(response.status, response.headers, body)
        if error.status in (401, 402, 403):  # the gateway's own key, which is no business of the caller's
            raise UpstreamCredentials(f"The provider {found.provider!r} refused the gateway's own credential.")
        raise error
    if gateway.store is not None:
        await gateway.store.put_response(told, item_ids(told))
    return body


def _is_answer(status: int, told: StoredResponse) -> bool:
    try:
        return status == 200 and bool(status_of(told))
    except msgspec.DecodeError:
        return False


def not_found(id: str) -> NotFound:
    return NotFound(f"Response with id '{id}' not found.", code="response_not_found")


async def _delete(call: Call, gateway: Gateway, owner: str, id: str) -> bytes:
    """Here, and at the vendor that made it as well as may be: where it cannot be had there, the caller is told of a loss."""
    found = await fetch(gateway.store, owner, id)
    if found is None or gateway.store is None:
        raise not_found(id)
    try:
        if not await gateway.store.delete_response(owner, id):
            raise not_found(id)
    except StoreUnavailable:
        raise unavailable() from None
    if is_native(found) and (trouble := await _delete_at_vendor(call, gateway, found)) is not None:
        _log.warning("a provider did not delete a response", request_id=call.id, provider=found.provider, error=trouble)
        call.losses.append(Loss("response_id", f"deleted here, but the provider {found.provider!r} {trouble}"))
    return encode({"id": id, "object": "response", "deleted": True})


async def _delete_at_vendor(call: Call, gateway: Gateway, found: StoredResponse) -> str | None:
    """What went wrong, if anything did."""
    endpoint = call.snapshot.endpoints.get(found.provider)
    if endpoint is None or _RESPONSES.name not in endpoint.protocols:
        return "is no longer configured"
    credential = endpoint.next_credential()
    path = f"/responses/{quote(found.id, safe='')}"
    request = endpoint.request(_RESPONSES.name, path, b"", method=b"DELETE", credential=credential)
    request.deadlines = _DELETING
    try:
        response = await gateway.transport(endpoint).send(request)
        try:
            await response.read(_MAX_WORD)
        finally:
            response.close()
    except TransportError:
        return "could not be asked to"
    if response.status in (200, 202, 204, 404):  # or it is gone there already
        return None
    return f"refused to, with status {response.status}"


def _page(items: list[Json], query: dict[str, str]) -> Json:
    """Newest first, unless asked otherwise (openai 3.54.0, InputItemListParams)."""
    order = query.get("order", "desc")
    if order not in ("asc", "desc"):
        raise BadRequest("Invalid value for 'order': supported values are: 'asc' and 'desc'.", param="order")
    limit = query.get("limit", str(_USUALLY_LISTED))
    if not limit.isdecimal() or len(limit) > len(str(_MOST_LISTED)) or not 1 <= int(limit) <= _MOST_LISTED:
        raise BadRequest(f"Invalid value for 'limit': expected 1 to {_MOST_LISTED}.", param="limit")
    if order == "desc":
        items = items[::-1]
    if after := query.get("after"):
        at = next((number for number, item in enumerate(items) if item["id"] == after), None)
        if at is None:
            raise BadRequest(f"Invalid value for 'after': no item has the id '{after}'.", param="after")
        items = items[at + 1 :]
    page = items[: int(limit)]
    return {
        "object": "list",
        "data": page,
        "first_id": page[0]["id"] if page else None,
        "last_id": page[-1]["id"] if page else None,
        "has_more": len(items) > len(page),
    }
