"""The root key: the operator's own, or one made at the first start, shown once and kept as a digest."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from dragoman.pipeline.snapshot import digest

VARIABLE = "DRAGOMAN_ROOT_KEY"


class RootKey(Struct, frozen=True):
    """`made` is the key itself, on the one occasion that it is made; `given` the operator's own from the environment."""

    digest: bytes
    made: str | None = None
    given: str | None = None


def new_key(prefix: str = "dgm_") -> str:
    """192 bits of randomness in letters that survive a shell, a URL and a header."""
    return prefix + secrets.token_hex(24)


def given_key(environment: Mapping[str, str]) -> str | None:
    """The operator's own key."""
    return environment.get(VARIABLE, "").strip() or None


def key_file(data: Path) -> Path:
    """Where the digest of a made key is kept. Without the file, the next start makes another key."""
    return data / "root-key.sha256"


def root_key(data: Path, environment: Mapping[str, str]) -> RootKey:
    """The key in force; `data` must exist. A key made here is not kept yet. Raises OSError where it could not be, or where
    the kept one cannot be read."""
    given = given_key(environment)
    if given:
        return RootKey(digest(given.encode()), given=given)
    try:
        kept = bytes.fromhex(key_file(data).read_text().strip())
        if len(kept) == 32:
            return RootKey(kept)
    except (FileNotFoundError, ValueError):
        pass
    if not os.access(data, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(data))
    made = new_key()
    return RootKey(digest(made.encode()), made=made)


def keep(data: Path, key: RootKey) -> None:
    """Puts the key's digest on the disk, whole or not at all. Raises OSError."""
    path = key_file(data)
    fresh = path.with_suffix(".new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(key.digest.hex() + "\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
