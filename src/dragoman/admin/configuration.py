"""The configuration in force, its reload, and the trail of who changed what."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import structlog

from dragoman.admin.asked import Asked
from dragoman.admin.desk import Desk
from dragoman.admin.endpoint import Answer, Endpoint, Parameter
from dragoman.admin.keys import actor_of
from dragoman.admin.schemas import CURSOR, FLAG, LIMIT, TEXT, TEXTS, described, list_of, ref, thing
from dragoman.config import redacted
from dragoman.store import StoreRefused
from dragoman.store.key_rows import AuditRow

_log = structlog.get_logger(__name__)


async def _show(desk: Desk, asked: Asked) -> Answer:
    return 200, redacted(desk.loaded.settings)


async def _reload(desk: Desk, asked: Asked) -> Answer:
    asked.nothing()
    status, answer = await desk.reload()
    if status == 200:
        await note_reload(desk, actor_of(asked), answer["needs_restart"])
    return status, answer


async def note_reload(desk: Desk, actor: str, needs_restart: list[str]) -> None:
    """Puts it in the audit, if the database takes it: the reload is in force in any case."""
    place = str(desk.loaded.path) if desk.loaded.path is not None else "environment"
    detail = {"needs_restart": needs_restart}
    try:
        await desk.blocking(desk.keys.note, actor, "config.reload", place, detail)
    except StoreRefused as error:
        _log.error("a reload could not be put in the audit", error=str(error), **detail)


async def _audit(desk: Desk, asked: Asked) -> Answer:
    page = await desk.blocking(desk.keys.audit, asked.text("cursor"), asked.limit(), subject=asked.text("subject"))
    return 200, {"data": list(map(_change, page.rows)), "next_cursor": page.next_cursor}


def _change(row: AuditRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "at": datetime.fromtimestamp(row.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "actor": row.actor,
        "action": row.action,
        "subject": row.subject,
        "detail": json.loads(row.detail),
    }


_PROBLEM = thing(
    error={"type": "object", "properties": {"message": TEXT, "type": TEXT}, "required": ["message", "type"]},
    problems=described(TEXTS, "`FILE:LINE:COL path: what is wrong. How to mend it.`"),
)

ENDPOINTS = (
    Endpoint(
        "GET",
        "/config",
        "getConfig",
        "The settings in effect, defaults included and secrets covered.",
        _show,
        {200: {"type": "object", "description": "As the configuration file has them."}},
    ),
    Endpoint(
        "POST",
        "/config/reload",
        "reloadConfig",
        "Read the configuration anew. It is checked first; a bad one changes nothing.",
        _reload,
        {
            200: thing(
                reloaded=FLAG, needs_restart=described(TEXTS, "What has changed and holds from the next start on only.")
            ),
            422: _PROBLEM,
        },
        refusals=(504,),
    ),
    Endpoint(
        "GET",
        "/audit",
        "listChanges",
        "Who changed what, the newest first.",
        _audit,
        {200: list_of(ref("Change"))},
        query=(Parameter("subject", TEXT, "Of this key, by its id, or of this file."), CURSOR, LIMIT),
    ),
)
