"""The built-in model as a worker sees it: a state that the supervisor tells, and a way to ask for it to be started."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from math import ceil
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

from dragoman.ir import Overloaded
from dragoman.providers.endpoint import Credential, Endpoint
from dragoman.upstream.base import Origin

START_SECONDS = 60.0
_ON_ITS_WAY = ("pulling", "starting")


class RemoteEngine:
    """`demand` asks the supervisor to start the model; its answer is told in any case, changed or not."""

    def __init__(self, demand: Callable[[], None]) -> None:
        self._demand = demand
        self._state = "stopped"
        self._trouble = "does not run"
        self._again_at = 0.0
        self._changed = asyncio.Event()
        self._ready: tuple[str, str] | None = None
        self._made: dict[str, tuple[Endpoint, Endpoint]] = {}

    def tell(self, state: dict[str, Any]) -> None:
        self._state = state["state"]
        self._trouble = state.get("trouble") or "does not run"
        self._again_at = monotonic() + state.get("again_in", 0.0)
        self._ready = (state["base_url"], state["api_key"]) if self._state == "ready" else None
        self._made.clear()
        self._changed.set()
        self._changed = asyncio.Event()

    async def endpoint(self, template: Endpoint) -> Endpoint:
        ready = self._ready
        if ready is None:
            ready = await self._wait()
        kept = self._made.get(template.name)
        # A reload brings another template, with deadlines of its own.
        if kept is not None and kept[0] is template:
            return kept[1]
        parts = urlsplit(ready[0])
        made = replace(
            template,
            origin=Origin("http", parts.hostname or "127.0.0.1", parts.port or 80),
            base_path=parts.path.rstrip("/").encode() + b"/v1",
            credentials=(Credential("local", ready[1]),),
        )
        self._made[template.name] = (template, made)
        return made

    async def _wait(self) -> tuple[str, str]:
        """Until the model answers. While it is being fetched or loaded waiting is of use, else it is not."""
        if self._state == "failed" and monotonic() < self._again_at:
            raise self._does_not_run()
        changed = self._changed
        self._demand()
        try:
            async with asyncio.timeout(START_SECONDS):
                await changed.wait()
                while self._ready is None:
                    if self._state not in _ON_ITS_WAY:
                        raise self._does_not_run()
                    await self._changed.wait()
                return self._ready
        except TimeoutError:
            raise Overloaded(
                "The built-in model is still being loaded. Try again in a moment.", retry_after=5.0
            ) from None

    def _does_not_run(self) -> Overloaded:
        # The whole reason is the operator's to know: pip's words and this machine's paths stay in the log.
        seconds = max(1, ceil(self._again_at - monotonic()))
        return Overloaded(
            f"The built-in model {self._trouble}; the gateway's log says why. Try again in {seconds} s.",
            retry_after=float(seconds),
            code="local_model_failed",
        )
