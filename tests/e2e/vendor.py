"""A scripted vendor on loopback: it keeps every request it gets, and answers as it is told, byte by byte if need be."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

PATIENCE = 30.0


@dataclass(frozen=True)
class Seen:
    """One request as it came. Header names are lower case."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def header(self, name: str) -> str | None:
        return next((value for known, value in self.headers if known == name), None)


class Exchange:
    """One request and the means to answer it, however badly."""

    def __init__(self, vendor: Vendor, connection: socket.socket, seen: Seen) -> None:
        self.vendor = vendor
        self.seen = seen
        self._connection = connection
        self.keep = True

    def raw(self, data: bytes) -> None:
        self._connection.sendall(data)

    def head(self, status: int, headers: Iterable[tuple[str, str]]) -> None:
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
        self.raw(f"HTTP/1.1 {status} Said\r\n{lines}\r\n".encode())

    def chunk(self, data: bytes) -> None:
        if data:
            self.raw(b"%x\r\n%b\r\n" % (len(data), data))

    def end(self) -> None:
        self.raw(b"0\r\n\r\n")

    def reset(self) -> None:
        """The connection breaks, without good-bye."""
        self.keep = False
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._connection.close()

    def wait_gone(self, patience: float = PATIENCE) -> bool:
        """Until the other side has closed its end; tells `vendor.left`, with the time it took."""
        self.keep = False
        began = time.monotonic()
        while (left := began + patience - time.monotonic()) > 0 and not self.vendor.stopped:
            self._connection.settimeout(min(left, 0.5))
            try:
                gone = not self._connection.recv(65536)
            except TimeoutError:
                continue
            except OSError:
                gone = True
            if gone:
                self.vendor.left.set()
                return True
        return False


Answer = Callable[[Exchange], None]


# --- answers


def reply(
    body: Any, status: int = 200, headers: Iterable[tuple[str, str]] = (), content_type: str = "application/json"
) -> Answer:
    """A whole answer. `body` is bytes or text as it is, or anything that JSON can say."""
    content = body if isinstance(body, bytes) else (body if isinstance(body, str) else dumps(body)).encode()

    def answer(exchange: Exchange) -> None:
        exchange.head(status, [("content-type", content_type), ("content-length", str(len(content))), *headers])
        exchange.raw(content)

    return answer


def stream(
    *pieces: bytes | threading.Event, content_type: str = "text/event-stream", finish: bool = True, hold: bool = False
) -> Answer:
    """A chunked answer. An event among the pieces is waited for; without `finish` the connection is cut where the
    pieces end; with `hold` it stays open in silence until the other side goes."""

    def answer(exchange: Exchange) -> None:
        exchange.head(200, [("content-type", content_type), ("transfer-encoding", "chunked")])
        for piece in pieces:
            if isinstance(piece, bytes):
                exchange.chunk(piece)
            else:
                piece.wait(PATIENCE)
        if hold:
            exchange.wait_gone()
        elif finish:
            exchange.end()
        else:
            exchange.keep = False

    return answer


def raw(data: bytes, hold: bool = False) -> Answer:
    """These bytes and no other; the connection is closed behind them, or held open."""

    def answer(exchange: Exchange) -> None:
        exchange.keep = False
        exchange.raw(data)
        if hold:
            exchange.wait_gone()

    return answer


def hang(patience: float = PATIENCE) -> Answer:
    """No answer at all, until the other side goes."""

    def answer(exchange: Exchange) -> None:
        exchange.wait_gone(patience)

    return answer


def reset() -> Answer:
    return Exchange.reset


def slow(event: threading.Event, then: Answer) -> Answer:
    """Another answer, once the event is set."""

    def answer(exchange: Exchange) -> None:
        event.wait(PATIENCE)
        then(exchange)

    return answer


def dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def gemini_events(*chunks: Any) -> tuple[bytes, ...]:
    """Server-sent events as Google writes them: CRLF, no end mark."""
    return tuple(b"data: " + dumps(chunk).encode() + b"\r\n\r\n" for chunk in chunks)


def openai_events(*chunks: Any, done: bool = True) -> tuple[bytes, ...]:
    """Server-sent events as OpenAI writes them: LF and an end mark."""
    told = tuple(b"data: " + dumps(chunk).encode() + b"\n\n" for chunk in chunks)
    return (*told, b"data: [DONE]\n\n") if done else told


# --- the vendor


@dataclass
class Vendor:
    """`usual` answers what `script` does not: answers are taken from there first, one a request. `left` is set when the
    other side closes on an answer that waits for it. POSTs are in `seen`; what else was asked, in `asked`."""

    usual: Answer
    port: int = 0
    seen: list[Seen] = field(default_factory=list)
    asked: list[Seen] = field(default_factory=list)
    script: deque[Answer] = field(default_factory=deque)
    left: threading.Event = field(default_factory=threading.Event)
    accepted: int = 0
    stopped: bool = False
    failures: list[BaseException] = field(default_factory=list)
    _arrival: threading.Condition = field(default_factory=threading.Condition)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def last(self) -> Seen:
        return self.seen[-1]

    def will(self, *answers: Answer) -> None:
        """Answers for the next POSTs, in order."""
        self.script.extend(answers)

    def wait_for_request(self, count: int = 1, patience: float = PATIENCE) -> Seen:
        """The `count`-th POST since the last reset."""
        with self._arrival:
            assert self._arrival.wait_for(lambda: len(self.seen) >= count, patience), "no request came"
            return self.seen[count - 1]

    def reset(self) -> None:
        self.seen.clear()
        self.asked.clear()
        self.script.clear()
        self.left.clear()

    def serve_connection(self, connection: socket.socket) -> None:
        try:
            with connection, connection.makefile("rb") as reader:
                while (seen := _read_request(reader, connection)) is not None:
                    exchange = Exchange(self, connection, seen)
                    with self._arrival:
                        (self.seen if seen.method == "POST" else self.asked).append(seen)
                        scripted = self.script.popleft() if seen.method == "POST" and self.script else None
                        self._arrival.notify_all()
                    (scripted or self.usual)(exchange)
                    if not exchange.keep:
                        return
        except OSError:
            self.left.set()
        except BaseException as error:
            self.failures.append(error)


def _read_request(reader: Any, connection: socket.socket) -> Seen | None:
    line = reader.readline()
    if not line:
        return None
    method, target, _ = line.decode("latin-1").split(" ", 2)
    headers = []
    while (line := reader.readline()) not in (b"\r\n", b""):
        name, _, value = line.decode("latin-1").partition(":")
        headers.append((name.lower(), value.strip()))
    found = dict(headers)
    if found.get("expect") == "100-continue":
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    if found.get("transfer-encoding") == "chunked":
        pieces = []
        while size := int(reader.readline(), 16):
            pieces.append(reader.read(size))
            reader.readline()
        reader.readline()
        body = b"".join(pieces)
    else:
        body = reader.read(int(found.get("content-length", 0)))
    return Seen(method, target, headers, body)


@contextlib.contextmanager
def serving(usual: Answer) -> Iterator[Vendor]:
    """A vendor on a free loopback port. What goes wrong in its answers fails the test that it served."""
    vendor = Vendor(usual)
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    vendor.port = listener.getsockname()[1]
    connections: list[socket.socket] = []

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            vendor.accepted += 1
            connections.append(connection)
            threading.Thread(target=vendor.serve_connection, args=(connection,), daemon=True).start()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield vendor
    finally:
        vendor.stopped = True
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        accepting.join(PATIENCE)
    if vendor.failures:
        raise vendor.failures[0]
