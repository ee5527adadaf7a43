"""A key as the database has it: for people, and for the processes that let callers in. Times are Unix seconds."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Struct

from dragoman.limits.values import Budget, Limits

Status = Literal["active", "expired", "revoked"]


class StoredKey(Struct, frozen=True):
    """All that is known of a key; its secret is not. `ending` are the secret's last characters, and `previous_until` is when the
    secret before the last rotation ends or has ended."""

    id: str
    name: str
    ending: str
    models: tuple[str, ...]
    limits: Limits | None
    budget: Budget | None
    metadata: dict[str, str]
    created: int
    expires: int | None
    revoked: int | None
    previous_until: int | None

    def status(self, now: float) -> Status:
        if self.revoked is not None:
            return "revoked"
        return "expired" if self.expires is not None and self.expires <= now else "active"


class HeldKey(Struct, frozen=True):
    """What a worker must know to let a caller in. Digests are in hexadecimal: it travels as JSON. Of a deleted key only `id`
    is told, with an empty digest."""

    id: str
    name: str
    digest: str
    models: tuple[str, ...]
    limits: Limits | None
    budget: Budget | None
    expires: int | None
    revoked: int | None
    previous: str | None
    previous_until: int | None


class Changes(Struct, frozen=True):
    """The keys that have changed since an earlier number, or all of them; `number` is what to ask with the next time."""

    number: int
    whole: bool
    keys: list[HeldKey]


class AuditRow(Struct, frozen=True):
    """Who did what to what. `detail` is JSON."""

    id: int
    at: int
    actor: str
    action: str
    subject: str
    detail: str


_models = msgspec.json.Decoder(tuple[str, ...]).decode
_limits = msgspec.json.Decoder(Limits).decode
_budget = msgspec.json.Decoder(Budget).decode
_metadata = msgspec.json.Decoder(dict[str, str]).decode


def read_models(text: str) -> tuple[str, ...]:
    return _models(text)


def read_limits(text: str | None) -> Limits | None:
    return None if text is None else _limits(text)


def read_budget(text: str | None) -> Budget | None:
    return None if text is None else _budget(text)


def read_metadata(text: str) -> dict[str, str]:
    return _metadata(text)
