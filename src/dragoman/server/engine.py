"""The built-in model as a worker sees it: a state that the supervisor tells, and a way to ask for it to be started."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from dragoman.ir import Overloaded
from dragoman.providers.endpoint import Credential, Endpoint
from dragoman.upstream.base import Origin

START_SECONDS = 60.0


class RemoteEngine:
    """`demand` asks the supervisor to start the model."""

    def __init__(self, demand: Callable[[], None]) -> None:
        self._demand = demand
        self._state: dict[str, Any] = {"state": "stopped"}
        self._changed = asyncio.Event()
        self._ready: tuple[str, str] | None = None
        self._made: dict[str, Endpoint] = {}

    def tell(self, state: dict[str, Any]) -> None:
        self._state = state
        self._ready = (state["base_url"], state["api_key"]) if state.get("state") == "ready" else None
        self._made.clear()
        self._changed.set()
        self._changed = asyncio.Event()

    async def endpoint(self, template: Endpoint) -> Endpoint:
        ready = self._ready
        if ready is None:
            ready = await self._wait()
        made = self._made.get(template.name)
        if made is None:
            parts = urlsplit(ready[0])
            made = replace(
                template,
                origin=Origin("http", parts.hostname or "127.0.0.1", parts.port or 80),
                base_path=parts.path.rstrip("/").encode() + b"/v1",
                credentials=(Credential("local", ready[1]),),
            )
            self._made[template.name] = made
        return made

    async def _wait(self) -> tuple[str, str]:
        self._demand()
        asked_anew = False
        try:
            async with asyncio.timeout(START_SECONDS):
                while self._ready is None:
                    changed = self._changed
                    if self._state["state"] == "failed":
                        if asked_anew:
                            raise Overloaded(
                                f"The built-in model does not run: {self._state.get('reason')}", retry_after=10.0
                            )
                        asked_anew = True
                    await changed.wait()
                return self._ready
        except TimeoutError:
            raise Overloaded(
                "The built-in model is still being loaded. Try again in a moment.", retry_after=5.0
            ) from None
