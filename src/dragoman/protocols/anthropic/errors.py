"""Refusals: `{"type": "error", "error": {"type", "message"}, "request_id"}`, ours in Anthropic's words and a vendor's in whatever
shape it came (platform.claude.com/docs/en/api/errors)."""

import math
import re
from email.utils import parsedate_to_datetime
from typing import Any

from dragoman.ir import DragomanError, MethodNotAllowed, UpstreamRefused
from dragoman.protocols.base import Headers, Route
from dragoman.wire import json

Json = dict[str, Any]
_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
# Statuses that Anthropic does not use, and what it says instead.
_INSTEAD = {422: 400, 501: 400, 503: 529}
# Statuses by type, where no HTTP status says it: inside a stream, or inside a 200.
_STATUSES = {
    "invalid_request_error": 400,
    "not_found_error": 404,
    "conflict_error": 409,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
_CODES = {404: "model_not_found", 429: "rate_limit_exceeded", 529: "overloaded"}
_SECRET = re.compile(r"\bsk-ant-[\w-]{6,}|\bBearer\s+[\w.-]{6,}")
_TOO_LONG = re.compile(r"prompt is too long|exceed context limit", re.IGNORECASE)
_TAGS = re.compile(r"<(script|style)\b.*?</\1>|<[^>]*>", re.DOTALL | re.IGNORECASE)
_LONGEST_MESSAGE = 2000


def write_error(error: DragomanError, route: Route | None) -> tuple[int, Headers, bytes]:
    status = _INSTEAD.get(error.status, error.status)
    headers: Headers = [(b"content-type", b"application/json")]
    if error.request_id is not None:
        headers.append((b"request-id", error.request_id.encode()))
    if error.retry_after is not None:
        headers.append((b"retry-after", b"%d" % max(0, math.ceil(error.retry_after))))
        headers.append((b"retry-after-ms", b"%d" % max(0, math.ceil(error.retry_after * 1000))))
    if error.code == "insufficient_quota":
        headers.append((b"x-should-retry", b"false"))  # the SDK would try a spent quota again
    if isinstance(error, MethodNotAllowed):
        headers.append((b"allow", ", ".join(error.allow).encode()))
    return status, headers, json.encode(_envelope(error, status))


def event_of(error: DragomanError) -> bytes:
    """A failure inside a stream."""
    return b"event: error\ndata: " + json.encode(_envelope(error, _INSTEAD.get(error.status, error.status))) + b"\n\n"


def _envelope(error: DragomanError, status: int) -> Json:
    kind = _TYPES.get(status) or ("invalid_request_error" if status < 500 else "api_error")
    message = error.message
    if error.param and error.param not in message:
        message = f"{error.param}: {message}"  # there is no member for it
    told: Json = {"type": "error", "error": {"type": kind, "message": message}}
    for details in error.details:
        # How Anthropic names a cause that its SDKs act on; other vendors' details have none.
        if "error_code" in details:
            told["error"]["details"] = details
    if error.request_id is not None:
        told["request_id"] = error.request_id
    return told


def read_error(status: int, headers: Headers, body: bytes) -> UpstreamRefused:
    """Never raises: HTML and garbage become a message too."""
    wait = _retry_after(headers)
    try:
        value = json.decode(body)
    except json.NotJson:
        words = " ".join(_TAGS.sub(" ", body[:20_000].decode("utf-8", "replace")).split())
        told = f"The upstream answered {status}: {_clean(words)[:500]}" if words else None
        return UpstreamRefused(told or f"The upstream answered {status} with nothing.", status=status, retry_after=wait)
    return refusal_of(value, status, wait)


def refusal_of(value: Any, status: int, wait: float | None = None) -> UpstreamRefused:
    """An error envelope. `status` is the HTTP status, or 200 for an error inside an answer that was granted: then its type tells
    it, and 502 holds where that does not."""
    error = value.get("error") if type(value) is dict else value
    holder: Json = error if type(error) is dict else value if type(value) is dict else {}
    kind = holder.get("type")
    native = kind if type(kind) is str and kind != "error" else None
    if status == 200:
        # A key that was good enough for a 200 is not the caller's to mend: types for that are not in the table.
        status = _STATUSES.get(native or "", 502)
        if status == 502:
            native = None
    message = error if type(error) is str else holder.get("message")
    if type(message) is not str or not message.strip():
        message = f"The upstream refused with {status}, without saying why."
    code = _CODES.get(status)
    if status in (400, 413) and _TOO_LONG.search(message):
        code = "context_length_exceeded"
    return UpstreamRefused(_clean(message), native=native, code=code, status=status, retry_after=wait)


def _retry_after(headers: Headers) -> float | None:
    """Seconds to wait, from `retry-after-ms` or `retry-after` (seconds, or a date beside the answer's own `date`)."""
    found = {name.lower(): value.decode("latin-1").strip() for name, value in headers}
    try:
        if (given := found.get(b"retry-after-ms")) is not None:
            return _bounded(float(given) / 1000)
        given = found.get(b"retry-after", "")
        if given.replace(".", "", 1).isdigit():
            return _bounded(float(given))
        until, now = parsedate_to_datetime(given), parsedate_to_datetime(found.get(b"date", ""))
        return _bounded((until - now).total_seconds())
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _bounded(seconds: float) -> float | None:
    return max(0.0, seconds) if seconds < 10**7 else None


def _clean(message: str) -> str:
    """The vendor's message without its keys."""
    message = _SECRET.sub("[redacted]", message.strip())
    return message if len(message) <= _LONGEST_MESSAGE else message[:_LONGEST_MESSAGE] + "…"
