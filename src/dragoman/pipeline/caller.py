"""The caller's side of one exchange, as the pipeline sees it: no HTTP server is known here."""

from collections.abc import Callable
from typing import Protocol

from dragoman.protocols.base import Headers


class Caller(Protocol):
    """Somebody who sent a request and waits for the answer.

    `path` is percent-decoded; `headers` have lower-case names; `remote` is an address for the log.
    A caller that leaves cancels the task that serves it, unless `leaving`, asked first, says that it is to go on.
    """

    method: str
    path: str
    query: bytes
    headers: dict[bytes, bytes]
    remote: str
    started: bool
    leaving: Callable[[], bool] | None

    async def body(self, limit: int, timeout: float) -> bytes:
        """The whole request body. Raises TooLarge past `limit` bytes, RequestTimeout past `timeout` seconds."""
        ...

    async def answer(self, status: int, headers: Headers, body: bytes) -> None:
        """The whole answer at once."""
        ...

    async def start(self, status: int, headers: Headers) -> None:
        """Begin an answer that comes in pieces."""
        ...

    async def write(self, data: bytes) -> None:
        """The next piece; waits while the caller reads more slowly than we write."""
        ...

    def nudge(self, data: bytes) -> None:
        """A sign of life between two pieces; nothing where the caller has enough to read."""
        ...

    async def finish(self) -> None:
        """The answer is complete."""
        ...
