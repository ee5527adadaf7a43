"""What takes more than an exchange to prove: errors, streams that fail, second turns, names and calls that are put in."""

from __future__ import annotations

import base64
import json
import re
from itertools import count
from threading import Event

from conformance.judge import Case, bytes_of
from conformance.neutral import Asked
from conformance.outcomes import CARRIED, EMULATED, LOST, NATIVE, REFUSED
from e2e.strict import SKIP
from e2e.vendor import Exchange

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
_numbers = count(1)


class Trial(Case):
    """A case of any kind."""

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
            case "stood-in":
                return self._stood_in()
            case _:
                return self.exchange()

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

    def _stood_in(self) -> str:
        """A call that the model is forced to make stands in for the schema, and its arguments are the answer's text."""

        def answer(exchange: Exchange) -> None:
            forced = self.target.see(exchange.seen)
            kind, name = forced["choice"]
            assert (kind, forced["tools"][0]["parameters"]) == ("one", self.feature.wish["schema"])
            said = {"parts": [("call", "call_9", name, {"town": "Oslo"})], "finish": "calls"}
            self.target.say(said, self.model, self.stream)(exchange)

        self.vendor.will(answer)
        got = self.post(self.caller.ask(self.feature.wish, self.model, self.stream))
        assert got.status == 200, got.content.decode()
        heard = self.caller.heard(self.caller.hear(got.content, self.stream))
        assert [(part[0], json.loads(part[1])) for part in heard["parts"]] == [("text", {"town": "Oslo"})]
        assert (heard["finish"], got.losses) == ("stop", [])
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
