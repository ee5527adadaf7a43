"""Keep the model's child process alive: start on demand, watch, restart, stop.

Belongs to the one process that is parent of all the others. Callers get an address and a key and speak HTTP
to it themselves; which requests may go there, and how many, is the gate's matter.
"""

import asyncio
import contextlib
import enum
import json
import logging
import os
import secrets
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from dragoman.local import child
from dragoman.local.pull import Progress, PullFailed

_log = logging.getLogger(__name__)

_LOAD_SECONDS = 120.0
_STOP_SECONDS = 5.0
_HEALTH_EVERY = 5.0
_HEALTH_SECONDS = 10.0
_HEALTH_MISSES = 6  # a busy machine answers late: only half a minute of silence counts as hung
_STEADY_SECONDS = 10.0  # a child that lived this long did not die of its start
_QUICK_FAILURES = 5
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0
_COOL_DOWN = 10.0


class State(enum.StrEnum):
    STOPPED = "stopped"
    PULLING = "pulling"
    STARTING = "starting"
    READY = "ready"
    FAILED = "failed"


class LocalModelFailed(Exception):
    """The model is not running and will not be by waiting; the message is the last reason known."""


class _ChildFailed(Exception):
    def __init__(self, reason: str, *, final: bool = False) -> None:
        super().__init__(reason)
        self.final = final


class LocalModel:
    """One supervised llama.cpp server on loopback.

    `model` is the GGUF file, or a callable that fetches it and returns its path; that one is called in a
    thread, at the first start, with a progress callback (`functools.partial(pull, name, data_dir)` fits).
    `parallel` is the number of requests under way at once, `context` the tokens of one request with its
    answer, `threads` the CPU threads of the model. `on_state` is called in the event loop at each change of
    state; the attributes below are up to date by then.

    `base_url` (no trailing slash) and `api_key` (for `Authorization: Bearer`) stay the same over restarts
    of the child unless its port was taken by another process meanwhile; take both anew at each READY.
    """

    def __init__(
        self,
        model: Path | Callable[[Progress], Path],
        *,
        parallel: int = 2,
        context: int = 4096,
        threads: int = 2,
        on_state: Callable[[State], None] | None = None,
    ) -> None:
        self.state = State.STOPPED
        self.base_url: str | None = None
        self.api_key = secrets.token_urlsafe(32)
        self.reason: str | None = None  # why it failed, or died the last time
        self.trouble: str | None = None  # the same for callers, in a few words
        self.pulled: tuple[int, int] | None = None  # bytes done and in all, while PULLING
        self.pid: int | None = None
        self.restarts = 0
        self._model = model
        self._sizes = {"--parallel": parallel, "--context": context, "--threads": threads}
        self._on_state = on_state
        self._port = 0
        self._failures = 0
        self._failed_at = -_COOL_DOWN
        self._task: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._stopping = False

    @property
    def again_in(self) -> float:
        """Seconds until `start` tries anew after a failure; 0 where it would at once."""
        if self.state is not State.FAILED:
            return 0.0
        return max(0.0, self._failed_at + _COOL_DOWN - time.monotonic())

    async def start(self) -> None:
        """Begin to run the model unless it runs, without waiting; after a failure, at most every 10 s."""
        if self._task and not self._task.done():
            return
        if self.again_in > 0:
            return
        self._stopping = False
        self._set(State.STARTING)
        self._task = asyncio.create_task(self._run(), name="local-model")

    async def ready(self, timeout: float) -> str:
        """Wait for the model and return its base URL.

        Raises LocalModelFailed when waiting is no use, TimeoutError after `timeout` seconds.
        """
        async with asyncio.timeout(timeout):
            while True:
                if self.state is State.READY and self.base_url:
                    return self.base_url
                if self.state in (State.FAILED, State.STOPPED):
                    raise LocalModelFailed(self.reason or "The local model is not running.")
                await self._changed.wait()

    async def ensure(self, timeout: float) -> str:
        """Start the model if need be and wait for it, as `ready`; callers at once share one start."""
        await self.start()
        return await self.ready(timeout)

    async def stop(self) -> None:
        """End the child (SIGTERM, after 5 s SIGKILL) or the download; a later `start` works again."""
        self._stopping = True
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.shield(asyncio.gather(self._task, return_exceptions=True))
            self._task = None
        self._set(State.STOPPED)

    def _set(self, state: State) -> None:
        if state is self.state:
            return
        self.state = state
        self._changed.set()
        self._changed = asyncio.Event()
        if self._on_state:
            self._on_state(state)

    def _fail(self, reason: str, trouble: str = "does not start") -> None:
        self.reason = reason
        self.trouble = trouble
        self._failed_at = time.monotonic()
        _log.error("the local model does not run: %s", reason)
        self._set(State.FAILED)

    async def _run(self) -> None:
        try:
            path = await self._file()
            if not path.is_file():
                self._fail(f"There is no model file {path}. Fetch it with: dragoman models pull {path.stem}")
                return
            while True:
                self._set(State.STARTING)
                began = time.monotonic()
                try:
                    await self._live(path)
                except _ChildFailed as failure:
                    self.reason = str(failure)
                    steady = self.state is State.READY and time.monotonic() - began >= _STEADY_SECONDS
                    # Given up once, the next demand gets one attempt, not five.
                    self._failures = 1 if steady else min(self._failures + 1, _QUICK_FAILURES)
                    if failure.final or self._failures >= _QUICK_FAILURES:
                        self._fail(self.reason)
                        return
                    _log.warning("the local model's process ended, starting it again: %s", self.reason)
                self.restarts += 1
                self._set(State.STARTING)
                await asyncio.sleep(min(_FIRST_PAUSE * 2 ** (self._failures - 1), _LONGEST_PAUSE))
        except PullFailed as failure:
            self._fail(str(failure), "could not be fetched")
        except OSError as error:
            self._fail(f"The local model's process could not be started: {error}")
        except Exception as error:
            # Whoever waits must hear of it: a task that ends silently would leave them waiting.
            self._fail(f"The local model's supervision broke: {error!r}")
            raise

    async def _file(self) -> Path:
        if isinstance(self._model, Path):
            return self._model
        fetch, loop = self._model, asyncio.get_running_loop()

        def progress(done: int, total: int) -> None:
            if self._stopping:
                raise PullFailed("The download was stopped.")
            self.pulled = (done, total)

        self._set(State.PULLING)
        work = loop.run_in_executor(None, fetch, progress)
        try:
            self._model = await asyncio.shield(work)
        except asyncio.CancelledError:
            # The thread ends at its next progress report, and removes its files before that.
            with contextlib.suppress(PullFailed):
                await work
            raise
        finally:
            self.pulled = None
        return self._model

    async def _live(self, path: Path) -> None:
        """One life of the child, from start to its end; always ends in _ChildFailed or cancellation."""
        process = await self._spawn(path)
        self.pid = process.pid
        tail: deque[str] = deque(maxlen=8)
        assert process.stderr is not None
        reading = asyncio.create_task(_keep_tail(process.stderr, tail))
        try:
            base_url = await self._address(process)
            if base_url is None:
                code = await process.wait()
                await reading
                self._port = 0  # it may have been the port: another process can have taken it
                raise _ChildFailed(_why(code, tail), final=code == child.EXIT_NO_ENGINE)
            self.base_url = base_url
            self._port = int(base_url.rpartition(":")[2])
            await self._watch(process, base_url)
            code = await process.wait()
            await reading
            raise _ChildFailed(_why(code, tail))
        finally:
            self.pid = None
            await _end(process)
            reading.cancel()

    async def _spawn(self, path: Path) -> asyncio.subprocess.Process:
        if not self._port:
            # A new address gets a new key: the old one may reach whoever took the old port.
            self.api_key = secrets.token_urlsafe(32)
        options = {"--model": path, "--port": self._port, "--parent": os.getpid(), **self._sizes}
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            child.__name__,
            *(str(word) for option in options.items() for word in option),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, child.KEY_VARIABLE: self.api_key},
        )

    async def _address(self, process: asyncio.subprocess.Process) -> str | None:
        """The base URL that the child reports when the model is loaded; None when it ends before."""
        assert process.stdout is not None
        try:
            async with asyncio.timeout(_LOAD_SECONDS):
                line = await process.stdout.readline()
        except TimeoutError:
            raise _ChildFailed(f"The model was not loaded after {_LOAD_SECONDS:.0f} s.") from None
        if not line:
            return None
        return str(json.loads(line)["base_url"])

    async def _watch(self, process: asyncio.subprocess.Process, base_url: str) -> None:
        """Return when the child ends; raises _ChildFailed when it lives but does not answer."""
        ended = asyncio.ensure_future(process.wait())
        misses = 0
        try:
            while not ended.done():
                if await _healthy(base_url):
                    misses = 0
                    self._set(State.READY)
                else:
                    misses += 1
                    if misses >= _HEALTH_MISSES:
                        raise _ChildFailed("The model's process lives but does not answer.")
                await asyncio.wait([ended], timeout=_HEALTH_EVERY if self.state is State.READY else 0.05)
        finally:
            ended.cancel()


async def _healthy(base_url: str) -> bool:
    host, _, port = base_url.removeprefix("http://").partition(":")
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(_HEALTH_SECONDS):
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(f"GET /health HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            return b" 200 " in await reader.readline()
    except (OSError, TimeoutError):
        return False
    finally:
        if writer:
            writer.close()


async def _keep_tail(stream: asyncio.StreamReader, tail: deque[str]) -> None:
    # By pieces, not by readline: a line beyond the reader's limit would raise.
    rest = b""
    while piece := await stream.read(65536):
        *lines, rest = (rest + piece).split(b"\n")
        rest = rest[-4096:]
        for line in lines:
            tail.append(line.decode(errors="replace"))
            _log.warning("llama.cpp: %s", tail[-1])
    if rest:
        tail.append(rest.decode(errors="replace"))


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.stdin:
        process.stdin.close()


def _why(code: int, tail: deque[str]) -> str:
    how = f"killed by signal {-code}" if code < 0 else f"exit status {code}"
    return "\n".join((f"The model's process ended ({how}).", *list(tail)[-4:]))
