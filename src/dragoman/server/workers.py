"""The data workers as the supervisor keeps them: started, started again when they die, told what all must know, and ended."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from dragoman.server.control import NO_JOURNAL, Channel, start
from dragoman.server.premises import Premises

_log = structlog.get_logger(__name__)

_QUICK_SECONDS = 5.0
_QUICK_DEATHS = 5
_LAST_GRACE = 5.0
# How often a worker for whose journal there was no room is tried again.
_ROOM_SECONDS = 1.0
# How long an administrator waits for the last worker to have taken over what was changed.
_IN_FORCE_SECONDS = 2.0


class WorkerProcess:
    """One data worker and the channel to it. `done` is the number of the last message that it has acted on."""

    def __init__(self, process: asyncio.subprocess.Process, channel: Channel) -> None:
        self.process = process
        self.channel = channel
        self.ready = asyncio.Event()
        self.done = 0
        self.born = time.monotonic()


class Workers:
    """`greet` sends a new worker what it begins with; `need_local` starts the built-in model and answers on the channel;
    `give_up` is told why when one dies again and again."""

    def __init__(
        self,
        premises: Premises,
        *,
        greet: Callable[[Channel], None],
        need_local: Callable[[Channel], Awaitable[None]],
        give_up: Callable[[str], None],
    ) -> None:
        self._premises = premises
        self._greet = greet
        self._need_local = need_local
        self._give_up = give_up
        self._alive: set[WorkerProcess] = set()
        self._keepers: list[asyncio.Task[None]] = []
        self._told = 0
        self._ending = False

    @property
    def pids(self) -> set[int]:
        return {worker.process.pid for worker in self._alive}

    def start(self, count: int) -> None:
        self._keepers = [asyncio.create_task(self._keep(number), name=f"worker-{number}") for number in range(count)]

    async def first_ready(self, stop: asyncio.Event) -> bool:
        """Whether one came up before we were told to stop."""
        while not stop.is_set():
            if any(worker.ready.is_set() for worker in self._alive):
                return True
            await asyncio.sleep(0.01)
        return False

    def send(self, kind: str, **fields: Any) -> None:
        for worker in self._alive:
            worker.channel.send(kind, **fields)

    def tell(self, kind: str, **fields: Any) -> None:
        """What all must have acted on before somebody is answered: see `in_force`."""
        self._told += 1
        self.send(kind, number=self._told, **fields)

    async def in_force(self) -> None:
        """Until every worker that takes requests has acted on what it was told, or it takes too long."""
        number, until = self._told, time.monotonic() + _IN_FORCE_SECONDS
        while time.monotonic() < until:
            if all(worker.done >= number for worker in self._alive if worker.ready.is_set()):
                return
            await asyncio.sleep(0.002)

    async def end(self, patience: float) -> None:
        """Lets them finish what is open for `patience` seconds and a moment more, then by force."""
        self._ending = True
        self.send("drain")
        if not self._keepers:
            return
        _, late = await asyncio.wait(self._keepers, timeout=patience + _LAST_GRACE)
        if late:
            for worker in list(self._alive):
                with contextlib.suppress(ProcessLookupError):
                    worker.process.kill()
            await asyncio.wait(late, timeout=_LAST_GRACE)
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)

    async def _keep(self, number: int) -> None:
        """One worker after the other, for as long as we live."""
        deaths = 0
        loop = asyncio.get_running_loop()
        while not self._ending:
            worker = await self._start(number)
            self._alive.add(worker)
            if self._ending:
                worker.channel.send("drain")
            try:
                await self._hear(worker)
                code = await worker.process.wait()
            finally:
                self._alive.discard(worker)
                worker.channel.close()
            if self._ending:
                return
            if code == NO_JOURNAL:
                # It has said so. The other workers go on, with the journals that they have.
                await loop.run_in_executor(None, self._premises.recover)
                await asyncio.sleep(_ROOM_SECONDS)
                continue
            lived = time.monotonic() - worker.born
            deaths = deaths + 1 if lived < _QUICK_SECONDS else 0
            if deaths >= _QUICK_DEATHS:
                self._give_up(
                    f"A worker process died {deaths} times in a row soon after its start (status {code}); "
                    "see the log above."
                )
                return
            _log.error("a worker process died and is started again", status=code, pid=worker.process.pid)
            await loop.run_in_executor(None, self._premises.recover)
            # Behind its entries: what it had spent is asked of the ledger anew.
            self._premises.limits.forget_worker(number)
            await asyncio.sleep(0.1 * 2**deaths)

    async def _start(self, number: int) -> WorkerProcess:
        process, channel = await start(
            "dragoman.server.worker", self._premises.listener, str(self._premises.directory), str(number)
        )
        worker = WorkerProcess(process, channel)
        worker.done = self._told
        self._greet(worker.channel)
        return worker

    async def _hear(self, worker: WorkerProcess) -> None:
        while (message := await worker.channel.receive()) is not None:
            match message["kind"]:
                case "ready":
                    worker.ready.set()
                case "done":
                    worker.done = message["number"]
                case "need_local":
                    await self._need_local(worker.channel)
