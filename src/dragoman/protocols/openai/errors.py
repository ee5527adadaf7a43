"""Refusals: ours in OpenAI's shape, `{"error": {message, type, param, code}}`, and a vendor's in whatever shape it came."""

import math
import re
from email.utils import parsedate_to_datetime
from typing import Any

from dragoman.ir import DragomanError, MethodNotAllowed, NotFound, UpstreamRefused
from dragoman.protocols.base import Headers, Route
from dragoman.protocols.openai.words import status_of
from dragoman.wire import json

Json = dict[str, Any]
_TYPES = {
    402: "insufficient_quota",
    403: "permission_error",
    408: "timeout",
    409: "conflict",
    429: "rate_limit_error",
    501: "invalid_request_error",
}
_CODES = {
    401: "invalid_api_key",
    402: "insufficient_quota",
    429: "rate_limit_exceeded",
    501: "unsupported",
    502: "upstream_error",
    503: "service_unavailable",
    504: "timeout",
    529: "overloaded",
}
# OpenAI's own type words: kept where the vendor is of its family.
_KNOWN_TYPES = frozenset(
    {
        "invalid_request_error", "authentication_error", "permission_error", "rate_limit_error", "insufficient_quota",
        "requests", "tokens", "server_error", "image_generation_user_error", "billing_error",
    }
)  # fmt: skip
# What looks like a credential: OpenAI's refusal of a key repeats part of it.
_SECRET = re.compile(r"\b(?:sk-|AIza|ya29\.|Bearer\s+)[\w.*-]{6,}|([?&]key=)[^&\s\"']+")
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhd])")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_LONGEST_MESSAGE = 2000


def write_error(error: DragomanError, route: Route | None) -> tuple[int, Headers, bytes]:
    status = 503 if error.status == 529 else error.status
    body = error_object(error)
    if body["code"] is None and isinstance(error, NotFound) and route is not None:
        body["code"] = "model_not_found"
    headers: Headers = [(b"content-type", b"application/json")]
    if error.retry_after is not None:
        headers.append((b"retry-after", str(max(0, math.ceil(error.retry_after))).encode()))
        headers.append((b"retry-after-ms", str(max(0, math.ceil(error.retry_after * 1000))).encode()))
    if body["code"] == "insufficient_quota":
        headers.append((b"x-should-retry", b"false"))  # the SDK would try a spent quota again
    if isinstance(error, MethodNotAllowed):
        headers.append((b"allow", ", ".join(error.allow).encode()))
    return status, headers, json.encode({"error": body})


def error_object(error: DragomanError) -> Json:
    """What stands under `error`; `code` is a string or null, never a number."""
    native = getattr(error, "native", None)
    code = error.code
    if isinstance(error, UpstreamRefused) and code == UpstreamRefused.code:
        code = _CODES.get(error.status)
    if code is None and error.status not in (502, 503, 504):
        code = _CODES.get(error.status)
    if code == "insufficient_quota":
        kind = "insufficient_quota"
    elif native in _KNOWN_TYPES:
        kind = native
    else:
        kind = _TYPES.get(error.status) or ("server_error" if error.status >= 500 else "invalid_request_error")
    return {"message": error.message, "type": kind, "param": error.param, "code": code}


def read_error(status: int, headers: Headers, body: bytes) -> UpstreamRefused:
    """Never raises: HTML and garbage become a message too."""
    try:
        value = json.decode(body)
    except json.NotJson:
        return UpstreamRefused(_of_text(status, body), status=status, retry_after=retry_after(status, headers))
    return refusal_of(value, status, retry_after(status, headers))


def refusal_of(value: Any, status: int, wait: float | None = None) -> UpstreamRefused:
    """An error object in one of the shapes vendors use. `status` is the HTTP status, or 200 for an error inside an answer that
    was granted: then its own number or words tell it, and 502 holds where they don't."""
    if type(value) is list and value:
        value = value[0]
    if type(value) is not dict:
        return UpstreamRefused(
            f"The upstream answered {status}: {_shorten(str(value))}",
            status=502 if status == 200 else status,
            retry_after=wait,
        )
    error = value.get("error")
    holder: Json = error if type(error) is dict else value
    message = error if type(error) is str else None
    for name in ("message", "detail", "error_msg", "msg"):
        if message is None and holder.get(name):
            found = holder[name]
            message = found if type(found) is str else json.encode_text(found)
    code = holder.get("code")
    words = [word for name in ("type", "status") if type(word := holder.get(name)) is str and word]
    native = words[0] if words else None
    number = _status_number(code)
    answered = "inside its answer" if status == 200 else f"with {status}"
    if status == 200:
        if number is None:
            bare = error if type(error) is str else None
            number = status_of((code if type(code) is str else None, *words, bare)) or 502
        if number in (401, 402, 403):  # a key that was good enough for a 200 is not the caller's to mend
            number, code, native = 502, None, None
        status = number
    elif status == 502 and number is not None:  # a gateway's 502 around the vendor's own error
        status = number
    param = holder.get("param")
    details = holder.get("details")
    if native == "insufficient_quota":
        code = "insufficient_quota"
    return UpstreamRefused(
        _shorten(message) if message else f"The upstream refused {answered}, without saying why.",
        native=native,
        code=code if type(code) is str and code and not code.isdecimal() else None,
        param=param if type(param) is str and param else None,
        status=status,
        retry_after=wait,
        details=[item for item in details if type(item) is dict] if type(details) is list else None,
    )


def _status_number(code: Any) -> int | None:
    """The status that some servers write as the code, a number or its digits."""
    if type(code) is str and len(code) == 3 and code.isascii() and code.isdecimal():
        code = int(code)
    return code if type(code) is int and 400 <= code <= 599 else None


def retry_after(status: int, headers: Headers) -> float | None:
    """Seconds to wait, from `retry-after-ms`, `retry-after` (seconds, or a date beside the answer's own `date`), or, on a 429,
    the reset of whichever of OpenAI's limits is spent."""
    found = {name.lower(): value.decode("latin-1").strip() for name, value in headers}
    try:
        if (given := found.get(b"retry-after-ms")) is not None:
            return _bounded(float(given) / 1000)
        if (given := found.get(b"retry-after")) is not None:
            if given.replace(".", "", 1).isdigit():
                return _bounded(float(given))
            until, now = parsedate_to_datetime(given), parsedate_to_datetime(found.get(b"date", ""))
            return _bounded((until - now).total_seconds())
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    if status != 429:
        return None
    waits = [
        _duration(found.get(b"x-ratelimit-reset-" + kind, ""))
        for kind in (b"requests", b"tokens")
        if found.get(b"x-ratelimit-remaining-" + kind) == "0"
    ]
    return max(waits, default=None)


def _bounded(seconds: float) -> float | None:
    return max(0.0, seconds) if seconds < 10**7 else None


def _duration(text: str) -> float:
    """`6m0s`, `20ms` in seconds."""
    return sum(float(number) * _SECONDS[unit] for number, unit in _DURATION.findall(text))


def _of_text(status: int, body: bytes) -> str:
    text = body[:20000].decode("utf-8", "replace").strip()
    if title := _TITLE.search(text):
        return f"The upstream answered {status} with a web page: {_shorten(title[1])}"
    if text.startswith("<"):
        return f"The upstream answered {status} with a web page."
    return (
        f"The upstream answered {status}: {_shorten(text)}" if text else f"The upstream answered {status} with nothing."
    )


def _shorten(text: str) -> str:
    text = _SECRET.sub(lambda found: f"{found[1] or ''}[redacted]", text.strip())
    return text if len(text) <= _LONGEST_MESSAGE else text[:_LONGEST_MESSAGE] + "…"
