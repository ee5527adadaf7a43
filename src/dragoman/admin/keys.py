"""Callers' keys: made, listed, changed, rotated, ended. Those of the file are listed too; they are changed there."""

from __future__ import annotations

from typing import Any

from pydantic_core import PydanticCustomError

from dragoman.admin.asked import Asked
from dragoman.admin.desk import Desk
from dragoman.admin.endpoint import Answer, Endpoint, Parameter
from dragoman.admin.keys_shown import OF_FILE, file_key_shown, key_shown
from dragoman.admin.schemas import CURSOR, FLAG, KEY_FIELDS, LIMIT, TEXT, list_of, ref, thing, wish
from dragoman.config.units import read_duration
from dragoman.ir import BadRequest, CallerError, NotFound
from dragoman.store.keys import GRACE_SECONDS, LONGEST_GRACE_SECONDS


def actor_of(asked: Asked) -> str:
    """For the audit."""
    return f"api:root@{asked.remote}" if asked.remote else "api:root"


async def _create(desk: Desk, asked: Asked) -> Answer:
    made = await desk.blocking(desk.keys.create, asked.object(), actor_of(asked))
    await desk.tell_keys()
    return 201, {"key": made.secret, **key_shown(made.key)}


async def _list(desk: Desk, asked: Asked) -> Answer:
    cursor, active = asked.text("cursor"), asked.flag("active")
    page = await desk.blocking(desk.keys.list, cursor, asked.limit(), revoked=not active)
    filed = [] if cursor is not None else list(map(file_key_shown, desk.loaded.settings.keys))
    return 200, {"data": filed + list(map(key_shown, page.keys)), "next_cursor": page.next_cursor}


async def _show(desk: Desk, asked: Asked) -> Answer:
    id = asked.params["id"]
    if id.startswith(OF_FILE):
        return 200, _filed(desk, id)
    return 200, key_shown(await desk.blocking(desk.keys.show, id))


async def _patch(desk: Desk, asked: Asked) -> Answer:
    id = _of_database(desk, asked)
    key = await desk.blocking(desk.keys.patch, id, asked.object(), actor_of(asked))
    await desk.tell_keys()
    return 200, key_shown(key)


async def _rotate(desk: Desk, asked: Asked) -> Answer:
    id = _of_database(desk, asked)
    made = await desk.blocking(desk.keys.rotate, id, actor_of(asked), _grace(asked.object()))
    await desk.tell_keys()
    return 200, {"key": made.secret, **key_shown(made.key)}


async def _revoke(desk: Desk, asked: Asked) -> Answer:
    asked.nothing()
    key = await desk.blocking(desk.keys.revoke, _of_database(desk, asked), actor_of(asked))
    await desk.tell_keys()
    return 200, key_shown(key)


async def _delete(desk: Desk, asked: Asked) -> Answer:
    asked.nothing()
    id = _of_database(desk, asked)
    await desk.blocking(desk.keys.delete, id, actor_of(asked))
    await desk.tell_keys()
    return 200, {"id": id, "deleted": True}


def _filed(desk: Desk, id: str) -> dict[str, Any]:
    for key in desk.loaded.settings.keys:
        if OF_FILE + key.name == id:
            return file_key_shown(key)
    raise NotFound(f"There is no key {id!r} in the configuration file.", code="key_not_found")


def _of_database(desk: Desk, asked: Asked) -> str:
    id = asked.params["id"]
    if id.startswith(OF_FILE):
        _filed(desk, id)
        raise CallerError(
            f"The key {id!r} is kept in the configuration file; change it there and reload.",
            status=409,
            code="key_of_file",
        )
    return id


def _grace(fields: dict[str, Any]) -> int:
    for name in fields:
        if name != "grace":
            raise BadRequest(f"{name}: there is no such field. There is: grace.", param=name)
    grace = fields.get("grace")
    if grace is None:
        return GRACE_SECONDS
    if grace in ("0", "0s") or (grace == 0 and not isinstance(grace, bool)):
        return 0
    try:
        return int(read_duration(grace))
    except PydanticCustomError:
        raise BadRequest(
            f'grace is not a time. Write seconds, or one such as "90s" or "12h"; {LONGEST_GRACE_SECONDS} seconds at most.',
            param="grace",
        ) from None


_KEY, _WITH_SECRET = ref("Key"), ref("KeyWithSecret")

ENDPOINTS = (
    Endpoint(
        "POST",
        "/keys",
        "createKey",
        "Make a key. Its secret is in the answer, this once.",
        _create,
        {201: _WITH_SECRET},
        takes=wish("name", **KEY_FIELDS),
    ),
    Endpoint(
        "GET",
        "/keys",
        "listKeys",
        "The keys: the file's on the first page, then the newest first.",
        _list,
        {200: list_of(_KEY)},
        query=(Parameter("active", FLAG, "Leave out those that are revoked."), CURSOR, LIMIT),
    ),
    Endpoint("GET", "/keys/{id}", "getKey", "One key.", _show, {200: _KEY}, refusals=(404,)),
    Endpoint(
        "PATCH",
        "/keys/{id}",
        "changeKey",
        "Change a key: what is given is merged in, null takes away (RFC 7396).",
        _patch,
        {200: _KEY},
        takes=wish(**KEY_FIELDS),
        refusals=(404, 409),
    ),
    Endpoint(
        "DELETE",
        "/keys/{id}",
        "deleteKey",
        "End a key and take it out of the lists. The ledger and the audit keep its id.",
        _delete,
        {200: thing(id=TEXT, deleted=FLAG)},
        refusals=(404, 409),
    ),
    Endpoint(
        "POST",
        "/keys/{id}/rotate",
        "rotateKey",
        "Give a key a new secret, which is in the answer, this once. The one until now opens for the grace time.",
        _rotate,
        {200: _WITH_SECRET},
        takes=wish(
            grace={
                "type": ["string", "number", "null"],
                "default": "24h",
                "description": 'Seconds, or such as "12h"; 0 ends it.',
            }
        ),
        refusals=(404, 409),
    ),
    Endpoint(
        "POST",
        "/keys/{id}/revoke",
        "revokeKey",
        "End a key for good. It stays in the lists.",
        _revoke,
        {200: _KEY},
        refusals=(404, 409),
    ),
)
