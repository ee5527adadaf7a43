"""Entries of the ledger that are older than `ledger.retention` are deleted, by this process alone and little by little: whoever
writes entries meanwhile waits for no more than one small transaction."""

from __future__ import annotations

import asyncio
from time import time

import structlog

from dragoman.admin.desk import Desk
from dragoman.store import StoreRefused

_log = structlog.get_logger(__name__)

_FIRST_SECONDS = 60.0
_ROUND_SECONDS = 600.0
# Between two transactions, for those who wait with theirs.
_BREATH_SECONDS = 0.05


async def keep_pruned(desk: Desk) -> None:
    """For ever."""
    await asyncio.sleep(_FIRST_SECONDS)
    while True:
        try:
            await prune(desk, time())
        except StoreRefused as error:  # the next round tries again
            _log.error("old entries of the ledger could not be deleted", error=str(error))
        await asyncio.sleep(_ROUND_SECONDS)


async def prune(desk: Desk, now: float, breath: float = _BREATH_SECONDS) -> None:
    """Deletes all that is too old at `now`, in Unix seconds. Raises StoreRefused."""
    retention = desk.loaded.settings.ledger.retention
    if retention is None:
        return
    more = True
    while more:
        more = await desk.blocking(desk.book.prune, now - retention)
        await asyncio.sleep(breath)
