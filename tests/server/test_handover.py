"""Handing on to another process, here a script on a unix socket: what goes over, what comes back, and what if it dies."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dragoman.observe.logs import RequestEntry
from dragoman.pipeline.closing import CLOSING
from dragoman.pipeline.key import ROOT, digest
from dragoman.server.handover import MAX_BODY, Handover

PATIENCE = 10.0
SIZED = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
Script = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


class Caller:
    """Keeps what it is answered."""

    def __init__(self, method: str = "GET", path: str = "/admin/v1/keys", **more: Any) -> None:
        self.method = method
        self.path = path
        self.query: bytes = more.get("query", b"")
        self.headers: dict[bytes, bytes] = {b"authorization": b"Bearer dgm_root", **more.get("headers", {})}
        self.remote = "10.0.0.1"
        self.started = False
        self.status = 0
        self.answered: list[tuple[bytes, bytes]] = []
        self.pieces: list[bytes] = []
        self.ended = asyncio.Event()
        self._body: bytes = more.get("body", b"")

    async def body(self, limit: int, timeout: float) -> bytes:
        assert limit == MAX_BODY
        return self._body

    async def answer(self, status: int, headers: Any, body: bytes) -> None:
        await self.start(status, headers)
        self.pieces.append(body)
        await self.finish()

    async def start(self, status: int, headers: Any) -> None:
        self.started = True
        self.status, self.answered = status, headers

    async def write(self, data: bytes) -> None:
        self.pieces.append(data)

    def nudge(self, data: bytes) -> None:
        pass

    async def finish(self) -> None:
        self.ended.set()

    @property
    def error(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(b"".join(self.pieces))["error"]
        return found


class Other:
    """The process handed on to: `script` gets each request's bytes and the way back."""

    def __init__(self, path: Path, script: Script) -> None:
        self.path = str(path)
        self.requests: list[bytes] = []
        self.closed = asyncio.Event()
        self._script = script

    async def __aenter__(self) -> Other:
        self._server = await asyncio.start_unix_server(self._serve, self.path)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    (
                        int(line.split(b":")[1])
                        for line in head.lower().split(b"\r\n")
                        if line.startswith(b"content-length")
                    ),
                    0,
                )
                self.requests.append(head + await reader.readexactly(length))
                await self._script(self.requests[-1], writer)
                await writer.drain()
        self.closed.set()
        writer.close()


@pytest.fixture
def lines() -> list[RequestEntry]:
    return []


@pytest.fixture
async def handover(lines: list[RequestEntry]) -> AsyncIterator[Handover]:
    gateway: Any = SimpleNamespace(
        log=SimpleNamespace(write=lines.append), snapshot=SimpleNamespace(keys={digest(b"dgm_root"): ROOT})
    )
    found = Handover(gateway, patience=PATIENCE)
    yield found
    await found.aclose()


async def sized(_: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(SIZED)


async def test_what_goes_over_and_what_comes_back(
    handover: Handover, tmp_path: Path, lines: list[RequestEntry]
) -> None:
    async def script(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(
            SIZED.replace(b"\r\n\r\n", b"\r\nconnection: keep-alive\r\nserver: x\r\ndate: y\r\nx-more: 1\r\n\r\n")
        )

    headers = {
        b"content-type": b"application/json",
        b"connection": b"close",
        b"te": b"trailers",
        b"transfer-encoding": b"chunked",
        b"content-length": b"7",
        b"host": b"gateway.example",
        b"accept-encoding": b"gzip",
        b"x-request-id": b"req_of_mine",
        b"x-dragoman-remote": b"6.6.6.6",
        b"x-forwarded-for": b"6.6.6.6",
    }
    caller = Caller("POST", "/admin/v1/keys/a b\n世", query=b"a=b%20c", headers=headers, body=b'{"a":1}')
    async with Other(tmp_path / "s", script) as other:
        handover.tell(other.path)
        await handover.serve(caller)
    head, _, body = other.requests[0].partition(b"\r\n\r\n")
    first, *given = head.split(b"\r\n")
    name = lines[0].request_id.encode()
    assert first == b"POST /admin/v1/keys/a%20b%0A%E4%B8%96?a=b%20c HTTP/1.1"
    assert {line.lower() for line in given} == {
        b"host: localhost",
        b"authorization: bearer dgm_root",
        b"content-type: application/json",
        b"accept-encoding: identity",
        b"content-length: 7",
        b"x-request-id: " + name,
        b"x-dragoman-remote: 10.0.0.1",
    }
    assert body == b'{"a":1}'
    assert (caller.status, caller.pieces) == (200, [b"{}"])
    assert caller.answered == [(b"content-type", b"application/json"), (b"x-more", b"1"), (b"x-request-id", name)]
    line = lines[0]
    assert (line.operation, line.status, line.key, line.remote) == ("admin", 200, "root", "10.0.0.1")


async def test_what_comes_in_pieces_is_passed_on_in_pieces(handover: Handover, tmp_path: Path) -> None:
    more, caller = asyncio.Event(), Caller()

    async def script(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n")
        await more.wait()
        writer.write(b"3\r\ntwo\r\n0\r\n\r\n")

    async with Other(tmp_path / "s", script) as other, asyncio.timeout(PATIENCE):
        handover.tell(other.path)
        serving = asyncio.create_task(handover.serve(caller))
        while not caller.pieces:
            await asyncio.sleep(0)
        assert caller.pieces == [b"one"] and not caller.ended.is_set()
        more.set()
        await serving
    assert (caller.pieces, caller.ended.is_set()) == ([b"one", b"two"], True)
    assert [name for name, _ in caller.answered] == [b"x-request-id"]


async def test_a_head_is_asked_as_what_it_is_the_head_of(handover: Handover, tmp_path: Path) -> None:
    caller = Caller("HEAD")
    async with Other(tmp_path / "s", sized) as other:
        handover.tell(other.path)
        await handover.serve(caller)
    assert other.requests[0].startswith(b"GET ") and caller.pieces == [b"{}"]


async def test_one_that_is_being_started_is_waited_for(handover: Handover, tmp_path: Path) -> None:
    callers = [Caller() for _ in range(3)]
    async with Other(tmp_path / "s", sized) as other, asyncio.timeout(PATIENCE):
        waiting = [asyncio.create_task(handover.serve(caller)) for caller in callers]
        await asyncio.sleep(0)
        assert not any(caller.started for caller in callers)
        handover.tell(other.path)
        await asyncio.gather(*waiting)
    assert [caller.status for caller in callers] == [200] * 3


async def test_and_not_for_ever(handover: Handover, lines: list[RequestEntry]) -> None:
    handover._patience = 0.01
    caller = Caller()
    await handover.serve(caller)
    assert (caller.status, caller.error["code"]) == (503, "admin_not_ready")
    assert (b"retry-after", b"5") in caller.answered
    assert (lines[0].status, lines[0].level) == (503, "")


@pytest.mark.parametrize(("method", "status"), [("GET", 200), ("HEAD", 200), ("POST", 503), ("DELETE", 503)])
async def test_one_that_dies_over_it_is_asked_again_only_for_what_changes_nothing(
    handover: Handover, tmp_path: Path, method: str, status: int
) -> None:
    async def script(_: bytes, writer: asyncio.StreamWriter) -> None:
        if len(other.requests) == 1:
            writer.transport.abort()
        else:
            writer.write(SIZED)

    caller = Caller(method)
    async with Other(tmp_path / "s", script) as other:
        handover.tell(other.path)
        await handover.serve(caller)
    assert (caller.status, len(other.requests)) == (status, 2 if status == 200 else 1)
    if status == 503:
        assert "may have been done or not" in caller.error["message"]


async def test_one_that_is_not_there(handover: Handover, tmp_path: Path) -> None:
    handover.tell(str(tmp_path / "nothing"))
    caller = Caller("POST")
    await handover.serve(caller)
    assert caller.status == 503 and "may have been done" not in caller.error["message"]


@pytest.mark.parametrize("why", [(), CLOSING])
async def test_a_caller_that_leaves_and_a_gateway_that_ends(
    handover: Handover, tmp_path: Path, lines: list[RequestEntry], why: tuple[str, ...]
) -> None:
    asked = asyncio.Event()

    async def script(_: bytes, writer: asyncio.StreamWriter) -> None:
        asked.set()

    caller = Caller()
    async with Other(tmp_path / "s", script) as other, asyncio.timeout(PATIENCE):
        handover.tell(other.path)
        serving = asyncio.create_task(handover.serve(caller))
        await asked.wait()
        serving.cancel(*why)
        await serving
        await other.closed.wait()
    assert (lines[0].status, lines[0].client_closed) == ((503, None) if why else (499, True))
    assert caller.started is bool(why)
