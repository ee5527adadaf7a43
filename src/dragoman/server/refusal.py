"""The answer to what never became a request: an error that a client can read all the same, and a line in the log."""

from __future__ import annotations

import structlog

from dragoman.ir import CallerError
from dragoman.observe.ids import request_id
from dragoman.protocols.known import PROTOCOLS
from dragoman.server.exchange import head_of

_log = structlog.get_logger(__name__)


def refusal(error: CallerError, url: bytes, remote: str | None) -> bytes:
    """The whole answer, the last on its connection. `url` is as much of the request's target as came."""
    found = error.request_id = request_id()
    status, headers, body = PROTOCOLS[_spoken_at(url)].write_error(error, None)
    _log.warning(
        "a request was refused before it was understood",
        request_id=found,
        status=status,
        error=error.code,
        remote=remote,
    )
    headers = [
        *headers,
        (b"x-request-id", found.encode()),
        (b"content-length", b"%d" % len(body)),
        (b"connection", b"close"),
    ]
    return head_of(status, b"", headers) + body


def _spoken_at(url: bytes) -> str:
    """The protocol of whoever asks there, as far as the path alone tells."""
    if url.startswith(b"/v1/messages"):
        return "anthropic"
    if url.startswith((b"/v1beta/", b"/v1alpha/")) and not url.startswith(b"/v1beta/openai/"):
        return "gemini"
    return "openai-chat"
