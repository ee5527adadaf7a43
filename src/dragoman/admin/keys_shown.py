"""A key as an operator sees it, whether the database has it or the configuration file; never its secret."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from dragoman.config import FileKey
from dragoman.store.key_fields import shown
from dragoman.store.key_rows import StoredKey
from dragoman.store.keys import Keys

OF_FILE = "file:"
_OWN = ("root", "trial")


def key_shown(key: StoredKey) -> dict[str, Any]:
    row = shown(key, time.time())
    return {"id": row.pop("id"), "name": row.pop("name"), "source": "database", **row}


def file_key_shown(key: FileKey) -> dict[str, Any]:
    expires = key.expires_at
    return {
        "id": OF_FILE + key.name,
        "name": key.name,
        "source": "file",
        "ending": None,
        "status": "expired" if expires is not None and expires <= datetime.now(UTC) else "active",
        "models": list(key.models),
        "limits": key.limits.model_dump(),
        "budget": None if key.budget is None else key.budget.model_dump(mode="json"),
        "metadata": {},
        "created_at": None,
        "expires_at": None if expires is None else expires.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "revoked_at": None,
        "previous_valid_until": None,
    }


def id_of(text: str, filed: Sequence[FileKey], keys: Keys) -> str:
    """The id under which entries have a key, of that id itself or of the key's name. Raises NoSuchKey, StoreRefused."""
    if text in _OWN or text.startswith((OF_FILE, "key_")):
        return text
    if any(key.name == text for key in filed):
        return OF_FILE + text
    return keys.find(text).id
