"""Just enough HTTP/1.1 to ask and to count: requests as bytes, answers taken apart. Not for anything but these benchmarks."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass

from bench.payloads import Ask

_WORD = re.compile(rb" w(\d{3})\.")
LAST_CHUNK = b"0\r\n\r\n"


def request_bytes(ask: Ask, key: str) -> bytes:
    head = (
        f"POST {ask.path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {key}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(ask.body)}\r\n\r\n"
    )
    return head.encode() + ask.body


@dataclass(frozen=True)
class Answer:
    status: int
    headers: bytes
    body: bytes


def split_head(data: bytes) -> tuple[int, bytes, int] | None:
    """Status, lower-case head and where the body begins; None while the head is not all there."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = bytes(data[:end]).lower()
    return int(head[9:12]), head, end + 4


def content_length(head: bytes) -> int | None:
    found = re.search(rb"\r\ncontent-length: *(\d+)", head)
    return int(found[1]) if found else None


def unchunk(data: bytes) -> bytes:
    """The body that chunks carry. Raises ValueError where they are not whole."""
    out = bytearray()
    at = 0
    while True:
        end = data.index(b"\r\n", at)
        size = int(data[at:end].split(b";")[0], 16)
        at = end + 2
        if size == 0:
            return bytes(out)
        if data[at + size : at + size + 2] != b"\r\n":
            raise ValueError("a chunk is cut short")
        out += data[at : at + size]
        at += size + 2


def words(body: bytes) -> list[int]:
    """The numbers of the events whose text a stream's body holds, in order."""
    return [int(number) for number in _WORD.findall(body)]


def ask_once(port: int, ask: Ask, key: str, timeout: float = 10.0) -> Answer:
    """One request on a connection of its own. Raises OSError, ValueError."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as connection:
        connection.sendall(request_bytes(ask, key))
        data = b""
        while True:
            piece = connection.recv(65536)
            data += piece
            parts = split_head(data)
            if parts is not None:
                status, head, at = parts
                length = content_length(head)
                if length is not None and len(data) >= at + length:
                    return Answer(status, head, data[at : at + length])
                if length is None and data.endswith(LAST_CHUNK):
                    return Answer(status, head, unchunk(data[at:]))
            if not piece:
                raise ValueError("the connection ended before the answer did")
