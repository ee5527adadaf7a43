"""The statements, in the words that SQLite and PostgreSQL share."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, Table, delete, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite

from dragoman.store.rows import StoredResponse
from dragoman.store.schema import items, responses, signatures

# What is deleted in one transaction, so that none holds up the others, and asked for in one statement: SQLite takes 999 values
# at the least.
_AT_ONCE = 500

_upserts = {
    (dialect.__name__.rpartition(".")[2], table.name): (
        statement := dialect.insert(table),
        statement.on_conflict_do_update(
            index_elements=list(table.primary_key.columns),
            set_={column.name: statement.excluded[column.name] for column in table.columns if not column.primary_key},
        ),
    )[1]
    for dialect in (sqlite, postgresql)
    for table in (responses, items, signatures)
}


def put_response(connection: Connection, response: StoredResponse, made: Sequence[str]) -> None:
    row = {column.name: getattr(response, column.name) for column in responses.columns}
    row["model"] = response.model if _is_text(response.model) else ascii(response.model)  # a vendor wrote it
    connection.execute(_upserts[connection.dialect.name, "responses"], row)
    rows = [
        {"owner": response.owner, "id": id, "response": response.id, "expires": response.expires}
        for id in dict.fromkeys(made)
        if _is_text(id)
    ]
    if rows:
        connection.execute(_upserts[connection.dialect.name, "items"], rows)


def get_response(connection: Connection, owner: str, id: str, now: int) -> StoredResponse | None:
    if not _is_text(id):
        return None
    asked = select(responses).where(responses.c.owner == owner, responses.c.id == id, responses.c.expires > now)
    row = connection.execute(asked).mappings().first()
    return None if row is None else StoredResponse(**row)


def delete_response(connection: Connection, owner: str, id: str, now: int) -> bool:
    if not _is_text(id):
        return False
    asked = delete(responses).where(responses.c.owner == owner, responses.c.id == id, responses.c.expires > now)
    connection.execute(delete(items).where(items.c.owner == owner, items.c.response == id))
    return connection.execute(asked).rowcount > 0


def responses_with(connection: Connection, owner: str, ids: Sequence[str], now: int) -> dict[str, str]:
    found: dict[str, str] = {}
    ids = [id for id in ids if _is_text(id)]
    for start in range(0, len(ids), _AT_ONCE):
        asked = select(items.c.id, items.c.response).where(
            items.c.owner == owner, items.c.id.in_(ids[start : start + _AT_ONCE]), items.c.expires > now
        )
        found.update({row.id: row.response for row in connection.execute(asked)})
    return found


def put_signatures(connection: Connection, owner: str, blobs: Mapping[str, bytes], now: int) -> None:
    rows = [{"owner": owner, "call": call, "blob": blob, "created": now} for call, blob in blobs.items()]
    if rows:
        connection.execute(_upserts[connection.dialect.name, "signatures"], rows)


def get_signatures(connection: Connection, owner: str, calls: Sequence[str]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for start in range(0, len(calls), _AT_ONCE):
        some = calls[start : start + _AT_ONCE]
        asked = select(signatures.c.call, signatures.c.blob).where(
            signatures.c.owner == owner, signatures.c.call.in_(some)
        )
        found.update({row.call: row.blob for row in connection.execute(asked)})
    return found


def prune(connection: Connection, *, now: int, signatures_before: int) -> bool:
    """Deletes some of what is too old; whether there may be more."""
    answers = _prune(connection, responses, responses.c.expires <= now)
    parts = _prune(connection, items, items.c.expires <= now)
    proofs = _prune(connection, signatures, signatures.c.created < signatures_before)
    return answers or parts or proofs


def _prune(connection: Connection, table: Table, old: object) -> bool:
    key = tuple_(*table.primary_key.columns)
    some = select(*table.primary_key.columns).where(old).limit(_AT_ONCE)  # type: ignore[arg-type]
    return connection.execute(delete(table).where(key.in_(some))).rowcount == _AT_ONCE


def _is_text(name: str) -> bool:
    """Whether both databases can hold it: PostgreSQL takes no NUL, and neither takes half a surrogate pair."""
    try:
        return b"\0" not in name.encode()
    except UnicodeEncodeError:
        return False
