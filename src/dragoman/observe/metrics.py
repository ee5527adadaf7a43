"""Counting on the hot path: plain integers in this process, written to a directory about once a second, summed when asked.

What is shown under which name is in `names`, how it is spelled for Prometheus in `exposition`, how processes share in `spool`.
"""

import os
import sys
import threading
import time
from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import dragoman
from dragoman.ir import Usage
from dragoman.observe import names, spool
from dragoman.observe.exposition import CONTENT_TYPE, expose
from dragoman.observe.labels import (
    MAX_SERIES,
    AttemptKey,
    RequestKey,
    attempt_key,
    field_path,
    label,
    loss_key,
    request_key,
)
from dragoman.observe.series import MODALITIES, AttemptSeries, RequestSeries, State
from dragoman.observe.spool import compact

__all__ = ["CONTENT_TYPE", "Tally", "compact", "render"]

_DURATION = names.SERVER_DURATION.buckets
_FIRST_TOKEN = names.SERVER_FIRST_TOKEN.buckets
_OVERHEAD = names.OVERHEAD.buckets
_CALL = names.CLIENT_DURATION.buckets
_FIRST_CHUNK = names.CLIENT_FIRST_CHUNK.buckets

_PLACE = {modality: place for place, modality in enumerate(MODALITIES)}
_WIDTH = len(MODALITIES)

LAG_WINDOW = 15.0


class Tally:
    """The counts of one process. Only the event loop counts; `flush` and `render` may run in a thread. Times in seconds."""

    def __init__(self) -> None:
        self._state = State()
        self._requests = self._state.requests
        self._attempts = self._state.attempts
        self._gauges = self._state.gauges
        self._changed = True
        self._refused = False
        self._in_flight = 0
        self._places: set[tuple[str, str]] = set()
        self._lag = self._lag_before = 0.0
        self._lag_since = time.monotonic()
        self._writing = threading.Lock()
        self.file_name = spool.file_name(os.getpid(), time.time_ns())
        python = ".".join(map(str, sys.version_info[:3]))
        self._gauges[names.BUILD_INFO.name, dragoman.__version__, python] = 1.0
        self._gauges[(names.LOOP_LAG.name,)] = 0.0
        self._gauges[(names.IN_FLIGHT.name,)] = 0

    def request(
        self,
        *,
        protocol: str,
        operation: str,
        model: str,
        provider: str,
        status: int,
        duration: float,
        first_byte: float | None = None,
        upstream: float = 0.0,
        usage: Usage | None = None,
        stream: bool = False,
    ) -> None:
        """A caller's request ended. `model` is a configured name or `""`; `provider` the one that answered last, or `""`;
        `first_byte` counts from the request's start; `upstream` is the time spent waiting for providers."""
        key = (protocol, operation, model, provider, status, stream)
        series = self._requests.get(key)
        if series is None:
            series = self._new_request(key)
        series.duration[bisect_left(_DURATION, duration)] += 1
        series.duration_sum += duration
        overhead = duration - upstream
        if overhead < 0.0:
            overhead = 0.0
        series.overhead[bisect_left(_OVERHEAD, overhead)] += 1
        series.overhead_sum += overhead
        if stream and first_byte is not None and status < 400:
            series.first[bisect_left(_FIRST_TOKEN, first_byte)] += 1
            series.first_sum += first_byte
        if usage is not None:
            tokens = series.tokens
            if usage.input_by_modality or usage.tool_input_by_modality:
                _add(tokens, 0, usage.input, usage.input_by_modality + usage.tool_input_by_modality)
            else:
                tokens[0] += usage.input
            if usage.output_by_modality:
                _add(tokens, _WIDTH, usage.output, usage.output_by_modality)
            else:
                tokens[_WIDTH] += usage.output
            if usage.cached_input:
                _add(tokens, 2 * _WIDTH, usage.cached_input, usage.cached_by_modality)
            tokens[3 * _WIDTH] += usage.cache_write
            tokens[4 * _WIDTH] += usage.reasoning
        self._changed = True

    def attempt(
        self,
        provider: str,
        model: str,
        operation: str,
        outcome: str,
        duration: float,
        first_byte: float | None = None,
    ) -> None:
        """One call to a provider ended; `model` is the name sent to it; `outcome` is `ok`, or a word for what went wrong."""
        key = (provider, model, operation, outcome)
        series = self._attempts.get(key)
        if series is None:
            series = self._new_attempt(key)
        series.duration[bisect_left(_CALL, duration)] += 1
        series.duration_sum += duration
        if first_byte is not None:
            series.first[bisect_left(_FIRST_CHUNK, first_byte)] += 1
            series.first_sum += first_byte
        self._changed = True

    def loss(self, from_: str, to: str, field: str) -> None:
        """The translation between these protocols could not carry `field`, a path in the caller's body."""
        losses = self._state.losses
        key = loss_key(losses, (from_, to, field_path(field)))
        losses[key] = losses.get(key, 0) + 1
        self._changed = True

    def up(self) -> None:
        """A request came in."""
        self._in_flight += 1
        self._changed = True

    def down(self) -> None:
        """A request that came in has ended."""
        self._in_flight -= 1
        self._changed = True

    @property
    def in_flight(self) -> int:
        return self._in_flight

    def reload(self, *, success: bool, timestamp: float | None = None) -> None:
        """The configuration was read: `timestamp` is when (Unix), None for now. A failure leaves the last success's time."""
        self._gauges[(names.RELOAD_SUCCESS.name,)] = float(success)
        if success:
            self._gauges[(names.RELOAD_TIMESTAMP.name,)] = time.time() if timestamp is None else timestamp
        self._changed = True

    def local_model(self, model: str, state: str) -> None:
        """The built-in model is in `state` from now on."""
        name = names.LOCAL_MODEL_STATE.name
        for key in self._gauges:
            if key[:2] == (name, model):
                self._gauges[key] = 0.0
        self._gauges[name, model, state] = 1.0
        self._changed = True

    def loop_lag(self, seconds: float) -> None:
        """A timer ran this late. Shown is the worst of the last LAG_WINDOW to twice that, so that no scrape misses a peak."""
        now = time.monotonic()
        if now - self._lag_since >= LAG_WINDOW:
            self._lag_before, self._lag, self._lag_since = self._lag, 0.0, now
        self._lag = max(self._lag, seconds)
        self._set((names.LOOP_LAG.name,), max(self._lag, self._lag_before))

    def lines_dropped(self, total: int) -> None:
        """So many log lines were dropped since the start of this process."""
        if total != self._state.lines_dropped:
            self._state.lines_dropped = total
            self._changed = True

    def store_failures(self, total: int) -> None:
        """So much could not be written into the database, or read from it, since the start of this process."""
        if total != self._state.store_failures:
            self._state.store_failures = total
            self._changed = True

    def limited(self, limit: str) -> None:
        """A request was refused by this kind of limit: requests, tokens, concurrent, budget, full."""
        self._state.limited[limit] = self._state.limited.get(limit, 0) + 1
        self._changed = True

    def shed(self) -> None:
        """A request was refused before it was read."""
        self._state.shed += 1
        self._changed = True

    def turned_away(self, provider: str, reason: str) -> None:
        """No place at the provider came free for a request: full, share, timeout."""
        away = self._state.turned_away
        away[provider, reason] = away.get((provider, reason), 0) + 1
        self._changed = True

    def places(self, figures: Iterable[tuple[str, int, int]]) -> None:
        """Of each provider with a bound: how many places are in use, and how many requests wait for one."""
        told = {}
        for provider, in_use, waiting in figures:
            told[names.PLACES_IN_USE.name, provider] = in_use
            told[names.PLACES_WAITING.name, provider] = waiting
        # A provider that has no bound any more has no gauges.
        for gauge in self._places - told.keys():
            del self._gauges[gauge]
            self._changed = True
        self._places = set(told)
        for known, count in told.items():
            self._set(known, count)

    def cache(self, *, hits: int, misses: int, evictions: int, entries: int, bytes: int) -> None:
        """The first three since the start of this process; what there is now."""
        state = self._state
        if (hits, misses, evictions) != (state.cache_hits, state.cache_misses, state.cache_evictions):
            state.cache_hits, state.cache_misses, state.cache_evictions = hits, misses, evictions
            self._changed = True
        self._set((names.CACHE_ENTRIES.name,), entries)
        self._set((names.CACHE_BYTES.name,), bytes)

    def target_known(self, provider: str, model: str, *, healthy: bool) -> None:
        """A target is asked for the first time, or for the first time since a reload."""
        if (key := self._target_key(provider, model)) is not None:
            self._set(key, float(healthy))

    def target(self, provider: str, model: str, to: str) -> None:
        """A target's breaker has changed: `to` is open or closed."""
        key = self._target_key(provider, model)
        target = label(model) if key is not None else names.OTHER
        if key is not None:
            self._set(key, float(to == "closed"))
        changes = self._state.target_changes
        change = (label(provider), target, to)
        changes[change] = changes.get(change, 0) + 1
        self._changed = True

    def credential(self, provider: str, credential: str, *, accepted: bool) -> None:
        """A provider's credential, named by its place in the configuration, is refused or accepted again."""
        self._set((names.CREDENTIAL_ACCEPTED.name, label(provider), credential), float(accepted))

    def keep_providers(self, credentials: Mapping[str, Collection[str]]) -> None:
        """The configuration was read again, and has these providers with these credentials, of which none is refused yet."""
        for gauge in list(self._gauges):
            if gauge[0] == names.CREDENTIAL_ACCEPTED.name:
                if gauge[2] not in credentials.get(gauge[1], ()):
                    del self._gauges[gauge]
                else:
                    self._gauges[gauge] = 1.0
            elif gauge[0] == names.TARGET_HEALTHY.name and gauge[1] not in credentials:
                del self._gauges[gauge]
        self._changed = True

    def _target_key(self, provider: str, model: str) -> tuple[str, ...] | None:
        """None where there are too many already: callers may name models that a provider has not."""
        key = (names.TARGET_HEALTHY.name, label(provider), label(model))
        return key if key in self._gauges or len(self._gauges) < MAX_SERIES else None

    def sharing(self, *, up: bool, machines: int) -> None:
        """Whether limits are counted together with other machines, and how many those are, this one included."""
        self._set((names.SHARED_UP.name,), float(up))
        self._set((names.SHARED_MACHINES.name,), float(machines))

    def ledger(self, *, queue: int, failures: int, lost: int) -> None:
        """How many entries wait for the database; and since the start of this process, how often it took none, and for how many
        there was no place."""
        self._set((names.LEDGER_QUEUE.name,), queue)
        state = self._state
        if (failures, lost) != (state.ledger_failures, state.ledger_lost):
            state.ledger_failures, state.ledger_lost = failures, lost
            self._changed = True

    def flush(self, directory: str | Path) -> bool:
        """Write the counts for the other processes to read, if they changed; False where the disk refused."""
        if self._changed:
            self.write(Path(directory))
        return not self._refused

    def write(self, directory: Path) -> bytes:
        """Write the counts and give them back as written: what this process shows is never ahead of what others show for it."""
        # A scrape may run in a thread beside the loop's own flush; the later counts must be the ones that stay.
        with self._writing:
            self._gauges[(names.IN_FLIGHT.name,)] = self._in_flight
            self._changed = False
            data = spool.encode(self._state)
            try:
                spool.write(directory, self.file_name, data)
                self._refused = False
            except OSError:
                self._changed = self._refused = True
            return data

    def _set(self, gauge: tuple[str, ...], value: float) -> None:
        if self._gauges.get(gauge) != value:
            self._gauges[gauge] = value
            self._changed = True

    def _new_request(self, key: RequestKey) -> RequestSeries:
        return self._requests.setdefault(request_key(self._requests, key), RequestSeries())

    def _new_attempt(self, key: AttemptKey) -> AttemptSeries:
        return self._attempts.setdefault(attempt_key(self._attempts, key), AttemptSeries())


def _add(tokens: list[int], row: int, total: int, details: tuple[tuple[str, int], ...]) -> None:
    """Spread `total` over modalities as far as the vendor told them apart; where its details exceed the total, that holds."""
    rest = total
    for _, count in details:
        rest -= count
    if rest >= 0:
        for modality, count in details:
            tokens[row + _PLACE.get(modality, 0)] += count
        tokens[row] += rest
    else:
        tokens[row] += total


def render(directory: str | Path, own: Tally, alive: Collection[int] | None = None) -> bytes:
    """The sum over all processes of this server as Prometheus text (see CONTENT_TYPE). `alive` are the ids of the processes that
    run now, whose gauges count; None asks the kernel. May be called in a thread, and with many series should be."""
    directory = Path(directory)
    data = own.write(directory)
    total = spool.read(directory, alive, but=own.file_name)
    total.add(spool.decode(data), gauges=True)
    return expose(total)
