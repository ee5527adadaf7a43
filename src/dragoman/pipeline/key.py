"""Callers' keys as requests meet them: those of the file, the gateway's own, and those of the database, which change while we
run."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import lru_cache
from hashlib import sha256
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from dragoman.config import FileKey
from dragoman.limits import NANOS, Budget, Limits, Rule
from dragoman.store import HeldKey

End = Literal["expired", "revoked", "replaced"]

_ALL = ("*",)
_LIMITS = tuple(Limits.__struct_fields__)


class Key(Struct, frozen=True):
    """A caller's credential, without the credential. `id` is what is kept and counted under; `name` is for people, and several
    may have one. `expires` is in Unix seconds, and `end` is what happens then, or has happened."""

    id: str
    name: str
    models: tuple[str, ...] = _ALL
    root: bool = False
    expires: float | None = None
    end: End = "expired"
    limits: Limits | None = None
    budget: Budget | None = None
    rule: Rule | None = None
    cache: float | None = None  # for how many seconds its answers are kept

    def may_use(self, *names: str) -> bool:
        """Whether the key may use a model known by any of these names."""
        return self.models == _ALL or _fits(self.models, names)


@lru_cache(maxsize=4096)
def _fits(patterns: tuple[str, ...], names: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns for name in names)


def limited(key: Key) -> Key:
    """With its rule, if it is limited by anything."""
    if key.limits is None and key.budget is None:
        return key
    return replace(key, rule=Rule(f"key:{key.id}", f"the key {key.name!r}", key.limits, key.budget))


ROOT = Key("root", "root", root=True)
TRIAL = Key("trial", "trial")


def digest(secret: bytes) -> bytes:
    """How a key is stored and looked up. Our keys are long and random, so one round of SHA-256 is enough."""
    return sha256(secret).digest()


def of_file(key: FileKey) -> tuple[bytes, Key]:
    """By its digest."""
    given = {name: getattr(key.limits, name) for name in _LIMITS}
    return digest(key.key.get_secret_value().encode()), limited(
        Key(
            f"file:{key.name}",
            key.name,
            key.models,
            expires=key.expires_at.astimezone(UTC).timestamp() if key.expires_at else None,
            limits=Limits(**given) if any(limit is not None for limit in given.values()) else None,
            budget=Budget(int(key.budget.usd * NANOS), key.budget.window) if key.budget is not None else None,
            cache=key.cache.ttl if key.cache is not None else None,
        )
    )


def expired(key: Key, now: float) -> bool:
    return key.expires is not None and key.expires <= now


def end_text(key: Key) -> str:
    """Of an expired one: what became of it, and what to do."""
    when = datetime.fromtimestamp(key.expires or 0, UTC).isoformat(timespec="seconds")
    match key.end:
        case "revoked":
            return f"was revoked at {when}. Ask the operator for a new one."
        case "replaced":
            return f"was replaced by a new one, and ended at {when}. Use the new one."
    return f"expired at {when}. Ask the operator for a new one."


class Ring:
    """The database's keys by digest, as far as we were told. What `keys` gives is never changed: a snapshot may hold it."""

    def __init__(self) -> None:
        self.keys: dict[bytes, Key] = {}
        self._digests: dict[str, tuple[bytes, ...]] = {}

    def take(self, changed: Iterable[HeldKey], *, whole: bool) -> None:
        """`whole`: these are all that there are."""
        keys = {} if whole else dict(self.keys)
        if whole:
            self._digests.clear()
        for held in changed:
            for old in self._digests.pop(held.id, ()):
                keys.pop(old, None)
            opened = _opened(held)
            if opened:
                self._digests[held.id] = tuple(opened)
                keys.update(opened)
        self.keys = keys


def _opened(held: HeldKey) -> dict[bytes, Key]:
    """A key has two secrets between its rotation and the end of its grace time."""
    if not held.digest:
        return {}
    ends: list[tuple[float, End]] = []
    if held.expires is not None:
        ends.append((held.expires, "expired"))
    if held.revoked is not None:
        ends.append((held.revoked, "revoked"))
    found = {bytes.fromhex(held.digest): _key(held, ends)}
    if held.previous and held.previous_until is not None:
        found[bytes.fromhex(held.previous)] = _key(held, [*ends, (held.previous_until, "replaced")])
    return found


def _key(held: HeldKey, ends: list[tuple[float, End]]) -> Key:
    key = limited(Key(held.id, held.name, held.models, limits=held.limits, budget=held.budget))
    if not ends:
        return key
    expires, end = min(ends)
    return replace(key, expires=expires, end=end)
