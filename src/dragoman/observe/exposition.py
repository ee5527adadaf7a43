"""Counts as Prometheus text: series are gathered under the labels that each metric shows, and spelled by prometheus_client."""

from collections.abc import Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from dragoman.observe import names
from dragoman.observe.series import MODALITIES, TOKEN_KINDS, State, add_row

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Labels = tuple[str, ...]


def expose(state: State) -> bytes:
    """The exposition of all metrics, families without series included."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Shown(state))
    return generate_latest(registry)


class _Shown(Collector):
    def __init__(self, state: State) -> None:
        self._state = state

    def collect(self) -> Iterable[Metric]:
        yield from self._caller_side()
        yield from self._provider_side()
        yield from self._tokens()
        losses: dict[Labels, float] = {key: float(count) for key, count in self._state.losses.items()}
        yield _counter(names.LOSSES, losses)
        yield _counter(names.LINES_DROPPED, {(): float(self._state.lines_dropped)})
        yield _counter(names.STORE_FAILURES, {(): float(self._state.store_failures)})
        yield _counter(names.LIMITED, {(limit,): float(times) for limit, times in self._state.limited.items()})
        yield _counter(names.SHED, {(): float(self._state.shed)})
        yield _counter(names.PLACES_REFUSED, {key: float(times) for key, times in self._state.turned_away.items()})
        cached: dict[Labels, float] = {
            ("hit",): float(self._state.cache_hits),
            ("miss",): float(self._state.cache_misses),
        }
        yield _counter(names.CACHE_REQUESTS, cached)
        yield _counter(names.CACHE_EVICTIONS, {(): float(self._state.cache_evictions)})
        changes: dict[Labels, float] = {key: float(times) for key, times in self._state.target_changes.items()}
        yield _counter(names.TARGET_CHANGES, changes)
        yield _counter(names.LEDGER_FAILURES, {(): float(self._state.ledger_failures)})
        yield _counter(names.LEDGER_LOST, {(): float(self._state.ledger_lost)})
        for metric in names.ALL:
            if metric.kind == "gauge":
                gauges = self._state.gauges.items()
                yield _gauge(metric, {key[1:]: value for key, value in gauges if key[0] == metric.name})

    def _caller_side(self) -> Iterator[Metric]:
        durations, firsts, overheads = (
            _Rows(names.SERVER_DURATION),
            _Rows(names.SERVER_FIRST_TOKEN),
            _Rows(names.OVERHEAD),
        )
        counts: dict[Labels, float] = {}
        for (protocol, operation, model, provider, status, stream), series in self._state.requests.items():
            call = (operation, provider, model)
            error = str(status) if status >= 400 else ""
            durations.add((*call, error), series.duration, series.duration_sum)
            firsts.add(call, series.first, series.first_sum)
            overheads.add((protocol, operation, "true" if stream else "false"), series.overhead, series.overhead_sum)
            answered = (protocol, operation, str(status))
            counts[answered] = counts.get(answered, 0.0) + sum(series.duration)
        yield durations.family()
        yield firsts.family()
        yield overheads.family()
        yield _counter(names.REQUESTS, counts)

    def _provider_side(self) -> Iterator[Metric]:
        durations, firsts = _Rows(names.CLIENT_DURATION), _Rows(names.CLIENT_FIRST_CHUNK)
        counts: dict[Labels, float] = {}
        for (provider, model, operation, outcome), series in self._state.attempts.items():
            call = (operation, provider, model)
            durations.add((*call, "" if outcome == "ok" else outcome), series.duration, series.duration_sum)
            firsts.add(call, series.first, series.first_sum)
            counts[provider, outcome] = counts.get((provider, outcome), 0.0) + sum(series.duration)
        yield durations.family()
        yield firsts.family()
        yield _counter(names.ATTEMPTS, counts)

    def _tokens(self) -> Iterator[Metric]:
        width = len(MODALITIES)
        for row, metric in enumerate(TOKEN_KINDS):
            counts: dict[Labels, float] = {}
            for (_, operation, model, provider, _, _), series in self._state.requests.items():
                # What never reached a provider used no tokens. The convention wants a 0 under `unknown` for what did.
                if not provider:
                    continue
                for modality, count in zip(MODALITIES, series.tokens[row * width : (row + 1) * width], strict=False):
                    if count or modality == "unknown":
                        key = (operation, provider, model, modality)
                        counts[key] = counts.get(key, 0.0) + count
            yield _counter(metric, counts)


class _Rows:
    """Bucket rows gathered under a histogram's labels."""

    def __init__(self, metric: names.Metric) -> None:
        self._metric = metric
        self._rows: dict[Labels, tuple[list[int], list[float]]] = {}

    def add(self, labels: Labels, row: list[int], total: float) -> None:
        if any(row):
            mine, sums = self._rows.setdefault(labels, ([0] * (len(self._metric.buckets) + 1), []))
            add_row(mine, row)
            sums.append(total)

    def family(self) -> Metric:
        metric = self._metric
        family = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
        bounds = [*map(str, metric.buckets), "+Inf"]
        for labels, (row, sums) in sorted(self._rows.items()):
            so_far = 0
            buckets: list[tuple[str, float]] = []
            for bound, count in zip(bounds, row, strict=True):
                so_far += count
                buckets.append((bound, so_far))
            family.add_metric(labels, buckets, sum(sums))
        return family


def _counter(metric: names.Metric, values: Mapping[Labels, float]) -> Metric:
    family = CounterMetricFamily(metric.name, metric.help, labels=metric.labels)
    for labels, value in sorted(values.items()):
        family.add_metric(labels, value)
    return family


def _gauge(metric: names.Metric, values: Mapping[Labels, float]) -> Metric:
    family = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
    for labels, value in sorted(values.items()):
        family.add_metric(labels, value)
    return family
