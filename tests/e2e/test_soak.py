"""Three targets of which 30 % of all calls fail, in every way there is, for a long time: nobody notices before the first byte as
long as one of them would answer; the worker's memory stays, nothing is stuck, and the ledger says what the vendors answered.

What becomes of a question at a target is drawn by its number and the target's name: so it is known beforehand who would answer.
"""

from __future__ import annotations

import collections
import http.client
import json
import os
import random
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from e2e.bookkeeper import Counts
from e2e.faults import FAULTS, Fault, answer
from e2e.gateway import Gateway, provider, running, wait_until
from e2e.ledger import entries_of
from e2e.processes import resident, workers
from e2e.slaughter import Account
from e2e.speech import PROTOCOLS, asked, check_refusal, is_error, is_whole, question, read_events, speech
from e2e.vendor import Answer, Exchange, reply, serving
from soak import soak

pytestmark = soak

# `make soak` asks 100,000.
QUESTIONS = int(os.environ.get("DRAGOMAN_SOAK_REQUESTS", "2000"))
CALLERS = 16
FAILING = 0.3
# Of those, so many only end at a deadline, and make a caller wait for it.
SLOW = 0.03
# Long enough for a healthy vendor on any machine.
TIMEOUTS = {"first_byte": "5s", "idle": "5s"}
TARGETS = ("openai-chat", "anthropic", "gemini")
# The same three in another order each.
MODELS = {"a": TARGETS, "b": TARGETS[1:] + TARGETS[:1], "c": TARGETS[2:] + TARGETS[:2]}
TEXT = "first words 世界, and all the others"
# What a worker takes once, for its first requests.
WARM = max(1000, QUESTIONS // 10)
GROWTH = 1.05

_QUICK = [
    (fault, stage)
    for fault in FAULTS
    for stage in fault.stages
    if not fault.heavy
    and not fault.timeouts
    and stage != "connect"
    # These overtake the first words; elsewhere that is waited for.
    and (stage, fault.name) not in (("middle", "resets"), ("middle", "an error event"))
]
_SLOW = [(fault, stage) for fault in FAULTS for stage in fault.stages if fault.name == "hangs"]
_AT_ONCE = threading.Event()
_AT_ONCE.set()


def fate(number: int, target: str, streams: bool) -> tuple[Fault, str] | int | None:
    """The fault and its stage, a status that it is refused with, or None for an answer."""
    chance = random.Random(f"{number} {target}")
    if chance.random() >= FAILING:
        return None
    if chance.random() < 0.2:
        return chance.choice((408, 429, 500, 502, 503))
    stages = ("head", "opening", "middle") if streams else ("head", "body")
    return chance.choice([one for one in (_SLOW if chance.random() < SLOW else _QUICK) if one[1] in stages])


def answers(number: int, target: str, streams: bool) -> bool:
    """Whether at least the first words come."""
    drawn = fate(number, target, streams)
    return drawn is None or (isinstance(drawn, tuple) and drawn[1] == "middle")


def counts(number: int) -> Counts:
    return Counts(input=1 + number % 997, cached=0, written=0, output=1 + number % 13, thought=0)


@dataclass
class Journal:
    """The targets that were asked each question, in order."""

    lines: dict[int, list[str]] = field(default_factory=lambda: collections.defaultdict(list))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def vendor(self, target: str) -> Answer:
        def said(exchange: Exchange) -> None:
            told = asked(exchange)
            number = int(exchange.seen.body.split(b"question ")[1].split(b".")[0])
            with self._lock:
                self.lines[number].append(target)
            words = speech(told.protocol, TEXT, counts(number), array=told.array)
            drawn = fate(number, target, told.streams)
            if isinstance(drawn, int):
                body = {
                    "type": "error",
                    "error": {"message": "Not now, but later.", "type": "some_error", "status": "X", "code": drawn},
                }
                reply(body, drawn)(exchange)
            elif drawn is not None:
                fault, stage = drawn
                assert fault.strike is not None
                answer(exchange, words, told.streams, stage, fault.strike, _AT_ONCE)
            elif told.streams:
                reply(words.opening + words.words + words.end, content_type=words.kind)(exchange)
            else:
                reply(words.whole)(exchange)

        return said


class Crowd:
    """`wrong` is what must not be; `broken` are the numbers of streams that broke off behind their first words; `hopeless`
    those of questions that no target would answer."""

    def __init__(self, gateway: Gateway) -> None:
        self.account = Account()
        self.wrong: list[str] = []
        self.broken: set[int] = set()
        self.hopeless: set[int] = set()
        self.times: list[float] = []
        self._gateway = gateway

    def ask(self, until: int) -> None:
        callers = [threading.Thread(target=self._ask_on, args=(until,)) for _ in range(CALLERS)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()

    def _ask_on(self, until: int) -> None:
        connection = self._gateway.connect()
        try:
            while len(self.account.answered) < until and (number := self.account.next()) <= QUESTIONS:
                self._ask(connection, number)
        except BaseException as error:
            self.wrong.append(repr(error))
            raise
        finally:
            connection.close()

    def _ask(self, connection: http.client.HTTPConnection, number: int) -> None:
        chance = random.Random(number)
        caller, model = chance.choice(PROTOCOLS), chance.choice(sorted(MODELS))
        form = chance.choice(("one", "events", "array" if caller == "gemini" else "events"))
        path, body = question(caller, model, form, f"question {number}.")
        headers = {"authorization": f"Bearer {self._gateway.key}", "content-type": "application/json"}
        began = time.perf_counter()
        connection.request("POST", path, json.dumps(body), headers)
        got = connection.getresponse()
        told = got.read()
        self.times.append(time.perf_counter() - began)
        self.account.note(got.headers["x-request-id"], number)
        hope = any(answers(number, target, form != "one") for target in TARGETS)
        if not hope:
            self.hopeless.add(number)
        try:
            if got.status != 200:
                check_refusal(caller, got.status, json.loads(told))
                assert not hope, f"{got.status} {told[:300]!r}"
            elif form == "one":
                assert hope and TEXT in json.dumps(json.loads(told), ensure_ascii=False), told[:300]
            else:
                values = read_events(caller, form, told)
                assert hope and TEXT in json.dumps(values, ensure_ascii=False)
                if any(map(is_error, values)):
                    self.broken.add(number)
                else:
                    assert is_whole(caller, values), told[-300:]
        except Exception as error:
            self.wrong.append(f"{number} {caller} {model} {form}: {error!r}")


def test_a_third_of_all_calls_fails(tmp_path: Path) -> None:
    journal = Journal()
    with ExitStack() as stack:
        config = "log: {format: json, level: error}\nproviders:\n"
        for target in TARGETS:
            vendor = stack.enter_context(serving(journal.vendor(target)))
            root = f"{vendor.base_url}/x" + ("/v1" if target.startswith("openai") else "")
            config += provider(target, target, root, "m", timeouts=TIMEOUTS)
        config += "models:\n"
        for model, order in MODELS.items():
            targets: list[Any] = [{"provider": name, "model": "m", "priority": at} for at, name in enumerate(order, 1)]
            config += f"  {model}: {json.dumps({'targets': targets})}\n"
        with running(tmp_path, config=config) as gateway:
            crowd = Crowd(gateway)
            crowd.ask(WARM)
            (worker,) = workers(gateway.process.pid)
            before = resident(worker)
            crowd.ask(QUESTIONS)
            after = resident(worker)
            in_flight = "dragoman_requests_in_flight 0"
            wait_until(lambda: in_flight in gateway.get("/metrics")[2].decode().replace(".0", ""), "nothing is stuck")
        text = gateway.text
    times = sorted(crowd.times)
    told = [
        f"{share:.1%} {times[min(len(times) - 1, int(len(times) * share))] * 1000:.1f} ms"
        for share in (0.5, 0.99, 0.999)
    ]
    asked_again = sum(len(lines) for lines in journal.lines.values()) - len(journal.lines)
    print(
        f"{len(times)} questions, {asked_again} further attempts, {len(crowd.broken)} broken off behind their first words, "
        f"{len(crowd.hopeless)} without hope, {len(crowd.wrong)} wrong; {', '.join(told)}, longest {times[-1]:.2f} s; "
        f"memory {before / 1e6:.1f} → {after / 1e6:.1f} MB"
    )
    assert not crowd.wrong, "\n".join(crowd.wrong[:20])
    assert len(times) == QUESTIONS
    assert after <= before * GROWTH
    assert "Traceback" not in text
    check_ledger(tmp_path, crowd, journal)


def check_ledger(data: Path, crowd: Crowd, journal: Journal) -> None:
    entries = entries_of(data)
    answered = crowd.account.answered
    assert entries.keys() == answered.keys()
    for name, entry in entries.items():
        number = answered[name]
        lines = journal.lines[number]
        assert entry["provider"] == lines[-1], entry
        assert entry["attempts"] >= len(dict.fromkeys(lines)), entry
        counted = (entry["input_tokens"], entry["output_tokens"])
        if number in crowd.hopeless:
            assert entry["status"] >= 400 and entry["error"] and counted == (None, None), entry
        elif number in crowd.broken:
            assert (entry["status"], entry["estimated"]) == (200, 1) and entry["error"], entry
        else:
            told = counts(number)
            assert (entry["status"], entry["error"], entry["estimated"]) == (200, None, 0), entry
            assert counted == (told.input, told.output), entry
