"""Why a credential or a target is not to be used for a while, and what its vendor said."""

from __future__ import annotations

from enum import Enum

from dragoman.ir import DragomanError, UpstreamCredentials, UpstreamRefused

_RETRY_INFO = "type.googleapis.com/google.rpc.RetryInfo"


class Reason(Enum):
    ASKED = "asked to wait"
    """The vendor said for how long: that is kept, whoever else can answer."""
    GUESSED = "backing off"
    """It did not say: better to ask elsewhere, if there is anybody."""
    REFUSED = "refused"
    """The credential is no good: now and then one request tries."""


class Use(Enum):
    """Whether something may be used now."""

    YES = 0
    LAST_RESORT = 1
    NO = 2


class Hold:
    """`until` in seconds of the clock that is given; `error` is what the vendor said last; `told` whether the
    operator has heard of it."""

    __slots__ = ("_error", "_trying", "reason", "times", "told", "until")

    def __init__(self, reason: Reason, until: float, error: DragomanError, times: int = 1) -> None:
        self.reason = reason
        self.until = until
        self.times = times
        self.told = False
        self._error = _said(error, error.retry_after)
        self._trying: float | None = None

    def use(self, now: float, patience: float) -> Use:
        """`patience` is how long a request that tries a refused credential is waited for."""
        if self.reason is Reason.REFUSED:
            if self._trying is not None and now - self._trying < patience:
                return Use.NO
            return Use.YES if now >= self.until else Use.LAST_RESORT
        if now >= self.until:
            return Use.YES
        return Use.NO if self.reason is Reason.ASKED else Use.LAST_RESORT

    def begin(self, now: float) -> None:
        self._trying = now

    def released(self) -> None:
        self._trying = None

    def error(self, now: float) -> DragomanError:
        """What the vendor said, as it holds now: a new one, for a raised error belongs to one request."""
        return _said(self._error, max(0.0, self.until - now))


def _said(error: DragomanError, wait: float | None) -> DragomanError:
    """The same without what belongs to one request: where it was raised, which would keep its body; and the wait of then."""
    if isinstance(error, UpstreamCredentials):
        return UpstreamCredentials(error.message, vendor_status=error.vendor_status)
    if not isinstance(error, UpstreamRefused):
        return type(error)(error.message, code=error.code, retry_after=wait)
    details = [one for one in error.details if one.get("@type") != _RETRY_INFO]
    return UpstreamRefused(
        error.message, native=error.native, code=error.code, status=error.status, retry_after=wait, details=details
    )
