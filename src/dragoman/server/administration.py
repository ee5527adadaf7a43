"""The admin process as the supervisor keeps it: started beside the data workers and after them, started again when it dies.

Its socket belongs to the supervisor and lies in the supervisor's private directory: no other user of the machine reaches it, and
whoever connects while one process ends is answered by the next.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog

from dragoman.server.control import Channel, start

_log = structlog.get_logger(__name__)

_NAME = "admin.sock"
# What an address of a socket may be long, its end included (unix(7)).
_LONGEST_PATH = 107
_QUICK_SECONDS = 5.0
_LONGEST_PAUSE = 10.0


class Administration:
    """`greeting` gives the first message's fields; `hear` gets every message of the process but `ready`; `on_change` is called
    when `address` has become another one."""

    def __init__(
        self,
        directory: Path,
        *,
        greeting: Callable[[], dict[str, Any]],
        hear: Callable[[dict[str, Any]], None],
        on_change: Callable[[], None],
    ) -> None:
        self.address: str | None = None
        self._directory = directory
        self._greeting = greeting
        self._hear = hear
        self._on_change = on_change
        self._channel: Channel | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._ending = False
        self._own_directory: Path | None = None

    def send(self, kind: str, **fields: Any) -> None:
        if self._channel is not None:
            self._channel.send(kind, **fields)

    async def keep(self) -> None:
        """One process after the other, until `end`."""
        path = self._place()
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            try:
                listener.bind(str(path))
                listener.listen(256)
            except OSError as error:
                _log.error("the admin process has no socket, so nothing under /admin/ is answered", error=str(error))
                return
            deaths = 0
            while not self._ending:
                born = time.monotonic()
                try:
                    process = await self._start(listener)
                except OSError as error:
                    deaths += 1
                    _log.error("the admin process cannot be started, and is tried again", error=str(error))
                else:
                    code = await self._serve(process, str(path))
                    if self._ending:
                        return
                    deaths = deaths + 1 if time.monotonic() - born < _QUICK_SECONDS else 0
                    _log.error("the admin process died and is started again", status=code, pid=process.pid)
                await asyncio.sleep(min(0.1 * 2**deaths, _LONGEST_PAUSE))

    async def end(self) -> None:
        """Once nobody hands anything on any more: the process has nothing left to finish, and what it wrote is kept."""
        self._ending = True
        process = self._process
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        if self._own_directory is not None:
            with contextlib.suppress(OSError):
                (self._own_directory / _NAME).unlink(missing_ok=True)
                self._own_directory.rmdir()

    async def _start(self, listener: socket.socket) -> asyncio.subprocess.Process:
        process, self._channel = await start("dragoman.server.admin_process", listener)
        self._process = process
        if self._ending:
            self._channel.close()
        else:
            self._channel.send("settings", **self._greeting())
        return process

    async def _serve(self, process: asyncio.subprocess.Process, path: str) -> int:
        assert self._channel is not None
        try:
            while (message := await self._channel.receive()) is not None:
                if message["kind"] == "ready":
                    self._set(path)
                else:
                    self._hear(message)
            return await process.wait()
        finally:
            self._channel.close()
            self._channel = self._process = None
            self._set(None)

    def _set(self, address: str | None) -> None:
        if address != self.address:
            self.address = address
            self._on_change()

    def _place(self) -> Path:
        path = self._directory / _NAME
        if len(os.fsencode(path)) <= _LONGEST_PATH:
            return path
        self._own_directory = Path(tempfile.mkdtemp(prefix="dragoman-", dir="/tmp"))
        return self._own_directory / _NAME
