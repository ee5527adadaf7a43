"""What both transports make of answers: framing, heads, codings, splits."""

from __future__ import annotations

import asyncio
import gzip
import zlib

import pytest
from scripted_upstream import chunked, sized, splits

from dragoman.upstream.decoding import DecodedResponse
from dragoman.upstream.errors import BodyTooLarge, ProtocolViolation, TransportError

MIB = 1024 * 1024

# name: wire bytes, body, whether the connection must survive, whether it ends with the connection
ANSWERS = {
    "sized": (sized(b"hello"), b"hello", True, False),
    "empty": (sized(b""), b"", True, False),
    "chunked": (chunked(b"hello, ", b"world"), b"hello, world", True, False),
    "chunk extension": (chunked(end=b'3;a=b;c="d"\r\nabc\r\n0\r\n\r\n'), b"abc", True, False),
    "trailers": (chunked(b"hello", end=b"0\r\nx-sum: 1\r\ny:2\r\n\r\n"), b"hello", True, False),
    "interim": (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nlink: </a>\r\n\r\n" + sized(b"hi"), b"hi", True, False),
    "no content": (b"HTTP/1.1 204 No Content\r\nx: y\r\n\r\n", b"", True, False),
    "not modified": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n", b"", True, False),
    "no reason": (b"HTTP/1.1 200 \r\ncontent-length: 1\r\n\r\na", b"a", True, False),
    "empty header": (b"HTTP/1.1 200 OK\r\nx-empty:\r\ncontent-length: 1\r\n\r\na", b"a", True, False),
    "close": (sized(b"bye", b"Connection: close"), b"bye", False, False),
    "http 1.0": (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", b"hi", False, False),
    "until close": (b"HTTP/1.1 200 OK\r\n\r\nall of it", b"all of it", False, True),
}  # fmt: skip


@pytest.mark.parametrize("name", ANSWERS)
async def test_every_split_gives_the_same_answer_and_the_connection_is_kept_when_it_may_be(name, serve, transport, ask):
    wire, body, kept, until_close = ANSWERS[name]
    cuts = [(wire,), *splits(wire), tuple(wire[i : i + 1] for i in range(len(wire)))]
    if not kept:
        cuts = cuts[::4]
    todo = iter(cuts)

    async def script(peer):
        while True:
            await peer.request()
            await peer.send(*next(todo))
            if until_close:
                return

    async with serve(script) as upstream:
        for cut in cuts:
            response = await transport.send(ask(upstream))
            assert response.status == int(wire.split(b"HTTP/1.")[-1][2:5]), cut
            assert await response.read(MIB) == body, cut
            assert await response.chunk() == b""
            response.close()
        assert upstream.accepted == (1 if kept else len(cuts))


async def test_headers_are_lower_case_in_order_with_repeats_and_without_trailers(serve, transport, ask):
    async def script(peer):
        await peer.request()
        await peer.send(
            b"HTTP/1.1 200 OK\r\nX-B: 1\r\nSet-Cookie: a=b\r\nx-a:  two words \r\nSet-Cookie: c=d\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Late: 1\r\n\r\n"
        )

    async with serve(script) as upstream:
        response = await transport.send(ask(upstream))
        assert await response.read(MIB) == b"a"
        assert response.headers == [
            (b"x-b", b"1"),
            (b"set-cookie", b"a=b"),
            (b"x-a", b"two words"),
            (b"set-cookie", b"c=d"),
            (b"transfer-encoding", b"chunked"),
        ]


async def test_trailers_do_not_leak_into_the_next_answer(serve, transport, ask):
    async def script(peer):
        while True:
            await peer.request()
            await peer.send(chunked(b"x", end=b"0\r\nx-late: 1\r\n\r\n"))
            await peer.request()
            await peer.send(sized(b"y"))

    async with serve(script) as upstream:
        assert await (await transport.send(ask(upstream))).read(MIB) == b"x"
        response = await transport.send(ask(upstream))
        assert response.headers == [(b"content-length", b"1")]
        assert await response.read(MIB) == b"y"


async def test_what_goes_out(serve, transport, ask):
    seen = []

    async def script(peer):
        while True:
            seen.append(await peer.request())
            await peer.send(sized(b""))

    async with serve(script) as upstream:
        await transport.send(
            ask(
                upstream,
                b"POST",
                b"/a%2Fb/c:do?alt=sse&k=%7E",
                headers=[(b"X-One", b"1"), (b"x-two", b"2")],
                body=b"data",
            )
        )
        await transport.send(ask(upstream, b"GET", b"/", headers=[(b"accept-encoding", b"gzip")]))
        await transport.send(ask(upstream, b"POST", b"/", body=b""))
    port = upstream.origin.port
    first, second, third = ([line.lower() for line in raw.split(b"\r\n")] for raw in seen)
    assert seen[0].startswith(b"POST /a%2Fb/c:do?alt=sse&k=%7E HTTP/1.1\r\n")
    assert sorted(first[1:-2]) == sorted(
        [b"host: 127.0.0.1:%d" % port, b"x-one: 1", b"x-two: 2", b"accept-encoding: identity", b"content-length: 4"]
    )
    assert first[-1] == b"data"
    assert sorted(second[1:-2]) == sorted([b"host: 127.0.0.1:%d" % port, b"accept-encoding: gzip"])
    assert b"content-length: 0" in third


@pytest.mark.parametrize(
    "bad",
    [
        {"headers": [(b"x", b"a\r\nhost: evil")]},
        {"headers": [(b"x\ny", b"a")]},
        {"headers": [(b"x", b"a\0")]},
        {"headers": [(b"Content-Length", b"3")]},
        {"headers": [(b"transfer-encoding", b"chunked")]},
        {"headers": [(b"Host", b"elsewhere")]},
        {"target": b"/a b"},
        {"target": b"/a\r\nx: y"},
        {"target": b""},
        {"method": b"GET /x"},
    ],
)
async def test_a_request_that_would_mean_something_else_is_not_sent(bad, serve, transport, ask):
    async def script(peer):
        raise AssertionError("nothing should come")

    async with serve(script) as upstream:
        with pytest.raises(ValueError):
            await transport.send(ask(upstream, **bad))


async def test_head_has_no_body_whatever_it_says(serve, transport, ask):
    async def script(peer):
        while True:
            await peer.request()
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nContent-Encoding: br\r\n\r\n")

    async with serve(script) as upstream:
        for _ in range(3):
            response = await transport.send(ask(upstream, b"HEAD"))
            assert (response.status, await response.read(MIB)) == (200, b"")
            assert (b"content-length", b"1000") in response.headers
        assert upstream.accepted == 1


async def test_redirects_and_errors_are_answers(serve, transport, ask):
    async def script(peer):
        for status in (302, 404, 503):
            await peer.request()
            await peer.send(b"HTTP/1.1 %d X\r\nLocation: /else\r\nContent-Length: 2\r\n\r\nno" % status)

    async with serve(script) as upstream:
        for status in (302, 404, 503):
            response = await transport.send(ask(upstream))
            assert (response.status, await response.read(MIB)) == (status, b"no")


async def test_cookies_are_not_kept(serve, transport, ask):
    seen = []

    async def script(peer):
        while True:
            seen.append(await peer.request())
            await peer.send(sized(b"", b"Set-Cookie: a=b; Path=/"))

    async with serve(script) as upstream:
        await transport.send(ask(upstream))
        await transport.send(ask(upstream))
    assert len(seen) == 2
    assert b"cookie" not in seen[1].lower()


TEXT = bytes(range(256)) * 40
BARE = zlib.compressobj(wbits=-15)
CODED = {
    "gzip": (b"gzip", gzip.compress(TEXT)),
    "x-gzip": (b"X-GZIP", gzip.compress(TEXT)),
    "two members": (b"gzip", gzip.compress(TEXT[:5000]) + gzip.compress(TEXT[5000:])),
    "deflate": (b"deflate", zlib.compress(TEXT)),
    "bare deflate": (b"deflate", BARE.compress(TEXT) + BARE.flush()),
}


@pytest.mark.parametrize("name", CODED)
async def test_gzip_and_deflate_are_decoded_although_not_asked_for(name, serve, transport, ask):
    coding, body = CODED[name]

    async def script(peer):
        wire = sized(body, b"Content-Encoding: " + coding)
        await peer.request()
        await peer.send(wire)
        await peer.request()
        await peer.send(*(wire[i : i + 7] for i in range(0, len(wire), 7)))

    async with serve(script) as upstream:
        for _ in range(2):
            response = await transport.send(ask(upstream))
            assert response.headers == []
            assert await response.read(MIB) == TEXT
            assert await response.chunk() == b""
        assert upstream.accepted == 1


async def test_a_flushed_gzip_event_is_passed_on_when_it_comes(serve, transport, ask):
    async def script(peer):
        squeeze = zlib.compressobj(wbits=31)
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n")
        for event in (b"data: 1\n\n", b"data: 2\n\n"):
            piece = squeeze.compress(event) + squeeze.flush(zlib.Z_SYNC_FLUSH)
            await peer.send(b"%x\r\n%b\r\n" % (len(piece), piece))
            await taken.get()
        piece = squeeze.flush()
        await peer.send(b"%x\r\n%b\r\n0\r\n\r\n" % (len(piece), piece))

    taken = asyncio.Queue()
    async with serve(script) as upstream:
        response = await transport.send(ask(upstream))
        for event in (b"data: 1\n\n", b"data: 2\n\n"):
            assert await response.chunk() == event
            taken.put_nowait(None)
        assert await response.chunk() == b""


async def test_a_bomb_unpacks_in_bounded_pieces(serve, transport, ask):
    squeeze = zlib.compressobj(wbits=31)
    body = b"".join(squeeze.compress(bytes(MIB)) for _ in range(64)) + squeeze.flush()

    async def script(peer):
        await peer.request()
        await peer.send(sized(body, b"Content-Encoding: gzip"))

    async with serve(script) as upstream:
        response = await transport.send(ask(upstream))
        total = 0
        while data := await response.chunk():
            assert len(data) <= MIB
            total += len(data)
        assert total == 64 * MIB
    async with serve(script) as upstream:
        response = await transport.send(ask(upstream))
        with pytest.raises(BodyTooLarge):
            await response.read(MIB)


@pytest.mark.parametrize("coding", [b"br", b"zstd", b"compress", b"gzip, gzip", b"gzip, br", b"nonsense"])
async def test_other_codings_are_refused(coding, serve, transport, ask):
    async def script(peer):
        await peer.request()
        await peer.send(sized(b"\x00\x01\x02", b"Content-Encoding: " + coding))
        assert await peer.gone()

    async with serve(script) as upstream:
        with pytest.raises(ProtocolViolation) as caught:
            await transport.send(ask(upstream))
        assert caught.value.sent


@pytest.mark.parametrize("body", [gzip.compress(TEXT)[:-9], b"no gzip at all", zlib.compress(TEXT)])
async def test_a_coded_body_that_is_not_what_it_says(body, serve, transport, ask):
    async def script(peer):
        await peer.request()
        await peer.send(sized(body, b"Content-Encoding: gzip"))

    async with serve(script) as upstream:
        response = await transport.send(ask(upstream))
        with pytest.raises(ProtocolViolation):
            await response.read(MIB)


HEAD_OK = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
GARBAGE = {
    "not http": b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    "html": b"<html>hello</html>\r\n\r\n",
    "no status": b"HTTP/1.1 abc\r\n\r\n",
    "binary": b"\x16\x03\x01\x02\x00" + bytes(100),
    "bad header": b"HTTP/1.1 200 OK\r\nno colon here\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "bad length": b"HTTP/1.1 200 OK\r\nContent-Length: 3x\r\n\r\nabc",
    "negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\nabc",
    "length and chunks": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "upgrade": b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
    "bad chunk": HEAD_OK + b"zz\r\n",
    "no break after chunk": HEAD_OK + b"3\r\nabcdef\r\n",
    "huge chunk size": HEAD_OK + b"f" * 40 + b"\r\n",
}


@pytest.mark.parametrize("name", GARBAGE)
async def test_garbage(name, serve, transport, ask):
    async def script(peer):
        await peer.request()
        await peer.send(GARBAGE[name])
        assert await peer.gone()

    async with serve(script) as upstream:
        with pytest.raises(ProtocolViolation):
            await (await transport.send(ask(upstream))).read(MIB)


async def test_a_chunk_that_goes_bad_after_a_good_one(kind, serve, transport, ask):
    async def script(peer):
        await peer.request()
        await peer.send(HEAD_OK + b"5\r\nhello\r\n")
        await read.wait()
        await peer.send(b"what is this?\r\n")
        assert await peer.gone()

    read = asyncio.Event()
    async with serve(script) as upstream:
        # aiohttp does not tell the reader, who has to wait for a deadline.
        response = await transport.send(ask(upstream, deadlines={"idle": 0.2}))
        assert await response.chunk() == b"hello"
        read.set()
        for _ in range(2):
            with pytest.raises(ProtocolViolation if kind == "lean" else TransportError):
                await response.chunk()


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize(
    "piece",
    [
        b"HTTP/1.1 200 " + b"y" * 70000,
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * 70000,
        b"HTTP/1.1 200 OK\r\n" + b"y" * 70000,
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"x-%d: %b\r\n" % (i, b"y" * 1000) for i in range(70)),
    ],
    ids=["status line", "value", "name", "many"],
)
async def test_a_head_that_is_too_large(piece, at_once, serve, transport, ask):
    async def script(peer):
        await peer.request()
        if at_once:
            await peer.send(piece + b"\r\nContent-Length: 0\r\n\r\n")
        else:
            await peer.send(*(piece[i : i + 1000] for i in range(0, len(piece), 1000)))
            await peer.send(b"\r\nContent-Length: 0\r\n\r\n")
        assert await peer.gone()

    async with serve(script) as upstream:
        with pytest.raises(ProtocolViolation):
            await transport.send(ask(upstream))


async def test_endless_trailers_are_cut_off(kind, serve, transport, ask):
    async def script(peer):
        await peer.request()
        await peer.send(HEAD_OK + b"1\r\na\r\n", b"0\r\nx: ")
        while True:
            await peer.send(b"y" * 10000)

    async with serve(script) as upstream:
        # aiohttp stops reading as it should, but does not tell the reader, who has to wait for a deadline.
        response = await transport.send(ask(upstream, deadlines={"idle": 0.2}))
        with pytest.raises(ProtocolViolation if kind == "lean" else TransportError):
            await response.read(MIB)


async def test_a_body_over_the_limit(serve, transport, ask):
    async def script(peer):
        await peer.request()
        await peer.send(HEAD_OK)
        while True:
            await peer.send(b"1000\r\n" + b"x" * 4096 + b"\r\n")

    async with serve(script) as upstream:
        response = await transport.send(ask(upstream))
        with pytest.raises(BodyTooLarge) as caught:
            await response.read(100_000)
        assert caught.value.limit == 100_000


async def test_a_body_of_exactly_the_limit(serve, transport, ask):
    async def script(peer):
        await peer.request()
        await peer.send(sized(b"x" * 1000))
        await peer.request()
        await peer.send(sized(b"x" * 1000)[:500], sized(b"x" * 1000)[500:])

    async with serve(script) as upstream:
        for _ in range(2):
            assert len(await (await transport.send(ask(upstream))).read(1000)) == 1000


async def test_a_bomb_leaves_others_their_turn():
    squeeze = zlib.compressobj(1, wbits=31)
    body = b"".join(squeeze.compress(bytes(MIB)) for _ in range(64)) + squeeze.flush()

    class Here:
        """All of its body is here: nobody ever waits for it."""

        status, headers = 200, [(b"content-encoding", b"gzip")]

        def __init__(self):
            self.pieces = [body, b""]

        async def chunk(self):
            return self.pieces.pop(0)

        def close(self):
            pass

    turns = 0

    async def other():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    assert len(await DecodedResponse(Here(), b"gzip").read(64 * MIB)) == 64 * MIB
    task.cancel()
    assert turns >= 16
