"""Proves an outcome by the wire: what the vendor was sent, what the caller got, and what the header and the log line name."""

from __future__ import annotations

from collections.abc import Mapping
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
from e2e.vendor import Answer, Seen, Vendor

DIALECTS: dict[str, Dialect] = {
    dialect.name: dialect for dialect in (Gemini(), OpenAIChat(), OpenAIResponses(), Anthropic())
}
_CANNED: dict[str, Answer] = {
    "gemini": canned.gemini,
    "openai-chat": canned.openai,
    "openai-responses": responses,
    "anthropic": anthropic,
}
_STRICT = {"x-dragoman-strict": "true"}


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

    # --- an exchange, by the outcome that is expected

    def exchange(self) -> str:
        """The outcome, which is the one that the table expects; else an AssertionError."""
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
