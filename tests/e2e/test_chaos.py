"""Everything at once: four protocols to four vendors that refuse, break off, forget to count and fall silent, callers that leave,
keys with budgets. At the end the ledger says what the vendors' own journal says, to the token and to the nanodollar."""

from __future__ import annotations

import collections
import http.client
import json
import os
import random
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from e2e.bookkeeper import LEAVE, VENDORS, Bookkeeper, Counts
from e2e.gateway import Gateway, provider, running
from e2e.ledger import entries_of, sums_of
from e2e.slaughter import Account
from e2e.vendor import serving

# `make kill` asks fifty times as often.
QUESTIONS = 200 * int(os.environ.get("DRAGOMAN_KILLS", "1"))
CALLERS = 12
# US dollars a million; a thousand times that is nanodollars a token.
RATES = {
    "openai-chat": {"input": "2.5", "cached_input": "1.25", "output": "10"},
    "openai-responses": {"input": "1.75", "cached_input": "0.175", "output": "14"},
    "anthropic": {"input": "3", "cached_input": "0.3", "cache_write": "3.75", "output": "15"},
    "gemini": {"input": "0.3", "cached_input": "0.03", "output": "2.5"},
}
# A question's ceiling is about 2 millidollars, what it costs half of one: some are refused.
PURSE = f"{min(0.02, 0.002 + 0.00002 * QUESTIONS):.6f}"
KEYS = {"purse": "dgm_purse_key_of_the_tests_of_chaos", "open": "dgm_open_key_of_the_tests_of_chaos"}
CONFIG = """
log: {{format: json, level: error}}
server: {{workers: 2}}
database: {database}
providers:
{providers}
models:
{models}
keys:
  - {{name: purse, key: {purse}, budget: {{usd: "{usd}", window: day}}}}
  - {{name: open, key: {open}}}
"""
BOUND = 64


def cost(vendor: str, counts: Counts) -> int:
    rates = {name: round(float(rate) * 1000) for name, rate in RATES[vendor].items()}
    fresh = counts.input - counts.cached - counts.written
    return (
        fresh * rates["input"]
        + counts.cached * rates["cached_input"]
        + counts.written * rates.get("cache_write", rates["input"])
        + counts.output * rates["output"]
    )


def question(protocol: str, model: str, number: int, streams: bool) -> tuple[str, dict[str, Any]]:
    text = f"question {number} " + "and so on, " * 20
    match protocol:
        case "gemini":
            call = "streamGenerateContent?alt=sse" if streams else "generateContent"
            asked = {"contents": [{"role": "user", "parts": [{"text": text}]}]}
            return f"/v1beta/models/{model}:{call}", {**asked, "generationConfig": {"maxOutputTokens": BOUND}}
        case "openai-responses":
            return "/v1/responses", {"model": model, "input": text, "stream": streams, "max_output_tokens": BOUND}
        case _:
            path = "/v1/messages" if protocol == "anthropic" else "/v1/chat/completions"
            turns = [{"role": "user", "content": text}]
            return path, {"model": model, "messages": turns, "stream": streams, "max_tokens": BOUND}


class Crowd:
    def __init__(self, gateway: Gateway) -> None:
        self.account = Account()
        self.keys: dict[int, str] = {}
        self.failures: list[BaseException] = []
        self._gateway = gateway
        self._lock = threading.Lock()

    def ask_all(self) -> None:
        callers = [threading.Thread(target=self._ask_on) for _ in range(CALLERS)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
        if self.failures:
            raise self.failures[0]

    def _ask_on(self) -> None:
        connection = self._gateway.connect()
        try:
            while (number := self.account.next()) <= QUESTIONS:
                if not self._ask(connection, number):
                    connection.close()
                    connection = self._gateway.connect()
        except BaseException as error:
            self.failures.append(error)
        finally:
            connection.close()

    def _ask(self, connection: http.client.HTTPConnection, number: int) -> bool:
        """Whether the connection can be used again."""
        chance = random.Random(number)
        path, body = question(
            chance.choice(VENDORS), chance.choice([*VENDORS, "either"]), number, streams := chance.random() < 0.6
        )
        key = chance.choice(("purse", "open", "open"))
        connection.request(
            "POST",
            path,
            json.dumps(body),
            {"authorization": f"Bearer {KEYS[key]}", "content-type": "application/json"},
        )
        answer = connection.getresponse()
        with self._lock:
            self.keys[number] = key
        self.account.note(answer.headers["x-request-id"], number)
        told = b""
        try:
            while piece := answer.read1(65536):
                told += piece
                if streams and LEAVE.encode() in told:
                    answer.close()
                    return False
            answer.read()  # there is nothing more, and now it knows
        except http.client.HTTPException:
            return False  # broken off, as the vendor's
        return not answer.will_close


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_the_ledger_says_what_the_vendors_say(tmp_path: Path, request: pytest.FixtureRequest, database: str) -> None:
    address = request.getfixturevalue("postgres_url") if database == "postgresql" else "sqlite"
    book = Bookkeeper()
    with ExitStack() as stack:
        providers, models = "", ""
        for name in VENDORS:
            vendor = stack.enter_context(serving(book.vendor(name)))
            root = vendor.base_url + ("/v1" if name.startswith("openai") else "")
            providers += provider(name, name, root, "m")
            models += f"  {name}: {{targets: [{{provider: {name}, model: m}}], price: {json.dumps(RATES[name])}}}\n"
        targets = [
            {"provider": name, "model": "m", "priority": at} for at, name in enumerate(("openai-chat", "anthropic"), 1)
        ]
        models += f"  either: {json.dumps({'targets': targets, 'price': RATES['anthropic']})}\n"
        config = CONFIG.format(database=address, providers=providers, models=models, usd=PURSE, **KEYS)
        with running(tmp_path, config=config) as gateway:
            crowd = Crowd(gateway)
            crowd.ask_all()
    assert not book.stayed, "who is left is told"
    entries = entries_of(tmp_path, address)
    asked = crowd.account.answered
    assert entries.keys() == asked.keys()
    assert len(entries) == QUESTIONS
    fates: collections.Counter[str] = collections.Counter()
    told = 0
    for name, entry in entries.items():
        lines = book.lines.get(asked[name], [])
        assert entry["attempts"] == len(lines)
        counted = tuple(
            entry[f"{column}_tokens"] for column in ("input", "cached_input", "cache_write", "output", "reasoning")
        )
        fate = lines[-1].fate if lines else "refused"
        fates[fate] += 1
        rates = "anthropic" if entry["model"] == "either" else entry["model"]
        match fate:
            case "answered":
                counts = lines[-1].counts
                assert counts is not None
                assert counted == (counts.input, counts.cached, counts.written, counts.output, counts.thought), entry
                assert (entry["status"], entry["estimated"], entry["error"]) == (200, 0, None), entry
                assert entry["cost_nanos"] == cost(rates, counts), entry
                told += entry["cost_nanos"]
            case "uncounted" | "cut" | "held":
                assert entry["estimated"] == 1, entry
                assert entry["status"] == (499 if fate == "held" else 200), entry
                assert entry["client_closed"] == (fate == "held"), entry
                assert (entry["error"] is None) == (fate == "uncounted"), entry
                assert entry["output_tokens"] > 0, f"{fate} {entry}"
                assert entry["cost_nanos"] == cost(rates, Counts(*counted)), entry
            case _:
                assert entry["status"] >= 400, entry
                assert (counted, entry["cost_nanos"], entry["estimated"]) == ((None,) * 5, 0, 0), entry
                if fate == "refused":
                    assert (crowd.keys[asked[name]], entry["status"]) == ("purse", 429), entry
    # To the token and the nanodollar, in all, the sums of days included.
    finals = [lines[-1].counts for lines in book.lines.values() if lines[-1].counts is not None]
    exact = [entry for entry in entries.values() if entry["estimated"] == 0 and entry["input_tokens"] is not None]
    assert len(exact) == len(finals) == fates["answered"]
    for field, of in (("input", "input"), ("cached_input", "cached"), ("cache_write", "written"), ("output", "output")):
        assert sum(entry[f"{field}_tokens"] for entry in exact) == sum(getattr(counts, of) for counts in finals)
    sums = sums_of(tmp_path, address)
    for field in ("input_tokens", "output_tokens", "cost_nanos"):
        assert sums[field] == sum(entry[field] or 0 for entry in entries.values())
    assert (sums["requests"], sums["estimated"]) == (QUESTIONS, sum(entry["estimated"] for entry in entries.values()))
    purse = sum(entry["cost_nanos"] for entry in entries.values() if entry["key_id"] == "file:purse")
    assert 0 < purse <= round(float(PURSE) * 10**9)
    print(f"{QUESTIONS} questions, {dict(fates)}, told to cost {told} nanodollars; the purse spent {purse}")
