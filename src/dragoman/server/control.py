"""The talk between the supervisor and the processes that it starts: one JSON object a line over a socket pair.

From the supervisor: `settings` (the first message, with the database's keys, and at each reload), `refused` (a reload that
failed), `keys` (that have changed), `local` (the built-in model's state), `admin` (where the admin process answers), `drain`,
`hurry`. From a worker: `ready`, `need_local`, `done` (it has acted on the message of that number).
The admin process is told the same, and asks besides: `reload`, answered by `reloaded`; `keys_changed`, answered by `keys_told`.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from typing import Any

from dragoman.wire import json

LIMIT = 64 * 1024 * 1024
# The exit status of a worker that found no room for its journal: it is tried again for as long as that takes.
NO_JOURNAL = 75


class Channel:
    """One end. `receive` gives None when the other end is gone."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def over(cls, end: socket.socket) -> Channel:
        return cls(*await asyncio.open_unix_connection(sock=end, limit=LIMIT))

    def send(self, kind: str, **fields: Any) -> None:
        if not self._writer.is_closing():
            self._writer.write(json.encode({"kind": kind, **fields}) + b"\n")

    async def receive(self) -> dict[str, Any] | None:
        try:
            line = await self._reader.readline()
        except (ConnectionError, ValueError):
            return None
        if not line.endswith(b"\n"):
            return None
        message: dict[str, Any] = json.decode(line)
        return message

    def close(self) -> None:
        self._writer.close()


async def start(module: str, listener: socket.socket, *arguments: str) -> tuple[asyncio.subprocess.Process, Channel]:
    """A process that runs `module` with the numbers of its end of the channel and of `listener`, and `arguments`. Raises
    OSError."""
    ours, theirs = socket.socketpair()
    with theirs:
        shared = (theirs.fileno(), listener.fileno())
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                module,
                *map(str, shared),
                *arguments,
                pass_fds=shared,
                stdin=asyncio.subprocess.DEVNULL,
            )
        except BaseException:
            ours.close()
            raise
    return process, await Channel.over(ours)


async def joined(control: int) -> tuple[Channel, dict[str, Any]] | None:
    """A started process's end and its first message; None where the supervisor is gone already."""
    channel = await Channel.over(socket.socket(fileno=control))
    first = await channel.receive()
    if first is None:
        return None
    # Ctrl-C reaches the whole process group; the supervisor decides when a process ends.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    return channel, first
