"""What one process has counted, as plain values that can be written, read and added up."""

from msgspec import Struct, field

from dragoman.observe import names
from dragoman.observe.labels import AttemptKey, LossKey, RequestKey, attempt_key, loss_key, request_key

MODALITIES = ("unknown", "text", "image", "audio", "video", "document")
TOKEN_KINDS = (
    names.INPUT_TOKENS,
    names.OUTPUT_TOKENS,
    names.CACHE_READ_TOKENS,
    names.CACHE_WRITE_TOKENS,
    names.REASONING_TOKENS,
)


def _row(metric: names.Metric) -> list[int]:
    return [0] * (len(metric.buckets) + 1)


class RequestSeries(Struct):
    """Requests of one kind. Buckets are counts of their own, not yet cumulative; the last is +Inf.

    `tokens` holds a row of MODALITIES for each of TOKEN_KINDS, end to end.
    """

    duration: list[int] = field(default_factory=lambda: _row(names.SERVER_DURATION))
    duration_sum: float = 0.0
    overhead: list[int] = field(default_factory=lambda: _row(names.OVERHEAD))
    overhead_sum: float = 0.0
    first: list[int] = field(default_factory=lambda: _row(names.SERVER_FIRST_TOKEN))
    first_sum: float = 0.0
    tokens: list[int] = field(default_factory=lambda: [0] * (len(TOKEN_KINDS) * len(MODALITIES)))

    def add(self, other: "RequestSeries") -> None:
        add_row(self.duration, other.duration)
        add_row(self.overhead, other.overhead)
        add_row(self.first, other.first)
        add_row(self.tokens, other.tokens)
        self.duration_sum += other.duration_sum
        self.overhead_sum += other.overhead_sum
        self.first_sum += other.first_sum


class AttemptSeries(Struct):
    """Attempts of one kind."""

    duration: list[int] = field(default_factory=lambda: _row(names.CLIENT_DURATION))
    duration_sum: float = 0.0
    first: list[int] = field(default_factory=lambda: _row(names.CLIENT_FIRST_CHUNK))
    first_sum: float = 0.0

    def add(self, other: "AttemptSeries") -> None:
        add_row(self.duration, other.duration)
        add_row(self.first, other.first)
        self.duration_sum += other.duration_sum
        self.first_sum += other.first_sum


class State(Struct):
    """All that one process has counted. `gauges` are keyed by (metric name, label value, …) and mean nothing once it is dead.

    `absorbed` names the files whose counts are already in here (only in the file of the dead).
    """

    requests: dict[RequestKey, RequestSeries] = {}
    attempts: dict[AttemptKey, AttemptSeries] = {}
    losses: dict[LossKey, int] = {}
    gauges: dict[tuple[str, ...], float] = {}
    lines_dropped: int = 0
    store_failures: int = 0
    ledger_failures: int = 0
    ledger_lost: int = 0
    limited: dict[str, int] = {}
    turned_away: dict[tuple[str, str], int] = {}
    shed: int = 0
    target_changes: dict[tuple[str, str, str], int] = {}
    absorbed: list[str] = []
    cache_hits: int = 0
    cache_misses: int = 0
    cache_evictions: int = 0

    def add(self, other: "State", *, gauges: bool) -> None:
        """Add `other`'s counts, and its gauges if it lives."""
        for request, theirs in other.requests.items():
            self.requests.setdefault(request_key(self.requests, request), RequestSeries()).add(theirs)
        for attempt, calls in other.attempts.items():
            self.attempts.setdefault(attempt_key(self.attempts, attempt), AttemptSeries()).add(calls)
        for loss, count in other.losses.items():
            key = loss_key(self.losses, loss)
            self.losses[key] = self.losses.get(key, 0) + count
        self.lines_dropped += other.lines_dropped
        self.store_failures += other.store_failures
        self.ledger_failures += other.ledger_failures
        self.ledger_lost += other.ledger_lost
        for limit, times in other.limited.items():
            self.limited[limit] = self.limited.get(limit, 0) + times
        self.shed += other.shed
        for away, times in other.turned_away.items():
            self.turned_away[away] = self.turned_away.get(away, 0) + times
        self.cache_hits += other.cache_hits
        self.cache_misses += other.cache_misses
        self.cache_evictions += other.cache_evictions
        for change, times in other.target_changes.items():
            self.target_changes[change] = self.target_changes.get(change, 0) + times
        if gauges:
            for gauge, value in other.gauges.items():
                self.gauges[gauge] = _join(gauge[0], self.gauges.get(gauge), value)


def _join(name: str, mine: float | None, theirs: float) -> float:
    metric = names.BY_NAME.get(name)
    if mine is None or metric is None:
        return theirs
    match metric.across:
        case "sum":
            return mine + theirs
        case "max":
            return max(mine, theirs)
        case "min":
            return min(mine, theirs)


def add_row(mine: list[int], theirs: list[int]) -> None:
    """Add `theirs` to `mine`, place by place; a longer row of another version keeps its surplus in the last place."""
    for place, count in enumerate(theirs):
        mine[min(place, len(mine) - 1)] += count
