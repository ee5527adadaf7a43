"""One connection to Valkey: several commands go out at once, their answers come back at once, one such batch at a time.

A batch that is not answered in time ends the connection: later answers would be taken for others.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from importlib.resources import files
from typing import Any, cast

from dragoman.sharing.address import Address
from dragoman.sharing.resp import Failure, Garbage, Replies, Reply, command

SCRIPTS = ("node", "minute", "running", "money")
_ROUNDS = 3


class Unreachable(Exception):
    """Says why, in words for a log line."""


async def arrived(answer: asyncio.Future[Any], patience: float) -> bool:
    """Waits, but no longer than `patience`; whether it is done. A process that was busy itself for so long has not looked yet
    whether the answer lies there: it does before it says no."""
    done, _ = await asyncio.wait((answer,), timeout=patience)
    for _ in range(_ROUNDS):
        if done or answer.done():
            return True
        await asyncio.sleep(0)
    return answer.done()


class Link(asyncio.Protocol):
    def __init__(self, lost: Callable[[], None] = lambda: None) -> None:
        self._lost = lost
        self._transport: asyncio.Transport | None = None
        self._replies = Replies()
        self._found: list[Reply] = []
        self._awaited = 0
        self._answer: asyncio.Future[list[Reply]] | None = None
        self._why = "the connection was closed"
        self.scripts: dict[str, str] = {}

    @classmethod
    async def open(cls, address: Address, patience: float, lost: Callable[[], None]) -> Link:
        """Ready for scripts; `lost` is called when it ends. Raises Unreachable."""
        loop = asyncio.get_running_loop()
        context = ssl.create_default_context(cafile=address.authority) if address.tls else None
        try:
            async with asyncio.timeout(patience):
                _, link = await loop.create_connection(lambda: cls(lost), address.host, address.port, ssl=context)
        except TimeoutError:
            raise Unreachable("it took too long to connect") from None
        except OSError as error:
            raise Unreachable(f"connecting failed: {error.strerror or error}") from None
        try:
            await link._greet(address, patience)
        except BaseException:
            link.abort()
            raise
        return link

    async def _greet(self, address: Address, patience: float) -> None:
        greeting = []
        if address.password is not None:
            greeting.append(command("AUTH", *([address.user] if address.user else []), address.password))
        if address.database:
            greeting.append(command("SELECT", address.database))
        greeting += [command("SCRIPT", "LOAD", _text(name)) for name in SCRIPTS]
        replies = await self.ask(greeting, patience)
        for reply in replies:
            if isinstance(reply, Failure):
                raise Unreachable(f"it answered: {reply.message}")
        for name, reply in zip(SCRIPTS, replies[-len(SCRIPTS) :], strict=True):
            assert isinstance(reply, bytes)
            self.scripts[name] = reply.decode()

    def run(self, script: str, keys: tuple[str, ...], words: list[int | str]) -> bytes:
        """The command that runs a script."""
        return command("EVALSHA", self.scripts[script], len(keys), *keys, *words)

    async def ask(self, commands: list[bytes], patience: float) -> list[Reply]:
        """Raises Unreachable, after which the link is of no use. Asking nothing tells whether it still stands."""
        if self._transport is None or self._transport.is_closing():
            raise Unreachable(self._why)
        if not commands:
            return []
        assert self._answer is None
        answer: asyncio.Future[list[Reply]] = asyncio.get_running_loop().create_future()
        self._answer, self._awaited, self._found = answer, len(commands), []
        self._transport.write(b"".join(commands))
        try:
            if await arrived(answer, patience):
                return await answer
        except BaseException:
            self.abort()
            raise
        finally:
            self._answer = None
        self.abort()
        raise Unreachable(f"no answer within {patience * 1000:.0f} ms")

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    # --- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by class

    def data_received(self, data: bytes) -> None:
        try:
            self._found += self._replies.feed(data)
        except Garbage as error:
            self._fail(str(error))
            self.abort()
            return
        if self._answer is not None and not self._answer.done() and len(self._found) >= self._awaited:
            self._answer.set_result(self._found)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._fail("the connection was closed" if exc is None else f"the connection broke: {exc}")
        self._lost()

    def _fail(self, why: str) -> None:
        self._why = why
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(Unreachable(why))


def _text(script: str) -> str:
    return files(__package__).joinpath("scripts", f"{script}.lua").read_text("utf-8")
