"""One connection to Valkey, by redis-py: several commands go out at once, their answers come back at once, one such batch at a
time.

Answers are read by a task of their own. So a connection that ends is noticed when it does, not when it is used next; and a batch
whose answer is late is still that batch, and the answer is not lost. Imported only where `shared:` is set.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.resources import files
from typing import Any, TypeAlias

from redis.asyncio import Connection, SSLConnection
from redis.exceptions import RedisError, ResponseError

from dragoman.sharing.address import Address
from dragoman.sharing.patience import Unreachable

SCRIPTS = ("node", "minute", "running", "money")

Reply: TypeAlias = "int | bytes | list[Reply] | ResponseError | None"
Command: TypeAlias = tuple[str | int, ...]


class Link:
    def __init__(self, connection: Connection, lost: Callable[[], None]) -> None:
        self._connection = connection
        self._lost = lost
        self._ended: str | None = None
        self._found: list[Reply] = []
        self._awaited = 0
        self._answer: asyncio.Future[list[Reply]] | None = None
        self._scripts: dict[str, str] = {}
        self._reading = asyncio.get_running_loop().create_task(self._read())

    @classmethod
    async def open(cls, address: Address, patience: float, lost: Callable[[], None]) -> Link:
        """Ready for scripts; `lost` is called when it ends by itself. Raises Unreachable."""
        connection = _connection(address)
        try:
            async with asyncio.timeout(patience):
                await connection.connect()  # type: ignore[no-untyped-call]
        except TimeoutError:
            await connection.disconnect(nowait=True)
            raise Unreachable("it took too long to connect") from None
        except (RedisError, OSError) as error:
            await connection.disconnect(nowait=True)
            raise Unreachable(f"connecting failed: {error}") from None
        link = cls(connection, lost)
        try:
            async with asyncio.timeout(patience):
                replies = await (await link.ask([("SCRIPT", "LOAD", _text(name)) for name in SCRIPTS]))
            for name, reply in zip(SCRIPTS, replies, strict=True):
                if not isinstance(reply, bytes):
                    raise Unreachable(f"it answered: {reply}")
                link._scripts[name] = reply.decode()
        except BaseException as error:
            await link.close()
            if isinstance(error, TimeoutError):
                raise Unreachable("it took too long to connect") from None
            raise
        return link

    def run(self, script: str, keys: tuple[str, ...], words: Sequence[int | str]) -> Command:
        """The command that runs a script."""
        return "EVALSHA", self._scripts[script], len(keys), *keys, *words

    async def ask(self, commands: list[Command]) -> asyncio.Future[list[Reply]]:
        """What the answers will be, or Unreachable; raises it too. Asking nothing tells whether the link still stands."""
        if self._ended is not None:
            raise Unreachable(self._ended)
        if self._answer is not None and not self._answer.done():
            raise Unreachable("an earlier answer is still awaited")
        answer: asyncio.Future[list[Reply]] = asyncio.get_running_loop().create_future()
        if not commands:
            answer.set_result([])
            return answer
        self._answer, self._awaited, self._found = answer, len(commands), []
        try:
            await self._connection.send_packed_command(self._connection.pack_commands(commands), check_health=False)
        except (RedisError, OSError) as error:
            self._answer = None
            raise Unreachable(f"the connection broke: {error}") from None
        return answer

    async def close(self) -> None:
        """At once, whatever is under way."""
        self._answer = None
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)
        with suppress(RedisError):
            await self._connection.disconnect(nowait=True)

    async def _read(self) -> None:
        try:
            while True:
                reply: Reply
                try:
                    reply = await self._connection.read_response()
                except ResponseError as error:
                    reply = error
                self._found.append(reply)
                if self._answer is not None and not self._answer.done() and len(self._found) >= self._awaited:
                    self._answer.set_result(self._found)
        except RedisError as error:
            self._end(f"the connection ended: {error}")
        except Exception as error:  # what was received is no answer
            self._end(f"it answered something else than was asked: {error!r}")

    def _end(self, why: str) -> None:
        self._ended = why
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(Unreachable(why))
        self._lost()


def _connection(address: Address) -> Connection:
    # Nothing is done twice by itself, and nothing waits by itself: who asks sees to both. RESP2 says all that is needed.
    common: dict[str, Any] = {
        "host": address.host,
        "port": address.port,
        "db": address.database,
        "username": address.user,
        "password": address.password,
        "protocol": 2,
        "socket_timeout": None,
        "socket_connect_timeout": None,
        "driver_info": None,
    }
    if address.tls:
        return SSLConnection(**common, ssl_ca_certs=address.authority)
    return Connection(**common)


def _text(script: str) -> str:
    return files(__package__).joinpath("scripts", f"{script}.lua").read_text("utf-8")
