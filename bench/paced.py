"""The upstream of streams: 100 events in 33 writes, as fast as they go; over a tenth of a second where the model's name
holds `paced`.

A model whose name holds `nano` says one word and then holds its tongue, for the case of idle streams.
Run as `python -m bench.paced PORT`.
"""

from __future__ import annotations

import asyncio
import sys

import uvloop

from bench import payloads

_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
    b"cache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n"
)
_GAP = payloads.SPREAD / (payloads.WRITES - 1)


def _chunked(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _pieces(events: list[bytes]) -> list[bytes]:
    pieces = [_chunked(piece) for piece in payloads.in_writes(events)]
    return [_HEAD + pieces[0], *pieces[1:-1], pieces[-1] + b"0\r\n\r\n"]


_CHAT = _pieces(payloads.chat_events())
_GEMINI = _pieces(payloads.gemini_events())


class Upstream(asyncio.Protocol):
    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._heard = b""
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        self._heard += data
        end = self._heard.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._heard[:end].lower()
        at = head.find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(self._heard) < end + 4 + length:
            return
        body = self._heard[end + 4 : end + 4 + length]
        self._heard = self._heard[end + 4 + length :]
        pieces = _GEMINI if b"generatecontent" in head.split(b"\r\n", 1)[0] else _CHAT
        if b"nano" in body:
            self._transport.write(pieces[0])
        elif b"paced" in head or b"paced" in body:
            self._pace(pieces, 0, self._loop.time())
        else:
            self._pour(pieces, 0)

    def _pace(self, pieces: list[bytes], number: int, began: float) -> None:
        self._transport.write(pieces[number])
        number += 1
        if number < len(pieces):
            self._timer = self._loop.call_at(began + number * _GAP, self._pace, pieces, number, began)

    def _pour(self, pieces: list[bytes], number: int) -> None:
        # One write for each turn of the loop: uvloop would join those of one turn.
        self._transport.write(pieces[number])
        number += 1
        if number < len(pieces):
            self._loop.call_soon(self._pour, pieces, number)


async def _main(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_main(int(sys.argv[1])))
