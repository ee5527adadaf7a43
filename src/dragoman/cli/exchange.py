"""One request and its answer as the verbs see it, whether a pipeline in this process answers or a gateway elsewhere."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass


@dataclass(slots=True)
class Answer:
    """An answer whose body is still coming. Header names are lower-case."""

    status: int
    headers: dict[str, str]
    pieces: AsyncIterator[bytes]

    async def read(self) -> bytes:
        return b"".join([piece async for piece in self.pieces])

    @property
    def request_id(self) -> str | None:
        return self.headers.get("x-request-id")

    @property
    def target(self) -> str | None:
        return self.headers.get("x-dragoman-target")

    @property
    def losses(self) -> list[str]:
        found = self.headers.get("x-dragoman-losses")
        return found.split(",") if found else []

    @property
    def streams(self) -> bool:
        return self.headers.get("content-type", "").startswith("text/event-stream")
