"""The lean connection fed by hand, without a socket: however its bytes are cut, the answer is the same."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scripted_upstream import chunked, sized, splits

from dragoman.upstream.base import Deadlines, Origin
from dragoman.upstream.connection import Connection
from dragoman.upstream.errors import ConnectionBroken, TransportError
from dragoman.upstream.pool import Pool
from dragoman.upstream.response import LeanResponse

ORIGIN = Origin("http", "upstream.test", 80)


class Wire:
    """Stands for the socket: remembers what was asked of it."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.reading = True
        self.aborted = False

    def write(self, data: bytes) -> None:
        self.written.append(bytes(data))

    def abort(self) -> None:
        self.aborted = True

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def set_write_buffer_limits(self, high: int) -> None:
        pass


@dataclass
class Outcome:
    """An answer as its reader sees it, and whether the connection went back to the pool."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    error: type[TransportError] | None
    kept: bool


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


class Fed:
    """A connection on a `Wire`, with one request under way."""

    def __init__(self, loop: Any, *, method: bytes = b"POST", max_head: int = 65536, high_water: int = 262144) -> None:
        self.wire = Wire()
        self.pool = Pool(ORIGIN, loop=loop, tls=None, limit=1, keep_alive=9.0, max_head=max_head, high_water=high_water)
        self.connection = Connection(self.pool, loop, max_head, high_water)
        self.connection.connection_made(self.wire)  # type: ignore[arg-type]
        self.ask(loop, method)

    def ask(self, loop: Any, method: bytes = b"POST", body: bytes = b"") -> None:
        self.response = LeanResponse(self.connection)
        self.connection.start(self.response, method, b"head", body, Deadlines(), loop.time() + 100)


def outcome(loop: Any, pieces: Sequence[bytes], *, eof: bool = False, method: bytes = b"POST") -> Outcome:
    fed = Fed(loop, method=method)
    for piece in pieces:
        if fed.connection.closed:
            break
        fed.connection.data_received(piece)
    if eof and not fed.connection.closed:
        fed.connection.eof_received()

    async def drain() -> tuple[bytes, type[TransportError] | None]:
        body = b""
        try:
            while data := await asyncio.wait_for(fed.response.chunk(), 1):
                body += data
        except TransportError as error:
            return body, type(error)
        return body, None

    body, error = loop.run_until_complete(drain())
    kept = fed.connection in fed.pool.idle
    fed.connection.close()
    return Outcome(fed.response.status, fed.response.headers, body, error, kept)


WIRES = {
    "sized": (sized(b"hello"), False),
    "chunked": (chunked(b"hello", b"world"), False),
    "extensions and trailers": (chunked(b"a", end=b"3;x=y\r\nabc\r\n0;z\r\nt: 1\r\nu:\r\n\r\n"), False),
    "interim": (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 X\r\na: b\r\n\r\n" + sized(b"hi"), False),
    "no content": (b"HTTP/1.1 204 No\r\na: b\r\n\r\n", False),
    "until close": (b"HTTP/1.1 200 OK\r\na: b\r\n\r\nhello", True),
    "close": (sized(b"bye", b"Connection: close"), False),
    "leftover": (sized(b"good") + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", False),
    "leftover junk": (sized(b"good") + b"junk", False),
    "cut in a chunk": (chunked(b"hello")[:-8], True),
    "cut in the head": (b"HTTP/1.1 200 OK\r\nContent-Le", True),
    "bad chunk": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\nzz\r\n", False),
    "bad coding": (b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 1\r\n\r\na", False),
    "upgrade": (b"HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nabc", False),
    "garbage": (b"nothing like HTTP at all\r\n\r\n", False),
}


def same(name: str, one: Outcome, whole: Outcome) -> bool:
    if name.startswith("leftover"):
        # What comes after the answer may be seen only when the connection is back in the pool, and ends it there.
        one.kept = whole.kept
    return one == whole


@pytest.mark.parametrize("name", WIRES)
def test_every_split_and_byte_by_byte(name, loop):
    wire, eof = WIRES[name]
    whole = outcome(loop, [wire], eof=eof)
    assert same(name, outcome(loop, [wire[i : i + 1] for i in range(len(wire))], eof=eof), whole)
    for cut in splits(wire):
        assert same(name, outcome(loop, cut, eof=eof), whole), cut


def test_the_outcomes_are_the_right_ones(loop):
    ok = outcome(loop, [WIRES["extensions and trailers"][0]])
    assert ok == Outcome(200, [(b"transfer-encoding", b"chunked")], b"aabc", None, True)
    cut = outcome(loop, [WIRES["cut in a chunk"][0]], eof=True)
    assert (cut.status, cut.body, cut.error) == (200, b"hell", ConnectionBroken)
    left = outcome(loop, [WIRES["leftover"][0]])
    assert (left.body, left.error, left.kept) == (b"good", None, False)
    head = outcome(loop, [b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"], method=b"HEAD")
    assert (head.status, head.body, head.error, head.kept) == (200, b"", None, True)


token = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=12).map(str.encode)
value = st.text("abcXYZ 019:;,=\"'", max_size=20).map(lambda text: text.strip().encode())
names = token.filter(
    lambda name: name not in (b"connection", b"upgrade", b"transfer-encoding", b"content-length", b"content-encoding")
)
pieces = st.lists(st.binary(min_size=1, max_size=40), max_size=5)


@st.composite
def answers(draw: st.DrawFn) -> tuple[bytes, int, list[tuple[bytes, bytes]], bytes]:
    """Wire bytes of a right answer, and what a reader must get from them."""
    status = draw(st.sampled_from([200, 201, 400, 429, 500, 599]))
    headers = draw(st.lists(st.tuples(names, value), max_size=5))
    head = b"".join(b"HTTP/1.1 103 Hint\r\nlink: x\r\n\r\n" for _ in range(draw(st.integers(0, 2))))
    head += b"HTTP/1.1 %d Reason\r\n" % status
    head += b"".join(b"%b: %b\r\n" % header for header in headers)
    parts = draw(pieces)
    body = b"".join(parts)
    if draw(st.booleans()):
        headers.append((b"content-length", b"%d" % len(body)))
        return head + b"Content-Length: %d\r\n\r\n" % len(body) + body, status, headers, body
    headers.append((b"transfer-encoding", b"chunked"))
    wire = b"".join(b"%x%b\r\n%b\r\n" % (len(p), draw(st.sampled_from([b"", b";a=b"])), p) for p in parts)
    trailers = b"".join(b"%b: %b\r\n" % header for header in draw(st.lists(st.tuples(names, value), max_size=2)))
    return head + b"Transfer-Encoding: chunked\r\n\r\n" + wire + b"0\r\n" + trailers + b"\r\n", status, headers, body


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(answer=answers(), data=st.data())
def test_any_chunking_of_the_same_bytes_gives_the_same_answer(answer, data, loop):
    wire, status, headers, body = answer
    cuts = sorted(data.draw(st.sets(st.integers(1, len(wire) - 1), max_size=12)))
    parts = [wire[a:b] for a, b in zip([0, *cuts], [*cuts, len(wire)], strict=True)]
    assert outcome(loop, parts) == Outcome(status, headers, body, None, True)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(junk=st.binary(min_size=1, max_size=300), at=st.integers(0, 120), data=st.data())
def test_no_bytes_do_anything_but_answer_or_fail(junk, at, data, loop):
    wire = chunked(b"hello", b"world")
    wire = wire[:at] + junk + wire[at:]
    whole = outcome(loop, [wire], eof=True)
    cut = data.draw(st.integers(0, len(wire)))
    split = outcome(loop, [part for part in (wire[:cut], wire[cut:]) if part], eof=True)
    assert (split.status, split.headers, split.error) == (whole.status, whole.headers, whole.error)
    assert split.body == whole.body


def test_heads_up_to_the_limit_pass_and_one_byte_more_does_not_however_they_are_cut(loop):
    head = b"HTTP/1.1 200 OK\r\nx: %b\r\nContent-Length: 0\r\n\r\n" % (b"y" * 100)
    for extra, fine in ((0, True), (-1, False)):
        for cut in ([head], [head[:40], head[40:]], [head[i : i + 1] for i in range(len(head))]):
            fed = Fed(loop, max_head=len(head) + extra)
            for piece in cut:
                if not fed.connection.closed:
                    fed.connection.data_received(piece)
            assert (fed.response.status == 200) is fine
            fed.connection.close()


def test_interim_answers_without_end_are_cut_off(loop):
    fed = Fed(loop, max_head=1000)
    for _ in range(100):
        if fed.connection.closed:
            break
        fed.connection.data_received(b"HTTP/1.1 103 Hint\r\n\r\n")
    assert fed.connection.closed
    assert fed.response.status == 0


def test_reading_stops_above_the_high_water_and_goes_on_when_taken(loop):
    fed = Fed(loop, high_water=100)
    fed.connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 300\r\n\r\n" + b"x" * 100)
    assert fed.wire.reading
    fed.connection.data_received(b"x" * 100)
    assert not fed.wire.reading
    assert loop.run_until_complete(fed.response.chunk()) == b"x" * 200
    assert fed.wire.reading
    fed.connection.close()


def test_a_connection_that_finished_while_paused_reads_again(loop):
    fed = Fed(loop, high_water=100)
    fed.connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 201\r\n\r\n" + b"x" * 200)
    assert not fed.wire.reading
    fed.connection.data_received(b"x")
    assert fed.wire.reading
    assert fed.connection in fed.pool.idle
    fed.connection.close()
    assert not fed.pool.idle


def test_a_large_body_waits_for_the_socket(loop):
    fed = Fed(loop)
    fed.connection.data_received(sized(b""))
    fed.pool.idle.clear()
    fed.wire.written.clear()
    fed.connection.pause_writing()
    body = bytes(range(256)) * 1024
    fed.ask(loop, body=body)
    assert fed.wire.written == [b"head"]
    fed.connection.resume_writing()
    assert b"".join(fed.wire.written) == b"head" + body
    fed.connection.close()
