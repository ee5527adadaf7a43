"""What a data worker answers: probes and metrics at once, model traffic by the pipeline. What operators ask is handed on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from dragoman.pipeline.flow import serve
from dragoman.pipeline.gateway import Gateway
from dragoman.pipeline.shed import shed
from dragoman.server.asgi import AsgiCaller, Receive, Scope, Send
from dragoman.server.handover import Handover

Metrics = Callable[[], Awaitable[tuple[bytes, bytes]]]


class Application:
    """`metrics` gives content type and text for /metrics; `handover` takes what is below /admin/."""

    def __init__(self, gateway: Gateway, *, metrics: Metrics, handover: Handover) -> None:
        self._gateway = gateway
        self._metrics = metrics
        self._handover = handover
        self._own = {
            "/livez": self._livez,
            "/readyz": self._readyz,
            "/metrics": self._show_metrics,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        caller = AsgiCaller(scope, receive, send)
        own = self._own.get(caller.path)
        if own is not None:
            await own(caller)
        elif caller.path.startswith("/admin/"):
            await self._handover.serve(caller)
        elif self._gateway.tally.in_flight < self._gateway.max_in_flight:
            caller.bodies = self._gateway.bodies
            try:
                await serve(self._gateway, caller)
            finally:
                if caller.held:
                    caller.bodies.forget(caller.held)
        else:
            await shed(self._gateway, caller)
        if caller.lingers:
            await caller.linger()

    async def _livez(self, caller: AsgiCaller) -> None:
        await _text(caller, 200, b"ok\n")

    async def _readyz(self, caller: AsgiCaller) -> None:
        if self._gateway.draining:
            await _text(caller, 503, b"draining\n")
        elif (ledger := self._gateway.ledger) is not None and (ledger.exhausted or ledger.trouble is not None):
            full = ledger.exhausted and self._gateway.snapshot.settings.ledger.when_full == "refuse"
            told = "full" if full else "ready"
            if ledger.exhausted:
                told += "; there is no more room for the ledger's journal"
            if ledger.trouble is not None:
                told += f"; the database takes no entries of the ledger: {ledger.trouble}"
            told += "\n"
            await _text(caller, 503 if full else 200, told.encode())
        else:
            await _text(caller, 200, b"ready\n")

    async def _show_metrics(self, caller: AsgiCaller) -> None:
        kind, body = await self._metrics()
        await caller.answer(200, [(b"content-type", kind)], body)


async def _text(caller: AsgiCaller, status: int, body: bytes) -> None:
    await caller.answer(
        status, [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store")], body
    )
