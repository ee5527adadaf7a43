"""An answer's framing, whatever the application does: told by real bytes on a real socket."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dragoman.server.exchange import EXCHANGE
from dragoman.server.http import CallerConnection

PATIENCE = 10.0
GET = b"GET / HTTP/1.1\r\nconnection: close\r\n\r\n"


class BriefKeepAlive(CallerConnection):
    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._keep_alive_seconds = 0.1


async def talk(port: int, data: bytes) -> bytes:
    """All that comes back until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        async with asyncio.timeout(PATIENCE):
            return await reader.read()
    finally:
        writer.close()


def application(*messages: dict[str, Any], fails: bool = False) -> Any:
    """Reads all there is, then says what it is told to."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        for message in messages:
            await send(message)
        if fails:
            raise RuntimeError("on purpose")

    return app


def start(*headers: tuple[bytes, bytes], status: int = 200) -> dict[str, Any]:
    return {"type": "http.response.start", "status": status, "headers": list(headers)}


def body(data: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": more}


async def test_a_body_without_a_length_comes_in_chunks(serve: Any) -> None:
    async with serve(application(start(), body(b"one", more=True), body(b"", more=True), body(b"two"))) as port:
        head, _, rest = (await talk(port, GET)).partition(b"\r\n\r\n")
    assert b"transfer-encoding: chunked" in head
    assert b"connection: close" in head
    assert rest == b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"


async def test_a_body_with_a_length_comes_as_it_is(serve: Any) -> None:
    async with serve(application(start((b"content-length", b"6")), body(b"one", more=True), body(b"two"))) as port:
        assert (await talk(port, GET)).endswith(b"\r\n\r\nonetwo")


async def test_the_head_alone(serve: Any) -> None:
    async with serve(application(start((b"content-length", b"3")), body(b"one"))) as port:
        answer = await talk(port, GET.replace(b"GET", b"HEAD"))
    assert b"content-length: 3" in answer
    assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    "messages",
    [
        (start((b"content-length", b"9")), body(b"short")),
        (start((b"content-length", b"1")), body(b"long")),
        (start(), start()),
        (start(), body(b"x", more=True)),
    ],
    ids=["short", "long", "twice", "unfinished"],
)
async def test_an_answer_that_went_wrong_is_cut_and_not_passed_for_whole(serve: Any, messages: Any) -> None:
    async with serve(application(*messages)) as port:
        answer = await talk(port, GET.replace(b"connection: close\r\n", b""))
    assert answer.startswith(b"HTTP/1.1 200")
    assert not answer.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize(
    "app",
    [
        application(),
        application(fails=True),
        application(start((b"x", b"a\r\nset-cookie: b"), (b"content-length", b"0")), body(b"")),
        application(start((b"x y", b"a\nb"))),
        application(body(b"")),
    ],
    ids=["silent", "failing", "a break in a value", "a bad name", "out of order"],
)
async def test_what_cannot_be_told_is_an_error(serve: Any, app: Any) -> None:
    async with serve(app) as port:
        answer = await talk(port, GET.replace(b"connection: close\r\n", b""))
    assert answer.startswith(b"HTTP/1.1 500")
    assert b"cookie" not in answer


@pytest.mark.parametrize("word", [b"expect: 100-continue", b"EXPECT: 100-Continue", b"Expect:100-CONTINUE"])
async def test_who_waits_to_be_asked_for_a_body_is_asked(serve: Any, word: bytes) -> None:
    app = application(start((b"content-length", b"2")), body(b"ok"))
    async with serve(app) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        async with asyncio.timeout(PATIENCE):
            writer.write(b"POST / HTTP/1.1\r\ncontent-length: 4\r\n" + word + b"\r\n\r\n")
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            writer.write(b"body")
            assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
        writer.close()


@pytest.mark.parametrize(
    "head",
    [
        b"POST / HTTP/1.1\r\ncontent-length: 4\r\nconnection: close\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: 4\r\nconnection: close\r\nexpect: something\r\n",
        b"POST / HTTP/1.0\r\ncontent-length: 4\r\nexpect: 100-continue\r\n",
    ],
    ids=["says nothing", "expects something else", "1.0"],
)
async def test_nobody_else_is(serve: Any, head: bytes) -> None:
    asked = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        asked.set()
        while (await receive()).get("more_body"):
            pass
        await send(start((b"content-length", b"2")))
        await send(body(b"ok"))

    async with serve(app) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        async with asyncio.timeout(PATIENCE):
            writer.write(head + b"\r\n")
            await asked.wait()
            await asyncio.sleep(0)
            writer.write(b"body")
            answer = await reader.read()
        writer.close()
    assert answer.startswith(b"HTTP/1.1 200")


async def test_an_unused_connection_is_closed_in_the_end(serve: Any) -> None:
    app = application(start((b"content-length", b"2")), body(b"ok"))
    async with serve(app, BriefKeepAlive) as port:
        assert (await talk(port, b"GET / HTTP/1.1\r\n\r\n")).endswith(b"ok")


async def test_http_1_0_is_answered_and_closed(serve: Any) -> None:
    app = application(start((b"content-length", b"2")), body(b"ok"))
    async with serve(app) as port:
        answer = await talk(port, b"GET / HTTP/1.0\r\n\r\n")
    assert b"connection: close" in answer
    assert answer.endswith(b"ok")


async def test_http_1_0_knows_no_chunks(serve: Any) -> None:
    async with serve(application(start(), body(b"one", more=True), body(b"two"))) as port:
        head, _, rest = (await talk(port, b"GET / HTTP/1.0\r\n\r\n")).partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head
    assert rest == b"onetwo"


async def test_a_head_that_cannot_be_told_is_no_silence(serve: Any) -> None:
    async with serve(application(fails=True)) as port:
        assert await talk(port, b"HEAD / HTTP/1.1\r\n\r\n") == b""


async def test_requests_sent_ahead_are_answered_in_their_order(serve: Any) -> None:
    async def echo(scope: Any, receive: Any, send: Any) -> None:
        exchange = scope[EXCHANGE]
        data = b""
        while True:
            message = await receive()
            data += message["body"]
            if not message["more_body"]:
                break
        told = scope["path"].encode() + b"?" + scope["query_string"] + data + b";"
        assert exchange.answer(200, [(b"content-length", b"%d" % len(told))], told)

    asked = b"".join(b"POST /a%%20%d?n=%d HTTP/1.1\r\ncontent-length: 3\r\n\r\nb%02d" % (n, n, n) for n in range(20))
    async with serve(echo) as port:
        answer = await talk(port, asked + GET)
    found = [part.rpartition(b"\n")[2] for part in answer.split(b";")]
    assert found == [*(b"/a %d?n=%db%02d" % (n, n, n) for n in range(20)), b"/?", b""]


async def test_a_reader_who_is_slow_is_waited_for(serve: Any) -> None:
    waited = []

    async def pours(scope: Any, receive: Any, send: Any) -> None:
        exchange = scope[EXCHANGE]
        exchange.start(200, [])
        for _ in range(200):
            if exchange.choked:
                waited.append(True)
                await exchange.drained()
            exchange.write(b"x" * 100_000)
        exchange.finish()

    async with serve(pours) as port:
        answer = await talk(port, GET)
    assert waited
    assert answer.count(b"x" * 100_000) == 200
