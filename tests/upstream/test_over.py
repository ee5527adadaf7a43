"""When a call is over for the upstream, whoever waits for that is told: once, and whether or not the answer was read."""

from __future__ import annotations

import asyncio
import gzip

import pytest
from scripted_upstream import chunked, sized

from dragoman.upstream.errors import ConnectionBroken, DeadlineExceeded, TransportError

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
GZIPPED = gzip.compress(b"body")
WHOLE = {
    "sized": sized(b"body"),
    "chunked": chunked(b"bo", b"dy"),
    "gzipped": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(GZIPPED), GZIPPED),
}


@pytest.mark.parametrize("form", WHOLE)
async def test_at_the_end_of_an_answer_that_nobody_has_read(form, serve, transport, ask):
    async def script(peer):
        await peer.request()
        head, _, body = WHOLE[form].partition(b"\r\n\r\n")
        await peer.send(head + b"\r\n\r\n")
        await asked.wait()
        await peer.send(body)
        await peer.request()

    asked, over = asyncio.Event(), asyncio.Event()
    times = []
    async with serve(script) as upstream:
        response = await transport.send(ask(upstream))
        response.when_over(lambda: (times.append(1), over.set()))
        assert not times
        asked.set()
        await asyncio.wait_for(over.wait(), 20)
        assert await response.read(9) == b"body"
        response.close()
        response.close()
        assert times == [1]


async def test_at_once_where_it_is_over_already(serve, transport, ask):
    async def script(peer):
        await peer.request()
        await peer.send(sized(b"body"))
        await peer.request()

    async with serve(script) as upstream:
        response = await transport.send(ask(upstream))
        assert await response.read(9) == b"body"
        times = []
        response.when_over(lambda: times.append(1))
        assert times == [1]


@pytest.mark.parametrize("how", ["we close", "it breaks", "it falls silent", "we are cancelled"])
async def test_when_an_answer_has_no_end(how, serve, transport, ask):
    async def script(peer):
        await peer.request()
        await peer.send(CHUNKED + b"1\r\nx\r\n")
        if how == "it breaks":
            await go.wait()
            return
        await peer.gone()

    times, go = [], asyncio.Event()
    async with serve(script) as upstream:
        idle = 0.05 if how == "it falls silent" else 60.0
        response = await transport.send(ask(upstream, deadlines={"idle": idle}))
        response.when_over(lambda: times.append(1))
        assert await response.chunk() == b"x"
        assert not times or how == "it falls silent"
        match how:
            case "we close":
                response.close()
            case "it breaks":
                go.set()
                with pytest.raises(ConnectionBroken):
                    await response.chunk()
            case "it falls silent":
                with pytest.raises(DeadlineExceeded):
                    await response.chunk()
            case _:
                reading = asyncio.create_task(response.chunk())
                await asyncio.sleep(0)
                reading.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await reading
        assert times == [1]
        response.close()
        with pytest.raises(TransportError):
            await response.chunk()
        assert times == [1]
