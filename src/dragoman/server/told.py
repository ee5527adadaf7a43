"""What the supervisor tells a process of settings and keys, taken over by workers and the admin process alike."""

from __future__ import annotations

from typing import Any

import msgspec

from dragoman.config import Settings
from dragoman.pipeline.key import Ring
from dragoman.pipeline.snapshot import Snapshot, snapshot_of
from dragoman.store import HeldKey


class Told:
    """`first` is the message that a process begins with. Of each message the snapshot to go on with is given."""

    def __init__(self, first: dict[str, Any]) -> None:
        self._ring = Ring()
        self._take(first["keys"], whole=True)

    def settings(self, message: dict[str, Any]) -> Snapshot:
        return snapshot_of(
            Settings.from_secret_json(message["settings"]),
            demo=message["demo"],
            root_key=bytes.fromhex(message["root_key"]),
            trial_key=bytes.fromhex(message["trial_key"]) if message["trial_key"] else None,
            keys=self._ring.keys,
        )

    def keys(self, message: dict[str, Any], before: Snapshot) -> Snapshot:
        self._take(message["keys"], whole=message["whole"])
        return before.with_keys(self._ring.keys)

    def _take(self, keys: Any, *, whole: bool) -> None:
        self._ring.take(msgspec.convert(keys, list[HeldKey]), whole=whole)
