"""What a reload depends on: whether the configuration file is another one now, and what only a new start takes over."""

from __future__ import annotations

from pathlib import Path

from dragoman.config import Settings, fingerprint
from dragoman.config.watch import Fingerprint


class Watched:
    """The file in force, if there is one; asked from time to time whether it has changed."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._applied: Fingerprint = None
        self._seen: Fingerprint = None
        self.apply()

    def apply(self) -> None:
        """The file as it is now is being read, for whatever reason: it is no change any more."""
        if self._path is not None:
            self._applied = self._seen = fingerprint(self._path)

    def follow(self, path: Path | None) -> None:
        """The configuration has come from `path`."""
        if path != self._path:
            self._path = path
            self.apply()

    def has_changed(self) -> bool:
        """Whether the file is another one than was applied and has come to rest: one being written is asked for again."""
        if self._path is None:
            return False
        now = fingerprint(self._path)
        rested = now == self._seen
        self._seen = now
        return rested and now is not None and now != self._applied


def needs_restart(old: Settings, new: Settings) -> list[str]:
    """The settings that differ and are read only at start."""
    pairs = {
        "server.host": (old.server.host, new.server.host),
        "server.port": (old.server.port, new.server.port),
        "server.workers": (old.server.workers, new.server.workers),
        "server.tls": (old.server.tls, new.server.tls),
        "data": (old.data, new.data),
        "database": (old.database, new.database),
        "shared": (old.shared, new.shared),
        "log": (old.log, new.log),
        "ledger.journal_limit": (old.ledger.journal_limit, new.ledger.journal_limit),
        "local": (old.local, new.local),
    }
    return [name for name, (before, after) in pairs.items() if before != after]
