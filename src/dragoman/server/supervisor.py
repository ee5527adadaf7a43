"""`dragoman serve`: the parent of all processes. Opens the port, starts and restarts the workers, keeps the built-in model
running, reloads the configuration, and ends it all in good order. It answers no request itself."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import structlog

from dragoman.config import ConfigError, Loaded, Settings
from dragoman.ledger import JOURNAL_BYTES, catch_up, has_any, journal_of, make_room, remove_unfinished
from dragoman.limits import SharedTable
from dragoman.local.pull import pull
from dragoman.local.supervise import LocalModel, State
from dragoman.observe import logs, metrics
from dragoman.pipeline.key import digest
from dragoman.server.administration import Administration
from dragoman.server.bind import check_exposure, listen
from dragoman.server.control import NO_JOURNAL, Channel
from dragoman.server.root_key import RootKey, given_key, keep, root_key
from dragoman.server.watched import Watched, needs_restart
from dragoman.sharing import TABLE
from dragoman.store import EntryTable, HeldKey, Location, StoreRefused, location_of
from dragoman.store.key_rows import Changes
from dragoman.store.keyring import Keyring
from dragoman.store.keys import Keys
from dragoman.store.migrate import migrate
from dragoman.store.secret import new_secret

_log = structlog.get_logger(__name__)

LOCAL_MODEL = "smollm2-135m"
_WATCH_SECONDS = 1.0
# How often the database is asked whether a key has changed: in every worker within a second, whoever changed it.
_KEYS_SECONDS = 0.5
_COMPACT_SECONDS = 60.0
_QUICK_SECONDS = 5.0
_QUICK_DEATHS = 5
_LAST_GRACE = 5.0
# How often a worker for whose journal there was no room is tried again.
_ROOM_SECONDS = 1.0
# How long an administrator waits for the last worker to have taken over what was changed.
_IN_FORCE_SECONDS = 2.0


class StartFailed(Exception):
    """The server cannot be started; the message says why and what to do."""


class WorkerProcess:
    """One data worker and the channel to it. `done` is the number of the last message that it has acted on."""

    def __init__(self, process: asyncio.subprocess.Process, channel: Channel) -> None:
        self.process = process
        self.channel = channel
        self.ready = asyncio.Event()
        self.done = 0
        self.born = time.monotonic()


class Supervisor:
    """`load` reads and checks the configuration anew, overrides from the command line included."""

    def __init__(self, load: Any, loaded: Loaded, environment: Mapping[str, str]) -> None:
        self._load = load
        self.loaded = loaded
        self._environment = environment
        self.settings: Settings = loaded.settings
        self._begun_with: Settings = loaded.settings
        self.key: RootKey | None = None
        self.trial_key: str | None = None
        self.local: LocalModel | None = None
        self.port = 0
        self._workers: set[WorkerProcess] = set()
        self._keepers: list[asyncio.Task[None]] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self._stop = asyncio.Event()
        self._stopping = False
        self._failure: str | None = None
        self._reloading = asyncio.Lock()
        self._listener: socket.socket | None = None
        self._directory: Path | None = None
        self._limits: SharedTable | None = None
        self._applied_at = time.time()
        self._watched = Watched(loaded.path)
        self._location: Location | None = None
        self._keyring: Keyring | None = None
        self._agreed: bytes | None = None
        self._keyring_thread = ThreadPoolExecutor(1, thread_name_prefix="keys")
        self._held: dict[str, HeldKey] = {}
        self._keys_number: int | None = None
        self._reading_keys = asyncio.Lock()
        self._told = 0
        self._administration: Administration | None = None

    async def run(self, on_ready: Any) -> int:
        """Serves until told to stop; the process's exit status. `on_ready(supervisor)` is awaited once, when requests are
        answered. Raises StartFailed, BindError."""
        self._prepare()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._asked_to_stop)
        loop.add_signal_handler(signal.SIGHUP, lambda: self._spawn(self._reload_and_log("signal")))
        try:
            count = self.settings.server.workers
            self._keepers = [asyncio.create_task(self._keep_worker(n), name=f"worker-{n}") for n in range(count)]
            if self.loaded.demo and self.local is not None:
                await self.local.start()
            self._spawn(self._watch())
            self._spawn(self._follow_keys())
            self._spawn(self._compact())
            if await self._first_ready():
                self._spawn(on_ready(self))
                self._administer()
            await self._stop.wait()
        finally:
            await self._end()
        if self._failure is not None:
            raise StartFailed(self._failure)
        return 0

    def _prepare(self) -> None:
        settings = self.settings
        data = settings.data
        check_exposure(settings.server.host, given_key(self._environment), settings.keys)
        self._listener = listen(settings.server.host, settings.server.port)
        self.port = self._listener.getsockname()[1]
        try:
            data.mkdir(parents=True, exist_ok=True)
            self._location = location_of(settings.database, data)
            try:
                migrate(self._location)
            except StoreRefused:
                self._check_room()  # of a full disk SQLite only says "disk I/O error"
                raise
            self._recover()
            self._check_room()
            self._keyring = Keyring(self._location)
            self._agreed = self._keyring.root_key() if self._location.server else None
            self.key = root_key(data, self._environment, self._agreed)
            self._take(self._keyring.read())
        except StoreRefused as error:
            self._listener.close()
            raise StartFailed(str(error)) from None
        except OSError as error:
            self._listener.close()
            raise StartFailed(
                f"The data directory {data} cannot be used: {error.strerror or error}. Choose another with --data DIR."
            ) from None
        self._directory = Path(tempfile.mkdtemp(prefix="dragoman-"))
        try:
            self._limits = SharedTable.create(self._directory / TABLE, workers=settings.server.workers)
        except OSError as error:
            self._listener.close()
            raise StartFailed(
                f"There is no room for what is limited in {self._directory}: {error.strerror or error}. Choose another directory "
                "with TMPDIR."
            ) from None
        if self.loaded.demo:
            # The demo's model costs nobody money; a key for it may be shown at each start, and ends with the process.
            self.trial_key = new_secret("dgm_try_")
        self._make_local()

    @property
    def shares_database(self) -> bool:
        """Whether other machines may be on it, and then have the same root key."""
        return self._location is not None and bool(self._location.server)

    def _recover(self) -> None:
        """Moves on what dead workers left in their journals. Where the database takes nothing now, they are tried again later."""
        directory = journal_of(self._begun_with.data)
        if self._location is None or not has_any(directory):
            return
        table = EntryTable(self._location)
        try:
            remove_unfinished(directory)
            if moved := catch_up(directory, table.put, living=False):
                _log.warning("entries of the ledger were left in the journal of a process that died", moved=moved)
        except Exception as error:
            _log.error("what is in the journal could not be put into the database", error=str(error).splitlines()[0])
        finally:
            table.close()

    def _check_room(self) -> None:
        """Raises StartFailed where the workers could not begin their journals."""
        directory, workers = journal_of(self._begun_with.data), self._begun_with.server.workers
        try:
            make_room(directory, workers)
        except OSError as error:
            if self._listener is not None:
                self._listener.close()
            raise StartFailed(
                f"There is no room for the ledger's journal in {directory}, {workers * JOURNAL_BYTES // 2**20} MiB: "
                f"{error.strerror or error}. Make room on that disk, or choose another directory with --data DIR."
            ) from None

    def keep_key(self) -> None:
        """Puts a root key made at this start on the disk, as a digest: once it was shown, and not before. Raises OSError."""
        if self.key is not None and self.key.made is not None:
            keep(self._begun_with.data, self.key)

    async def agree_on_key(self) -> bool:
        """Puts a root key made at this start, or that of the data directory, in the shared database, as a digest; whether it is
        in force. Another machine may have been quicker: its key counts here too from now on. Raises StoreRefused."""
        assert self.key is not None and self._location is not None
        if self.key.digest == self._agreed:
            return True
        keys = Keys(self._location)
        loop = asyncio.get_running_loop()
        try:
            agreed = await loop.run_in_executor(None, keys.agree_on_root_key, self.key.digest)
        finally:
            keys.close()
        if agreed == self.key.digest:
            return True
        self.key = RootKey(agreed)
        self._tell("settings", **self._settings_message())
        return False

    def _make_local(self) -> None:
        """Where a provider is the built-in model; it is started when the first request for it comes."""
        settings = self._begun_with
        if self.local is None and any("local" in p.protocols for p in self.settings.providers.values()):
            threads = settings.local.threads or os.cpu_count() or 2
            self.local = LocalModel(
                functools.partial(pull, LOCAL_MODEL, settings.data),
                parallel=settings.local.parallel,
                context=settings.local.context,
                threads=threads,
                on_state=self._local_changed,
            )

    # --- workers

    async def _keep_worker(self, number: int) -> None:
        """One worker after the other, for as long as we live."""
        deaths = 0
        loop = asyncio.get_running_loop()
        while not self._stopping:
            worker = await self._start_worker(number)
            self._workers.add(worker)
            if self._stopping:
                worker.channel.send("drain")
            try:
                await self._hear(worker)
                code = await worker.process.wait()
            finally:
                self._workers.discard(worker)
                worker.channel.close()
            if self._stopping:
                return
            if code == NO_JOURNAL:
                # It has said so. The other workers go on, with the journals that they have.
                await loop.run_in_executor(None, self._recover)
                await asyncio.sleep(_ROOM_SECONDS)
                continue
            lived = time.monotonic() - worker.born
            deaths = deaths + 1 if lived < _QUICK_SECONDS else 0
            if deaths >= _QUICK_DEATHS:
                self._failure = (
                    f"A worker process died {deaths} times in a row soon after its start (status {code}); "
                    "see the log above."
                )
                self._stop.set()
                return
            _log.error("a worker process died and is started again", status=code, pid=worker.process.pid)
            await loop.run_in_executor(None, self._recover)
            # Behind its entries: what it had spent is asked of the ledger anew.
            if self._limits is not None:
                self._limits.forget_worker(number)
            await asyncio.sleep(0.1 * 2**deaths)

    async def _start_worker(self, number: int) -> WorkerProcess:
        assert self._listener is not None and self._directory is not None
        ours, theirs = socket.socketpair()
        with theirs:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "dragoman.server.worker",
                str(theirs.fileno()),
                str(self._listener.fileno()),
                str(self._directory),
                str(number),
                pass_fds=(theirs.fileno(), self._listener.fileno()),
                stdin=asyncio.subprocess.DEVNULL,
            )
        worker = WorkerProcess(process, await Channel.over(ours))
        worker.done = self._told
        worker.channel.send("settings", keys=list(self._held.values()), **self._settings_message())
        if self._administration is not None:
            worker.channel.send("admin", address=self._administration.address)
        return worker

    def _settings_message(self) -> dict[str, Any]:
        assert self.key is not None
        path = self.loaded.path
        return {
            "path": None if path is None else str(path),
            "origins": self.loaded.origins,
            "settings": self.settings.dump_secret_json().decode(),
            "demo": self.loaded.demo,
            "root_key": self.key.digest.hex(),
            "trial_key": digest(self.trial_key.encode()).hex() if self.trial_key else None,
            "local": self._local_message(),
            "at": self._applied_at,
        }

    async def _hear(self, worker: WorkerProcess) -> None:
        while (message := await worker.channel.receive()) is not None:
            match message["kind"]:
                case "ready":
                    worker.ready.set()
                case "done":
                    worker.done = message["number"]
                case "need_local":
                    await self._start_local()
                    # Answered even where nothing changed: it may be too soon after a failure for another attempt.
                    worker.channel.send("local", **self._local_message())

    async def _first_ready(self) -> bool:
        """Whether a worker came up before we were told to stop."""
        while not self._stop.is_set():
            if any(worker.ready.is_set() for worker in self._workers):
                return True
            await asyncio.sleep(0.01)
        return False

    def _tell(self, kind: str, **fields: Any) -> None:
        """What all processes must know; `_in_force` waits until the workers do."""
        self._told += 1
        for worker in self._workers:
            worker.channel.send(kind, number=self._told, **fields)
        if self._administration is not None:
            self._administration.send(kind, **fields)

    async def _in_force(self) -> None:
        """Until every worker that takes requests has acted on what it was told, or it takes too long."""
        number, until = self._told, time.monotonic() + _IN_FORCE_SECONDS
        while time.monotonic() < until:
            if all(worker.done >= number for worker in self._workers if worker.ready.is_set()):
                return
            await asyncio.sleep(0.002)

    # --- the admin process

    def _administer(self) -> None:
        assert self._directory is not None
        self._administration = Administration(
            self._directory, greeting=self._admin_greeting, hear=self._hear_admin, on_change=self._admin_changed
        )
        self._spawn(self._administration.keep())

    def _admin_greeting(self) -> dict[str, Any]:
        begun = self._begun_with
        keys = list(self._held.values())
        return {**self._settings_message(), "keys": keys, "data": str(begun.data), "database": begun.database}

    def _admin_changed(self) -> None:
        assert self._administration is not None
        for worker in self._workers:
            worker.channel.send("admin", address=self._administration.address)

    def _hear_admin(self, message: dict[str, Any]) -> None:
        self._spawn(self._answer_admin(message))

    async def _answer_admin(self, message: dict[str, Any]) -> None:
        administration = self._administration
        assert administration is not None
        match message["kind"]:
            case "need_local":
                await self._start_local()
                administration.send("local", **self._local_message())
            case "reload":
                status, body = await self._reload_and_log("administrator")
                await self._in_force()
                administration.send("reloaded", status=status, body=body)
            case "keys_changed":
                with contextlib.suppress(StoreRefused):  # it is tried again every moment
                    await self._read_keys()
                await self._in_force()
                administration.send("keys_told", number=message["number"])

    # --- the built-in model

    async def _start_local(self) -> None:
        if self.local is not None:
            await self.local.start()

    def _local_message(self) -> dict[str, Any]:
        if self.local is None:
            return {"state": "stopped", "base_url": None, "api_key": None, "trouble": None, "again_in": 0.0}
        return {
            "state": self.local.state.value,
            "base_url": self.local.base_url,
            "api_key": self.local.api_key,
            "trouble": self.local.trouble,
            "again_in": self.local.again_in,
        }

    def _local_changed(self, state: State) -> None:
        _log.debug("the built-in model", state=state.value)
        self._tell("local", **self._local_message())

    # --- the database's keys

    def _take(self, changes: Changes | None) -> None:
        if changes is None:
            return
        if changes.whole:
            self._held.clear()
        self._keys_number = changes.number
        for key in changes.keys:
            if key.digest:
                self._held[key.id] = key
            else:
                self._held.pop(key.id, None)
        self._tell("keys", whole=changes.whole, keys=changes.keys)

    async def _follow_keys(self) -> None:
        well = True
        while True:
            await asyncio.sleep(_KEYS_SECONDS)
            try:
                await self._read_keys()
            except StoreRefused as error:
                if well:
                    _log.error("changed keys cannot be read; those that are known stay in force", error=str(error))
                well = False
                continue
            if not well:
                _log.warning("changed keys are read again")
                well = True

    async def _read_keys(self) -> None:
        """Raises StoreRefused."""
        assert self._keyring is not None
        loop = asyncio.get_running_loop()
        async with self._reading_keys:
            self._take(await loop.run_in_executor(self._keyring_thread, self._keyring.read, self._keys_number))

    # --- reload

    async def _reload_and_log(self, why: str) -> tuple[int, dict[str, Any]]:
        """Reads and checks first; only what is wholly good is put in force, at once for all that is in it."""
        async with self._reloading:
            loop = asyncio.get_running_loop()
            self._watched.apply()
            try:
                loaded: Loaded = await loop.run_in_executor(None, self._load)
            except ConfigError as error:
                problems = [str(problem) for problem in error.problems]
                for problem in problems:
                    _log.error("the configuration was not reloaded", problem=problem, asked_by=why)
                self._tell("refused")
                return 422, {
                    "error": {
                        "message": "The configuration is not valid; nothing was changed.",
                        "type": "invalid_request_error",
                    },
                    "problems": problems,
                }
            except Exception as error:
                _log.exception("the configuration could not be read", asked_by=why)
                return 500, {
                    "error": {"message": f"The configuration could not be read: {error}", "type": "server_error"}
                }
            restart = needs_restart(self._begun_with, loaded.settings)
            self.loaded, self.settings = loaded, loaded.settings
            self._watched.follow(loaded.path)
            if not loaded.demo:
                self.trial_key = None  # it was for the built-in model, not for what vendors charge for
            self._make_local()
            self._applied_at = time.time()
            self._tell("settings", **self._settings_message())
            _log.info("the configuration was reloaded", asked_by=why, needs_restart=restart or None)
            return 200, {"reloaded": True, "needs_restart": restart}

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            if self._watched.has_changed() and not self._reloading.locked():
                await self._reload_and_log("file change")

    async def _compact(self) -> None:
        assert self._directory is not None
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_COMPACT_SECONDS)
            alive = {worker.process.pid for worker in self._workers}
            with contextlib.suppress(OSError):
                await loop.run_in_executor(None, metrics.compact, self._directory, alive)
            await loop.run_in_executor(None, self._recover)

    # --- the end

    def _asked_to_stop(self) -> None:
        if self._stop.is_set():
            for worker in self._workers:
                worker.channel.send("hurry")
        self._stop.set()

    async def _end(self) -> None:
        self._stopping = True
        if self._listener is not None:
            # The workers have it open; with ours gone, nobody is left waiting on it when they close theirs.
            self._listener.close()
        for worker in self._workers:
            worker.channel.send("drain")
        limit = self.settings.server.drain_timeout + _LAST_GRACE
        if self._keepers:
            _, late = await asyncio.wait(self._keepers, timeout=limit)
            if late:
                for worker in list(self._workers):
                    with contextlib.suppress(ProcessLookupError):
                        worker.process.kill()
                await asyncio.wait(late, timeout=_LAST_GRACE)
        if self._administration is not None:
            await self._administration.end()
        if self.local is not None:
            await self.local.stop()
        for task in [*self._tasks, *self._keepers]:
            task.cancel()
        await asyncio.gather(*self._tasks, *self._keepers, return_exceptions=True)
        if self._keyring is not None:
            self._keyring_thread.submit(self._keyring.close)
        self._keyring_thread.shutdown(wait=False)
        if self._limits is not None:
            self._limits.close()
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def supervise(supervisor: Supervisor, on_ready: Any) -> int:
    log = logs.configure(supervisor.settings.log.format, supervisor.settings.log.level)
    try:
        return await supervisor.run(on_ready)
    finally:
        log.close()
