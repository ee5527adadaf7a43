"""The numbers by which health is judged. What an operator can set is in `failover:`; the rest need not be."""

from __future__ import annotations

from msgspec import Struct


class Policy(Struct, frozen=True):
    """Times in seconds."""

    # Whether what went wrong is remembered for later requests at all.
    remember: bool = True

    # A breaker opens at so many failures within the window, if they are this share of all outcomes: one in three failing at
    # random is no reason to do without a target, for another attempt is likely to succeed.
    window: float = 10.0
    failures: int = 5
    share: float = 0.6
    # ... or at so many in a row, however much succeeded before them: a busy target that dies must not fail for a whole window.
    in_a_row: int = 10
    # So long it is then left alone, before a probe.
    cool_down: float = 5.0
    # So many probes must succeed, one after the other.
    probes: int = 2
    # A probe goes only where nine requests have gone past the target since the last one, or this time has.
    passed_over: int = 9
    longest_pause: float = 20.0

    # How many calls beyond one of each target a request may make, and until when they may begin.
    retries: int = 10
    retry_within: float = 10.0
    # The ceilings of full-jitter backoff double from the first to the last.
    first_backoff: float = 0.1
    last_backoff: float = 1.0
    # Retries may be this share of what succeeds; beside it, so many at once and one every so often.
    retry_share: float = 0.2
    retry_floor: float = 10.0
    retry_every: float = 2.0

    # A vendor that asks to wait for no longer is waited for, where nobody else can answer.
    longest_wait: float = 2.0
    # Longer than this nobody's word holds.
    longest_rest: float = 3600.0
    # A 429 that does not say how long: doubled each time.
    first_rest: float = 1.0
    last_rest: float = 30.0
    # A refused credential is tried again with one request each so often.
    refused_rest: float = 60.0
    # A 403 for a credential that has worked for this model is the request's own affair, until it is the n-th in a row.
    forbidden_in_a_row: int = 3
