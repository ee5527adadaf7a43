"""`dragoman serve`: the parent of all processes. Opens the port, keeps the workers, the admin process and the built-in model
running, tells them of a reload and of changed keys, and ends it all in good order. It answers no request itself."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Coroutine, Mapping
from contextlib import closing
from typing import Any

import structlog

from dragoman.config import Loaded, Settings
from dragoman.local.supervise import LocalModel, State
from dragoman.observe import logs, metrics
from dragoman.pipeline.key import digest
from dragoman.server.administration import Administration
from dragoman.server.built_in import built_in, is_used, state_told
from dragoman.server.configuration import Configuration
from dragoman.server.control import Channel
from dragoman.server.key_watch import KeyWatch
from dragoman.server.premises import Premises, StartFailed
from dragoman.server.root_key import RootKey, agree_on, keep
from dragoman.server.workers import Workers
from dragoman.store import StoreRefused
from dragoman.store.key_rows import Changes
from dragoman.store.secret import new_secret

_log = structlog.get_logger(__name__)

_WATCH_SECONDS = 1.0
_COMPACT_SECONDS = 60.0


ADMINISTRATOR = "administrator"


class Supervisor:
    """`key` is the root key in force; `trial_key` one for the demo's model; `local` the built-in model, if a provider is it."""

    def __init__(self, premises: Premises, configuration: Configuration) -> None:
        self.key: RootKey = premises.key
        self.trial_key: str | None = None
        self.local: LocalModel | None = None
        self._premises = premises
        self._configuration = configuration
        self._keys = KeyWatch(premises.keyring, premises.keys, self._keys_changed)
        self._workers = Workers(premises, greet=self._greet, need_local=self._need_local, give_up=self._give_up)
        self._administration: Administration | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._stop = asyncio.Event()
        self._failure: str | None = None
        self._reloading = asyncio.Lock()
        if self.loaded.demo:
            # The demo's model costs nobody money; a key for it may be shown at each start, and ends with the process.
            self.trial_key = new_secret("dgm_try_")
        self._make_local()

    @property
    def loaded(self) -> Loaded:
        return self._configuration.loaded

    @property
    def settings(self) -> Settings:
        return self.loaded.settings

    @property
    def port(self) -> int:
        return self._premises.port

    @property
    def shares_database(self) -> bool:
        """Whether other machines may be on it, and then have the same root key."""
        return bool(self._premises.location.server)

    async def run(self, on_ready: OnReady) -> None:
        """Serves until told to stop. `on_ready` is awaited once, when requests are answered. Raises StartFailed."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._asked_to_stop)
        loop.add_signal_handler(signal.SIGHUP, lambda: self._spawn(self._reload("signal")))
        try:
            self._workers.start(self.settings.server.workers)
            if self.loaded.demo and self.local is not None:
                await self.local.start()
            self._spawn(self._watch())
            self._spawn(self._keys.follow())
            self._spawn(self._compact())
            if await self._workers.first_ready(self._stop):
                self._spawn(on_ready(self))
                self._administer()
            await self._stop.wait()
        finally:
            await self._end()
        if self._failure is not None:
            raise StartFailed(self._failure)

    # --- the root key

    def keep_key(self) -> None:
        """Puts a root key made at this start on the disk, as a digest: once it was shown, and not before. Raises OSError."""
        if self.key.made is not None:
            keep(self._configuration.begun.data, self.key)

    async def agree_on_key(self) -> bool:
        """Puts a root key made at this start, or that of the data directory, in the shared database, as a digest; whether it is
        in force. Another machine may have been quicker: its key counts here too from now on. Raises StoreRefused."""
        if self.key.digest == self._premises.agreed:
            return True
        loop = asyncio.get_running_loop()
        agreed = await loop.run_in_executor(None, agree_on, self._premises.location, self.key)
        if agreed == self.key.digest:
            return True
        self.key = RootKey(agreed)
        self._tell("settings", **self._settings_told())
        return False

    # --- what the processes are told

    def _settings_told(self) -> dict[str, Any]:
        loaded = self.loaded
        return {
            "path": None if loaded.path is None else str(loaded.path),
            "origins": loaded.origins,
            "settings": loaded.settings.dump_secret_json().decode(),
            "demo": loaded.demo,
            "root_key": self.key.digest.hex(),
            "trial_key": digest(self.trial_key.encode()).hex() if self.trial_key else None,
            "local": state_told(self.local),
            "at": self._configuration.applied_at,
        }

    def _tell(self, kind: str, **fields: Any) -> None:
        self._workers.tell(kind, **fields)
        if self._administration is not None:
            self._administration.send(kind, **fields)

    def _greet(self, channel: Channel) -> None:
        channel.send("settings", keys=self._keys.held, **self._settings_told())
        if self._administration is not None:
            channel.send("admin", address=self._administration.address)

    def _keys_changed(self, changes: Changes) -> None:
        self._tell("keys", whole=changes.whole, keys=changes.keys)

    # --- the admin process

    def _administer(self) -> None:
        self._administration = Administration(
            self._premises.directory,
            greeting=self._admin_greeting,
            hear=self._hear_admin,
            on_change=self._admin_changed,
        )
        self._spawn(self._administration.keep())

    def _admin_greeting(self) -> dict[str, Any]:
        begun = self._configuration.begun
        told = {"keys": self._keys.held, "data": str(begun.data), "database": begun.database}
        return {**self._settings_told(), **told, "metrics": str(self._premises.directory)}

    def _admin_changed(self) -> None:
        assert self._administration is not None
        self._workers.send("admin", address=self._administration.address)

    def _hear_admin(self, message: dict[str, Any]) -> None:
        self._spawn(self._answer_admin(message))

    async def _answer_admin(self, message: dict[str, Any]) -> None:
        administration = self._administration
        assert administration is not None
        match message["kind"]:
            case "need_local":
                await self._start_local()
                administration.send("local", **state_told(self.local))
            case "reload":
                status, body = await self._reload(ADMINISTRATOR)
                await self._workers.in_force()
                administration.send("reloaded", status=status, body=body)
            case "keys_changed":
                with contextlib.suppress(StoreRefused):  # it is tried again every moment
                    await self._keys.read()
                await self._workers.in_force()
                administration.send("keys_told", number=message["number"])

    # --- the built-in model

    def _make_local(self) -> None:
        """It is started when the first request for it comes."""
        if self.local is None and is_used(self.settings):
            self.local = built_in(self._configuration.begun, self._local_changed)

    async def _start_local(self) -> None:
        if self.local is not None:
            await self.local.start()

    async def _need_local(self, channel: Channel) -> None:
        await self._start_local()
        # Answered even where nothing changed: it may be too soon after a failure for another attempt.
        channel.send("local", **state_told(self.local))

    def _local_changed(self, state: State) -> None:
        _log.debug("the built-in model", state=state.value)
        self._tell("local", **state_told(self.local))

    # --- from time to time

    async def _reload(self, why: str) -> tuple[int, dict[str, Any]]:
        """Only what is wholly good is put in force, at once for all that is in it."""
        async with self._reloading:
            status, answer = await self._configuration.reload(why)
            if status != 200:
                self._tell("refused")
                return status, answer
            if not self.loaded.demo:
                self.trial_key = None  # it was for the built-in model, not for what vendors charge for
            self._make_local()
            self._tell("settings", **self._settings_told())
            _log.info("the configuration was reloaded", asked_by=why, needs_restart=answer["needs_restart"] or None)
            if why != ADMINISTRATOR and self._administration is not None:
                # What an administrator asks for, the admin process notes under that one's own name.
                self._administration.send("reloaded_by", actor=why, needs_restart=answer["needs_restart"])
            return status, answer

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            if self._configuration.has_changed() and not self._reloading.locked():
                await self._reload("file change")

    async def _compact(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_COMPACT_SECONDS)
            with contextlib.suppress(OSError):
                await loop.run_in_executor(None, metrics.compact, self._premises.directory, self._workers.pids)
            await loop.run_in_executor(None, self._premises.recover)

    # --- the end

    def _asked_to_stop(self) -> None:
        if self._stop.is_set():
            self._workers.send("hurry")
        self._stop.set()

    def _give_up(self, why: str) -> None:
        self._failure = why
        self._stop.set()

    async def _end(self) -> None:
        # The workers have it open; with ours gone, nobody is left waiting on it when they close theirs.
        self._premises.listener.close()
        await self._workers.end(self.settings.server.drain_timeout)
        if self._administration is not None:
            await self._administration.end()
        if self.local is not None:
            await self.local.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._keys.close()

    def _spawn(self, work: Coroutine[Any, Any, object]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


OnReady = Callable[[Supervisor], Coroutine[Any, Any, None]]


async def supervise(
    load: Callable[[], Loaded], loaded: Loaded, environment: Mapping[str, str], on_ready: OnReady
) -> None:
    """`load` reads and checks the configuration anew, overrides from the command line included. Raises StartFailed, BindError."""
    settings = loaded.settings
    log = logs.configure(settings.log.format, settings.log.level)
    try:
        with closing(Premises(settings, environment)) as premises:
            await Supervisor(premises, Configuration(load, loaded)).run(on_ready)
    finally:
        log.close()
