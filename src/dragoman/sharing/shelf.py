"""Kept answers that several workers and machines have together, in Valkey: bytes under a name, until their time.

Nobody's request waits long for it: what does not come within `PATIENCE` is not there, and after a failure nothing is asked for a
second. What is put there is put behind the request's back. All of it together takes no more than a bound, which `shelve.lua` sees
to; what ends soonest goes first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from importlib.resources import files
from time import monotonic
from typing import Any, cast

from dragoman.sharing.address import Address
from dragoman.sharing.courier import PREFIX
from dragoman.sharing.patience import PATIENCE, arrived

PAUSE = 1.0
# What may be on its way there at once; more is not put there.
MOST_PUTTING = 32
_CONNECTIONS = 16
_VALUE, _INDEX, _SIZES, _BYTES = (f"{PREFIX}cache:{name}" for name in ("", "index", "sizes", "bytes"))


class Shelf:
    """`tell` is called at each change: with why it cannot be used, or with None where it can be again."""

    def __init__(self, address: Address, tell: Callable[[str | None], None] = lambda why: None) -> None:
        from redis.asyncio import BlockingConnectionPool, Redis, SSLConnection
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff

        more: dict[str, Any] = {}
        if address.tls:
            more = {"connection_class": SSLConnection, "ssl_ca_certs": address.authority}
        pool = BlockingConnectionPool(
            max_connections=_CONNECTIONS,
            timeout=PATIENCE,
            host=address.host,
            port=address.port,
            db=address.database,
            username=address.user,
            password=address.password,
            protocol=2,
            socket_connect_timeout=PATIENCE,
            socket_timeout=None,
            retry=Retry(NoBackoff(), 0),
            driver_info=None,
            **more,
        )
        self._pool = pool
        self._client = Redis(connection_pool=pool)
        self._script = files(__package__).joinpath("scripts", "shelve.lua").read_text("utf-8")
        self._tell = tell
        self._why: str | None = None
        self._until = 0.0
        self._putting: set[asyncio.Task[None]] = set()

    async def get(self, name: bytes) -> bytes | None:
        """None also where it cannot be asked. Does not raise."""
        return cast("bytes | None", await self._asked(self._client.get(_VALUE + name.hex())))

    def put(self, name: bytes, value: bytes, ttl: float, room: int) -> None:
        """At once, and perhaps in vain. `room` is in bytes, of all values together."""
        if len(self._putting) < MOST_PUTTING and monotonic() >= self._until:
            task = asyncio.get_running_loop().create_task(self._put(name.hex(), value, int(ttl * 1000), room))
            self._putting.add(task)
            task.add_done_callback(self._putting.discard)

    async def close(self) -> None:
        for task in self._putting:
            task.cancel()
        await asyncio.gather(*self._putting, return_exceptions=True)
        with suppress(Exception):
            await self._pool.aclose()

    async def _put(self, name: str, value: bytes, milliseconds: int, room: int) -> None:
        if milliseconds > 0:
            keys = (_VALUE + name, _INDEX, _SIZES, _BYTES)
            asked = self._client.eval(self._script, len(keys), *keys, _VALUE, name, value, str(milliseconds), str(room))
            await self._asked(asked)

    async def _asked(self, asking: Awaitable[Any]) -> Any:
        if monotonic() < self._until:
            cast("Any", asking).close()
            return None
        answer = asyncio.ensure_future(asking)
        try:
            if not await arrived(answer, PATIENCE):
                self._failed("it took too long to answer")
                return None
            found = answer.result()
        except Exception as error:  # whatever redis-py makes of what it was sent
            self._failed(f"{error}" or type(error).__name__)
            return None
        finally:
            answer.cancel()
        if self._why is not None:
            self._why = None
            self._tell(None)
        return found

    def _failed(self, why: str) -> None:
        self._until = monotonic() + PAUSE
        if self._why is None:
            self._tell(why)
        self._why = why
