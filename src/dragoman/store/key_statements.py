"""The statements on keys. Whoever changes one first takes the next number of the keys' version, which holds up all others that
would change one, and is seen together with the change and with its line in the audit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from dragoman.store.key_rows import AuditRow, StoredKey, read_budget, read_limits, read_metadata, read_models
from dragoman.store.key_schema import audit, keys, settings, versions

_LISTED = [column for column in keys.columns if column.name in StoredKey.__struct_fields__]


def next_version(connection: Connection) -> int:
    """The first statement of every change."""
    raised = update(versions).where(versions.c.name == "keys").values(number=versions.c.number + 1)
    return int(connection.execute(raised.returning(versions.c.number)).scalar_one())


def insert_key(connection: Connection, version: int, values: Mapping[str, Any]) -> None:
    connection.execute(insert(keys).values(version=version, **values))


def change_key(connection: Connection, version: int, id: str, values: Mapping[str, Any]) -> None:
    connection.execute(update(keys).where(keys.c.id == id).values(version=version, **values))


def digest_of_key(connection: Connection, id: str) -> bytes:
    return bytes(connection.execute(select(keys.c.digest).where(keys.c.id == id)).scalar_one())


def get_key(connection: Connection, id: str) -> StoredKey | None:
    row = connection.execute(select(*_LISTED).where(keys.c.id == id, keys.c.deleted.is_(None))).first()
    return None if row is None else _stored(row)


def keys_named(connection: Connection, name: str, most: int) -> list[StoredKey]:
    asked = select(*_LISTED).where(keys.c.name == name, keys.c.deleted.is_(None)).order_by(keys.c.id.desc())
    return [_stored(row) for row in connection.execute(asked.limit(most))]


def list_keys(connection: Connection, before: str | None, most: int, revoked: bool) -> list[StoredKey]:
    """The newest first."""
    asked = select(*_LISTED).where(keys.c.deleted.is_(None)).order_by(keys.c.id.desc()).limit(most)
    if before is not None:
        asked = asked.where(keys.c.id < before)
    if not revoked:
        asked = asked.where(keys.c.revoked.is_(None))
    return [_stored(row) for row in connection.execute(asked)]


def _stored(row: Row[Any]) -> StoredKey:
    found = dict(row._mapping)
    return StoredKey(
        **{
            **found,
            "models": read_models(found["models"]),
            "limits": read_limits(found["limits"]),
            "budget": read_budget(found["budget"]),
            "metadata": read_metadata(found["metadata"]),
        }
    )


def put_audit(
    connection: Connection, at: int, actor: str, action: str, subject: str, detail: Mapping[str, Any]
) -> None:
    row = {"at": at, "actor": actor, "action": action, "subject": subject, "detail": json.dumps(detail)}
    connection.execute(insert(audit).values(**row))


def list_audit(connection: Connection, before: int | None, most: int, subject: str | None) -> list[AuditRow]:
    """The newest first."""
    asked = select(audit).order_by(audit.c.id.desc()).limit(most)
    if before is not None:
        asked = asked.where(audit.c.id < before)
    if subject is not None:
        asked = asked.where(audit.c.subject == subject)
    return [AuditRow(**row) for row in connection.execute(asked).mappings()]


_put_setting = {
    module.dialect.name: module.insert(settings).on_conflict_do_nothing(index_elements=[settings.c.name])
    for module in (sqlite, postgresql)
}


def agree_on_setting(connection: Connection, name: str, value: str) -> str:
    """Puts the value in place where there is none; the one that is in force."""
    connection.execute(_put_setting[connection.dialect.name], {"name": name, "value": value})
    return str(connection.execute(select(settings.c.value).where(settings.c.name == name)).scalar_one())
