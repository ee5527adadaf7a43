"""What all endpoints of the admin API share: the gateway's settings and connections, its keys, its ledger, the way to the
supervisor."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from dragoman.admin.book import Book
from dragoman.config import Loaded
from dragoman.pipeline.gateway import Gateway
from dragoman.store import Location
from dragoman.store.keys import Keys

P = ParamSpec("P")
T = TypeVar("T")

Reload = Callable[[], Awaitable[tuple[int, dict[str, Any]]]]

# The database has no more connections for us, and whoever waits for one waits in order.
_THREADS = 2


class Desk:
    """`loaded` is swapped with the gateway's snapshot. `reload` asks the supervisor and gives status and answer; `tell_keys`
    tells it that a key was changed, and waits until
    every worker knows. `metrics` is where workers leave their counts."""

    def __init__(
        self,
        gateway: Gateway,
        loaded: Loaded,
        location: Location,
        data: Path,
        *,
        reload: Reload,
        tell_keys: Callable[[], Awaitable[None]],
        metrics: Path | None = None,
    ) -> None:
        self.metrics = metrics
        self.gateway = gateway
        self.loaded = loaded
        self.keys = Keys(location)
        self.book = Book(location, data)
        self.reload = reload
        self.tell_keys = tell_keys
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="database")

    async def blocking(self, work: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
        """`work` in a thread: nobody else waits while the database is asked."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: work(*args, **named))

    def warm(self) -> None:
        """What it imports takes a third of a second, which the first question need not wait for. Blocks."""
        import dragoman.store.key_statements
        import dragoman.store.ledger_queries
        import dragoman.store.ledger_statements  # noqa: F401

    async def aclose(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        self.keys.close()
        self.book.close()
