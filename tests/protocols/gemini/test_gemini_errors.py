"""Our refusals in Google's envelope."""

import json

import pytest

from dragoman.ir import (
    BadRequest,
    DragomanError,
    Forbidden,
    MethodNotAllowed,
    NotFound,
    Overloaded,
    RequestTimeout,
    TooLarge,
    TooManyRequests,
    Unauthenticated,
    UnsupportedMediaType,
    UpstreamBroken,
    UpstreamCredentials,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from dragoman.protocols.base import Route
from dragoman.protocols.gemini import PROTOCOL


@pytest.mark.parametrize(
    ("error", "code", "status"),
    [
        (BadRequest("x"), 400, "INVALID_ARGUMENT"),
        (Unauthenticated("x"), 401, "UNAUTHENTICATED"),
        (Forbidden("x"), 403, "PERMISSION_DENIED"),
        (NotFound("x"), 404, "NOT_FOUND"),
        (MethodNotAllowed("x", allow=("POST",)), 405, "INVALID_ARGUMENT"),
        (RequestTimeout("x"), 408, "DEADLINE_EXCEEDED"),
        (TooLarge("x"), 413, "INVALID_ARGUMENT"),
        (UnsupportedMediaType("x"), 415, "INVALID_ARGUMENT"),
        (TooManyRequests("x"), 429, "RESOURCE_EXHAUSTED"),
        (Overloaded("x"), 503, "UNAVAILABLE"),
        (UpstreamCredentials("x"), 502, "UNAVAILABLE"),
        (UpstreamUnreachable("x"), 502, "UNAVAILABLE"),
        (UpstreamBroken("x"), 502, "UNAVAILABLE"),
        (UpstreamTimeout("x"), 504, "DEADLINE_EXCEEDED"),
        (UpstreamRefused("x", status=422), 400, "INVALID_ARGUMENT"),
        (UpstreamRefused("x", status=529, native="overloaded_error"), 503, "UNAVAILABLE"),
        (UpstreamRefused("x", status=418), 418, "INVALID_ARGUMENT"),
        (DragomanError("x", status=501), 501, "UNIMPLEMENTED"),
        (DragomanError("x"), 500, "INTERNAL"),
    ],
)
def test_statuses(error: DragomanError, code: int, status: str) -> None:
    sent, headers, body = PROTOCOL.write_error(error, None)
    told = json.loads(body)["error"]
    assert (sent, told["code"], told["status"], told["message"]) == (code, code, status, "x")
    assert dict(headers)[b"content-type"].startswith(b"application/json")


def test_details_and_headers() -> None:
    _, headers, body = PROTOCOL.write_error(TooManyRequests("slow down", retry_after=3.2), None)
    assert dict(headers)[b"retry-after"] == b"4"
    assert json.loads(body)["error"]["details"] == [
        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "4s"}
    ]
    _, headers, _ = PROTOCOL.write_error(MethodNotAllowed("x", allow=("GET", "POST")), None)
    assert dict(headers)[b"allow"] == b"GET, POST"
    _, _, body = PROTOCOL.write_error(BadRequest("bad", param="contents[0].parts"), None)
    assert json.loads(body)["error"]["details"][0]["fieldViolations"][0]["field"] == "contents[0].parts"


def test_other_vendors_details_stay_away() -> None:
    _, _, body = PROTOCOL.write_error(UpstreamRefused("x", status=400, details=[{"type": "foreign"}]), None)
    assert "details" not in json.loads(body)["error"]


def test_an_array_stream_is_refused_with_a_list() -> None:
    _, _, body = PROTOCOL.write_error(NotFound("x"), Route("generate", "m", True, True))
    assert json.loads(body)[0]["error"]["code"] == 404
