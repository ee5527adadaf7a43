"""The load of streams: a fixed number open at once, each checked for every event. Also the idle ones, opened and held.

Run as `python -m bench.streams '{"port": …}'` (the fields of Plan); prints one JSON object. With `hold`, prints it when all
streams have had their first event, and then keeps them open until stdin ends.
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict, dataclass, field
from statistics import median
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
    words: int
    concurrency: int = 64
    seconds: float = 5.0
    most: int = 1_000_000
    hold: bool = False


@dataclass
class Outcome:
    """Times are in milliseconds; `reads` is how many reads a stream's body came in; `wrong` has the first few faults."""

    streams: int = 0
    faults: int = 0
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0
    first_p50: float = 0.0
    first_p99: float = 0.0
    whole_p50: float = 0.0
    reads: float = 0.0


class Load:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.request = http1.request_bytes(Ask(plan.path, plan.body.encode()), plan.key)
        self.expected = list(range(plan.words))
        self.loop = asyncio.get_running_loop()
        self.until = 0.0
        self.begun = 0
        self.open = 0
        self.firsts: list[float] = []
        self.wholes: list[float] = []
        self.reads: list[int] = []
        self.outcome = Outcome()
        self.done = asyncio.Event()

    def fault(self, what: str) -> None:
        self.outcome.faults += 1
        if len(self.outcome.wrong) < 3:
            self.outcome.wrong.append(what)

    def another(self) -> bool:
        if self.loop.time() >= self.until or self.begun >= self.plan.most:
            return False
        self.begun += 1
        return True

    def leave(self) -> None:
        self.open -= 1
        if self.open == 0:
            self.done.set()

    async def run(self) -> Outcome:
        began = self.loop.time()
        self.until = began + self.plan.seconds
        self.open = self.plan.concurrency
        for n in range(self.plan.concurrency):
            # Phases apart, so that streams do not march in step.
            self.loop.call_later(0.1 * n / self.plan.concurrency, lambda: self.loop.create_task(self._connect()))
        try:
            async with asyncio.timeout(self.plan.seconds + 15):
                await self.done.wait()
        except TimeoutError:
            self.fault(f"{self.open} streams did not end")
        out = self.outcome
        out.seconds = self.loop.time() - began
        out.streams = len(self.wholes)
        if self.wholes:
            out.first_p50 = percentile(self.firsts, 50) * 1000
            out.first_p99 = percentile(self.firsts, 99) * 1000
            out.whole_p50 = percentile(self.wholes, 50) * 1000
            out.reads = median(self.reads)
        return out

    async def _connect(self) -> None:
        try:
            await self.loop.create_connection(lambda: Listener(self), "127.0.0.1", self.plan.port)
        except OSError as error:
            self.fault(str(error))
            self.leave()


class Listener(asyncio.Protocol):
    """One connection that asks for one stream after the other."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._pieces: list[bytes] = []
        self._sent = 0.0
        self._first = 0.0
        self._reads = 0
        self._over = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport
        self._ask()

    def _ask(self) -> None:
        if not self._load.another():
            self._leave()
            return
        self._pieces = []
        self._first = 0.0
        self._reads = 0
        self._sent = perf_counter()
        self._transport.write(self._load.request)

    def data_received(self, data: bytes) -> None:
        self._pieces.append(data)
        if b"data:" in data:
            self._reads += 1
            if not self._first:
                self._first = perf_counter()
        if data.endswith(http1.LAST_CHUNK) or (
            len(data) < 5 and b"".join(self._pieces[-5:]).endswith(http1.LAST_CHUNK)
        ):
            self._ended()

    def _ended(self) -> None:
        load = self._load
        fault = wrong(b"".join(self._pieces), load.expected)
        if fault is not None:
            load.fault(fault)
            self._leave()
            return
        load.firsts.append(self._first - self._sent)
        load.wholes.append(perf_counter() - self._sent)
        load.reads.append(self._reads)
        self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._over:
            self._load.fault("the connection was lost in the middle of a stream")
            self._leave()

    def _leave(self) -> None:
        if not self._over:
            self._over = True
            self._transport.close()
            self._load.leave()


def wrong(data: bytes, expected: list[int]) -> str | None:
    """What is wrong with a stream's whole answer; None when every event is there, once and in order."""
    parts = http1.split_head(data)
    if parts is None:
        return "an answer without a head"
    status, _, at = parts
    if status != 200:
        return f"status {status}: {data[at : at + 300]!r}"
    try:
        found = http1.words(http1.unchunk(data[at:]))
    except ValueError as error:
        return f"bad framing: {error}"
    if found != expected:
        return f"{len(found)} events of {len(expected)} arrived, or in the wrong order"
    return None


class Held(asyncio.Protocol):
    """One stream that has its first event and waits for more that does not come."""

    def __init__(self, request: bytes, heard: asyncio.Future[bytes]) -> None:
        self._request = request
        self._heard = heard
        self._data = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if not self._heard.done():
            self._data += data
            if b"data:" in self._data or b" 200 " not in self._data[:32]:
                self._heard.set_result(self._data)
                self._data = b""

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._heard.done():
            self._heard.set_exception(ConnectionError("closed before the first event"))


async def hold(plan: Plan) -> Outcome:
    """Opens all streams, a few at a time."""
    loop = asyncio.get_running_loop()
    request = http1.request_bytes(Ask(plan.path, plan.body.encode()), plan.key)
    out = Outcome()
    began = loop.time()
    turn = asyncio.Semaphore(50)

    async def one() -> asyncio.Transport | None:
        async with turn:
            heard: asyncio.Future[bytes] = loop.create_future()
            try:
                async with asyncio.timeout(20):
                    transport, _ = await loop.create_connection(lambda: Held(request, heard), "127.0.0.1", plan.port)
                    answer = await heard
            except (OSError, TimeoutError) as error:
                out.faults += 1
                out.wrong = [*out.wrong, repr(error)][:3]
                return None
            if b" 200 " not in answer[:32]:
                out.faults += 1
                out.wrong = [*out.wrong, repr(answer[:300])][:3]
                return None
            return transport

    transports = await asyncio.gather(*(one() for _ in range(plan.concurrency)))
    out.streams = sum(transport is not None for transport in transports)
    out.seconds = loop.time() - began
    print(json.dumps(asdict(out)), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    for transport in transports:
        if transport is not None:
            transport.abort()
    return out


async def _main() -> None:
    plan = Plan(**json.loads(sys.argv[1]))
    if plan.hold:
        await hold(plan)
    else:
        print(json.dumps(asdict(await Load(plan).run())), flush=True)


if __name__ == "__main__":
    uvloop.run(_main())
