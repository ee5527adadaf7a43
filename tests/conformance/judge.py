"""Proves an outcome by the wire: what the vendor was sent, what the caller got, and what the header and the log line name."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from itertools import count
from threading import Event
from typing import Any, NamedTuple

from conformance.anthropic import Anthropic
from conformance.gemini import Gemini
from conformance.neutral import Asked, Dialect, NoWords, Said
from conformance.openai_chat import OpenAIChat
from conformance.openai_responses import OpenAIResponses
from conformance.outcomes import CARRIED, EMULATED, HINT, LOST, NATIVE, REFUSED
from conformance.table import MODELS, Feature
from e2e import canned
from e2e.canned_anthropic import anthropic
from e2e.canned_responses import responses
from e2e.gateway import Gateway
from e2e.strict import SKIP
from e2e.vendor import Answer, Exchange, Seen, Vendor

DIALECTS: dict[str, Dialect] = {
    dialect.name: dialect for dialect in (Gemini(), OpenAIChat(), OpenAIResponses(), Anthropic())
}
# What each protocol's envelope calls a vendor's error (what Anthropic's overload is, 529, others are told as 503).
_KINDS: dict[str, dict[int, tuple[int, str]]] = {
    "gemini": {
        400: (400, "400 INVALID_ARGUMENT"),
        429: (429, "429 RESOURCE_EXHAUSTED"),
        503: (503, "503 UNAVAILABLE"),
    },
    "anthropic": {400: (400, "invalid_request_error"), 429: (429, "rate_limit_error"), 503: (529, "overloaded_error")},
}
_OPENAIS = {400: (400, "invalid_request_error"), 429: (429, "rate_limit_error"), 503: (503, "server_error")}
_KINDS |= {"openai-chat": _OPENAIS, "openai-responses": _OPENAIS}
_CANNED: dict[str, Answer] = {
    "gemini": canned.gemini,
    "openai-chat": canned.openai,
    "openai-responses": responses,
    "anthropic": anthropic,
}
_STRICT = {"x-dragoman-strict": "true"}
_numbers = count(1)


class Got(NamedTuple):
    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def losses(self) -> list[str]:
        told = self.headers.get("x-dragoman-losses", "")
        return [path.strip() for path in told.split(",") if path.strip()]


class _Tape:
    """Takes down an answer in the place of a connection."""

    def __init__(self, seen: Seen | None = None) -> None:
        self.seen = seen
        self.status = 0
        self.content = b""

    def head(self, status: int, headers: Any) -> None:
        self.status = status

    def raw(self, data: bytes) -> None:
        self.content += data

    chunk = raw

    def end(self) -> None:
        pass


def bytes_of(answer: Answer) -> bytes:
    tape: Any = _Tape()
    answer(tape)
    content: bytes = tape.content
    return content


def check_accepted(vendor: str, seen: Seen) -> None:
    """The canned vendors refuse what the true ones would refuse."""
    tape: Any = _Tape(seen)
    _CANNED[vendor](tape)
    assert tape.status == 200, tape.content.decode()


def has_words(feature: Feature, caller: str, vendor: str, stream: bool) -> bool:
    """Whether there is anything to try: the caller can ask it, and the vendor can say it or is not to be asked at all."""
    expected = feature.expected(caller, vendor, stream)
    if expected is None or (stream and feature.kind == "count") or (not stream and feature.kind == "broken"):
        return False
    if feature.kind == "continued" and caller != "openai-responses":
        return False
    try:
        if feature.kind == "count":
            DIALECTS[caller].count(feature.wish, "m")
        DIALECTS[caller].ask(feature.wish, "m", stream)
        if expected.word != REFUSED and feature.kind not in ("error", "broken"):
            DIALECTS[vendor].say(feature.said, "m", stream)
    except NoWords:
        return False
    return True


class Case:
    """One feature between one caller and one vendor."""

    def __init__(
        self, gateway: Gateway, vendor: Vendor, feature: Feature, caller: str, target: str, stream: bool
    ) -> None:
        self.gateway = gateway
        self.vendor = vendor
        self.feature = feature
        self.caller = DIALECTS[caller]
        self.target = DIALECTS[target]
        self.stream = stream
        self.model = feature.models.get(target, MODELS[target])
        expected = feature.expected(caller, target, stream)
        assert expected is not None
        self.expected = expected

    def post(self, asked: Asked, headers: Mapping[str, str] | None = None) -> Got:
        return Got(*self.gateway.post(asked.path, asked.content, {**asked.headers, **(headers or {})}))

    def prove(self) -> str:
        """The outcome, which is the one that the table expects; else an AssertionError."""
        match self.feature.kind:
            case "error":
                return self._error()
            case "broken":
                return self._broken()
            case "count":
                return self._count()
            case "kept" | "dropped":
                return self._signature()
            case "renamed":
                return self._renamed()
            case "continued":
                return self._continued()
            case _:
                return self._exchange()

    # --- an exchange, by the outcome that is expected

    def _exchange(self) -> str:
        expected = self.expected
        asked = self.caller.ask(self.feature.wish, self.model, self.stream)
        if self.caller is self.target:
            return self._native(asked)
        if expected.word == REFUSED:
            return self._refused(asked)
        got = self._answered(asked, self.feature.said)
        self._sees()
        self._hears(got)
        match expected.word:
            case word if word == LOST:
                self._lost(asked, got)
            case word if word == HINT:
                assert got.losses == []
                assert self._named(self._logged(got), asked), self._logged(got)
            case word:
                assert word in (CARRIED, EMULATED)
                assert got.losses == []
        return expected.word

    def _answered(self, asked: Asked, said: Said, headers: Mapping[str, str] | None = None) -> Got:
        self.vendor.will(self.target.say(said, self.model, self.stream))
        got = self.post(asked, headers)
        assert got.status == 200, got.content.decode()
        return got

    def _native(self, asked: Asked) -> str:
        got = self._answered(asked, self.feature.said, _STRICT)
        assert self.vendor.last.body == asked.content
        assert got.content == bytes_of(self.target.say(self.feature.said, self.model, self.stream))
        assert got.losses == []
        return NATIVE

    def _refused(self, asked: Asked) -> str:
        got = self.post(asked)
        assert (got.status, self.vendor.seen) == (self.expected.status, []), got.content.decode()
        failure = self.caller.failure(got.content, False)
        assert failure is not None
        assert self._named([failure[1]], asked), failure
        return REFUSED

    def _lost(self, asked: Asked, got: Got) -> None:
        """Named in the header; and under `x-dragoman-strict` nothing is sent, and all that would be lost is told."""
        assert self._named(got.losses, asked), got.losses
        before = len(self.vendor.seen)
        strict = self.post(asked, _STRICT)
        assert (strict.status, len(self.vendor.seen)) == (400, before)
        failure = self.caller.failure(strict.content, False)
        assert failure is not None
        assert all(path in failure[1] for path in got.losses)

    def _sees(self) -> None:
        check_accepted(self.target.name, self.vendor.last)
        seen = self.target.see(self.vendor.last)
        wish, expected = self.feature.wish, self.expected
        for key in ("turns", "system", "tools", *self.feature.carries):
            if key in expected.sees or key not in wish:
                continue
            if key in self.feature.carries and expected.word in (LOST, HINT):
                assert seen.get(key) != wish[key], f"{key} arrived"
            elif expected.word != EMULATED or not expected.sees:
                assert seen.get(key) == wish[key], key
        for key, value in expected.sees.items():
            assert seen.get(key) == value, key

    def _hears(self, got: Got) -> None:
        heard = self.caller.heard(self.caller.hear(got.content, self.stream))
        heard["parts"] = [self._with_its_id(part) for part in heard["parts"]]
        for key, value in {
            **{key: self.feature.said[key] for key in self.feature.hears},
            **self.expected.hears,
        }.items():
            assert heard.get(key) == value, key

    def _with_its_id(self, part: tuple[Any, ...]) -> tuple[Any, ...]:
        """Ids are the gateway's to give; that they are there is what counts."""
        if part[0] != "call":
            return part
        assert part[1]
        said = next((one for one in self.feature.said["parts"] if one[0] == "call" and one[2:] == part[2:]), part)
        return ("call", said[1], *part[2:])

    def _logged(self, got: Got) -> list[str]:
        losses: list[str] = self.gateway.entry(got.headers["x-request-id"]).get("losses", [])
        return losses

    def _named(self, told: list[str], asked: Asked) -> bool:
        """Whether every field that does not go through is told by its path."""
        keys = self.feature.carries or ("turns",)
        places = [self.expected.place] if self.expected.place else [asked.places[key] for key in keys]
        return all(any(place in line for line in told) for place in places)

    # --- what goes wrong at the vendor's

    def _error(self) -> str:
        status, words = self.feature.said["status"], self.feature.said["words"]
        self.vendor.will(self.target.fail(status, words))
        got = self.post(self.caller.ask(self.feature.wish, self.model, self.stream))
        failure = self.caller.failure(got.content, False)
        assert failure is not None
        assert (got.status, failure[0]) == _KINDS[self.caller.name][status]
        assert words in failure[1]
        if status == 429:
            assert got.headers["retry-after"] == "7"
        if self.caller is not self.target:
            return CARRIED
        assert got.content == bytes_of(self.target.fail(status, words))
        return NATIVE

    def _broken(self) -> str:
        words = self.feature.said["words"]
        heard = Event()
        self.vendor.will(self.target.break_off(words, self.model, heard))
        status, content = self._hear_half(self.caller.ask(self.feature.wish, self.model, True), heard)
        assert (status, content.count("½".encode()) > 0) == (200, True), content.decode()
        failure = self.caller.failure(content, True)
        assert failure is not None
        assert (words or "") in failure[1]
        if self.caller is not self.target:
            return CARRIED
        assert content.startswith(bytes_of(self.target.break_off(words, self.model, heard)))
        return NATIVE

    def _hear_half(self, asked: Asked, heard: Event) -> tuple[int, bytes]:
        """What fails fails only when half of the answer is with the caller."""
        connection = self.gateway.connect()
        try:
            headers = {"content-type": "application/json", "authorization": f"Bearer {self.gateway.key}"}
            connection.request("POST", asked.path, asked.content, {**headers, **asked.headers})
            answer = connection.getresponse()
            content = b""
            while "½".encode() not in content and (piece := answer.read1()):
                content += piece
            heard.set()
            return answer.status, content + answer.read()
        finally:
            heard.set()
            connection.close()

    # --- the rest

    def _count(self) -> str:
        asked = self.caller.count(self.feature.wish, self.model)
        if self.expected.word == REFUSED:
            got = self.post(asked)
            assert (got.status, self.vendor.seen) == (self.expected.status, []), got.content.decode()
            assert self.caller.failure(got.content, False) is not None
            return REFUSED
        self.vendor.will(self.target.say(self.feature.said, self.model, False))
        got = self.post(asked)
        assert got.status == 200, got.content.decode()
        assert self.caller.counted(self.caller.hear(got.content, False)) == self.feature.said["input_tokens"]
        seen = self.vendor.last
        assert "Hello, 世界" in seen.body.decode()
        assert seen.path == self.target.count(self.feature.wish, self.model).path.partition("?")[0]
        if self.caller is not self.target:
            return CARRIED
        assert seen.body == asked.content
        return NATIVE

    def _renamed(self) -> str:
        """The vendor's name for a function is one that it takes; the caller gets its own back."""
        name = self.feature.wish["tools"][0]["name"]
        names: list[str] = []

        def answer(exchange: Exchange) -> None:
            names.append(self.target.see(exchange.seen)["tools"][0]["name"])
            said = {**self.feature.said, "parts": [("call", "call_9", names[-1], {"town": "Paris"})]}
            self.target.say(said, self.model, self.stream)(exchange)

        self.vendor.will(answer)
        asked = self.caller.ask(self.feature.wish, self.model, self.stream)
        got = self.post(asked)
        assert got.status == 200, got.content.decode()
        heard = self.caller.heard(self.caller.hear(got.content, self.stream))
        assert [part[2:] for part in heard["parts"]] == [(name, {"town": "Paris"})]
        assert got.losses == []
        if self.caller is self.target:
            assert self.vendor.last.body == asked.content
            return NATIVE
        assert re.fullmatch("[A-Za-z_][A-Za-z0-9_-]{0,63}", names[0])
        return EMULATED

    def _continued(self) -> str:
        """`previous_response_id` in the place of the history."""
        first = self.caller.ask(self.feature.wish, self.model, self.stream)
        first.body["store"] = True
        answer = self.caller.hear(self._answered(first, self.feature.said).content, self.stream)
        more = [("user", [("text", "And?")])]
        second = self.caller.ask({**self.feature.wish, "turns": more}, self.model, self.stream)
        second.body["previous_response_id"] = answer["id"]
        got = self._answered(second, self.feature.said)
        assert got.losses == []
        if self.caller is self.target:
            assert self.vendor.last.body == second.content
            return NATIVE
        said = [("model", self.feature.said["parts"])]
        assert self.target.see(self.vendor.last)["turns"] == [*self.feature.wish["turns"], *said, *more]
        return EMULATED

    def _signature(self) -> str:
        """The second turn holds what the vendor signed the first with, in the vendor's own place."""
        number = next(_numbers)
        signature = base64.b64encode(f"the vendor's signature {number}".encode()).decode()
        said = {**self.feature.said, "signature": signature}
        said["parts"] = [
            (*part[:1], f"call_{number}", *part[2:]) if part[0] == "call" else part for part in said["parts"]
        ]
        wish = self.feature.wish
        asked = self.caller.ask(wish, self.model, self.stream)
        answer = self.caller.hear(self._answered(asked, said).content, self.stream)
        calls = [part for part in self.caller.heard(answer)["parts"] if part[0] == "call"]
        result = [("user", [("result", call[1], call[2], "18 degrees") for call in calls])]
        turns = [*wish["turns"], ("model", calls), *result]
        second = self.caller.ask({**wish, "turns": turns}, self.model, self.stream)
        if self.feature.kind == "kept":
            key = self.caller.turns
            given = self.caller.ask({"turns": result}, self.model, self.stream).body[key]
            second.body[key] = [*self.caller.again(asked, answer), *given]
        got = self._answered(second, {"parts": [("text", "18.")], "finish": "stop"})
        if self.expected.word == LOST:
            assert self.target.see(self.vendor.last)["signatures"] == [SKIP]
            self._lost(second, got)
            return LOST
        assert got.losses == []
        if self.caller is self.target:
            assert self.vendor.last.body == second.content
            return NATIVE
        assert self.target.see(self.vendor.last)["signatures"] == [signature]
        return CARRIED
