"""The root key: the operator's own, or one made at the first start, shown once and kept as a digest."""

from __future__ import annotations

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


def root_key(data: Path, environment: Mapping[str, str]) -> RootKey:
    """The key in force; `data` must exist. Raises OSError where the file cannot be read or written."""
    given = environment.get(VARIABLE, "").strip()
    if given:
        return RootKey(digest(given.encode()), given=given)
    path = data / "root-key.sha256"
    try:
        kept = bytes.fromhex(path.read_text().strip())
        if len(kept) == 32:
            return RootKey(kept)
    except (FileNotFoundError, ValueError):
        pass
    made = new_key()
    fresh = path.with_suffix(".new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(digest(made.encode()).hex() + "\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    return RootKey(digest(made.encode()), made=made)
