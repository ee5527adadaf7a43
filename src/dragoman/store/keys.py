"""Callers' keys in the database: made, listed, changed, rotated, revoked, deleted; for the command line and the admin process.

Everything here blocks. Each change is one transaction with its line in the audit and the version by which workers see it; what
cannot be done raises and changes nothing. `actor` is who asks, for the audit.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from dragoman.store.database import Database
from dragoman.store.key_fields import InvalidKey, KeyEnded, KeyFields, NoSuchKey, patched, read_fields, shown
from dragoman.store.key_rows import AuditRow, StoredKey
from dragoman.store.location import Location
from dragoman.store.secret import digest_of, ending_of, new_secret

if TYPE_CHECKING:
    from sqlalchemy import Connection

_ID = re.compile(r"key_[0-9a-f]{12}[0-9a-f]{12}", re.ASCII)
_MOST_LISTED = 1000
GRACE_SECONDS = 24 * 3600
LONGEST_GRACE_SECONDS = 90 * 24 * 3600


class NewSecret(Struct, frozen=True):
    """A key and its secret, the only time that it is to be had."""

    key: StoredKey
    secret: str


class Page(Struct, frozen=True):
    """Ask with `next_cursor` for what comes after; None is the end."""

    keys: list[StoredKey]
    next_cursor: str | None


class AuditPage(Struct, frozen=True):
    rows: list[AuditRow]
    next_cursor: str | None


class Keys:
    """On a database that is migrated. Opened with the first use; `close` when done. For several threads.

    All raise StoreRefused where the database does not do its part."""

    def __init__(self, location: Location) -> None:
        self._reading = Database(location, writing=False)
        self._writing = Database(location, writing=True)

    def create(self, fields: Mapping[str, Any], actor: str) -> NewSecret:
        """`fields`: name, and models, limits, budget, metadata, expires_at as the admin API has them. Raises InvalidKey."""
        checked, now = read_fields(fields), int(time.time())
        _check_future(checked.expires, now)
        secret = new_secret()
        key = StoredKey(
            id=f"key_{int(time.time() * 1000):012x}{secrets.token_hex(6)}",
            ending=ending_of(secret),
            created=now,
            revoked=None,
            previous_until=None,
            **{name: getattr(checked, name) for name in KeyFields.__struct_fields__},
        )
        with self._changing() as (connection, version):
            values = {"id": key.id, "ending": key.ending, "created": now, "digest": digest_of(secret)}
            _do.insert_key(connection, version, {**values, **_columns(checked)})
            _do.put_audit(connection, now, actor, "key.create", key.id, _told(key))
        return NewSecret(key, secret)

    def list(self, cursor: str | None = None, limit: int = 50, *, revoked: bool = True) -> Page:
        """The newest first. Raises InvalidKey for a cursor or a limit that is none."""
        if not 1 <= limit <= _MOST_LISTED:
            raise InvalidKey("limit", f"is not a whole number from 1 to {_MOST_LISTED}.")
        if cursor is not None and not _ID.fullmatch(cursor):
            raise InvalidKey("cursor", "is none that a list gave.")
        with self._reading.asked() as connection:
            found = _do.list_keys(connection, cursor, limit + 1, revoked)
        return Page(found[:limit], found[limit - 1].id if len(found) > limit else None)

    def show(self, id: str) -> StoredKey:
        """Raises NoSuchKey."""
        with self._reading.asked() as connection:
            return _existing(connection, id)

    def find(self, text: str) -> StoredKey:
        """By id, or by a name that only one key has, or only one that is not revoked. Raises NoSuchKey."""
        if _ID.fullmatch(text):
            return self.show(text)
        with self._reading.asked() as connection:
            found: list[StoredKey] = _do.keys_named(connection, text, _MOST_LISTED) if text.isprintable() else []
        some = [key for key in found if key.revoked is None] or found
        if not some:
            raise NoSuchKey(f"There is no key {text!r}. List them: dragoman keys list")
        if len(some) > 1:
            ids = ", ".join(key.id for key in some[:10])
            raise NoSuchKey(f"{len(some)} keys have the name {text!r}. Say which by its id: {ids}.")
        return some[0]

    def patch(self, id: str, changes: Mapping[str, Any], actor: str) -> StoredKey:
        """Merges the changes in as RFC 7396 says: null takes away. Raises NoSuchKey, KeyEnded, InvalidKey."""
        now = int(time.time())
        with self._changing() as (connection, version):
            old = _going(connection, id)
            checked = read_fields(patched(old, changes))
            if checked.expires != old.expires:
                _check_future(checked.expires, now)
            new = msgspec.structs.replace(old, **{name: getattr(checked, name) for name in KeyFields.__struct_fields__})
            before, after = _told(old), _told(new)
            changed = [name for name in after if before[name] != after[name]]
            if changed:
                _do.change_key(connection, version, id, _columns(checked))
                detail = {name: {"from": before[name], "to": after[name]} for name in changed}
                _do.put_audit(connection, now, actor, "key.change", id, detail)
        return new

    def rotate(self, id: str, actor: str, grace: int = GRACE_SECONDS) -> NewSecret:
        """A new secret for the key. The one until now opens for `grace` seconds more; one before that, no longer. Raises
        NoSuchKey, KeyEnded, InvalidKey."""
        if not 0 <= grace <= LONGEST_GRACE_SECONDS:
            raise InvalidKey("grace", f"is not from 0 to {LONGEST_GRACE_SECONDS} seconds.")
        now, secret = int(time.time()), new_secret()
        with self._changing() as (connection, version):
            old = _going(connection, id)
            values = {
                "digest": digest_of(secret),
                "ending": ending_of(secret),
                "previous": _do.digest_of_key(connection, id),
                "previous_until": now + grace,
            }
            _do.change_key(connection, version, id, values)
            _do.put_audit(
                connection, now, actor, "key.rotate", id, {"grace_seconds": grace, "ending": values["ending"]}
            )
        new = msgspec.structs.replace(old, ending=ending_of(secret), previous_until=now + grace)
        return NewSecret(new, secret)

    def revoke(self, id: str, actor: str) -> StoredKey:
        """Ends the key for good, its former secret too; it stays in lists. To revoke one again changes nothing. Raises
        NoSuchKey."""
        now = int(time.time())
        with self._changing() as (connection, version):
            old = _existing(connection, id)
            if old.revoked is not None:
                return old
            _do.change_key(connection, version, id, {"revoked": now})
            _do.put_audit(connection, now, actor, "key.revoke", id, {})
        return msgspec.structs.replace(old, revoked=now)

    def delete(self, id: str, actor: str) -> None:
        """Ends the key and takes it out of the lists; entries of the ledger keep its id, and the audit its name. Raises
        NoSuchKey."""
        now = int(time.time())
        with self._changing() as (connection, version):
            old = _existing(connection, id)
            gone = {"digest": None, "previous": None, "deleted": now, "metadata": "{}"}
            _do.change_key(connection, version, id, gone)
            _do.put_audit(connection, now, actor, "key.delete", id, _told(old))

    def audit(self, cursor: str | None = None, limit: int = 50, *, subject: str | None = None) -> AuditPage:
        """Who changed what, the newest first. Raises InvalidKey for a cursor or a limit that is none."""
        if not 1 <= limit <= _MOST_LISTED:
            raise InvalidKey("limit", f"is not a whole number from 1 to {_MOST_LISTED}.")
        if cursor is not None and not re.fullmatch(r"[1-9][0-9]{0,17}", cursor, re.ASCII):
            raise InvalidKey("cursor", "is none that a list gave.")
        with self._reading.asked() as connection:
            found = _do.list_audit(connection, int(cursor) if cursor else None, limit + 1, subject)
        return AuditPage(found[:limit], str(found[limit - 1].id) if len(found) > limit else None)

    def note(self, actor: str, action: str, subject: str, detail: Mapping[str, Any]) -> None:
        """A line of the audit for what was changed elsewhere. Nothing secret may be in `detail`."""
        with self._writing.asked() as connection:
            _do.put_audit(connection, int(time.time()), actor, action, subject, detail)

    def agree_on_root_key(self, digest: bytes) -> bytes:
        """Puts the digest of a root key in place where there is none yet; the one that is in force on all machines."""
        with self._writing.asked() as connection:
            return bytes.fromhex(_do.agree_on_setting(connection, "root_key", digest.hex()))

    def close(self) -> None:
        self._reading.close()
        self._writing.close()

    @contextmanager
    def _changing(self) -> Iterator[tuple[Connection, int]]:
        with self._writing.asked() as connection:
            yield connection, _do.next_version(connection)


class _Statements:
    """Importing SQLAlchemy takes a third of a second, which no start should have to wait for."""

    def __getattr__(self, name: str) -> Any:
        from dragoman.store import key_statements

        return getattr(key_statements, name)


_do = _Statements()


def _columns(fields: KeyFields) -> dict[str, Any]:
    return {
        "name": fields.name,
        "models": _text(fields.models),
        "limits": None if fields.limits is None else _text(fields.limits),
        "budget": None if fields.budget is None else _text(fields.budget),
        "metadata": _text(fields.metadata),
        "expires": fields.expires,
    }


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _told(key: StoredKey) -> dict[str, Any]:
    """What the audit says of a key."""
    told = shown(key, 0)
    return {name: told[name] for name in ("name", "models", "limits", "budget", "metadata", "expires_at")}


def _existing(connection: Connection, id: str) -> StoredKey:
    key: StoredKey | None = _do.get_key(connection, id) if _ID.fullmatch(id) else None
    if key is None:
        raise NoSuchKey(f"There is no key {id!r}.")
    return key


def _going(connection: Connection, id: str) -> StoredKey:
    key = _existing(connection, id)
    if key.revoked is not None:
        raise KeyEnded(f"The key {key.name!r} ({key.id}) is revoked, and stays so. Make another.")
    return key


def _check_future(expires: int | None, now: int) -> None:
    if expires is not None and expires <= now:
        raise InvalidKey("expires_at", "is in the past. To end a key at once, revoke it.")
