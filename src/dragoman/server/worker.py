"""A data worker: one event loop that answers model traffic on the public socket.

Started by the supervisor as `python -m dragoman.server.worker CONTROL_FD LISTEN_FD DIRECTORY NUMBER`; told its settings over the
control channel, and ends when that channel does.
"""

from __future__ import annotations

import asyncio
import gc
import socket
import sys
import time
from pathlib import Path
from typing import Any, cast

import structlog
import uvloop

from dragoman.config import Settings
from dragoman.config.presets import LOCAL_MODEL
from dragoman.ledger import Journal, Ledger, journal_of
from dragoman.observe import logs, metrics
from dragoman.pipeline.closing import CLOSING
from dragoman.pipeline.gateway import Gateway
from dragoman.server.application import Application
from dragoman.server.control import NO_JOURNAL, Channel, joined
from dragoman.server.engine import RemoteEngine
from dragoman.server.handover import Handover
from dragoman.server.http import CallerConnection
from dragoman.server.listening import begin, server_of
from dragoman.server.told import Told
from dragoman.sharing import Change, SharedMeter, address_of, meter_of
from dragoman.sharing.shelf import Shelf
from dragoman.store import EntryTable, Store, location_of

_log = structlog.get_logger(__name__)

_COLLECT = (10_000, 20, 50)
_FLUSH_SECONDS = 1.0
_LONGEST_ACCEPTING = 5.0
# For a request that was sent before its sender could know that we end.
_IN_FLIGHT_SECONDS = 0.5


class NoJournal(Exception):
    """The disk has no room for the worker's journal, or does not let it write."""


def open_ledger(settings: Settings) -> Ledger:
    """Raises NoJournal."""
    table = EntryTable(location_of(settings.database, settings.data))
    directory = journal_of(settings.data)
    try:
        journal = Journal(directory, limit=settings.ledger.journal_limit)
    except OSError as error:
        raise NoJournal(f"{directory}: {error.strerror or error}") from None
    return Ledger(journal, table.put, table.close)


class Worker:
    """`number` tells the workers of one gateway apart: what one of them holds of the limits is counted under it."""

    def __init__(
        self, channel: Channel, listener: socket.socket, directory: Path, number: int, first: dict[str, Any]
    ) -> None:
        self._channel = channel
        self._listener = listener
        self._directory = directory
        self._told = Told(first)
        snapshot = self._told.settings(first)
        log = snapshot.settings.log
        self._logs = logs.configure(log.format, log.level)
        self._tally = metrics.Tally()
        self._engine = RemoteEngine(lambda: channel.send("need_local"))
        self._engine.tell(first["local"])
        self._tally.reload(success=True, timestamp=first["at"])
        self._store = Store.open(location_of(snapshot.settings.database, snapshot.settings.data))
        try:
            self._ledger = open_ledger(snapshot.settings)
        except NoJournal as error:
            _log.error("a worker cannot start without a journal, and is tried again", error=str(error))
            self._logs.close()
            raise SystemExit(NO_JOURNAL) from None
        self._meter = meter_of(snapshot.settings, directory, number, self._tell)
        self._gateway = Gateway(
            snapshot,
            tally=self._tally,
            logs=self._logs,
            engine=self._engine,
            workers=snapshot.settings.server.workers,
            number=number,
            store=self._store,
            ledger=self._ledger,
            meter=self._meter,
        )
        if snapshot.settings.shared is not None:
            self._gateway.shelf = Shelf(address_of(snapshot.settings.shared), _tell_of_shelf)
        self._handover = Handover(self._gateway)
        self._drain = asyncio.Event()
        self._hurry = False
        application = Application(self._gateway, metrics=self._show_metrics, handover=self._handover)
        tls = snapshot.settings.server.tls
        self._server = server_of(
            application,
            http=CallerConnection,
            ssl_certfile=str(tls.certificate) if tls else None,
            ssl_keyfile=str(tls.private_key) if tls else None,
        )

    async def run(self) -> None:
        await begin(self._server, self._listener)
        # What was imported lives as long as the process; the collector need not look at it again.
        gc.collect()
        gc.freeze()
        # A request's own objects go with it; to look for rings among them every few requests costs two hundredths of its time.
        gc.set_threshold(*_COLLECT)
        if isinstance(self._meter, SharedMeter):
            self._meter.start()
        self._channel.send("ready")
        background = [
            asyncio.create_task(self._open_store(), name="store"),
            asyncio.create_task(self._listen(), name="control"),
            asyncio.create_task(self._keep_count(), name="metrics"),
            asyncio.create_task(self._server.main_loop(), name="uvicorn"),
        ]
        await self._drain.wait()
        await self._drain_requests()
        self._server.should_exit = True
        await self._server.shutdown(sockets=[self._listener])
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        await self._handover.aclose()
        await self._gateway.aclose()
        if isinstance(self._meter, SharedMeter):
            await self._meter.close()
        await asyncio.get_running_loop().run_in_executor(None, self._ledger.close)
        self._channel.close()
        self._tally.flush(self._directory)
        self._logs.close()

    def _tell(self, change: Change) -> None:
        """Limits are counted together with other machines from now on, or by this machine's share alone."""
        if change.up:
            _log.warning("limits are kept together with other machines", machines=change.machines)
        else:
            _log.error(
                "limits are not kept together with other machines; this one keeps its share of them",
                why=change.why,
                machines=change.machines,
            )

    async def _open_store(self) -> None:
        """What it imports takes a third of a second, in its thread; nobody need wait for that, neither now nor later."""
        await self._store.warm()
        gc.freeze()

    async def _listen(self) -> None:
        while (message := await self._channel.receive()) is not None:
            match message["kind"]:
                case "settings":
                    self._gateway.swap(self._told.settings(message))
                    self._tally.reload(success=True, timestamp=message["at"])
                case "keys":
                    self._gateway.swap(self._told.keys(message, self._gateway.snapshot))
                case "refused":
                    self._tally.reload(success=False, timestamp=None)
                case "local":
                    self._engine.tell(message)
                    self._tally.local_model(LOCAL_MODEL, message["state"])
                case "admin":
                    self._handover.tell(message["address"])
                case "drain":
                    self._drain.set()
                case "hurry":
                    self._hurry = True
            if "number" in message:
                self._channel.send("done", number=message["number"])
        # The supervisor is gone: nobody would restart us or tell us anything, so finish what is open and end.
        self._hurry = self._hurry or not self._drain.is_set()
        self._drain.set()

    async def _drain_requests(self) -> None:
        """First the readiness probe fails, while connections are still taken if anything is being answered: whoever balances
        load needs time to see it. Then no more connections are taken and those that are open end with their answer: idle ones
        with the answer to what is on its way to us at that moment, if anything is. At the end of `drain_timeout` what is still
        open is told so and ended."""
        gateway = self._gateway
        gateway.draining = True
        active = self._server.server_state.tasks
        limit = gateway.snapshot.settings.server.drain_timeout
        began = time.monotonic()
        accepting = min(_LONGEST_ACCEPTING, limit / 2)
        while active and not self._hurry and time.monotonic() - began < accepting:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        for server in self._server.servers:
            server.close()
        # Whoever asks on and on over an open connection would keep us for the whole of `drain_timeout`.
        connections = cast("set[CallerConnection]", self._server.server_state.connections)
        for connection in list(connections):
            connection.retire()
        in_flight = time.monotonic() - began + _IN_FLIGHT_SECONDS
        while not self._hurry and (spent := time.monotonic() - began) < limit:
            if not active and (not connections or spent > in_flight):
                break
            await asyncio.sleep(0.02)
        gateway.closing = True
        for task in list(active):
            task.cancel(*CLOSING)
        if active:
            await asyncio.wait(list(active), timeout=2.0)

    async def _keep_count(self) -> None:
        loop = asyncio.get_running_loop()
        warned = False
        while True:
            due = loop.time() + _FLUSH_SECONDS
            await asyncio.sleep(_FLUSH_SECONDS)
            self._tally.loop_lag(max(0.0, loop.time() - due))
            self._tally.lines_dropped(self._logs.dropped)
            self._tally.store_failures(self._store.failures)
            if isinstance(self._meter, SharedMeter):
                self._tally.sharing(up=self._meter.up, machines=self._meter.figures.machines)
            self._tally.places(self._gateway.places.figures())
            cache, kept = self._gateway.cache, self._gateway.cache.store
            self._tally.cache(
                hits=cache.hits, misses=cache.misses, evictions=kept.evicted, entries=len(kept), bytes=kept.taken
            )
            ledger = self._ledger
            self._tally.ledger(queue=ledger.waiting, failures=ledger.failures, lost=ledger.lost)
            written = await loop.run_in_executor(None, self._tally.flush, self._directory)
            if not written and not warned:
                _log.warning(
                    "metrics cannot be written, so other workers cannot sum them", directory=str(self._directory)
                )
            warned = not written

    async def _show_metrics(self) -> tuple[bytes, bytes]:
        # With many series this takes a third of a second, which no stream should have to wait for.
        loop = asyncio.get_running_loop()
        self._tally.places(self._gateway.places.figures())
        text = await loop.run_in_executor(None, metrics.render, self._directory, self._tally)
        return metrics.CONTENT_TYPE.encode(), text


def _tell_of_shelf(why: str | None) -> None:
    if why is None:
        _log.warning("kept answers are shared by Valkey again")
    else:
        _log.warning("kept answers are not shared, for Valkey does not answer; each worker has its own", why=why)


async def _main(control: int, listen: int, directory: Path, number: int) -> None:
    if (told := await joined(control)) is not None:
        channel, first = told
        await Worker(channel, socket.socket(fileno=listen), directory, number, first).run()


def main() -> None:
    control, listen, directory, number = sys.argv[1:]
    uvloop.run(_main(int(control), int(listen), Path(directory), int(number)))


if __name__ == "__main__":
    main()
