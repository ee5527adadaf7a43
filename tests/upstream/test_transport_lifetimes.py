"""How connections live and die in both transports: reuse, races, resets, bounds, deadlines, callers who leave."""

from __future__ import annotations

import asyncio
import hashlib
import ssl

import pytest
from scripted_upstream import chunked, running, sized

from dragoman.upstream.base import Origin
from dragoman.upstream.errors import (
    ConnectFailed,
    ConnectionBroken,
    DeadlineExceeded,
    PoolExhausted,
    TransportError,
)

MIB = 1024 * 1024
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


# Reuse


async def test_connections_are_reused_and_the_one_used_last_first(kind, serve, transport, ask):
    async def script(peer):
        while True:
            await peer.request()
            await peer.send(sized(b"%d" % peer.number))

    async with serve(script) as upstream:
        first, second = await asyncio.gather(*(transport.send(ask(upstream)) for _ in range(2)))
        assert {await first.read(9), await second.read(9)} == {b"0", b"1"}
        used = [await (await transport.send(ask(upstream))).read(9) for _ in range(5)]
        assert upstream.accepted == 2
        if kind == "lean":
            assert len(set(used)) == 1


async def test_origins_do_not_share_connections(serve, transport, ask):
    async def script(peer):
        while True:
            await peer.request()
            await peer.send(sized(b"x"))

    async with serve(script) as one, serve(script) as other:
        for upstream in (one, other, one, other):
            assert await (await transport.send(ask(upstream))).read(9) == b"x"
        assert (one.accepted, other.accepted) == (1, 1)


async def test_closing_a_complete_answer_keeps_the_connection(serve, transport, ask):
    async def script(peer):
        while True:
            await peer.request()
            await peer.send(sized(b"body"))

    async with serve(script) as upstream:
        for _ in range(3):
            response = await transport.send(ask(upstream))
            assert await response.read(9) == b"body"
            response.close()
            response.close()
        assert upstream.accepted == 1


async def test_closing_early_closes_the_connection(serve, transport, ask):
    async def script(peer):
        await peer.request()
        await peer.send(CHUNKED + chunk(b"first"))
        assert await peer.gone()
        gone.set()

    gone = asyncio.Event()
    async with serve(script) as upstream:
        response = await transport.send(ask(upstream))
        assert await response.chunk() == b"first"
        response.close()
        response.close()
        await asyncio.wait_for(gone.wait(), 1)
        with pytest.raises(ConnectionBroken):
            await response.chunk()


async def test_bytes_after_the_answer_are_never_taken_for_the_next_one(serve, transport, ask):
    async def script(peer):
        await peer.request()
        await peer.send(sized(b"good") + sized(b"evil"))
        await peer.request()
        await peer.send(sized(b"good"))

    async with serve(script) as upstream:
        for _ in range(3):
            assert await (await transport.send(ask(upstream))).read(9) == b"good"


async def test_bytes_on_an_idle_connection_end_it(kind, serve, transport, ask):
    if kind == "aiohttp":
        pytest.skip("aiohttp takes them for the next answer")

    async def script(peer):
        await peer.request()
        await peer.send(sized(b"good"))
        await answered.wait()
        await peer.send(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
        assert await peer.gone()
        gone.set()

    answered, gone = asyncio.Event(), asyncio.Event()
    async with serve(script) as upstream:
        assert await (await transport.send(ask(upstream))).read(9) == b"good"
        answered.set()
        await asyncio.wait_for(gone.wait(), 5)
        response = await transport.send(ask(upstream))
        assert response.status == 200
        response.close()
        assert upstream.accepted == 2


async def test_unused_connections_are_closed_after_a_while(serve, make_transport, ask):
    async def script(peer):
        await peer.request()
        await peer.send(sized(b"x"))
        assert await peer.gone()
        gone.set()

    gone = asyncio.Event()
    async with serve(script) as upstream:
        transport = make_transport(keep_alive=0.05)
        assert await (await transport.send(ask(upstream))).read(9) == b"x"
        await asyncio.wait_for(gone.wait(), 5)


# The keep-alive race


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("body", [b"", b"{}", b"x" * MIB])
async def test_a_pooled_connection_that_dies_unanswered_is_replaced_once(how, body, serve, transport, ask):
    async def script(peer):
        await peer.request()
        await peer.send(sized(b"%d" % peer.number))
        await peer.request()
        getattr(peer, how)()

    async with serve(script) as upstream:
        assert await (await transport.send(ask(upstream))).read(9) == b"0"
        assert await (await transport.send(ask(upstream, body=body))).read(9) == b"1"
        assert upstream.accepted == 2


@pytest.mark.parametrize("how", ["close", "reset"])
async def test_a_pooled_connection_that_is_closed_while_the_request_is_written(how, serve, transport, ask):
    peers = []

    async def script(peer):
        peers.append(peer)
        await peer.request()
        await peer.send(sized(b"%d" % peer.number))
        assert await peer.gone()

    async with serve(script) as upstream:
        assert await (await transport.send(ask(upstream))).read(9) == b"0"
        getattr(peers[0], how)()
        assert await (await transport.send(ask(upstream))).read(9) == b"1"


async def test_the_second_try_is_the_last(serve, transport, ask):
    async def script(peer):
        await peer.request()
        if peer.number == 0:
            await peer.send(sized(b"x"))
            await peer.request()

    async with serve(script) as upstream:
        assert await (await transport.send(ask(upstream))).read(9) == b"x"
        with pytest.raises(ConnectionBroken) as caught:
            await transport.send(ask(upstream))
        assert caught.value.sent
        assert upstream.accepted == 2


@pytest.mark.parametrize("method", [b"GET", b"POST"])
@pytest.mark.parametrize("how", ["close", "reset"])
async def test_a_new_connection_that_dies_unanswered_is_not_tried_again(how, method, serve, transport, ask):
    async def script(peer):
        await peer.request()
        getattr(peer, how)()

    async with serve(script) as upstream:
        with pytest.raises(ConnectionBroken) as caught:
            await transport.send(ask(upstream, method))
        assert caught.value.sent
        assert upstream.accepted == 1


@pytest.mark.parametrize("how", ["close", "reset"])
async def test_a_pooled_connection_that_began_to_answer_is_not_tried_again(how, kind, serve, transport, ask):
    if kind == "aiohttp":
        pytest.skip("aiohttp does not show whether bytes had come")

    async def script(peer):
        await peer.request()
        await peer.send(sized(b"x"))
        await peer.request()
        await peer.send(b"HTTP/1.1 2")
        getattr(peer, how)()

    async with serve(script) as upstream:
        assert await (await transport.send(ask(upstream))).read(9) == b"x"
        with pytest.raises(ConnectionBroken):
            await transport.send(ask(upstream))
        assert upstream.accepted == 1


# Broken answers


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize(
    "begin",
    [
        CHUNKED + chunk(b"hello"),
        CHUNKED + b"a\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
    ],
    ids=["between chunks", "in a chunk", "sized"],
)
async def test_a_body_that_breaks_off(begin, how, serve, transport, ask):
    async def script(peer):
        await peer.request()
        await peer.send(begin)
        await read.wait()
        getattr(peer, how)()

    read = asyncio.Event()
    async with serve(script) as upstream:
        response = await transport.send(ask(upstream))
        assert await response.chunk() == b"hello"
        read.set()
        for _ in range(2):
            with pytest.raises(ConnectionBroken):
                await response.chunk()
        assert upstream.accepted == 1


async def test_a_reset_is_not_the_clean_end_of_a_body_that_lasts_until_close(kind, serve, transport, ask):
    if kind == "aiohttp":
        pytest.skip("aiohttp takes it for one")

    async def script(peer):
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\nhello")
        await read.wait()
        peer.reset()

    read = asyncio.Event()
    async with serve(script) as upstream:
        response = await transport.send(ask(upstream))
        assert await response.chunk() == b"hello"
        read.set()
        with pytest.raises(ConnectionBroken):
            await response.chunk()


async def test_what_came_before_the_break_is_returned_first(kind, serve, transport, ask):
    if kind == "aiohttp":
        pytest.skip("aiohttp drops what it holds when a connection fails")

    async def script(peer):
        await peer.request()
        await peer.send(CHUNKED + chunk(b"hello") + b"a\r\nwor")
        peer.close()

    async with serve(script) as upstream:
        response = await transport.send(ask(upstream))
        got = b""
        with pytest.raises(ConnectionBroken):  # noqa: PT012 - how many calls it takes is not the point
            while True:
                got += await response.chunk()
        assert got == b"hellowor"


# Streams


async def test_the_first_event_is_passed_on_when_it_comes(serve, transport, ask):
    async def script(peer):
        await peer.request()
        await peer.send(CHUNKED)
        for event in (b"data: 1\n\n", b"data: 2\n\n", b"d"):
            await wanted.get()
            await peer.send(chunk(event))
        await wanted.get()
        await peer.send(b"0\r\n\r\n")

    wanted = asyncio.Queue()
    async with serve(script) as upstream:
        response = await transport.send(ask(upstream))
        for event in (b"data: 1\n\n", b"data: 2\n\n", b"d", b""):
            wanted.put_nowait(None)
            assert await response.chunk() == event


async def test_a_chunk_is_everything_that_has_come(serve, transport, ask):
    async def script(peer):
        await peer.request()
        await peer.send(CHUNKED, *(chunk(b"%d" % n) for n in range(10)))
        sent.set()
        await more.wait()
        await peer.send(chunk(b"more"), b"0\r\n\r\n")

    sent, more = asyncio.Event(), asyncio.Event()
    async with serve(script) as upstream:
        response = await transport.send(ask(upstream))
        await sent.wait()
        assert await response.chunk() == b"0123456789"
        more.set()
        assert await response.chunk() == b"more"
        assert await response.chunk() == b""
        assert await response.chunk() == b""


async def test_a_slow_reader_stalls_the_server_and_memory_stays_bounded(serve, make_transport, ask):
    size, piece = 32 * MIB, 64 * 1024
    progress = 0

    async def script(peer):
        nonlocal progress
        await peer.request()
        peer.writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        while progress < size:
            peer.writer.write(bytes(piece))
            await peer.writer.drain()
            progress += piece
        await peer.request()
        await peer.send(sized(b"again"))

    async with serve(script) as upstream:
        transport = make_transport(high_water=128 * 1024)
        response = await transport.send(ask(upstream))
        seen, still = -1, 0
        # Stalled: no progress for a while of the loop's turns. Kernel buffers take some megabytes first.
        while still < 20:
            seen, still = (progress, still + 1) if progress == seen else (progress, 0)
            await asyncio.sleep(0.005)
        assert progress < size / 2
        total = largest = 0
        while data := await response.chunk():
            total += len(data)
            largest = max(largest, len(data))
        assert total == size
        # What is held: the bound and one read from the socket.
        assert largest <= 128 * 1024 + 512 * 1024
        assert await (await transport.send(ask(upstream))).read(9) == b"again"
        assert upstream.accepted == 1


# Uploads


async def test_a_large_request_body_arrives_whole(serve, transport, ask):
    body = hashlib.sha256(b"seed").digest() * (8 * MIB // 32)

    async def script(peer):
        raw = await peer.request()
        await peer.send(sized(hashlib.sha256(raw[-len(body) :]).hexdigest().encode()))

    async with serve(script) as upstream:
        response = await transport.send(ask(upstream, body=body))
        assert await response.read(100) == hashlib.sha256(body).hexdigest().encode()


async def test_an_early_answer_is_delivered(serve, transport, ask):
    async def script(peer):
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\n", b"no")
        await asyncio.wait_for(answered.wait(), 10)
        assert await peer.gone()
        gone.set()

    answered, gone = asyncio.Event(), asyncio.Event()
    async with serve(script) as upstream:
        response = await transport.send(ask(upstream, body=bytes(64 * MIB)))
        assert (response.status, await response.read(9)) == (413, b"no")
        answered.set()
        response.close()
        await asyncio.wait_for(gone.wait(), 5)


async def test_an_answer_while_the_server_still_reads(serve, transport, ask):
    size = 8 * MIB

    async def script(peer):
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.send(CHUNKED + chunk(b"first"))
        await seen.wait()
        await peer.reader.readexactly(size)
        await peer.send(chunk(b"last") + b"0\r\n\r\n")

    seen = asyncio.Event()
    async with serve(script) as upstream:
        response = await transport.send(ask(upstream, body=bytes(size)))
        assert await response.chunk() == b"first"
        seen.set()
        assert await response.chunk() == b"last"
        assert await response.chunk() == b""


# Bounds


async def test_a_pool_is_bounded_and_says_so(serve, make_transport, ask):
    async def script(peer):
        while True:
            await peer.request()
            await peer.send(CHUNKED)
            await release.wait()
            await peer.send(b"0\r\n\r\n")

    release = asyncio.Event()
    async with serve(script) as upstream:
        transport = make_transport(max_connections_per_origin=2)
        held = [await transport.send(ask(upstream)) for _ in range(2)]
        with pytest.raises(PoolExhausted) as caught:
            await transport.send(ask(upstream, deadlines={"connect": 0.05}))
        assert not caught.value.sent
        with pytest.raises(DeadlineExceeded) as late:
            await transport.send(ask(upstream, deadlines={"total": 0.05}))
        assert (late.value.phase, late.value.sent) == ("total", False)
        release.set()
        for response in held:
            assert await response.read(9) == b""
        assert await (await transport.send(ask(upstream))).read(9) == b""
        assert upstream.accepted == 2


async def test_waiters_are_served_in_order_and_those_who_left_are_passed_over(serve, make_transport, ask):
    order = []

    async def script(peer):
        while True:
            order.append((await peer.request()).split()[1])
            await peer.send(sized(b"x"))

    async def one(transport, upstream, target):
        return await (await transport.send(ask(upstream, target=target))).read(9)

    async with serve(script) as upstream:
        transport = make_transport(max_connections_per_origin=1)
        tasks = []
        for n in range(6):
            tasks.append(asyncio.create_task(one(transport, upstream, b"/%d" % n)))
            await asyncio.sleep(0)
        tasks[2].cancel()
        tasks[4].cancel()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert [isinstance(result, bytes) for result in done] == [True, True, False, True, False, True]
        assert order == [b"/0", b"/1", b"/3", b"/5"]
        assert upstream.accepted == 1


async def test_a_place_in_the_pool_is_given_back_whatever_happens(serve, make_transport, ask):
    async def script(peer):
        await peer.request()
        match peer.number:
            case 0:
                peer.reset()
            case 1:
                await peer.send(b"garbage\r\n\r\n")
            case 2 | 3:
                await peer.gone()
            case _:
                await peer.send(sized(b"x"))

    async with serve(script) as upstream:
        transport = make_transport(max_connections_per_origin=1)
        with pytest.raises(TransportError):
            await transport.send(ask(upstream))
        with pytest.raises(TransportError):
            await transport.send(ask(upstream))
        with pytest.raises(DeadlineExceeded):
            await transport.send(ask(upstream, deadlines={"first_byte": 0.05}))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(transport.send(ask(upstream)), 0.05)
        assert await (await transport.send(ask(upstream))).read(9) == b"x"


# Deadlines


async def test_the_connect_deadline(transport, ask):
    async def script(peer):
        # Takes the connection and never answers to the handshake.
        await peer.reader.read()

    async with running(script) as upstream:
        upstream.origin = Origin("https", "127.0.0.1", upstream.origin.port)
        with pytest.raises(DeadlineExceeded) as caught:
            await transport.send(ask(upstream, deadlines={"connect": 0.1}))
        assert (caught.value.phase, caught.value.sent) == ("connect", False)
        with pytest.raises(DeadlineExceeded) as caught:
            await transport.send(ask(upstream, deadlines={"total": 0.1}))
        assert (caught.value.phase, caught.value.sent) == ("total", False)


@pytest.mark.parametrize("begin", [b"", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 200 OK\r\n"])
@pytest.mark.parametrize(("name", "phase"), [("first_byte", "first_byte"), ("total", "total")])
async def test_the_first_byte_deadline(begin, name, phase, serve, transport, ask):
    async def script(peer):
        await peer.request()
        await peer.send(begin)
        assert await peer.gone()
        gone.set()

    gone = asyncio.Event()
    async with serve(script) as upstream:
        with pytest.raises(DeadlineExceeded) as caught:
            await transport.send(ask(upstream, deadlines={name: 0.1}))
        assert (caught.value.phase, caught.value.sent) == (phase, True)
        await asyncio.wait_for(gone.wait(), 1)


async def test_the_idle_deadline(serve, transport, ask):
    async def script(peer):
        await peer.request()
        await peer.send(CHUNKED + chunk(b"first"))
        assert await peer.gone()
        gone.set()

    gone = asyncio.Event()
    async with serve(script) as upstream:
        response = await transport.send(ask(upstream, deadlines={"idle": 0.1}))
        assert await response.chunk() == b"first"
        for _ in range(2):
            with pytest.raises(DeadlineExceeded) as caught:
                await response.chunk()
            assert caught.value.phase == "idle"
        await asyncio.wait_for(gone.wait(), 1)


async def test_a_wait_in_vain_loses_nothing(serve, transport, ask):
    said, asked = asyncio.Event(), asyncio.Event()

    async def script(peer):
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
        await said.wait()
        await peer.send(b"1\r\nb\r\n")
        asked.set()
        await peer.send(b"0\r\n\r\n")
        await peer.gone()

    async with serve(script) as upstream:
        response = await transport.send(ask(upstream))
        assert await response.chunk_within(20.0) == b"a"
        for _ in range(3):
            assert await response.chunk_within(0.01) is None
        waiting = asyncio.create_task(response.chunk_within(20.0))
        said.set()
        found = await waiting
        await asked.wait()
        while data := await response.chunk_within(20.0):
            found += data
        assert found == b"b"
        assert await response.chunk_within(0.01) == b""


async def test_waits_in_vain_do_not_put_off_the_idle_deadline(serve, transport, ask):
    async def script(peer):
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
        await peer.gone()

    async with serve(script) as upstream:
        response = await transport.send(ask(upstream, deadlines={"idle": 0.1}))
        assert await response.chunk() == b"a"

        async def wait_on():
            while True:
                assert await response.chunk_within(0.03) is None

        with pytest.raises(DeadlineExceeded) as caught:
            await wait_on()
        assert caught.value.phase == "idle"


async def test_the_idle_deadline_counts_from_the_last_byte_and_total_from_the_first(serve, transport, ask):
    async def script(peer):
        await peer.request()
        await peer.send(CHUNKED)
        while True:
            await peer.send(chunk(b"x"))
            await asyncio.sleep(0.02)

    async with serve(script) as upstream:
        response = await transport.send(ask(upstream, deadlines={"idle": 0.3, "total": 0.7}))
        with pytest.raises(DeadlineExceeded) as caught:  # noqa: PT012
            while True:
                assert await response.chunk()
        assert caught.value.phase == "total"


async def test_a_deadline_of_one_request_is_not_that_of_the_next(serve, transport, ask):
    async def script(peer):
        await peer.request()
        await peer.send(sized(b"x"))
        await peer.request()
        await asyncio.sleep(0.3)
        await peer.send(sized(b"y"))

    async with serve(script) as upstream:
        short = {"first_byte": 0.15, "idle": 0.15, "total": 0.2}
        assert await (await transport.send(ask(upstream, deadlines=short))).read(9) == b"x"
        assert await (await transport.send(ask(upstream))).read(9) == b"y"
        assert upstream.accepted == 1


# Callers who leave


async def test_a_caller_who_leaves_before_the_headers_closes_the_upstream(serve, transport, ask):
    async def script(peer):
        await peer.request()
        asked.set()
        assert await peer.gone()
        gone.set()

    asked, gone = asyncio.Event(), asyncio.Event()
    async with serve(script) as upstream:
        task = asyncio.create_task(transport.send(ask(upstream)))
        await asked.wait()
        task.cancel()
        await asyncio.wait_for(gone.wait(), 1)
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_a_caller_who_leaves_during_the_upload_closes_the_upstream(serve, transport, ask):
    async def script(peer):
        await peer.reader.readuntil(b"\r\n\r\n")
        asked.set()
        await left.wait()
        assert await peer.gone()
        gone.set()

    asked, left, gone = asyncio.Event(), asyncio.Event(), asyncio.Event()
    async with serve(script) as upstream:
        task = asyncio.create_task(transport.send(ask(upstream, body=bytes(64 * MIB))))
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        left.set()
        await asyncio.wait_for(gone.wait(), 1)


async def test_a_caller_who_leaves_inside_the_body_closes_the_upstream(serve, transport, ask):
    async def script(peer):
        await peer.request()
        await peer.send(CHUNKED + chunk(b"first"))
        assert await peer.gone()
        gone.set()

    async def relay():
        response = await transport.send(ask(upstream))
        while await response.chunk():
            got.set()

    got, gone = asyncio.Event(), asyncio.Event()
    async with serve(script) as upstream:
        task = asyncio.create_task(relay())
        await got.wait()
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait_for(gone.wait(), 1)
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_a_caller_who_leaves_during_the_handshake_closes_the_upstream(transport, ask):
    async def script(peer):
        await peer.reader.readexactly(1)
        asked.set()
        assert await peer.gone()
        gone.set()

    asked, gone = asyncio.Event(), asyncio.Event()
    async with running(script) as upstream:
        upstream.origin = Origin("https", "127.0.0.1", upstream.origin.port)
        task = asyncio.create_task(transport.send(ask(upstream)))
        await asyncio.wait_for(asked.wait(), 5)
        task.cancel()
        await asyncio.wait_for(gone.wait(), 1)
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_closing_the_transport(serve, transport, ask):
    async def script(peer):
        await peer.request()
        await peer.send(CHUNKED + chunk(b"first"))
        assert await peer.gone()
        gone.set()

    gone = asyncio.Event()
    async with serve(script) as upstream:
        response = await transport.send(ask(upstream))
        assert await response.chunk() == b"first"
        waiting = asyncio.create_task(response.chunk())
        await asyncio.sleep(0)
        await transport.aclose()
        await transport.aclose()
        await asyncio.wait_for(gone.wait(), 1)
        with pytest.raises(ConnectionBroken):
            await waiting
        with pytest.raises(ConnectFailed) as caught:
            await transport.send(ask(upstream))
        assert caught.value.reason == "closed"


async def test_closing_the_transport_before_the_headers(serve, transport, ask):
    async def script(peer):
        await peer.request()
        await peer.send(sized(b"x"))
        await peer.request()
        asked.set()
        await peer.gone()

    asked = asyncio.Event()
    async with serve(script) as upstream:
        assert await (await transport.send(ask(upstream))).read(9) == b"x"
        task = asyncio.create_task(transport.send(ask(upstream)))
        await asked.wait()
        await transport.aclose()
        with pytest.raises(ConnectionBroken):
            await task
        assert upstream.accepted == 1


# No connection


async def never(peer):
    await peer.gone()


async def test_a_refused_connection(transport, ask):
    async with running(never) as upstream:
        pass
    with pytest.raises(ConnectFailed) as caught:
        await transport.send(ask(upstream))
    assert (caught.value.reason, caught.value.sent) == ("refused", False)


async def test_a_name_that_does_not_resolve(transport, ask):
    async with running(never) as upstream:
        upstream.origin = Origin("http", "nowhere.invalid", upstream.origin.port)
        with pytest.raises(ConnectFailed) as caught:
            await transport.send(ask(upstream))
        assert (caught.value.reason, caught.value.sent) == ("dns", False)


async def test_a_name_that_resolves(transport, ask, server_tls):
    async def script(peer):
        await peer.request()
        await peer.send(sized(b"x"))

    async with running(script, server_tls) as upstream:
        upstream.origin = Origin("https", "localhost", upstream.origin.port)
        assert await (await transport.send(ask(upstream))).read(9) == b"x"


@pytest.mark.parametrize("why", ["authority", "name", "no tls", "hangs up"])
async def test_a_failed_handshake(why, make_transport, ask, authority, server_tls):
    async def script(peer):
        if why == "no tls":
            await peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        if why != "hangs up":
            await peer.gone()

    tls = None if why in ("no tls", "hangs up") else server_tls
    if why == "name":
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("elsewhere.example").configure_cert(tls)
    async with running(script, tls) as upstream:
        upstream.origin = Origin("https", "127.0.0.1", upstream.origin.port)
        transport = make_transport(**({"ssl_context": ssl.create_default_context()} if why == "authority" else {}))
        with pytest.raises(ConnectFailed) as caught:
            await transport.send(ask(upstream))
        assert (caught.value.reason, caught.value.sent) == ("tls", False)


async def test_a_sized_answer_needs_no_second_wait(serve, transport, ask):
    async def script(peer):
        await peer.request()
        await peer.send(chunked(b"a", b"b"))

    async with serve(script) as upstream:
        assert await (await transport.send(ask(upstream))).chunk() == b"ab"
