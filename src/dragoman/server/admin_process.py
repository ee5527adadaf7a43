"""The admin process: answers operators, on the supervisor's own socket, what data workers hand on to it.

Started by the supervisor as `python -m dragoman.server.admin_process CONTROL_FD LISTEN_FD`; told its settings over the control
channel as a worker is, and ends when that channel does. Whatever it does, no model traffic waits for it.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from pathlib import Path
from typing import Any

from dragoman.admin.application import application
from dragoman.admin.configuration import note_reload
from dragoman.admin.desk import Desk
from dragoman.admin.retention import keep_pruned
from dragoman.config import Loaded, Settings
from dragoman.observe import logs, metrics
from dragoman.pipeline.gateway import Gateway
from dragoman.server.control import Channel, joined
from dragoman.server.engine import RemoteEngine
from dragoman.server.listening import begin, server_of
from dragoman.server.told import Told
from dragoman.store import location_of
from dragoman.store.loading import load

_RELOAD_SECONDS = 30.0
_KEYS_SECONDS = 1.0
# A long question of an operator's must not take a processor from callers where there are few.
_NICE = 5


class AdminProcess:
    def __init__(self, channel: Channel, listener: socket.socket, first: dict[str, Any]) -> None:
        self._channel = channel
        self._listener = listener
        self._told = Told(first)
        snapshot = self._told.settings(first)
        log = snapshot.settings.log
        self._logs = logs.configure(log.format, log.level)
        self._engine = RemoteEngine(lambda: channel.send("need_local"))
        self._engine.tell(first["local"])
        gateway = Gateway(snapshot, tally=metrics.Tally(), logs=self._logs, engine=self._engine)
        data = Path(first["data"])
        self._desk = Desk(
            gateway,
            _loaded(first, snapshot.settings),
            location_of(first["database"], data),
            data,
            reload=self._reload,
            tell_keys=self._tell_keys,
            metrics=Path(first["metrics"]),
        )
        self._noting: set[asyncio.Task[None]] = set()
        self._asked = 0
        self._telling: dict[int, asyncio.Future[None]] = {}
        self._reloads: list[asyncio.Future[tuple[int, dict[str, Any]]]] = []
        self._server = server_of(application(self._desk), http="httptools", date_header=False)

    async def run(self) -> None:
        await begin(self._server, self._listener)
        self._channel.send("ready")
        background = [
            asyncio.create_task(self._server.main_loop(), name="uvicorn"),
            asyncio.create_task(asyncio.to_thread(self._desk.warm), name="warm"),
            asyncio.create_task(keep_pruned(self._desk), name="retention"),
        ]
        await self._listen()
        self._server.should_exit = True
        await self._server.shutdown(sockets=[self._listener])
        for task in background:
            task.cancel()
        await asyncio.gather(*background, *self._noting, return_exceptions=True)
        await self._desk.aclose()
        await self._desk.gateway.aclose()
        self._channel.close()
        self._logs.close()

    async def _listen(self) -> None:
        desk = self._desk
        while (message := await self._channel.receive()) is not None:
            match message["kind"]:
                case "settings":
                    snapshot = self._told.settings(message)
                    desk.loaded = _loaded(message, snapshot.settings)
                    desk.gateway.swap(snapshot)
                case "keys":
                    desk.gateway.swap(self._told.keys(message, desk.gateway.snapshot))
                case "local":
                    self._engine.tell(message)
                case "keys_told":
                    told = self._telling.get(message["number"])
                    if told is not None and not told.done():
                        told.set_result(None)
                case "reloaded_by":
                    noting = asyncio.create_task(note_reload(desk, message["actor"], message["needs_restart"]))
                    self._noting.add(noting)
                    noting.add_done_callback(self._noting.discard)
                case "reloaded":
                    for waiting in self._reloads:
                        if not waiting.done():
                            waiting.set_result((message["status"], message["body"]))
                    self._reloads.clear()

    async def _tell_keys(self) -> None:
        self._asked += 1
        number = self._asked
        told = self._telling[number] = asyncio.get_running_loop().create_future()
        self._channel.send("keys_changed", number=number)
        try:
            # Where it takes longer, the workers learn it as they learn what other machines have changed.
            await asyncio.wait((told,), timeout=_KEYS_SECONDS)
        finally:
            del self._telling[number]

    async def _reload(self) -> tuple[int, dict[str, Any]]:
        waiting: asyncio.Future[tuple[int, dict[str, Any]]] = asyncio.get_running_loop().create_future()
        self._reloads.append(waiting)
        self._channel.send("reload")
        try:
            async with asyncio.timeout(_RELOAD_SECONDS):
                return await waiting
        except TimeoutError:
            return 504, {
                "error": {
                    "message": "The reload did not end in time.",
                    "type": "server_error",
                    "param": None,
                    "code": "timeout",
                }
            }


def _loaded(message: dict[str, Any], settings: Settings) -> Loaded:
    path = message["path"]
    return Loaded(
        settings=settings,
        path=None if path is None else Path(path),
        origins=message["origins"],
        demo=message["demo"],
    )


async def _main(control: int, listen: int) -> None:
    if (told := await joined(control)) is not None:
        channel, first = told
        await AdminProcess(channel, socket.socket(fileno=listen), first).run()


def main() -> None:
    load()  # before there are threads that want it
    os.nice(_NICE)
    control, listen = sys.argv[1:]
    asyncio.run(_main(int(control), int(listen)))


if __name__ == "__main__":
    main()
