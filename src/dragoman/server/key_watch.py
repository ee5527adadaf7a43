"""The database's keys, followed: asked twice a second what has changed, so that every worker knows it within one, whoever changed
it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import structlog

from dragoman.store import HeldKey, StoreRefused
from dragoman.store.key_rows import Changes
from dragoman.store.keyring import Keyring

_log = structlog.get_logger(__name__)

_READ_SECONDS = 0.5


class KeyWatch:
    """`first` is what `keyring` gave at the start. `on_change` is called once `held`, all that there are, has what changed."""

    def __init__(self, keyring: Keyring, first: Changes | None, on_change: Callable[[Changes], None]) -> None:
        self._keyring = keyring
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="keys")
        self._reading = asyncio.Lock()
        self._number: int | None = None
        self._held: dict[str, HeldKey] = {}
        self._on_change = on_change
        if first is not None:
            self._take(first)

    @property
    def held(self) -> list[HeldKey]:
        return list(self._held.values())

    async def follow(self) -> None:
        """For ever."""
        well = True
        while True:
            await asyncio.sleep(_READ_SECONDS)
            try:
                await self.read()
            except StoreRefused as error:
                if well:
                    _log.error("changed keys cannot be read; those that are known stay in force", error=str(error))
                well = False
                continue
            if not well:
                _log.warning("changed keys are read again")
                well = True

    async def read(self) -> None:
        """Raises StoreRefused."""
        loop = asyncio.get_running_loop()
        async with self._reading:
            changes = await loop.run_in_executor(self._thread, self._keyring.read, self._number)
            if changes is not None:
                self._take(changes)
                self._on_change(changes)

    def close(self) -> None:
        """Without waiting for a database that does not answer."""
        self._thread.submit(self._keyring.close)
        self._thread.shutdown(wait=False)

    def _take(self, changes: Changes) -> None:
        if changes.whole:
            self._held.clear()
        self._number = changes.number
        for key in changes.keys:
            if key.digest:
                self._held[key.id] = key
            else:
                self._held.pop(key.id, None)
