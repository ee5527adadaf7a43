"""Errors that a vendor tells inside a stream or inside a 200: their words and numbers become the status the caller sees."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dragoman.ir import Failed, UpstreamRefused
from dragoman.protocols.base import Peek, Route, Stamp
from dragoman.protocols.known import PROTOCOLS

STAMP = Stamp("id", 1, "m")
CHAT = PROTOCOLS["openai-chat"]
GEMINI = PROTOCOLS["gemini"]
GEMINI_ROUTE = Route("generate", "m", True)

# What the vendor says; the status, Google's name for it, and OpenAI's type and code.
OPENAIS = [
    ({"type": "server_error", "code": "overloaded"}, 503, "UNAVAILABLE", "server_error", "overloaded"),
    ({"type": "overloaded_error", "code": None}, 503, "UNAVAILABLE", "server_error", "service_unavailable"),
    ({"type": "tokens", "code": "rate_limit_exceeded"}, 429, "RESOURCE_EXHAUSTED", "tokens", "rate_limit_exceeded"),
    ({"type": "rate_limit_error"}, 429, "RESOURCE_EXHAUSTED", "rate_limit_error", "rate_limit_exceeded"),
    ({"type": "insufficient_quota"}, 429, "RESOURCE_EXHAUSTED", "insufficient_quota", "insufficient_quota"),
    ({"type": "server_error", "code": "server_error"}, 500, "INTERNAL", "server_error", "server_error"),
    ({"type": "invalid_request_error", "code": "context_length_exceeded"}, 400, "INVALID_ARGUMENT",
     "invalid_request_error", "context_length_exceeded"),
    ({"type": "invalid_request_error", "code": "model_not_found"}, 404, "NOT_FOUND", "invalid_request_error",
     "model_not_found"),
    ({"type": "ServerOverloaded"}, 503, "UNAVAILABLE", "server_error", "service_unavailable"),
    ({"status": "RESOURCE_EXHAUSTED"}, 429, "RESOURCE_EXHAUSTED", "rate_limit_error", "rate_limit_exceeded"),
    ({"code": "503"}, 503, "UNAVAILABLE", "server_error", "service_unavailable"),
    ({"code": 429, "type": "api_error"}, 429, "RESOURCE_EXHAUSTED", "rate_limit_error", "rate_limit_exceeded"),
    ({"type": "timeout"}, 504, "DEADLINE_EXCEEDED", "server_error", "timeout"),
    ({"type": "something_new"}, 502, "UNAVAILABLE", "server_error", "upstream_error"),
    # The gateway's own key was good enough for a 200; the caller's certainly was.
    ({"code": 401, "type": "authentication_error"}, 502, "UNAVAILABLE", "server_error", "upstream_error"),
]  # fmt: skip
GOOGLES = [
    ({"code": 503, "status": "UNAVAILABLE"}, 503, "UNAVAILABLE", "server_error", "service_unavailable"),
    ({"status": "RESOURCE_EXHAUSTED"}, 429, "RESOURCE_EXHAUSTED", "rate_limit_error", "rate_limit_exceeded"),
    ({"status": "INTERNAL"}, 500, "INTERNAL", "server_error", None),
    ({"status": "deadline_exceeded"}, 504, "DEADLINE_EXCEEDED", "server_error", "timeout"),
    ({"status": "FAILED_PRECONDITION"}, 400, "FAILED_PRECONDITION", "invalid_request_error", None),
    ({"code": 403, "status": "PERMISSION_DENIED"}, 502, "UNAVAILABLE", "server_error", "upstream_error"),
    ({"status": "SOMETHING_NEW"}, 502, "UNAVAILABLE", "server_error", "upstream_error"),
]
CASES = [(CHAT, *case) for case in OPENAIS] + [(GEMINI, *case) for case in GOOGLES]
NAMED = pytest.mark.parametrize(("vendor", "error", "status", "google", "kind", "code"), CASES)


def refusals(vendor: Any, error: dict[str, Any]) -> list[UpstreamRefused]:
    """The error as each of the vendor's readers sees it."""
    body = json.dumps({"error": {"message": "No", **error}}).encode()
    (failed,) = vendor.stream_reader().feed(b"data: " + body + b"\n\n")
    assert isinstance(failed, Failed) and isinstance(failed.error, UpstreamRefused)
    tap = vendor.tap(Peek("m", True), GEMINI_ROUTE)
    tap.feed(b"data: " + body + b"\n\n")
    with pytest.raises(UpstreamRefused) as caught:
        vendor.read_response(body)
    return [failed.error, tap.failed, caught.value]


@NAMED
def test_words_become_statuses(vendor: Any, error: Any, status: int, google: str, kind: str, code: str | None) -> None:
    for refused in refusals(vendor, error):
        assert refused.status == status
        answered, _, body = GEMINI.write_error(refused, GEMINI_ROUTE)
        assert answered == status
        assert json.loads(body)["error"] == {"code": status, "message": "No", "status": google}
        answered, _, body = CHAT.write_error(refused, Route("generate"))
        assert answered == status
        assert json.loads(body)["error"] == {"message": "No", "type": kind, "param": None, "code": code}


@NAMED
def test_streams_tell_them(vendor: Any, error: Any, status: int, google: str, kind: str, code: str | None) -> None:
    refused = refusals(vendor, error)[0]
    asked = GEMINI.read_request(b'{"contents":[{"parts":[{"text":"x"}]}]}', GEMINI_ROUTE)
    told = json.loads(GEMINI.stream_writer(asked, STAMP, GEMINI_ROUTE).write([Failed(refused)])[6:])
    assert (told["error"]["code"], told["error"]["status"]) == (status, google)
    asked = CHAT.read_request(b'{"model":"m","messages":[{"role":"user","content":"x"}]}', Route("generate"))
    told = json.loads(CHAT.stream_writer(asked, STAMP, Route("generate")).write([Failed(refused)])[6:])
    assert (told["error"]["type"], told["error"]["code"]) == (kind, code)


def test_an_http_status_holds() -> None:
    """Words decide only where no status does."""
    body = b'{"error":{"message":"No","type":"server_error","code":"overloaded"}}'
    assert CHAT.read_error(500, [], body).status == 500
    assert GEMINI.read_error(500, [], b'{"error":{"message":"No","status":"UNAVAILABLE"}}').status == 500


def test_a_bare_word() -> None:
    (failed,) = CHAT.stream_reader().feed(b'data: {"error":"overloaded"}\n\n')
    assert isinstance(failed, Failed) and failed.error.status == 503
