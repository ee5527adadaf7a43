"""The error tree. Each error knows the HTTP status to answer with; each protocol knows how to spell it.

DragomanError
├── CallerError                 the caller can mend it
│   ├── BadRequest        400   malformed, or cannot be carried; `param` is the path of the bad field
│   ├── Unauthenticated   401
│   ├── Forbidden         403
│   ├── NotFound          404
│   ├── MethodNotAllowed  405
│   ├── RequestTimeout    408   the body did not arrive in time
│   ├── TooLarge          413
│   ├── UnsupportedMediaType 415
│   └── TooManyRequests   429
├── Overloaded            503   we are full; try again after `retry_after`
└── UpstreamError               the vendor's side
    ├── UpstreamRefused   as the vendor answered (its message kept)
    ├── UpstreamCredentials 502 the vendor refused our key: the operator's business, never the caller's
    ├── UpstreamUnreachable 502 no connection
    ├── UpstreamBroken    502   cut, garbage, or an answer that says nothing
    └── UpstreamTimeout   504
"""

from typing import Any


class DragomanError(Exception):
    """`message` says what is wrong and what to do; `code` is a stable lower-case word or None; `param` a field path or None;
    `retry_after` seconds or None; `details` vendor-specific extra objects (Google's `error.details`), shown only to that
    protocol's callers."""

    status: int = 500
    code: str | None = None
    # The id of the refused request, for the protocols whose errors tell it in their body.
    request_id: str | None = None

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        retry_after: float | None = None,
        status: int | None = None,
        details: list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.retry_after = retry_after
        self.details = details or []
        if code is not None:
            self.code = code
        if status is not None:
            self.status = status


class CallerError(DragomanError):
    status = 400


class BadRequest(CallerError):
    status = 400


class Unauthenticated(CallerError):
    status = 401
    code = "invalid_api_key"


class Forbidden(CallerError):
    status = 403


class NotFound(CallerError):
    status = 404


class MethodNotAllowed(CallerError):
    """`allow` lists the methods that would do."""

    status = 405
    code = "method_not_allowed"

    def __init__(self, message: str, *, allow: tuple[str, ...]) -> None:
        super().__init__(message)
        self.allow = allow


class RequestTimeout(CallerError):
    status = 408
    code = "request_timeout"


class TooLarge(CallerError):
    status = 413
    code = "request_too_large"


class UnsupportedMediaType(CallerError):
    status = 415
    code = "unsupported_media_type"


class TooManyRequests(CallerError):
    status = 429
    code = "rate_limit_exceeded"


class Overloaded(DragomanError):
    status = 503
    code = "service_unavailable"


class UpstreamError(DragomanError):
    status = 502
    code = "upstream_error"


class UpstreamRefused(UpstreamError):
    """The vendor answered with an error. `status` is the one it gave; `native` its own type word, if any.

    `raw` is the vendor's own JSON body, kept where the caller speaks the vendor's protocol and can have it as it came.
    """

    def __init__(self, message: str, *, native: str | None = None, **rest: Any) -> None:
        super().__init__(message, **rest)
        self.native = native
        self.raw: bytes | None = None


class UpstreamCredentials(UpstreamError):
    """`vendor_status` is what the vendor answered: 401, 402 or 403."""

    status = 502
    code = "upstream_credentials_exhausted"

    def __init__(self, message: str, *, vendor_status: int = 401) -> None:
        super().__init__(message)
        self.vendor_status = vendor_status


class UpstreamUnreachable(UpstreamError):
    status = 502
    code = "upstream_unreachable"


class UpstreamBroken(UpstreamError):
    status = 502
    code = "upstream_broken"


class UpstreamTimeout(UpstreamError):
    status = 504
    code = "upstream_timeout"
