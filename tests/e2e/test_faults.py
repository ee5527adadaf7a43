"""Whatever a target does wrong before the first byte, nobody notices where another can answer; where none can, and after the
first byte, the caller gets an error in its own protocol. All that can go wrong × the four protocols × whole answers and streams.

Each case has a provider of its own, so that none is judged by what became of another; they run side by side.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import pytest
import trustme

from e2e.faults import BROKEN, ELSEWHERE, FAULTS, MOON, Fault, answer
from e2e.gateway import Gateway, provider, running, wait_until
from e2e.speech import PROTOCOLS, asked, check_refusal, is_error, is_whole, question, read_events, speech
from e2e.vendor import Exchange, Vendor, reply, serving
from soak import soak

pytestmark = soak

FIRST = "first words 世界"
SPARE = "spare words"
# Callers at once. The deadlines of those that must run into one are short, everybody else's long.
AT_ONCE = 12


class Case(NamedTuple):
    fault: Fault
    stage: str
    caller: str
    vendor: str
    form: str
    spare: bool

    def __str__(self) -> str:
        second = "two" if self.spare else "one"
        return f"{self.fault}-{self.stage}-{self.caller}>{self.vendor}:{self.form}-{second}".replace(" ", "_")


class Outcome(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


def _cases() -> Iterator[Case]:
    for fault in FAULTS:
        for stage in fault.stages:
            for at, caller in enumerate(PROTOCOLS):
                # As it came, and translated; what is over before a protocol is spoken, and what is large, as it came only.
                vendors = [caller, PROTOCOLS[(at + 1) % len(PROTOCOLS)]]
                if stage == "connect" or fault.heavy:
                    del vendors[1]
                forms = ["one"] if stage in ("connect", "head", "body") else []
                forms += ["events"] if stage != "body" else []
                forms += ["array"] if stage != "body" and caller == "gemini" and not fault.heavy else []
                for vendor, form, spare in itertools.product(vendors, forms, (False, True)):
                    if spare or stage != "middle":  # there a second target is what is not to be asked
                        yield Case(fault, stage, caller, vendor, form, spare)


CASES = list(_cases())
NUMBERS = {case: f"c{number}" for number, case in enumerate(CASES)}
BY_NUMBER = {number: case for case, number in NUMBERS.items()}
# What a pair is asked for last: as much as any, and in the caller's own protocol where the first is translated.
SPARE_OF = {case: case.caller if case.vendor != case.caller else case.vendor for case in CASES}


class House:
    def __init__(self, gateway: Gateway, vendor: Vendor, seen: dict[str, threading.Event]) -> None:
        self.gateway = gateway
        self.vendor = vendor
        self._seen = seen
        self._heavy = threading.Lock()
        self._pool = ThreadPoolExecutor(AT_ONCE)
        self._outcomes: dict[Case, Future[Outcome]] = {}

    def begin(self, cases: list[Case]) -> None:
        for case in cases:
            self._outcomes[case] = self._pool.submit(self._ask, case)

    def end(self) -> None:
        self._pool.shutdown(cancel_futures=True)

    def outcome(self, case: Case) -> Outcome:
        return self._outcomes[case].result()

    def _ask(self, case: Case) -> Outcome:
        with self._heavy if case.fault.heavy else contextlib.nullcontext():
            path, body = question(case.caller, NUMBERS[case], case.form)
            connection = self.gateway.connect()
            try:
                connection.request("POST", path, json.dumps(body), {"authorization": f"Bearer {self.gateway.key}"})
                answer = connection.getresponse()
                told = b""
                while piece := answer.read1(65536):
                    told += piece
                    if FIRST.split()[0].encode() in told:
                        self._seen[NUMBERS[case]].set()
                return Outcome(answer.status, {name.lower(): value for name, value in answer.getheaders()}, told)
            finally:
                connection.close()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[House]:
    seen = {number: threading.Event() for number in BY_NUMBER}

    def usual(exchange: Exchange) -> None:
        told = asked(exchange)
        if told.place == "spare":
            good(exchange, SPARE)
            return
        case = BY_NUMBER[told.place]
        assert case.fault.strike is not None
        said = speech(told.protocol, FIRST, array=told.array)
        answer(exchange, said, told.streams, case.stage, case.fault.strike, seen[told.place])

    with serving(usual) as vendor, nobody() as nowhere, answering(stranger) as unknown, answering(plain) as bare:
        bases = {
            "refuses": f"http://127.0.0.1:{nowhere}",
            "no such name": "http://vendor.invalid",
            "unknown certificate": f"https://127.0.0.1:{unknown}",
            "no TLS": f"https://127.0.0.1:{bare}",
        }
        config = ["log: {format: json, level: error}\nproviders:\n"]
        config += [provider(f"spare-{name}", name, root(vendor.base_url, "spare", name), "spare") for name in PROTOCOLS]
        models = ["models:\n"]
        for case, number in NUMBERS.items():
            base = bases.get(case.fault.name, vendor.base_url)
            more: dict[str, Any] = {"timeouts": case.fault.timeouts} if case.fault.timeouts else {}
            config.append(provider(number, case.vendor, root(base, number, case.vendor), "m", **more))
            targets = [{"provider": number, "model": "m"}]
            if case.spare:
                targets.append({"provider": f"spare-{SPARE_OF[case]}", "model": "spare", "priority": 2})  # type: ignore[dict-item]
            models.append(f"  {number}: {json.dumps({'targets': targets})}\n")
        with running(tmp_path_factory.mktemp("faults"), config="".join(config + models)) as gateway:
            found = House(gateway, vendor, seen)
            wanted = [item.callspec.params.get("case") for item in request.session.items if hasattr(item, "callspec")]
            found.begin([case for case in wanted if isinstance(case, Case)])
            yield found
            found.end()


def root(base: str, place: str, protocol: str) -> str:
    return f"{base}/{place}" + ("/v1" if protocol.startswith("openai") else "")


def good(exchange: Exchange, text: str) -> None:
    told = asked(exchange)
    said = speech(told.protocol, text, array=told.array)
    if not told.streams:
        reply(said.whole)(exchange)
        return
    reply(said.opening + said.words + said.end, content_type=said.kind)(exchange)


@contextlib.contextmanager
def nobody() -> Iterator[int]:
    """A port at which nobody listens, while it is nobody else's."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@contextlib.contextmanager
def answering(shake: Callable[[socket.socket], object]) -> Iterator[int]:
    """Somebody who does this to each connection and closes it."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                connection.settimeout(10)
                with connection, contextlib.suppress(OSError):
                    shake(connection)

        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        yield listener.getsockname()[1]
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        accepting.join(20)


def stranger(connection: socket.socket) -> None:
    """Has a certificate of somebody's that nobody knows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with context.wrap_socket(connection, server_side=True) as other:
        other.recv(1)


def plain(connection: socket.socket) -> None:
    """Speaks HTTP where TLS is spoken."""
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")


def _named(cases: list[Case]) -> Any:
    return pytest.mark.parametrize("case", cases, ids=str)


@_named([case for case in CASES if case.stage != "middle" and case.spare])
def test_nobody_notices_where_another_target_can_answer(house: House, case: Case) -> None:
    status, headers, body = house.outcome(case)
    assert status == 200, body[:500]
    assert headers["x-dragoman-target"] == f"spare-{SPARE_OF[case]}/spare"
    assert FIRST.split()[0].encode() not in body
    if case.form == "one":
        assert SPARE in json.dumps(json.loads(body))
    else:
        values = read_events(case.caller, case.form, body)
        assert is_whole(case.caller, values), values
        assert SPARE in json.dumps(values)


@_named([case for case in CASES if case.stage != "middle" and not case.spare])
def test_the_caller_is_told_where_none_can(house: House, case: Case) -> None:
    status, headers, body = house.outcome(case)
    fault = case.fault
    if fault.code is None:
        assert 500 <= status < 600, body[:500]
    else:
        assert status == fault.status, body[:500]
    assert headers["content-type"].startswith("application/json")
    message = check_refusal(case.caller, status, json.loads(body))
    if fault.code is None and "bomb" not in fault.name:
        assert MOON in message
    elif fault.code is not None and case.caller.startswith("openai"):
        assert json.loads(body)["error"]["code"] == fault.code
    assert "127.0.0.1" not in body.decode() and "vendor-secret" not in body.decode()


@_named([case for case in CASES if case.stage == "middle"])
def test_what_has_begun_ends_with_an_error_of_the_callers_protocol(house: House, case: Case) -> None:
    status, headers, body = house.outcome(case)
    assert status == 200, body[:500]
    assert headers["x-dragoman-target"] == f"{NUMBERS[case]}/m"
    values = read_events(case.caller, case.form, body)
    told = json.dumps(values, ensure_ascii=False)
    assert FIRST in told and SPARE not in told
    assert not is_whole(case.caller, values)
    error = next(value for value in values if is_error(value))
    native = case.vendor == case.caller and case.fault.name == "an error event"  # it is the vendor's own, as it came
    if not native:
        status = error["error"]["code"] if case.caller == "gemini" else 0
        check_refusal(case.caller, status, error)
    # Nothing but what belongs to the error comes behind it.
    assert all(map(is_error, values[values.index(error) :]))
    if case.fault.name == "an error event":
        assert MOON in told


def test_no_redirect_was_followed(house: House) -> None:
    assert not [seen for seen in house.vendor.seen + house.vendor.asked if seen.path.startswith(f"/{ELSEWHERE}")]


def test_nothing_was_left_open_and_nothing_of_it_was_our_failure(house: House) -> None:
    wait_until(lambda: "dragoman_requests_in_flight 0" in house.gateway.get("/metrics")[2].decode().replace(".0", ""))
    assert "Traceback" not in house.gateway.text
    assert BROKEN not in [line.get("event") for line in house.gateway.log]
    assert not [line for line in house.gateway.log if line.get("error") == "internal_error"]
