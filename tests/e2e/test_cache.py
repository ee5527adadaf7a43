"""Answers given again: the same bytes, no call of a vendor, no money; and one call for all who ask the same at once."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e import canned
from e2e.canned_anthropic import anthropic as canned_anthropic
from e2e.canned_responses import responses as canned_responses
from e2e.gateway import ONCE, Gateway, provider, running, wait_until
from e2e.ledger import entries_of, entry_of
from e2e.sockets import Answer, Caller, calling
from e2e.vendor import Vendor, dumps, hang, openai_events, reply, serving, slow, stream

CONFIG = """
log: {{format: json, level: info}}
cache: {{memory: 1MiB}}
providers:
{providers}
models:
  openai: {{targets: [{{provider: openai, model: gpt-4o}}], price: &dollar {{input: "1", output: "1"}}, cache: &hour {{ttl: 1h}}}}
  gemini: {{targets: [{{provider: google, model: gemini-2.5-flash}}], price: *dollar, cache: *hour}}
  responses: {{targets: [{{provider: responses, model: gpt-5.4-mini}}], price: *dollar, cache: *hour}}
  anthropic: {{targets: [{{provider: anthropic, model: claude-sonnet-4-5}}], price: *dollar, cache: *hour}}
  brief: {{targets: [{{provider: openai, model: gpt-4o}}], cache: {{ttl: 300ms}}}}
  plain: {{targets: [{{provider: openai, model: gpt-4o}}]}}
  unpriced: {{targets: [{{provider: openai, model: nobody-knows-its-price}}], cache: *hour}}
  named: {{targets: [{{provider: openai, model: gpt-4o}}], aliases: [alias], cache: *hour}}
keys:
  - {{name: one, key: dgm_one_key_of_the_tests_of_the_cache}}
  - {{name: two, key: dgm_two_key_of_the_tests_of_the_cache}}
  - {{name: all, key: dgm_all_key_of_the_tests_of_the_cache, cache: {{ttl: 1h}}}}
  - name: limited
    key: dgm_limited_key_of_the_tests_of_the_cache
    limits: {{requests_per_minute: 5, tokens_per_minute: 2000}}
    budget: {{usd: "0.001", window: total}}
  - {{name: ten, key: dgm_ten_key_of_the_tests_of_the_cache, limits: {{requests_per_minute: 10}}}}
  - {{name: pair, key: dgm_pair_key_of_the_tests_of_the_cache, limits: {{concurrent_requests: 2}}}}
  - name: spender
    key: dgm_spender_key_of_the_tests_of_the_cache
    limits: {{tokens_per_minute: 2000}}
    budget: {{usd: "0.001", window: total}}
"""
SECRET = "dgm_{}_key_of_the_tests_of_the_cache"
VENDORS = ("openai", "gemini", "responses", "anthropic")
PROTOCOLS = ("openai-chat", "gemini", "gemini-array", "openai-responses", "anthropic")


class Cached:
    def __init__(self, gateway: Gateway, vendors: dict[str, Vendor]) -> None:
        self.gateway = gateway
        self.vendors = vendors

    @property
    def openai(self) -> Vendor:
        return self.vendors["openai"]

    def calls(self) -> int:
        return sum(len(vendor.seen) for vendor in self.vendors.values())

    def chat(self, said: str, key: str = "one", model: str = "openai", **more: Any) -> tuple[int, Any, bytes]:
        body = {"model": model, "messages": [{"role": "user", "content": said}], **more}
        return self.gateway.post("/v1/chat/completions", body, bearer(key))


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {SECRET.format(key)}"}


def asking(protocol: str, model: str, said: str, streams: bool) -> tuple[str, bytes]:
    """Path and body."""
    turn = [{"role": "user", "content": said}]
    body: dict[str, Any]
    match protocol:
        case "openai-chat":
            path, body = "/v1/chat/completions", {"model": model, "messages": turn, "stream": streams}
        case "openai-responses":
            path, body = "/v1/responses", {"model": model, "input": turn, "store": False, "stream": streams}
        case "anthropic":
            path, body = "/v1/messages", {"model": model, "messages": turn, "max_tokens": 99, "stream": streams}
        case _:
            verb = "streamGenerateContent" if streams else "generateContent"
            query = "?alt=sse" if streams and protocol == "gemini" else ""
            path, body = f"/v1beta/models/{model}:{verb}{query}", {"contents": [{"parts": [{"text": said}]}]}
    return path, json.dumps(body).encode()


@contextlib.contextmanager
def caching(data: Path, more: str = "") -> Iterator[Cached]:
    with (
        serving(canned.gemini) as google,
        serving(canned.openai) as openai,
        serving(canned_responses) as responses,
        serving(canned_anthropic) as anthropic,
    ):
        config = ONCE + (more + CONFIG).format(
            providers=provider("google", "gemini", google.base_url, "gemini-*")
            + provider("openai", "openai-chat", f"{openai.base_url}/v1", "gpt-*")
            + provider("responses", "openai-responses", f"{responses.base_url}/v1", "resp-only-*")
            + provider("anthropic", "anthropic", anthropic.base_url, "claude-*")
        )
        with running(data, config=config) as gateway:
            yield Cached(gateway, dict(zip(VENDORS, (openai, google, responses, anthropic), strict=True)))


@pytest.fixture(scope="module")
def _cached(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cached]:
    with caching(tmp_path_factory.mktemp("cache")) as cached:
        yield cached


@pytest.fixture
def cached(_cached: Cached) -> Cached:
    for vendor in _cached.vendors.values():
        vendor.reset()
    return _cached


CHUNK = {"id": "c", "model": "m", "choices": [{"index": 0, "delta": {"content": "hello"}, "finish_reason": None}]}
STOP = {"id": "c", "model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
BEGUN = openai_events(CHUNK, done=False)
OF_THE_EXCHANGE = {"x-request-id", "x-dragoman-cache", "x-dragoman-attempts", "age", "date"}


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_same_again_byte_for_byte(cached: Cached, protocol: str, vendor: str, streams: bool) -> None:
    path, body = asking(protocol, vendor, f"{protocol} {vendor} {streams}", streams)
    status, made, first = cached.gateway.post(path, body, bearer("one"))
    assert (status, made["x-dragoman-cache"], made["x-dragoman-attempts"]) == (200, "miss", "1")
    status, again, second = cached.gateway.post(path, body, bearer("one"))
    assert (status, again["x-dragoman-cache"], again["x-dragoman-attempts"]) == (200, "hit", "0")
    assert second == first and len(first) > 50
    assert cached.calls() == 1
    # What is told of the content is the same; the request's own is its own.
    assert again["x-request-id"] != made["x-request-id"]
    assert again["age"].isdigit() and "age" not in made
    alike = [{name: value for name, value in each.items() if name not in OF_THE_EXCHANGE} for each in (made, again)]
    assert alike[0] == alike[1]

    entry = entries_of(cached.gateway.data)[again["x-request-id"]]
    paid = entries_of(cached.gateway.data)[made["x-request-id"]]
    assert paid["input_tokens"] and paid["cost_nanos"] and paid["attempts"] == 1
    tokens = ("input_tokens", "cached_input_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")
    assert [entry[name] for name in tokens] == [0] * 5
    assert (entry["cost_nanos"], entry["attempts"], entry["estimated"], entry["status"]) == (0, 0, 0, 200)
    same = ("key_id", "protocol", "model", "provider", "target_model", "operation", "stream", "losses")
    assert [entry[name] for name in same] == [paid[name] for name in same]
    assert cached.gateway.entry(again["x-request-id"])["cache"] == "hit"
    assert cached.gateway.entry(made["x-request-id"])["cache"] == "miss"


def pieces_of(answer: bytes) -> list[bytes]:
    """A chunked answer's chunks as they stand on the wire."""
    found = answer.partition(b"\r\n\r\n")[2]
    pieces = []
    while found:
        size, _, found = found.partition(b"\r\n")
        pieces.append(found[: int(size, 16)])
        found = found[int(size, 16) + 2 :]
    assert pieces.pop() == b""
    return pieces


@pytest.mark.parametrize("protocol", ["openai-chat", "anthropic"])
def test_a_stream_is_a_stream_again_in_the_same_pieces(cached: Cached, protocol: str) -> None:
    path, body = asking(protocol, "openai", "in pieces", True)
    release = threading.Event()
    cached.openai.will(stream(*BEGUN, release, *openai_events(STOP)))
    with calling(cached.gateway) as caller:
        caller.post(path, body)
        first = caller.until(b"hello")
        release.set()
        first += caller.until(b"\r\n0\r\n\r\n")
        caller.post(path, body)
        second = caller.until(b"\r\n0\r\n\r\n")
    assert pieces_of(second) == pieces_of(first) and len(pieces_of(first)) > 1
    assert cached.calls() == 1


def test_what_differs_is_another_request(cached: Cached) -> None:
    def ask(body: bytes, key: str = "one", path: str = "/v1/messages", **headers: str) -> Any:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = cached.gateway.post(path, body, {**bearer(key), **given})
        assert answer[0] == 200
        return answer[1]["x-dragoman-cache"]

    _, body = asking("anthropic", "anthropic", "what differs", False)
    assert ask(body) == "miss"
    assert ask(body) == "hit"
    assert ask(body, key="two") == "miss"
    assert ask(body + b" ") == "miss"
    assert ask(body.replace(b"99", b"98")) == "miss"
    assert ask(body, anthropic_beta="output-128k-2025-02-19") == "miss"
    assert ask(body, anthropic_version="2023-06-01") == "miss"
    assert ask(body, x_dragoman_strict="true") == "miss"
    assert ask(body, x_dragoman_extras="output_text") == "miss"
    assert ask(body, user_agent="another") == "hit"
    # One body, by two routes of one protocol.
    _, body = asking("gemini", "gemini", "what differs", True)
    path = "/v1beta/models/gemini:"
    assert ask(body, path=f"{path}generateContent") == "miss"
    assert ask(body, path=f"{path}streamGenerateContent") == "miss"
    assert ask(body, path=f"{path}streamGenerateContent?alt=sse") == "miss"
    assert ask(body, path="/v1beta/models/anthropic:generateContent") == "miss"


def test_an_alias_is_another_name(cached: Cached) -> None:
    found = [cached.chat("alias", model=model)[1]["x-dragoman-cache"] for model in ("named", "alias", "named", "alias")]
    assert found == ["miss", "miss", "hit", "hit"]


def test_a_keys_own_setting_holds_for_every_model(cached: Cached) -> None:
    assert cached.chat("by key", "one", "plain")[1].get("x-dragoman-cache") is None
    assert cached.chat("by key", "all", "plain")[1]["x-dragoman-cache"] == "miss"
    assert cached.chat("by key", "all", "plain")[1]["x-dragoman-cache"] == "hit"
    assert len(cached.openai.seen) == 2


def test_what_is_not_switched_on_is_asked_each_time(cached: Cached) -> None:
    for _ in range(2):
        status, headers, _ = cached.chat("not cached", model="plain")
        assert status == 200 and "x-dragoman-cache" not in headers
    assert len(cached.openai.seen) == 2


def test_an_answer_grows_too_old(cached: Cached) -> None:
    assert cached.chat("brief", model="brief")[1]["x-dragoman-cache"] == "miss"
    # However slow we are here: each time that it was looked for in vain, it was made anew.
    misses = 1

    def missed() -> bool:
        nonlocal misses
        found = cached.chat("brief", model="brief")[1]["x-dragoman-cache"] == "miss"
        misses += found
        return found

    wait_until(missed)
    assert len(cached.openai.seen) == misses


@pytest.mark.parametrize("asked", ["no-cache", "no-store", "max-age=0, No-Cache"])
def test_callers_may_ask_for_an_answer_of_their_own(cached: Cached, asked: str) -> None:
    def ask(**headers: str) -> Any:
        path, body = asking("openai-chat", "openai", f"own {asked}", False)
        return cached.gateway.post(path, body, {**bearer("one"), **headers})[1].get("x-dragoman-cache")

    assert ask(**{"cache-control": asked}) is None
    assert ask(**{"cache-control": asked}) is None
    assert len(cached.openai.seen) == 2
    # What was asked with no-cache is kept for those who do not mind; with no-store it is not.
    assert ask() == ("miss" if asked == "no-store" else "hit")


@pytest.mark.parametrize("more", [{}, {"store": True}, {"store": False, "background": True}], ids=str)
def test_a_response_that_can_be_named_again_is_made_each_time(cached: Cached, more: dict[str, Any]) -> None:
    body = {"model": "responses", "input": f"kept {more}", **more}
    ids = set()
    for _ in range(2):
        status, headers, answer = cached.gateway.post("/v1/responses", body, bearer("one"))
        assert status == 200 and "x-dragoman-cache" not in headers
        ids.add(headers["x-request-id"])
        named = json.loads(answer)["id"]
    assert len(cached.vendors["responses"].seen) == len(ids) == 2
    on_it = {"model": "responses", "input": "on it", "previous_response_id": named, "store": False}
    if not more:
        for _ in range(2):
            assert "x-dragoman-cache" not in cached.gateway.post("/v1/responses", on_it, bearer("one"))[1]
        assert len(cached.vendors["responses"].seen) == 4


def test_counting_and_lists_are_not_cached(cached: Cached) -> None:
    body = {"model": "anthropic", "messages": [{"role": "user", "content": "count"}]}
    for _ in range(2):
        cached.gateway.post("/v1/messages/count_tokens", body, bearer("one"))
        status, headers, _ = cached.gateway.get("/v1/models", bearer("one"))
        assert status == 200 and "x-dragoman-cache" not in headers
    assert len(cached.vendors["anthropic"].seen) == 2


BAD = {
    "error": reply({"error": {"message": "no", "type": "server_error", "code": None, "param": None}}, 500),
    "refused": reply({"error": {"message": "no", "type": "invalid_request_error", "code": None, "param": None}}, 400),
    "cut": stream(*BEGUN, finish=False),
    "unfinished": stream(*BEGUN),
    "error event": stream(*BEGUN, b'data: {"error":{"message":"overloaded","type":"server_error"}}\n\n'),
    "disguised": reply({"error": {"message": "no", "type": "server_error"}}),
}


@pytest.mark.parametrize("protocol", ["openai-chat", "anthropic"])
@pytest.mark.parametrize("how", BAD)
def test_only_what_was_good_and_complete_is_kept(cached: Cached, how: str, protocol: str) -> None:
    path, body = asking(protocol, "openai", f"bad {how}", how in ("cut", "unfinished", "error event"))
    cached.openai.will(BAD[how])
    _, _, bad = cached.gateway.post(path, body, bearer("one"))
    assert b"error" in bad
    status, headers, good = cached.gateway.post(path, body, bearer("one"))
    assert (status, headers["x-dragoman-cache"]) == (200, "miss")
    assert b"error" not in good
    assert cached.gateway.post(path, body, bearer("one"))[1]["x-dragoman-cache"] == "hit"


# --- asked at once


class Crowd:
    """Many who ask the same, each on a connection of its own."""

    def __init__(self, cached: Cached, said: str, streams: bool, count: int, key: str | None = None) -> None:
        self.cached = cached
        path, body = asking("openai-chat", "openai", said, streams)
        self.callers = []
        for _ in range(count):
            caller = Caller(cached.gateway, key and SECRET.format(key))
            self.callers.append(caller)
            caller.post(path, body)

    def answers(self) -> list[Answer]:
        with contextlib.ExitStack() as stack:
            for caller in self.callers:
                stack.callback(caller.leave)
            return [caller.answer() for caller in self.callers]


def in_flight(gateway: Gateway, count: int) -> None:
    wait_until(
        lambda: f"dragoman_requests_in_flight {count}.0" in gateway.get("/metrics")[2].decode(), f"{count} in flight"
    )


def good(streams: bool) -> Any:
    if streams:
        return stream(*openai_events(CHUNK, STOP))
    message = {"index": 0, "message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    return reply({"id": "c", "object": "chat.completion", "model": "m", "choices": [message], "usage": usage})


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "stream"])
def test_fifty_who_ask_at_once_are_one_call(cached: Cached, streams: bool) -> None:
    release = threading.Event()
    cached.openai.will(slow(release, good(streams)))
    crowd = Crowd(cached, f"fifty {streams}", streams, 50)
    in_flight(cached.gateway, 50)
    release.set()
    answers = crowd.answers()
    assert [answer.status for answer in answers] == [200] * 50
    assert len({answer.body for answer in answers}) == 1 and b"hello" in answers[0].body
    assert sorted(answer.headers["x-dragoman-cache"] for answer in answers) == ["hit"] * 49 + ["miss"]
    assert len({answer.headers["x-request-id"] for answer in answers}) == 50
    assert len(cached.openai.seen) == 1
    entries = entries_of(cached.gateway.data)
    costs = [entries[answer.headers["x-request-id"]]["cost_nanos"] for answer in answers]
    assert sum(cost > 0 for cost in costs) == 1 and costs.count(0) == 49


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "stream"])
def test_where_the_call_fails_all_who_wait_are_told_so(cached: Cached, streams: bool) -> None:
    release = threading.Event()
    cached.openai.will(slow(release, BAD["error"]))
    crowd = Crowd(cached, f"failing {streams}", streams, 10)
    in_flight(cached.gateway, 10)
    release.set()
    answers = crowd.answers()
    assert len(cached.openai.seen) == 1
    assert len({answer.status for answer in answers}) == 1 and answers[0].status >= 500
    assert {answer.headers["x-dragoman-cache"] for answer in answers} == {"miss"}
    assert len({answer.headers["x-request-id"] for answer in answers}) == 10
    entries = entries_of(cached.gateway.data)
    assert sorted(entries[answer.headers["x-request-id"]]["attempts"] for answer in answers) == [0] * 9 + [1]
    # The next is another call.
    assert Crowd(cached, f"failing {streams}", streams, 1).answers()[0].status == 200


def test_where_the_answer_breaks_off_those_who_wait_ask_for_themselves(cached: Cached) -> None:
    release = threading.Event()
    cached.openai.will(stream(*BEGUN, release, finish=False))
    crowd = Crowd(cached, "breaking off", True, 5, "ten")
    in_flight(cached.gateway, 5)
    release.set()
    answers = crowd.answers()
    assert [b'"error"' in answer.body for answer in answers].count(True) == 1
    assert [answer.status for answer in answers] == [200] * 5
    assert len(cached.openai.seen) == 5
    # Each was one request, though it waited first.
    again = Crowd(cached, "breaking off", True, 1, "ten").answers()[0]
    assert again.headers["x-dragoman-cache"] == "hit"
    assert again.headers["x-ratelimit-remaining-requests"] == "4"


@pytest.mark.parametrize("how", ["closes", "resets"])
@pytest.mark.parametrize("streams", [False, True], ids=["whole", "stream"])
def test_one_who_leaves_does_not_end_the_call_that_others_wait_for(cached: Cached, streams: bool, how: str) -> None:
    release = threading.Event()
    cached.openai.will(slow(release, good(streams)))
    said = f"leaving {streams} {how}"
    leader = Crowd(cached, said, streams, 1).callers[0]
    cached.openai.wait_for_request()
    crowd = Crowd(cached, said, streams, 3)
    in_flight(cached.gateway, 4)
    # The one whose call it is, and one of those who wait.
    for caller in (leader, crowd.callers.pop()):
        caller.leave() if how == "closes" else caller.reset()
    in_flight(cached.gateway, 3)
    release.set()
    answers = crowd.answers()
    assert [(answer.status, answer.headers["x-dragoman-cache"]) for answer in answers] == [(200, "hit")] * 2
    assert len(cached.openai.seen) == 1
    # What it cost is on the ledger, once, under the request of the one who left.
    line = wait_until(
        lambda: [line for line in cached.gateway.log if line.get("client_closed") and line["status"] == 200]
    )
    line = line[-1]
    assert line["cache"] == "miss"
    entry = entry_of(cached.gateway.data, line["request_id"])
    assert entry["client_closed"] and entry["cost_nanos"] > 0 and entry["attempts"] == 1


def test_one_who_leaves_in_the_middle_of_a_stream_does_not_end_it_for_others(cached: Cached) -> None:
    release = threading.Event()
    cached.openai.will(stream(*BEGUN, release, *openai_events(STOP)))
    leader = Crowd(cached, "leaving amid", True, 1).callers[0]
    leader.until(b"hello")
    crowd = Crowd(cached, "leaving amid", True, 2)
    in_flight(cached.gateway, 3)
    leader.reset()
    # The gateway has seen that it left once a further one, who leaves after it, is gone.
    later = Crowd(cached, "leaving amid", True, 1).callers[0]
    in_flight(cached.gateway, 4)
    later.reset()
    in_flight(cached.gateway, 3)
    release.set()
    answers = crowd.answers()
    assert [answer.body for answer in answers] == [b"".join((*BEGUN, *openai_events(STOP)))] * 2
    assert len(cached.openai.seen) == 1


def test_where_the_call_fails_behind_one_who_left_nothing_is_billed(cached: Cached) -> None:
    release = threading.Event()
    cached.openai.will(slow(release, BAD["error"]))
    leader = Crowd(cached, "left and failed", False, 1).callers[0]
    cached.openai.wait_for_request()
    crowd = Crowd(cached, "left and failed", False, 2)
    in_flight(cached.gateway, 3)
    leader.leave()
    crowd.callers.pop().leave()
    in_flight(cached.gateway, 2)
    before = len(entries_of(cached.gateway.data))
    release.set()
    assert crowd.answers()[0].status >= 500
    in_flight(cached.gateway, 0)
    entries = list(entries_of(cached.gateway.data).values())
    assert len(entries) == before + 2
    failed = [entry for entry in entries if entry["client_closed"] and entry["status"] >= 500]
    assert [(entry["attempts"], entry["input_tokens"], entry["cost_nanos"]) for entry in failed] == [(1, None, 0)]


def test_the_call_ends_with_the_last_who_wants_its_answer(cached: Cached) -> None:
    cached.openai.will(hang())
    leader = Crowd(cached, "all leave", False, 1).callers[0]
    cached.openai.wait_for_request()
    others = Crowd(cached, "all leave", False, 2).callers
    in_flight(cached.gateway, 3)
    leader.leave()
    others[0].leave()
    in_flight(cached.gateway, 2)
    assert not cached.openai.left.is_set()
    others[1].leave()
    assert cached.openai.left.wait(1.0)
    in_flight(cached.gateway, 0)
    assert Crowd(cached, "all leave", False, 1).answers()[0].status == 200


def test_who_waits_while_the_gateway_ends_is_told_so(tmp_path: Path) -> None:
    with caching(tmp_path, "server: {{drain_timeout: 200ms}}\n") as cached:
        cached.openai.will(hang())
        crowd = Crowd(cached, "ending", False, 3)
        in_flight(cached.gateway, 3)
        assert cached.gateway.stop() == 0
        answers = crowd.answers()
        assert [answer.status for answer in answers] == [503] * 3
        assert all(b"shutting down" in answer.body for answer in answers)
        assert len(cached.openai.seen) == 1


def test_one_who_leads_alone_and_leaves_ends_the_call(cached: Cached) -> None:
    cached.openai.will(hang())
    leader = Crowd(cached, "alone", False, 1).callers[0]
    cached.openai.wait_for_request()
    leader.leave()
    assert cached.openai.left.wait(1.0)


# --- what is counted


def test_a_hit_is_a_request_and_takes_neither_tokens_nor_money(cached: Cached) -> None:
    left = []
    for _ in range(5):
        status, headers, body = cached.chat("limits", "limited", max_tokens=100)
        assert status == 200, body
        left.append([int(headers[f"x-ratelimit-remaining-{what}"]) for what in ("requests", "tokens")])
    assert [requests for requests, _ in left] == [4, 3, 2, 1, 0]
    # The first took what it could come to, and gave back what it had not used.
    used = json.loads(body)["usage"]["total_tokens"]
    assert [tokens for _, tokens in left[1:]] == [2000 - used] * 4
    status, headers, _ = cached.chat("limits", "limited", max_tokens=100)
    assert status == 429 and "x-dragoman-cache" not in headers
    assert len(cached.openai.seen) == 1


def test_a_hit_is_answered_where_tokens_and_money_are_spent(cached: Cached) -> None:
    usage = {"prompt_tokens": 2_500, "completion_tokens": 500, "total_tokens": 3_000}
    choice = {"index": 0, "message": {"role": "assistant", "content": "dear"}, "finish_reason": "stop"}
    cached.openai.will(
        reply({"id": "c", "object": "chat.completion", "model": "m", "choices": [choice], "usage": usage})
    )
    assert cached.chat("spent", "spender")[1]["x-dragoman-cache"] == "miss"
    status, _, refused = cached.chat("another", "spender")
    assert status == 429, refused
    status, headers, _ = cached.chat("spent", "spender")
    assert (status, headers["x-dragoman-cache"]) == (200, "hit")
    assert headers["x-ratelimit-remaining-tokens"] == "0"


def test_a_hit_costs_nothing_where_the_price_is_not_known(cached: Cached) -> None:
    ids = [cached.chat("unpriced", model="unpriced")[1]["x-request-id"] for _ in range(2)]
    entries = entries_of(cached.gateway.data)
    assert [entries[id]["cost_nanos"] for id in ids] == [None, 0]


def test_who_waits_is_under_way(cached: Cached) -> None:
    release = threading.Event()
    cached.openai.will(slow(release, good(False)))
    path, body = asking("openai-chat", "openai", "under way", False)
    with contextlib.ExitStack() as stack:
        callers = [stack.enter_context(calling(cached.gateway, SECRET.format("pair"))) for _ in range(2)]
        for caller in callers:
            caller.post(path, body)
        cached.openai.wait_for_request()
        in_flight(cached.gateway, 2)
        assert cached.gateway.post(path, body, bearer("pair"))[0] == 429
        release.set()
        assert [caller.answer().status for caller in callers] == [200, 200]
    assert cached.gateway.post(path, body, bearer("pair"))[0] == 200


def test_what_was_kept_is_not_used_once_the_model_leads_elsewhere(tmp_path: Path) -> None:
    with caching(tmp_path) as cached:

        def reload(old: str, new: str) -> None:
            text = cached.gateway.config.read_text()
            assert old in text
            cached.gateway.config.write_text(text.replace(old, new))
            status, _, answer = cached.gateway.post("/admin/v1/config/reload", b"")
            assert status == 200, answer

        assert cached.chat("reload", model="alias")[1]["x-dragoman-cache"] == "miss"
        reload("level: info", "level: warning")
        assert cached.chat("reload", model="alias")[1]["x-dragoman-cache"] == "hit"
        reload("gpt-4o}], aliases", "gpt-4o-mini}], aliases")
        assert cached.chat("reload", model="alias")[1]["x-dragoman-cache"] == "miss"
        assert [seen.json["model"] for seen in cached.openai.seen] == ["gpt-4o", "gpt-4o-mini"]


def figures(gateway: Gateway) -> dict[str, float]:
    lines = gateway.get("/metrics")[2].decode().splitlines()
    return {line.split()[0]: float(line.split()[1]) for line in lines if line.startswith("dragoman_cache_")}


def test_hits_misses_and_room_are_told(tmp_path: Path) -> None:
    long = {"index": 0, "message": {"role": "assistant", "content": "x" * 100_000}, "finish_reason": "stop"}
    with caching(tmp_path) as cached:
        for _ in range(3):
            cached.chat("figures")
        wait_until(lambda: figures(cached.gateway).get('dragoman_cache_requests_total{result="hit"}') == 2)
        found = figures(cached.gateway)
        assert found['dragoman_cache_requests_total{result="miss"}'] == 1
        assert (found["dragoman_cache_entries"], found["dragoman_cache_evictions_total"]) == (1, 0)
        assert 300 < found["dragoman_cache_bytes"] < 10_000
        # Ten of a hundred kilobytes fit into a megabyte; those that were asked for longest ago make room.
        cached.openai.will(*[reply({"id": "c", "object": "chat.completion", "model": "m", "choices": [long]})] * 20)
        for number in range(20):
            cached.chat(f"long {number}")
        wait_until(lambda: figures(cached.gateway)["dragoman_cache_evictions_total"] == 11)
        found = figures(cached.gateway)
        assert found["dragoman_cache_entries"] == 10
        assert 1_000_000 < found["dragoman_cache_bytes"] <= 1 << 20
        assert cached.chat("long 19")[1]["x-dragoman-cache"] == "hit"
        assert cached.chat("long 9")[1]["x-dragoman-cache"] == "miss"


def test_an_answer_larger_than_its_share_is_passed_on_and_not_kept(cached: Cached) -> None:
    huge = dumps({"error": None, "choices": [{"index": 0, "message": {"role": "assistant", "content": "x" * 200_000}}]})
    cached.openai.will(*[reply(huge)] * 2)
    for _ in range(2):
        status, headers, body = cached.chat("huge")
        assert (status, headers["x-dragoman-cache"]) == (200, "miss") and len(body) > 200_000
