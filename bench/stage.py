"""The stage: upstreams and yardstick running, the gateway where it starts, and the one way to put a load on any of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from bench import gateway, http1, machine, nginx, payloads, rate, streams, wrk
from bench.figures import Load
from bench.payloads import Ask
from bench.process import GATEWAY_CORE, LOAD_CORE, BenchError, Child, cpu, spent, wait_until

ROOT = Path(__file__).resolve().parent.parent
CONNECTIONS = 16


@dataclass(frozen=True)
class Side:
    """A thing that answers: where, and whose CPU time counts for it."""

    name: str
    port: int
    child: Child


class Stage:
    """As a context: everything is up inside and ended outside."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._stack = ExitStack()
        self.one_shot_port, self.paced_port, self.proxy_port, self.stream_proxy_port, self.gateway_port = (
            machine.free_ports(5)
        )
        self.nginx: Side
        self.nginx_streams: Side
        self.dragoman: Side | None = None
        self.missing = ""

    def __enter__(self) -> Self:
        try:
            self._raise_curtain()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def _raise_curtain(self) -> None:
        start = self._stack.enter_context
        upstream = start(nginx.upstream(self.directory / "upstream", self.one_shot_port, LOAD_CORE))
        paced = start(
            Child(
                [sys.executable, "-m", "bench.paced", str(self.paced_port)],
                core=LOAD_CORE,
                log=self.directory / "paced.log",
                cwd=ROOT,
            )
        )
        proxy = start(
            nginx.proxy(
                self.directory / "proxy",
                port=self.proxy_port,
                stream_port=self.stream_proxy_port,
                one_shot=self.one_shot_port,
                paced=self.paced_port,
                core=GATEWAY_CORE,
            )
        )
        self.direct = Side("direct", self.one_shot_port, upstream)
        self.direct_streams = Side("direct", self.paced_port, paced)
        self.nginx = Side("nginx", self.proxy_port, proxy)
        self.nginx_streams = Side("nginx", self.stream_proxy_port, proxy)
        one, stream = payloads.chat_ask(payloads.CHAT_MODEL), payloads.chat_ask(payloads.CHAT_STREAM_MODEL, stream=True)
        for side, ask in (
            (self.direct, one),
            (self.direct_streams, stream),
            (self.nginx, one),
            (self.nginx_streams, stream),
        ):
            wait_until(lambda side=side, ask=ask: answers(side.port, ask), side.child, 10)

    def start_gateway(self) -> None:
        """Sets `dragoman`; where it does not start, `missing` says why."""
        child = self._stack.enter_context(self.gateway_child())
        try:
            wait_until(lambda: answers(self.gateway_port, payloads.chat_ask(payloads.CHAT_MODEL)), child, 30)
        except BenchError as error:
            self.missing = str(error)
            child.end()
            return
        self.dragoman = Side("dragoman", self.gateway_port, child)

    def gateway_child(self) -> Child:
        return gateway.start(
            self.directory / "gateway", port=self.gateway_port, one_shot=self.one_shot_port, paced=self.paced_port
        )

    def trim_log(self) -> None:
        """The log is written in full and not kept: a million lines are half a gigabyte."""
        log = self.directory / "gateway" / "log.jsonl"
        if log.exists():
            os.truncate(log, 0)

    # --- loads

    def one_shots(self, side: Side, ask: Ask, seconds: float) -> Load:
        before = cpu(side.child.pid)
        done = wrk.run(
            side.port, [ask], gateway.KEY, seconds=seconds, directory=self.directory, connections=CONNECTIONS
        )
        used = spent(before, cpu(side.child.pid))
        per = 1e6 / done.requests
        return Load(used.user * per, used.system * per, done.requests / done.seconds, done.p50, done.p99)

    def streams(
        self, side: Side, ask: Ask, words: int, seconds: float, concurrency: int
    ) -> tuple[Load, streams.Outcome]:
        """Latency is the time to the first event."""
        before = cpu(side.child.pid)
        plan = streams.Plan(side.port, ask.path, ask.body.decode(), gateway.KEY, words, concurrency, seconds)
        found = streams.Outcome(**self._client("bench.streams", plan.__dict__, seconds + 30))
        used = spent(before, cpu(side.child.pid))
        if found.faults or not found.streams:
            raise BenchError(
                f"{found.faults} streams through {side.name} went wrong ({found.streams} well): {found.wrong}"
            )
        per = 1e6 / found.streams
        load = Load(used.user * per, used.system * per, found.streams / found.seconds, found.first_p50, found.first_p99)
        return load, found

    def at_rate(self, side: Side, ask: Ask, per_second: float, seconds: float) -> rate.Outcome:
        plan = rate.Plan(side.port, ask.path, ask.body.decode(), gateway.KEY, per_second, seconds)
        found = rate.Outcome(**self._client("bench.rate", plan.__dict__, seconds + 30))
        if found.faults or not found.answers:
            raise BenchError(f"{found.faults} requests to {side.name} went wrong at {per_second:.0f}/s")
        return found

    def held_streams(self, side: Side, ask: Ask, count: int) -> Child:
        """`count` open streams that say nothing more; they end with the child. Raises BenchError."""
        plan = streams.Plan(side.port, ask.path, ask.body.decode(), gateway.KEY, 0, count, hold=True)
        child = self._client_child("bench.streams", plan.__dict__)
        try:
            line = child.stdout.readline()
            found = streams.Outcome(**json.loads(line)) if line else streams.Outcome(faults=count, wrong=[child.tail()])
            if found.faults:
                raise BenchError(f"{found.faults} of {count} streams through {side.name} did not open: {found.wrong}")
        except BaseException:
            child.end()
            raise
        return child

    def _client_child(self, module: str, plan: dict[str, Any]) -> Child:
        return Child(
            [sys.executable, "-m", module, json.dumps(plan)],
            core=LOAD_CORE,
            log=self.directory / "client.log",
            cwd=ROOT,
            talk=True,
        )

    def _client(self, module: str, plan: dict[str, Any], timeout: float) -> dict[str, Any]:
        with self._client_child(module, plan) as child:
            try:
                output, _ = child.process.communicate(timeout=timeout)
            except subprocess.TimeoutExpired:
                raise BenchError(f"{module} did not end within {timeout:.0f} s") from None
            if child.process.returncode or not output:
                raise BenchError(f"{module} failed:\n{child.tail()}")
        found: dict[str, Any] = json.loads(output)
        return found


def answers(port: int, ask: Ask) -> bool:
    """Whether `port` answers `ask` well."""
    try:
        return http1.ask_once(port, ask, gateway.KEY, timeout=5).status == 200
    except (OSError, ValueError):
        return False


def seconds_to_answer(child: Child, port: int, ask: Ask) -> float:
    """From now to the first good answer."""
    began = time.perf_counter()
    wait_until(lambda: answers(port, ask), child, 60, every=0.005)
    return time.perf_counter() - began
