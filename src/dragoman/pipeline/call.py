"""All that is known of one request while it walks through the pipeline; settled into one log line at the end."""

from __future__ import annotations

from time import perf_counter, time
from typing import TYPE_CHECKING

from dragoman.ir import Loss, Losses, Request, Usage
from dragoman.observe.ids import request_id
from dragoman.pipeline.estimate import Heard
from dragoman.pipeline.header_text import header_text
from dragoman.protocols.base import Headers, Peek, Route, WireProtocol

if TYPE_CHECKING:
    from dragoman.carry import Inward, Signatures
    from dragoman.catalog.directory import Resolved
    from dragoman.limits import Grant, Standing
    from dragoman.pipeline.key import Key
    from dragoman.pipeline.snapshot import Snapshot
    from dragoman.pipeline.state import State
    from dragoman.pipeline.step import Step

_ONE_ATTEMPT = (b"x-dragoman-attempts", b"1")
# What became of a request that may be answered from what is kept.
HIT, MISS = "hit", "miss"


class Call:
    """Filled in by one step after the other. Times are of `perf_counter`, in seconds."""

    __slots__ = (
        "answer",
        "attempts",
        "body",
        "cache",
        "carries",
        "client_closed",
        "credential",
        "error",
        "first_byte",
        "full",
        "grant",
        "heard",
        "id",
        "inward",
        "key",
        "losses",
        "model",
        "passed",
        "peek",
        "protocol",
        "recorded",
        "request",
        "resolved",
        "route",
        "signatures",
        "snapshot",
        "standing",
        "started",
        "state",
        "status",
        "step",
        "stream",
        "strict",
        "upstream",
        "usage",
        "when",
    )

    def __init__(self, snapshot: Snapshot) -> None:
        self.id = request_id()
        self.when = time()
        self.started = perf_counter()
        self.snapshot = snapshot
        self.protocol: WireProtocol | None = None
        self.route: Route | None = None
        self.key: Key | None = None
        self.body = b""
        self.peek: Peek | None = None
        self.request: Request | None = None
        self.state: State | None = None
        self.cache: str | None = None
        self.carries = False
        self.signatures: Signatures | None = None
        self.inward: Inward | None = None
        self.resolved: Resolved | None = None
        self.model = ""
        self.passed: Headers = []
        self.step: Step | None = None
        self.attempts = 0
        self.full: list[Step] = []  # passed over, for their providers have no place free
        self.credential = 0  # which of the provider's, of the attempt that runs
        self.losses: list[Loss] = []
        self.strict = False
        self.stream = False
        self.usage: Usage | None = None
        self.status = 0
        self.error: str | None = None
        self.first_byte: float | None = None
        self.upstream = 0.0
        self.client_closed = False
        self.answer = b""  # the vendor's own, where it came whole
        self.heard = Heard()
        self.recorded = False
        # What it was granted of what limits it, and what is left.
        self.grant: Grant | None = None
        self.standing: Standing | None = None

    def client_left(self) -> None:
        self.client_closed = True
        self.status = 499
        self.error = "client_closed"

    def keep(self, losses: Losses) -> None:
        self.losses.extend(losses.found)

    def keep_once(self, losses: Losses) -> None:
        """A stream may lose the same thing with each event."""
        self.losses.extend(dict.fromkeys(losses.found))

    def headers(self) -> Headers:
        """What every answer carries, whatever the protocol."""
        found: Headers = [(b"x-request-id", self.id.encode())]
        if self.step is not None:
            found.append(self.step.header)
            found.append(_ONE_ATTEMPT if self.attempts == 1 else (b"x-dragoman-attempts", b"%d" % self.attempts))
        if self.cache is not None:
            found.append((b"x-dragoman-cache", self.cache.encode()))
        if self.losses:
            paths = dict.fromkeys(loss.path for loss in self.losses if not loss.harmless)
            if paths:
                found.append((b"x-dragoman-losses", header_text(_joined(list(paths)))))
        if self.standing is not None and self.protocol is not None:
            found += self.protocol.write_standing(self.standing, self.when)
        return found


def _joined(paths: list[str], limit: int = 4096) -> str:
    # Proxies refuse headers past some kilobytes; the ledger and the log hold the whole list.
    text = ",".join(paths)
    while len(text) > limit and len(paths) > 1:
        paths = paths[: len(paths) * limit // len(text)] or paths[:1]
        text = ",".join([*paths, "…"])
    return text[: limit + 1]
