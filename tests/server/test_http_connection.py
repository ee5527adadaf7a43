"""Heads are bounded in time and size, whoever leaves is noticed, and no two answers are mixed."""

from __future__ import annotations

import asyncio
import json
from typing import Any, ClassVar

import pytest

from dragoman.server.asgi import AsgiCaller
from dragoman.server.exchange import EXCHANGE
from dragoman.server.http import MAX_HEAD, CallerConnection

PATIENCE = 10.0


class Quick(CallerConnection):
    head_seconds = stall_seconds = 0.1

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._keep_alive_seconds = 0.1


async def hello(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the length of the body."""
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    told = b"%s %d" % (scope["path"].encode(), len(body))
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(told))]})
    await send({"type": "http.response.body", "body": told})


async def talk(port: int, *pieces: bytes, eof: bool = False) -> bytes:
    """All that comes back until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        if eof:
            writer.write_eof()
        async with asyncio.timeout(PATIENCE):
            return await reader.read()
    finally:
        writer.close()


def told(answer: bytes) -> tuple[int, Any]:
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


async def test_a_head_that_does_not_come_is_given_up(serve: Any) -> None:
    async with serve(hello, Quick) as port:
        status, error = told(await talk(port, b"GET / HTTP/1.1\r\nhost:"))
        assert (status, error["error"]["code"]) == (408, "request_timeout")
        status, error = told(await talk(port, b"GET /v1beta/models HTTP/1.1\r\nhost:"))
        assert (status, error["error"]["status"]) == (408, "DEADLINE_EXCEEDED")


async def test_a_connection_on_which_nothing_is_asked_is_closed(serve: Any) -> None:
    async with serve(hello, Quick) as port:
        assert await talk(port) == b""


async def test_the_second_head_has_its_time_too(serve: Any) -> None:
    async with serve(hello, Quick) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /a HTTP/1.1\r\n\r\n")
        assert (await reader.readuntil(b"/a 0")).startswith(b"HTTP/1.1 200")
        writer.write(b"GET /b HTTP/1.1\r\nx")
        async with asyncio.timeout(PATIENCE):
            status, _ = told(await reader.read())
        assert status == 408
        writer.close()


async def test_a_slow_body_is_not_a_slow_head(serve: Any) -> None:
    async with serve(hello, Quick) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /a HTTP/1.1\r\ncontent-length: 2\r\nconnection: close\r\n\r\n1")
        await asyncio.sleep(3 * Quick.head_seconds)
        writer.write(b"2")
        assert (await reader.read()).endswith(b"/a 2")
        writer.close()


@pytest.mark.parametrize("size", [1, 100, 4096, MAX_HEAD, 10 * MAX_HEAD])
async def test_the_bound_of_a_head_does_not_hang_on_its_pieces(serve: Any, size: int) -> None:
    start, end = b"GET /a HTTP/1.1\r\nconnection: close\r\nx: ", b"\r\n\r\n"
    room = MAX_HEAD - len(start) - len(end)
    if size == 1:  # only around the bound, else it takes long
        fit, over = ([start + b"x" * (room - 50), *[b"x"] * n, *[b"\r", b"\n"] * 2] for n in (50, 51))
    else:
        fit, over = (
            [data[at : at + size] for at in range(0, len(data), size)]
            for data in (start + b"x" * room + end, start + b"x" * (room + 1) + end)
        )
    async with serve(hello) as port:
        assert (await talk(port, *fit)).endswith(b"/a 0")
        status, error = told(await talk(port, *over))
        assert (status, error["error"]["code"]) == (431, "headers_too_large")


async def test_a_body_behind_a_long_head_is_body(serve: Any) -> None:
    head = b"POST /a HTTP/1.1\r\nconnection: close\r\ncontent-length: 200000\r\nx: " + b"x" * 60_000 + b"\r\n\r\n"
    async with serve(hello) as port:
        assert (await talk(port, head + b"y" * 200_000)).endswith(b"/a 200000")


async def test_every_request_of_a_connection_has_the_whole_room(serve: Any) -> None:
    request = b"GET /a HTTP/1.1\r\nx: " + b"x" * 50_000 + b"\r\n\r\n"
    async with serve(hello) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(5):
            writer.write(request)
            await reader.readuntil(b"/a 0")
        writer.close()


@pytest.mark.parametrize("size", [1, 7, 10_000])
async def test_an_offer_to_upgrade_is_declined_however_it_comes(serve: Any, size: int) -> None:
    offer = b"POST /%d HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\ncontent-length: 5\r\n\r\nhello"
    data = offer % 1 + offer % 2 + b"GET /3 HTTP/1.1\r\nconnection: close\r\n\r\n"
    async with serve(hello) as port:
        answer = await talk(port, *(data[at : at + size] for at in range(0, len(data), size)))
    assert [answer.count(b"/%d %d" % found) for found in ((1, 5), (2, 5), (3, 0))] == [1, 1, 1]


async def test_a_websocket_is_declined_and_a_tunnel_refused(serve: Any) -> None:
    wish = b"GET /ws HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n"
    async with serve(hello) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(wish)
        await reader.readuntil(b"/ws 0")
        writer.close()
        status, _ = told(await talk(port, b"CONNECT example.com:443 HTTP/1.1\r\nhost: example.com\r\n\r\n"))
        assert status == 400


async def test_whoever_leaves_ends_the_request_that_runs_and_those_behind_it(serve: Any) -> None:
    began = asyncio.Event()
    ended = asyncio.Event()
    paths = []

    async def waits(scope: Any, receive: Any, send: Any) -> None:
        paths.append(scope["path"])
        began.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.set()

    async with serve(waits) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n")
        async with asyncio.timeout(PATIENCE):
            await began.wait()
            writer.close()
            await ended.wait()
        await asyncio.sleep(0)
    assert paths == ["/a"]


@pytest.mark.parametrize("size", [50, 1000, 1_000_000])
async def test_heads_that_we_do_not_read_take_none_of_their_time(serve: Any, size: int) -> None:
    """So many requests at once that reading stops until some are answered."""
    free = asyncio.Event()

    async def waits(scope: Any, receive: Any, send: Any) -> None:
        await free.wait()
        await hello(scope, receive, send)

    filling = b"x" * 1000
    asked = b"".join(b"GET /%d HTTP/1.1\r\nx: %b\r\n\r\n" % (number, filling) for number in range(30))
    async with serve(waits, Quick) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for at in range(0, len(asked), size):
            writer.write(asked[at : at + size])
            await asyncio.sleep(0)
        await asyncio.sleep(3 * Quick.head_seconds)
        free.set()
        async with asyncio.timeout(PATIENCE):
            await reader.readuntil(b"/29 0")
            writer.write(b"GET /last HTTP/1.1\r\nconnection: close\r\n\r\n")
            assert (await reader.read()).endswith(b"/last 0")
        writer.close()


class Counted(CallerConnection):
    made: ClassVar[list[CallerConnection]] = []

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.made.append(self)


@pytest.mark.parametrize("served", [0, 1])
async def test_who_asks_as_we_end_is_answered_and_told_that_it_was_the_last(serve: Any, served: int) -> None:
    Counted.made.clear()
    async with serve(hello, Counted) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        async with asyncio.timeout(PATIENCE):
            for _ in range(served):
                writer.write(b"GET /a HTTP/1.1\r\n\r\n")
                await reader.readuntil(b"/a 0")
            while not Counted.made:
                await asyncio.sleep(0)
            Counted.made[0].retire()
            writer.write(b"GET /b HTTP/1.1\r\n\r\nGET /c HTTP/1.1\r\n\r\n")
            answer = await reader.read()
        writer.close()
    assert b"connection: close" in answer
    assert answer.endswith(b"/b 0")


async def test_what_was_asked_before_we_end_is_all_answered(serve: Any) -> None:
    Counted.made.clear()
    free = asyncio.Event()

    async def waits(scope: Any, receive: Any, send: Any) -> None:
        await free.wait()
        await hello(scope, receive, send)

    async with serve(waits, Counted) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        async with asyncio.timeout(PATIENCE):
            writer.write(b"GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n")
            while not Counted.made or not Counted.made[0]._waiting:
                await asyncio.sleep(0)
            Counted.made[0].retire()
            free.set()
            answer = await reader.read()
        writer.close()
    assert answer.count(b"/a 0") == answer.count(b"connection: close") == 1
    assert answer.endswith(b"/b 0")


async def test_whoever_asks_nothing_as_we_end_is_let_go(serve: Any) -> None:
    Counted.made.clear()
    async with serve(hello, Counted) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        async with asyncio.timeout(PATIENCE):
            while not Counted.made:
                await asyncio.sleep(0)
            Counted.made[0].retire()
            Counted.made[0].shutdown()
            assert await reader.read() == b""
        writer.close()


@pytest.mark.parametrize("size", [1, 40, 10_000])
async def test_a_trailer_is_no_header_of_the_next_request(serve: Any, size: int) -> None:
    seen = []

    async def notes(scope: Any, receive: Any, send: Any) -> None:
        seen.append(dict(scope["headers"]))
        await hello(scope, receive, send)

    first = b"POST /a HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nx-one: 1\r\nauthorization: Bearer them\r\n\r\n"
    data = first + b"GET /b HTTP/1.1\r\nconnection: close\r\n\r\n"
    async with serve(notes) as port:
        answer = await talk(port, *(data[at : at + size] for at in range(0, len(data), size)))
    assert b"/a 1" in answer
    assert answer.endswith(b"/b 0")
    assert seen == [{b"transfer-encoding": b"chunked"}, {b"connection": b"close"}]


@pytest.mark.parametrize(
    "barren",
    [[b"0\r\nx: ", *[b"x" * 1000] * 66], [b"0\r\n", *[b"x: y\r\n" * 170] * 66], [b"1;", *[b"x" * 1000] * 66]],
    ids=["one", "many", "extension"],
)
async def test_trailers_have_a_bound_too(serve: Any, barren: list[bytes]) -> None:
    garbled = []

    async def notes(scope: Any, receive: Any, send: Any) -> None:
        await hello(scope, receive, send)
        garbled.append(scope[EXCHANGE].garbled)

    head = b"POST /a HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n"
    async with serve(notes) as port:
        assert (await talk(port, head, *barren)).endswith(b"/a 1")
    assert garbled == [True]


@pytest.mark.parametrize("size", [1_000, 70_000, 200_000, 3_000_000])
async def test_whoever_leaves_behind_a_long_body_is_noticed(serve: Any, size: int) -> None:
    began = asyncio.Event()
    ended = asyncio.Event()

    async def waits(scope: Any, receive: Any, send: Any) -> None:
        assert len(await AsgiCaller(scope, receive, send).body(size, PATIENCE)) == size
        began.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.set()

    async with serve(waits) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /a HTTP/1.1\r\ncontent-length: %d\r\n\r\n" % size + b"x" * size)
        async with asyncio.timeout(PATIENCE):
            await began.wait()
            writer.close()
            await ended.wait()


async def test_very_many_offers_to_upgrade(serve: Any) -> None:
    offer = b"GET /a HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    last = b"GET /b HTTP/1.1\r\nConnection: Upgrade, close\r\nUpgrade: h2c\r\n\r\n"
    async with serve(hello) as port:
        answer = await talk(port, offer * 4000 + last)
    assert answer.count(b"/a 0") == 4000
    assert answer.endswith(b"/b 0")


async def test_a_body_that_nobody_wants_holds_no_connection(serve: Any) -> None:
    async def brief(scope: Any, receive: Any, send: Any) -> None:
        assert scope[EXCHANGE].answer(200, [(b"content-length", b"2")], b"ok")

    async with serve(brief, Quick) as port:
        assert (await talk(port, b"GET /a HTTP/1.1\r\ncontent-length: 10\r\n\r\n1")).endswith(b"ok")


async def test_a_caller_that_takes_nothing_is_let_go(serve: Any) -> None:
    ended = asyncio.Event()

    async def pours(scope: Any, receive: Any, send: Any) -> None:
        exchange = scope[EXCHANGE]
        exchange.start(200, [])
        try:
            while True:
                exchange.write(b"x" * 100_000)
                await exchange.drained()
        except asyncio.CancelledError:
            ended.set()

    async with serve(pours, Quick) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1000)
        writer.write(b"GET /a HTTP/1.1\r\n\r\n")
        async with asyncio.timeout(PATIENCE):
            await ended.wait()
        writer.close()


async def test_a_header_in_several_lines_is_one_list(serve: Any) -> None:
    seen = {}

    async def notes(scope: Any, receive: Any, send: Any) -> None:
        seen.update(AsgiCaller(scope, receive, send).headers)
        await hello(scope, receive, send)

    lines = b"anthropic-beta: a\r\nx-api-key: one\r\nAnthropic-Beta: b\r\nx-api-key: two\r\naccept: c\r\naccept: c\r\n"
    async with serve(notes) as port:
        await talk(port, b"GET /a HTTP/1.1\r\nconnection: close\r\n" + lines + b"\r\n")
    assert seen == {
        b"connection": b"close",
        b"anthropic-beta": b"a, b",
        b"x-api-key": b"one, two",
        b"accept": b"c",
    }
