"""The root key: the operator's own, or one made at the first start, shown once and kept as a digest: in the data directory, or in
the database where that is a server's and several machines have it."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from dragoman.pipeline.key import digest
from dragoman.store import Location
from dragoman.store.keys import Keys
from dragoman.store.secret import new_secret

VARIABLE = "DRAGOMAN_ROOT_KEY"


class RootKey(Struct, frozen=True):
    """`made` is the key itself, on the one occasion that it is made; `given` the operator's own from the environment."""

    digest: bytes
    made: str | None = None
    given: str | None = None


def given_key(environment: Mapping[str, str]) -> str | None:
    """The operator's own key."""
    return environment.get(VARIABLE, "").strip() or None


def key_file(data: Path) -> Path:
    """Where the digest of a made key is kept. Without the file, the next start makes another key."""
    return data / "root-key.sha256"


def root_key(data: Path, environment: Mapping[str, str], agreed: bytes | None = None) -> RootKey:
    """The key in force; `data` must exist. `agreed` is the digest that machines on one database have agreed on. A key made here
    is not kept yet. Raises OSError where it could not be, or where the kept one cannot be read."""
    given = given_key(environment)
    if given:
        return RootKey(digest(given.encode()), given=given)
    kept = agreed or kept_in(data)
    if kept is not None:
        return RootKey(kept)
    if not os.access(data, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(data))
    made = new_secret()
    return RootKey(digest(made.encode()), made=made)


def kept_in(data: Path) -> bytes | None:
    """The digest that an earlier start left in the data directory. Raises OSError."""
    try:
        kept = bytes.fromhex(key_file(data).read_text().strip())
    except (FileNotFoundError, ValueError):
        return None
    return kept if len(kept) == 32 else None


def keep(data: Path, key: RootKey) -> None:
    """Puts the key's digest on the disk, whole or not at all. Raises OSError."""
    path = key_file(data)
    fresh = path.with_suffix(".new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(key.digest.hex() + "\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def agree_on(location: Location, key: RootKey) -> bytes:
    """The digest that is in force on all machines of a database: this one's where there was none yet. Blocks. Raises
    StoreRefused."""
    keys = Keys(location)
    try:
        return keys.agree_on_root_key(key.digest)
    finally:
        keys.close()
