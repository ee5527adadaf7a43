"""Callers' secrets: long and random, shown once, and kept as digests that lead back to nothing."""

from __future__ import annotations

import secrets
from hashlib import sha256

PREFIX = "dgm_"
_ENDING = 4


def new_secret(prefix: str = PREFIX) -> str:
    """192 bits of randomness in letters that survive a shell, a URL and a header."""
    return prefix + secrets.token_hex(24)


def digest_of(secret: str) -> bytes:
    """One round is enough: what is random has no dictionary to be tried."""
    return sha256(secret.encode()).digest()


def ending_of(secret: str) -> str:
    return secret[-_ENDING:]
