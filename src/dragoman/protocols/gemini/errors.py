"""Google's error envelope, `{"error": {code, message, status, details}}` (google.rpc.Status over HTTP), both ways."""

import math
import re
from typing import Any

from dragoman.ir import BadRequest, DragomanError, MethodNotAllowed, Unauthenticated, UpstreamRefused
from dragoman.protocols.base import Headers, Route
from dragoman.wire.json import NotJson, decode, encode

_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    402: "FAILED_PRECONDITION",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "INVALID_ARGUMENT",
    408: "DEADLINE_EXCEEDED",
    409: "ABORTED",
    411: "INVALID_ARGUMENT",
    413: "INVALID_ARGUMENT",
    415: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
# What Google's names stand for where no number says it (google.rpc.Code's HTTP mapping).
_NUMBER = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
    "NOT_FOUND": 404,
    "ABORTED": 409,
    "ALREADY_EXISTS": 409,
    "RESOURCE_EXHAUSTED": 429,
    "CANCELLED": 499,
    "INTERNAL": 500,
    "UNKNOWN": 500,
    "DATA_LOSS": 500,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}
# Other protocols' statuses that Google does not use.
_INSTEAD = {422: 400, 529: 503}
_CANONICAL = frozenset(_STATUS.values()) | {
    "FAILED_PRECONDITION",
    "OUT_OF_RANGE",
    "ALREADY_EXISTS",
    "DATA_LOSS",
    "UNKNOWN",
}
_RPC = "type.googleapis.com/google.rpc."
_KEY = re.compile(r"AIza[0-9A-Za-z_-]{20,}|AQ\.[0-9A-Za-z_-]{20,}")
_TOO_LONG = re.compile(r"token count.*exceeds the maximum number of tokens", re.IGNORECASE)
_TAGS = re.compile(r"<(script|style)\b.*?</\1>|<[^>]*>", re.DOTALL | re.IGNORECASE)


def error_object(error: DragomanError) -> dict[str, Any]:
    """What stands under `error`, in a body or inside a stream."""
    code = _INSTEAD.get(error.status, error.status)
    status = _STATUS.get(code) or ("INVALID_ARGUMENT" if code < 500 else "INTERNAL")
    native = error.native if isinstance(error, UpstreamRefused) else None
    if native in _CANONICAL:
        status = native
    elif error.code == "unimplemented":
        status = "UNIMPLEMENTED"
    told: dict[str, Any] = {"code": code, "message": error.message, "status": status}
    details = [item for item in error.details if isinstance(item, dict) and "@type" in item]
    types = {item["@type"] for item in details}
    if isinstance(error, BadRequest) and error.param and _RPC + "BadRequest" not in types:
        violation = {"field": error.param, "description": error.message}
        details.append({"@type": _RPC + "BadRequest", "fieldViolations": [violation]})
    if isinstance(error, Unauthenticated) and _RPC + "ErrorInfo" not in types:
        details.append({"@type": _RPC + "ErrorInfo", "reason": "API_KEY_INVALID", "domain": "googleapis.com"})
    if error.retry_after is not None and _RPC + "RetryInfo" not in types:
        details.append({"@type": _RPC + "RetryInfo", "retryDelay": f"{_whole_seconds(error.retry_after)}s"})
    if details:
        told["details"] = details
    return told


def write_error(error: DragomanError, route: Route | None) -> tuple[int, Headers, bytes]:
    """Status, headers and body; on a JSON-array stream the body is a list of one, as Google's is."""
    told = error_object(error)
    headers: Headers = [(b"content-type", b"application/json; charset=UTF-8")]
    if error.retry_after is not None:
        headers.append((b"retry-after", b"%d" % _whole_seconds(error.retry_after)))
    if isinstance(error, MethodNotAllowed):
        headers.append((b"allow", ", ".join(error.allow).encode()))
    body: Any = {"error": told}
    return told["code"], headers, encode([body] if route is not None and route.array else body)


def read_error(status: int, headers: Headers, body: bytes) -> UpstreamRefused:
    """A vendor's refusal, whatever its body is; the one-element list of array streams is unwrapped."""
    try:
        value: Any = decode(body)
    except NotJson:
        value = None
    refused = error_in(value, status) or UpstreamRefused(
        _words_of(body) or f"The upstream answered {status} without saying why.", status=status
    )
    if refused.retry_after is None:
        refused.retry_after = _retry_after(headers)
    return refused


def error_in(value: Any, status: int | None = None) -> UpstreamRefused | None:
    """The error in a decoded body or event; None where there is none. `status` is the HTTP status, None inside a 200."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, dict):
        return None
    told = value.get("error")
    if isinstance(told, str) and told.strip():
        return UpstreamRefused(_clean(told), status=status or 502)
    if not isinstance(told, dict):
        message = value.get("message")
        if status is None or not isinstance(message, str) or not message.strip():
            return None
        return UpstreamRefused(_clean(message), status=status)
    code = told.get("code")
    native = told.get("status")
    native = native if isinstance(native, str) else None
    if status is None:
        if type(code) is int and 400 <= code <= 599:
            status = code
        else:
            status = _NUMBER.get((native or "").upper(), 502)
        if status in (401, 402, 403):
            # A key that was good enough for a 200 is not the caller's to mend.
            status, native = 502, None
    message = told.get("message")
    message = (
        _clean(message) if isinstance(message, str) and message.strip() else f"The upstream refused with {status}."
    )
    details = _read_details(told.get("details"))
    word = {404: "model_not_found", 429: "rate_limit_exceeded"}.get(status)
    if status == 400 and any(item.get("reason") == "API_KEY_INVALID" for item in details):
        # Google answers a bad key with 400; to tell a credential's failure from a caller's mistake it is a 401 here.
        status, native = 401, "UNAUTHENTICATED"
    elif status == 400 and _TOO_LONG.search(message):
        word = "context_length_exceeded"
    return UpstreamRefused(
        message, native=native, status=status, code=word, details=details, retry_after=_retry_delay(details)
    )


def _read_details(details: Any) -> list[dict[str, Any]]:
    found = [item for item in details if isinstance(item, dict)] if isinstance(details, list) else []
    plain = encode(found).decode()
    return decode(_KEY.sub("…", plain).encode()) if _KEY.search(plain) else found


def _retry_delay(details: list[dict[str, Any]]) -> float | None:
    for item in details:
        delay = item.get("retryDelay")
        if isinstance(delay, str) and delay.endswith("s"):
            return _seconds(delay[:-1])
    return None


def _retry_after(headers: Headers) -> float | None:
    for name, value in headers:
        if name.lower() == b"retry-after":
            return _seconds(value.decode("latin-1"))
    return None


def _seconds(text: str) -> float | None:
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if 0 <= seconds < 1e9 else None


def _whole_seconds(seconds: float) -> int:
    return max(0, math.ceil(seconds))


def _clean(message: str) -> str:
    """The vendor's message without its keys."""
    return _KEY.sub("…", message)


def _words_of(body: bytes) -> str:
    """The words of an HTML page or of plain text, on one line."""
    return _clean(" ".join(_TAGS.sub(" ", body[:20_000].decode("utf-8", "replace")).split())[:500])
