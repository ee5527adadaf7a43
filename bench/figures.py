"""Figures and verdicts: what a measurement comes to, beside its yardstick and its target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil
from statistics import median


def percentile(values: Sequence[float], percent: float) -> float:
    """The nearest rank, of at least one value."""
    ranked = sorted(values)
    return ranked[max(0, ceil(len(ranked) * percent / 100) - 1)]


@dataclass(frozen=True)
class Row:
    """One line of the table. `met` is None where there is no target."""

    case: str
    work: str
    figure: str
    yardstick: str = ""
    ratio: str = ""
    target: str = ""
    met: bool | None = None


@dataclass(frozen=True)
class Detail:
    """How one thing did under load, the median of its rounds."""

    name: str
    cpu: str
    user_system: str
    rate: str
    p50: str
    p99: str


@dataclass
class Results:
    rows: list[Row] = field(default_factory=list)
    details: list[Detail] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Load:
    """One round of load: microseconds of CPU a request, requests a second, latency in milliseconds."""

    user: float
    system: float
    rate: float
    p50: float
    p99: float

    @property
    def cpu(self) -> float:
        return self.user + self.system


def ratio_of(figures: Sequence[Load], yardsticks: Sequence[Load]) -> float:
    """The median of the rounds' own ratios: a round's two sides ran next to each other, on the same machine's mood."""
    return median(a.cpu / b.cpu for a, b in zip(figures, yardsticks, strict=True))


def cpu_text(rounds: Sequence[Load]) -> str:
    """`84 µs (82–87)`."""
    found = [one.cpu for one in rounds]
    spread = f" ({min(found):.0f}–{max(found):.0f})" if len(found) > 1 else ""
    return f"{median(found):.0f} µs{spread}"


def detail_of(name: str, rounds: Sequence[Load]) -> Detail:
    return Detail(
        name,
        cpu_text(rounds),
        f"{median(one.user for one in rounds):.0f} + {median(one.system for one in rounds):.0f}",
        f"{median(one.rate for one in rounds):,.0f}/s",
        f"{median(one.p50 for one in rounds):.2f} ms",
        f"{median(one.p99 for one in rounds):.2f} ms",
    )
