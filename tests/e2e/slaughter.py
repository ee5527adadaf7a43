"""Callers that ask as fast as they can whatever is done to the gateway meanwhile, and keep account of every answer that they got
whole; and what the ledger must say of them in the end."""

from __future__ import annotations

import http.client
import json
import random
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from e2e.gateway import Gateway, wait_until
from e2e.ledger import entries_of, sums_of
from e2e.vendor import Answer, Exchange, openai_events, reply, stream

GEMINI = "/v1beta/models/via-openai:{}"


def used(number: int) -> tuple[int, int]:
    """The tokens that the vendor counts for a caller's question of this number: never twice the same."""
    return 1000 + number, 7 + number % 1000


def vendor(exchange: Exchange) -> None:
    """Answers question N with N's counts, as a stream where one was asked for."""
    body = exchange.seen.json
    number = int(body["messages"][-1]["content"])
    given, said = used(number)
    usage = {"prompt_tokens": given, "completion_tokens": said, "total_tokens": given + said}
    answer: Answer
    if body.get("stream"):
        told = [
            {"id": "c", "model": "m", "choices": [{"index": 0, "delta": {"content": f"{at} "}, "finish_reason": None}]}
            for at in range(4)
        ]
        last = {"id": "c", "model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
        answer = stream(*openai_events(*told, last, {"id": "c", "model": "m", "choices": [], "usage": usage}))
    else:
        message = {"role": "assistant", "content": str(number)}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        answer = reply({"id": "c", "object": "chat.completion", "model": "m", "choices": [choice], "usage": usage})
    answer(exchange)


@dataclass
class Account:
    """The answers that came whole: their numbers by request id."""

    answered: dict[str, int] = field(default_factory=dict)
    asked: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def next(self) -> int:
        with self._lock:
            self.asked += 1
            return self.asked

    def note(self, request_id: str, number: int) -> None:
        with self._lock:
            assert request_id not in self.answered
            self.answered[request_id] = number


Asking = Callable[[Gateway, Account, threading.Event, int], None]
"""What a caller does until told to stop; the number is its own."""


@contextmanager
def load(
    gateway: Gateway, account: Account, callers: Collection[Asking], first: int = 0
) -> Iterator[Callable[[int], None]]:
    """A thread for each of the callers, whose numbers go on from `first`; what is given waits for so many more answers."""
    stop = threading.Event()
    threads = [threading.Thread(target=ask, args=(gateway, account, stop, n)) for n, ask in enumerate(callers, first)]
    for thread in threads:
        thread.start()

    def more(count: int) -> None:
        wanted = len(account.answered) + count
        wait_until(lambda: len(account.answered) >= wanted, "more answers")

    try:
        yield more
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)


def check_all_answered_and_entered(account: Account, data: Path, database: str = "sqlite") -> None:
    assert len(account.answered) == account.asked, "nobody was refused or left without an answer"
    entries = entries_of(data, database)
    assert entries.keys() == account.answered.keys()
    check_counts(account, entries, sums_of(data, database))


def check_counts(account: Account, entries: Mapping[str, Mapping[str, Any]], sums: Mapping[str, int]) -> None:
    """Each entry of an answer has what the vendor counted, and the sums of days are those of the entries."""
    for name in entries.keys() & account.answered.keys():
        entry, counted = entries[name], used(account.answered[name])
        assert (entry["input_tokens"], entry["output_tokens"]) == counted, name
        assert (entry["status"], entry["estimated"]) == (200, 0), name
    assert sums["requests"] == len(entries)
    for field_ in ("input_tokens", "output_tokens", "cost_nanos"):
        assert sums[field_] == sum(entry[field_] or 0 for entry in entries.values())


def ask_on(gateway: Gateway, account: Account, stop: threading.Event, seed: int, key: str | None = None) -> None:
    """Asks, in all the ways there are, until told to stop or the gateway is gone."""
    choose = random.Random(seed)
    headers = {"authorization": f"Bearer {key or gateway.key}", "content-type": "application/json"}
    connection = gateway.connect(timeout=10.0)
    try:
        while not stop.is_set():
            number = account.next()
            path, body, streams = _question(choose, number)
            connection.request("POST", path, json.dumps(body), headers)
            answer = connection.getresponse()
            request_id = answer.headers["x-request-id"]
            whole = _read(answer, streams)
            if answer.status == 200 and whole:
                account.note(request_id, number)
    except (OSError, http.client.HTTPException):
        return  # it is dead
    finally:
        connection.close()


def insist(gateway: Gateway, account: Account, stop: threading.Event, seed: int) -> None:
    """Asks on, on a new connection where a worker died."""
    while not stop.is_set():
        ask_on(gateway, account, stop, seed)
        seed += 100
        stop.wait(0.01)


def _question(choose: random.Random, number: int) -> tuple[str, dict[str, Any], bool]:
    streams = choose.random() < 0.5
    match choose.choice(("chat", "gemini", "anthropic", "responses")):
        case "gemini":
            path = GEMINI.format("streamGenerateContent?alt=sse" if streams else "generateContent")
            return path, {"contents": [{"role": "user", "parts": [{"text": str(number)}]}]}, streams
        case "anthropic":
            body = {"messages": [{"role": "user", "content": str(number)}], "max_tokens": 10_000}
            return "/v1/messages", {**body, "model": "via-openai", "stream": streams}, streams
        case "responses":
            return "/v1/responses", {"input": str(number), "model": "via-openai", "stream": streams}, streams
        case _:
            body = {"messages": [{"role": "user", "content": str(number)}]}
            return "/v1/chat/completions", {**body, "model": "via-openai", "stream": streams}, streams


_ENDS = (b"\ndata: [DONE]\n", b"\nevent: message_stop\n", b"\nevent: response.completed\n")


def _read(answer: http.client.HTTPResponse, streams: bool) -> bool:
    """Whether a client would take the answer for whole: a stream as soon as its last event has come."""
    if not streams:
        answer.read()
        return True
    told = b""
    try:
        while piece := answer.read1(65536):
            told += piece
    except (OSError, http.client.HTTPException):
        return any(end in told for end in _ENDS)
    return True
