"""The cases, by name. Each puts a load on the gateway and on its yardstick in turns and adds rows to the results."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench import gateway, http1, ledger, limits, pairs, payloads, wrk
from bench.figures import Detail, Load, Results, Row, cpu_text, detail_of, ratio_of
from bench.payloads import Ask
from bench.process import GATEWAY_CORE, BenchError, busiest, memory
from bench.stage import Side, Stage, seconds_to_answer

Say = Callable[[str], None]


@dataclass(frozen=True)
class Effort:
    """How long each thing is done."""

    seconds: float = 5.0
    rounds: int = 3
    requests: int = 200_000
    idle: int = 5_000
    entries: int = 10_000_000
    starts: int = 5
    concurrency: int = 40


@dataclass(frozen=True)
class OneShot:
    work: str
    ask: Ask
    most: float


@dataclass(frozen=True)
class Stream:
    work: str
    ask: Ask
    words: int


# The targets are multiples of nginx's one-shot `proxy_pass`: they travel from machine to machine, microseconds do not.
ONE_SHOTS = {
    "chat": OneShot("1 KB chat, same protocol", payloads.chat_ask(payloads.CHAT_MODEL), 6),
    "gemini": OneShot("1 KB generateContent, same protocol", payloads.gemini_ask(payloads.GEMINI_MODEL), 6),
    "gemini-to-chat": OneShot("1 KB, Gemini caller, OpenAI model", payloads.gemini_ask(payloads.CHAT_MODEL), 8),
    "chat-to-gemini": OneShot("1 KB, OpenAI caller, Gemini model", payloads.chat_ask(payloads.GEMINI_MODEL), 8),
}

_CHAT_WORDS = payloads.EVENTS - 2  # the other two are the end and the usage
_MOST_STREAM = 25.0


def _stream_cases(prefix: str, pace: str, chat: str, gemini: str) -> dict[str, Stream]:
    ask_chat, ask_gemini = payloads.chat_ask, payloads.gemini_ask
    return {
        f"{prefix}-chat": Stream(f"100 events {pace}, chat, same protocol", ask_chat(chat, stream=True), _CHAT_WORDS),
        f"{prefix}-gemini": Stream(
            f"100 events {pace}, Gemini, same protocol", ask_gemini(gemini, stream=True), payloads.EVENTS
        ),
        f"{prefix}-gemini-to-chat": Stream(
            f"100 events {pace}, Gemini caller, OpenAI model", ask_gemini(chat, stream=True), _CHAT_WORDS
        ),
        f"{prefix}-chat-to-gemini": Stream(
            f"100 events {pace}, OpenAI caller, Gemini model", ask_chat(gemini, stream=True), payloads.EVENTS
        ),
    }


STREAMS = _stream_cases("stream", "at once", payloads.CHAT_STREAM_MODEL, payloads.GEMINI_STREAM_MODEL)
# Spread over a tenth of a second every piece wakes us up; that costs nginx, too, more than the target's 25 of its one-shots,
# so that these are held against nginx on the same stream and have no target.
PACED = _stream_cases("paced", "over 0.1 s", payloads.CHAT_PACED_MODEL, payloads.GEMINI_PACED_MODEL)

LATENCIES = {"latency-50": (50, 1.5), "latency-500": (500, 1.0)}

NAMES = [*ONE_SHOTS, *STREAMS, *PACED, "pairs", "limits", "ledger", *LATENCIES, "idle", "start", "memory"]

_CHAT = payloads.chat_ask(payloads.CHAT_MODEL)
_CHAT_STREAM = payloads.chat_ask(payloads.CHAT_STREAM_MODEL, stream=True)
_CHAT_PACED = payloads.chat_ask(payloads.CHAT_PACED_MODEL, stream=True)


def run(stage: Stage, names: list[str], effort: Effort, results: Results, say: Say) -> None:
    if "pairs" in names:
        pairs.run(results, say)
    if "limits" in names:
        limits.run(results, say)
    if "ledger" in names:
        ledger.run(results, 2 * effort.seconds, effort.entries, say)
    if "start" in names:
        _start_up(stage, results, effort, say)
    stage.start_gateway()
    if stage.dragoman is None:
        results.notes.append(f"The gateway did not start, so that only the yardstick was measured: {stage.missing}")
    _one_shots(stage, [name for name in names if name in ONE_SHOTS], results, effort, say)
    for group, ask, most in ((STREAMS, _CHAT_STREAM, _MOST_STREAM), (PACED, _CHAT_PACED, None)):
        _streams(stage, {name: case for name, case in group.items() if name in names}, ask, most, results, effort, say)
    for name in names:
        if name in LATENCIES:
            _latency(stage, name, results, effort, say)
    if "idle" in names:
        _idle(stage, results, effort, say)
    if "memory" in names:
        _memory(stage, results, effort, say)


def _works(side: Side, name: str, ask: Ask, words: int | None, results: Results) -> bool:
    """Whether the gateway answers rightly at all, before it is asked a thousand times."""
    try:
        answer = http1.ask_once(side.port, ask, gateway.KEY)
    except (OSError, ValueError) as error:
        results.notes.append(f"{name}: no answer: {error}")
        return False
    good = http1.words(answer.body) == list(range(words)) if words else ask.answered_by.encode() in answer.body
    if answer.status != 200 or not good:
        results.notes.append(f"{name}: status {answer.status}, not the answer that was meant: {answer.body[:300]!r}")
        return False
    return True


def _one_shots(stage: Stage, names: list[str], results: Results, effort: Effort, say: Say) -> None:
    if not names:
        return
    sides = stage.dragoman
    names = [n for n in names if sides is not None and _works(sides, n, ONE_SHOTS[n].ask, None, results)]
    found: dict[str, list[Load]] = {name: [] for name in names}
    yardstick: dict[str, list[Load]] = {name: [] for name in names}
    nginx: list[Load] = []
    warm = min(1.0, effort.seconds)
    stage.one_shots(stage.nginx, _CHAT, warm)
    for name in names:
        assert sides is not None
        stage.one_shots(sides, ONE_SHOTS[name].ask, warm)
    for number in range(effort.rounds):
        say(f"one-shot, round {number + 1} of {effort.rounds}")
        near = stage.one_shots(stage.nginx, _CHAT, effort.seconds)
        nginx.append(near)
        for name in names:
            assert sides is not None
            found[name].append(stage.one_shots(sides, ONE_SHOTS[name].ask, effort.seconds))
            yardstick[name].append(near)
        stage.trim_log()
    results.details.append(detail_of("nginx proxy_pass, 1 KB", nginx))
    for name in names:
        case = ONE_SHOTS[name]
        ratio = ratio_of(found[name], yardstick[name])
        results.rows.append(
            Row(
                name,
                case.work,
                cpu_text(found[name]),
                cpu_text(nginx),
                f"{ratio:.1f} ×",
                f"≤ {case.most:.0f} × nginx",
                ratio <= case.most,
            )
        )
        results.details.append(detail_of(name, found[name]))


def _streams(
    stage: Stage,
    group: dict[str, Stream],
    nginx_ask: Ask,
    most: float | None,
    results: Results,
    effort: Effort,
    say: Say,
) -> None:
    if not group:
        return
    side = stage.dragoman
    group = {n: c for n, c in group.items() if side is not None and _works(side, n, c.ask, c.words, results)}
    found: dict[str, list[Load]] = {name: [] for name in group}
    nginx: list[Load] = []
    nginx_streams: list[Load] = []
    reads: dict[str, float] = {}
    stage.streams(stage.nginx_streams, nginx_ask, _CHAT_WORDS, 0.5, effort.concurrency)
    for case in group.values():
        assert side is not None
        stage.streams(side, case.ask, case.words, 0.5, effort.concurrency)
    for number in range(effort.rounds):
        say(f"streams, round {number + 1} of {effort.rounds}")
        nginx.append(stage.one_shots(stage.nginx, _CHAT, min(effort.seconds, 3)))
        load, outcome = stage.streams(stage.nginx_streams, nginx_ask, _CHAT_WORDS, effort.seconds, effort.concurrency)
        nginx_streams.append(load)
        reads["nginx"] = outcome.reads
        for name, case in group.items():
            assert side is not None
            load, outcome = stage.streams(side, case.ask, case.words, effort.seconds, effort.concurrency)
            found[name].append(load)
            reads[name] = outcome.reads
        stage.trim_log()
    results.details.append(_stream_detail("nginx proxy_pass, stream", nginx_streams, reads["nginx"]))
    for name, case in group.items():
        beside = f"{ratio_of(found[name], nginx_streams):.1f} × its stream"
        near = f"its stream {cpu_text(nginx_streams)}"
        if most is None:
            results.rows.append(Row(name, case.work, cpu_text(found[name]), f"nginx, {near}", beside))
        else:
            ratio = ratio_of(found[name], nginx)
            results.rows.append(
                Row(
                    name,
                    case.work,
                    cpu_text(found[name]),
                    f"{cpu_text(nginx)}; {near}",
                    f"{ratio:.1f} ×; {beside}",
                    f"≤ {most:.0f} × nginx",
                    ratio <= most,
                )
            )
        results.details.append(_stream_detail(name, found[name], reads[name]))


def _stream_detail(name: str, rounds: list[Load], reads: float) -> Detail:
    return detail_of(f"{name} ({reads:.0f} reads at the caller)", rounds)


def _latency(stage: Stage, name: str, results: Results, effort: Effort, say: Say) -> None:
    per_second, most = LATENCIES[name]
    side = stage.dragoman
    if side is None or not _works(side, name, _CHAT, None, results):
        return
    seconds = effort.seconds if effort.seconds < 2 else max(effort.seconds, 500 / per_second)
    added: dict[str, list[tuple[float, float]]] = {"nginx": [], "dragoman": []}
    direct: list[float] = []
    for number in range(effort.rounds):
        say(f"{name}, round {number + 1} of {effort.rounds}")
        base = stage.at_rate(stage.direct, _CHAT, per_second, seconds)
        direct.append(base.p50)
        for one in (stage.nginx, side):
            took = stage.at_rate(one, _CHAT, per_second, seconds)
            added[one.name].append((took.p50 - base.p50, took.p99 - base.p99))
    p50, p99 = (median(pair[i] for pair in added["dragoman"]) for i in (0, 1))
    near50, near99 = (median(pair[i] for pair in added["nginx"]) for i in (0, 1))
    results.rows.append(
        Row(
            name,
            f"added latency at {per_second} requests/s (direct: {median(direct):.2f} ms)",
            f"p50 {p50:.2f} ms, p99 {p99:.2f} ms",
            f"p50 {near50:.2f} ms, p99 {near99:.2f} ms",
            f"{p50 / near50:.1f} ×" if near50 > 0.01 else "",
            f"p50 ≤ {most:g} ms, p99 ≤ 5 ms",
            p50 <= most and p99 <= 5,
        )
    )


def _idle(stage: Stage, results: Results, effort: Effort, say: Say) -> None:
    ask = payloads.chat_ask(payloads.CHAT_HELD_MODEL, stream=True)
    per: dict[str, tuple[float, float]] = {}
    for side in (stage.nginx_streams, stage.dragoman):
        if side is None:
            continue
        say(f"{effort.idle} idle streams through {side.name}")
        with stage.held_streams(side, ask, 100):
            pass
        time.sleep(1)
        before = memory(side.child.pid)
        with stage.held_streams(side, ask, effort.idle):
            time.sleep(0.5)
            after = memory(side.child.pid)
        per[side.name] = ((after.pss - before.pss) / effort.idle, (after.private - before.private) / effort.idle)
        time.sleep(1)
    if "dragoman" in per:
        pss, near = per["dragoman"][0] / 1024, per["nginx"][0] / 1024
        results.rows.append(
            Row(
                "idle",
                f"{effort.idle:,} open idle streams, memory of each (PSS)",
                f"{pss:.1f} KB",
                f"{near:.1f} KB",
                f"{pss / near:.1f} ×",
                "≤ 60 KB",
                pss <= 60,
            )
        )
        results.notes.append(
            f"Idle streams, private memory of each: Dragoman {per['dragoman'][1] / 1024:.1f} KB, "
            f"nginx {per['nginx'][1] / 1024:.1f} KB."
        )


def _start_up(stage: Stage, results: Results, effort: Effort, say: Say) -> None:
    say("start-up")
    times, bare = [], []
    for _ in range(effort.starts):
        bare.append(_bare_python())
        with stage.gateway_child() as child:
            try:
                times.append(seconds_to_answer(child, stage.gateway_port, _CHAT))
            except BenchError as error:
                results.notes.append(f"start: {error}")
                return
    results.rows.append(
        Row(
            "start",
            "`dragoman serve` to the first answered request",
            f"{median(times):.2f} s ({min(times):.2f}–{max(times):.2f})",
            f"{median(bare):.2f} s, Python that imports uvicorn and pydantic",
            f"{median(times) / median(bare):.1f} ×",
            "≤ 1.5 s",
            median(times) <= 1.5,
        )
    )


def _bare_python() -> float:
    began = time.perf_counter()
    command = ["taskset", "-c", str(GATEWAY_CORE), sys.executable, "-c", "import uvicorn, pydantic"]
    subprocess.run(command, check=True)
    return time.perf_counter() - began


def _memory(stage: Stage, results: Results, effort: Effort, say: Say) -> None:
    """A gateway of its own, so that what other cases left behind does not count as the first 10,000's."""
    if stage.dragoman is None:
        return
    mix = [case.ask for name, case in ONE_SHOTS.items() if _works(stage.dragoman, name, case.ask, None, Results())]
    if not mix:
        return
    stage.dragoman.child.end(grace=10)
    stage.dragoman = None
    stage.start_gateway()
    if stage.dragoman is None:
        results.notes.append(f"memory: {stage.missing}")
        return
    say(f"memory after {effort.requests:,} requests")
    pid = busiest(stage.dragoman.child.pid)
    first = 10_000
    done = 0
    while done < first:
        done += _many(stage, mix, 2, first - done)
    per_second = done / 2
    pid = busiest(stage.dragoman.child.pid)
    began = memory_of(pid)
    while done < effort.requests:
        seconds = min(20.0, max(1.0, (effort.requests - done) / per_second))
        answered = _many(stage, mix, seconds)
        per_second = answered / seconds
        done += answered
        say(f"  {done:,} requests, {memory_of(pid) / 2**20:.1f} MiB")
    ended = memory_of(pid)
    ratio = ended / began
    results.rows.append(
        Row(
            "memory",
            f"resident memory of the worker after {done:,} requests",
            f"{ended / 2**20:.1f} MiB",
            f"{began / 2**20:.1f} MiB after the first {first:,}",
            f"{ratio:.3f} ×",
            "≤ 1.05 ×",
            ratio <= 1.05,
        )
    )


def _many(stage: Stage, mix: list[Ask], seconds: float, count: int | None = None) -> int:
    found = wrk.run(
        stage.gateway_port, mix, gateway.KEY, seconds=seconds, directory=stage.directory, connections=32, count=count
    )
    stage.trim_log()
    return found.requests


def memory_of(pid: int) -> int:
    """Resident bytes of one process."""
    from bench.process import parse_rollup

    return parse_rollup(Path(f"/proc/{pid}/smaps_rollup").read_text()).rss


def temporary() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="dragoman-bench-", ignore_cleanup_errors=True)
