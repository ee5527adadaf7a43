"""A caller on a bare socket, who can say what no HTTP client would."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import struct
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from e2e.gateway import PATIENCE, Gateway


class Answer:
    """Status, headers by lower-case name (the last one counts, `all` has each), body."""

    def __init__(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.status = status
        self.all = [(name.lower(), value) for name, value in headers]
        self.headers = dict(self.all)
        self.body = body

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Caller:
    """One connection to the gateway."""

    def __init__(self, gateway: Gateway, key: str | None = None) -> None:
        where = urlsplit(gateway.base_url)
        self.socket = socket.create_connection((where.hostname, where.port), timeout=PATIENCE)
        self._key = key or gateway.key

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def post(self, path: str, body: bytes, *lines: str, head_only: bool = False) -> None:
        """A request with the root key; `lines` are further header lines."""
        head = [
            f"POST {path} HTTP/1.1",
            "host: test",
            f"authorization: Bearer {self._key}",
            "content-type: application/json",
            *lines,
        ]
        if not any(line.lower().startswith(("content-length", "transfer-encoding")) for line in lines):
            head.append(f"content-length: {len(body)}")
        self.send("\r\n".join([*head, "", ""]).encode() + (b"" if head_only else body))

    def answer(self, method: str = "POST") -> Answer:
        """The next whole answer."""
        found = http.client.HTTPResponse(self.socket, method=method)
        found.begin()
        # A buffered reader of its own: what it has read ahead of a pipelined answer would be lost.
        return Answer(found.status, found.getheaders(), found.read())

    def everything(self) -> bytes:
        """All that comes until the gateway closes. Fails where it resets instead."""
        pieces = []
        while piece := self.socket.recv(65536):
            pieces.append(piece)
        return b"".join(pieces)

    def until(self, mark: bytes) -> bytes:
        """What comes, up to where `mark` has come."""
        found = b""
        while mark not in found:
            piece = self.socket.recv(65536)
            assert piece, f"closed before {mark!r}: {found!r}"
            found += piece
        return found

    def peek_until(self, mark: bytes) -> None:
        """Waits until `mark` has come, and leaves it to be read."""
        deadline = time.monotonic() + PATIENCE
        while mark not in self.socket.recv(1 << 20, socket.MSG_PEEK):
            assert time.monotonic() < deadline, f"{mark!r} did not come"
            time.sleep(0.001)

    def leave(self) -> None:
        self.socket.close()

    def reset(self) -> None:
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


@contextlib.contextmanager
def calling(gateway: Gateway, key: str | None = None) -> Iterator[Caller]:
    caller = Caller(gateway, key)
    try:
        yield caller
    finally:
        caller.leave()


def check_error(protocol: str, status: int, body: bytes | Any) -> dict[str, Any]:
    """Asserts that `body` is an error as `protocol` tells it, agreeing with `status`; gives what stands under `error`."""
    told = json.loads(body) if isinstance(body, bytes) else body
    if isinstance(told, list):
        assert len(told) == 1
        told = told[0]
    error: dict[str, Any] = told["error"]
    assert isinstance(error["message"], str) and len(error["message"]) > 10
    if protocol == "gemini":
        assert error["code"] == status
        assert error["status"].isupper()
    else:
        assert set(error) >= {"message", "type", "param", "code"}
        assert error["type"] and isinstance(error["type"], str)
        assert error["code"] is None or isinstance(error["code"], str)
    return error
