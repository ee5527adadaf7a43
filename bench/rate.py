"""One-shot requests at a constant rate, sent when due whether or not earlier ones are answered.

Run as `python -m bench.rate '{"port": …}'` (the fields of Plan); prints one JSON object. A request's time begins when it is
written; the timer's own lateness (up to 1 ms) moves the sending and not the measure.
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict, dataclass
from time import perf_counter

import uvloop

from bench import http1
from bench.figures import percentile
from bench.payloads import Ask


@dataclass
class Plan:
    port: int
    path: str
    body: str
    key: str
    rate: float
    seconds: float
    warm: float = 0.5


@dataclass
class Outcome:
    """Times in milliseconds."""

    answers: int = 0
    faults: int = 0
    p50: float = 0.0
    p99: float = 0.0


class Line(asyncio.Protocol):
    """One connection; `answered` is told each answer's status."""

    def __init__(self) -> None:
        self._data = b""
        self._waiting: asyncio.Future[int] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport

    def ask(self, request: bytes) -> asyncio.Future[int]:
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._waiting

    def data_received(self, data: bytes) -> None:
        self._data += data
        parts = http1.split_head(self._data)
        if parts is None or self._waiting is None:
            return
        status, head, at = parts
        if len(self._data) >= at + (http1.content_length(head) or 0):
            self._data = b""
            self._waiting.set_result(status)
            self._waiting = None

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(ConnectionError("lost"))


async def run(plan: Plan) -> Outcome:
    loop = asyncio.get_running_loop()
    request = http1.request_bytes(Ask(plan.path, plan.body.encode()), plan.key)
    free: list[Line] = []
    times: list[float] = []
    out = Outcome()

    async def connect() -> Line:
        _, line = await loop.create_connection(Line, "127.0.0.1", plan.port)
        return line

    async def one(counted: bool) -> None:
        try:
            line = free.pop() if free else await connect()
            sent = perf_counter()
            async with asyncio.timeout(10):
                status = await line.ask(request)
            if status != 200:
                raise ConnectionError(f"status {status}")
        except (OSError, TimeoutError):
            out.faults += 1
            return
        if counted:
            times.append(perf_counter() - sent)
        free.append(line)

    free.extend([await connect() for _ in range(8)])
    began = loop.time() + 0.05
    tasks: set[asyncio.Task[None]] = set()
    warm, all_ = int(plan.rate * plan.warm), int(plan.rate * (plan.warm + plan.seconds))
    for number in range(all_):
        due = began + number / plan.rate
        if (wait := due - loop.time()) > 0:
            await asyncio.sleep(wait)
        task = loop.create_task(one(number >= warm))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    if tasks:
        await asyncio.wait(tasks, timeout=12)
    out.answers = len(times)
    if times:
        out.p50 = percentile(times, 50) * 1000
        out.p99 = percentile(times, 99) * 1000
    return out


if __name__ == "__main__":
    print(json.dumps(asdict(uvloop.run(run(Plan(**json.loads(sys.argv[1])))))), flush=True)
