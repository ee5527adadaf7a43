"""The price book: what a provider's model costs at a moment, and how much it can read. Asked for every request.

A provider's vendor is told by its address, else by its name in the configuration; of a vendor that the bundled table does
not know nothing is guessed. An unknown price is None, never 0. The arithmetic is left to `price`, the table to `price_table`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, time
from functools import cache

from msgspec import Struct

from dragoman.catalog.price import FREE, Price, price_of_rates
from dragoman.catalog.price_table import PriceTable, Row, bundled

# How vendors call the service at its usual price. OpenAI says `default`, Google and Anthropic `standard`.
USUAL_TIERS = frozenset({"", "default", "standard"})
_MOST_KNOWN = 4096
# Whose windows are kept up in the table. Others enlarge a model under its old name: of deepseek-chat it has 64,000, long after
# its vendor made it 128,000 (api-docs.deepseek.com, 2025-09).
_KEPT_UP = frozenset({"anthropic", "google", "openai"})
_bundled = cache(bundled)


class Seller(Struct, frozen=True):
    """A provider as the price book sees it: its address, or that it is the built-in model's."""

    address: str = ""
    local: bool = False


_EVER = float("inf")


class Quote(Struct, frozen=True, gc=False):
    """A price and the seconds between which it holds; `tiered` where it is another in some service tier. An unknown price is
    None."""

    price: Price | None
    since: float = -_EVER
    until: float = _EVER
    tiered: bool = False


class PriceBook:
    """`sellers` by the provider's name. `table` is read when it is first needed."""

    def __init__(self, sellers: Mapping[str, Seller], table: Callable[[], PriceTable] = _bundled) -> None:
        self._sellers = dict(sellers)
        self._table = table
        self._kept: dict[tuple[str, str, str], Quote] = {}
        self._rows: dict[tuple[str, str], Row | None] = {}

    def quote(
        self, provider: str, target_model: str, at: float, override: Price | None = None, tier: str | None = None
    ) -> Quote:
        """What holds at `at`, in Unix seconds; the operator's `override` where there is one, at all times and in every tier. No
        price where it is not known: a vendor or model that the table has not, a service `tier` whose price it has not, or one
        that is not in tokens."""
        if override is not None:
            return Quote(override)
        known = (provider, target_model, tier or "")
        kept = self._kept.get(known)
        if kept is None or not kept.since <= at < kept.until:
            kept = self._look_up(provider, target_model, at, tier or "")
            # Callers choose the names, so what is remembered has a bound.
            if len(self._kept) < _MOST_KNOWN or known in self._kept:
                self._kept[known] = kept
        return kept

    def window_of(self, provider: str, target_model: str) -> int | None:
        """The most input tokens that the model takes, as far as the table knows."""
        row = self._row(provider, target_model)
        return row.window if row is not None else None

    def limit_of(self, provider: str, target_model: str) -> int | None:
        """The input tokens beyond which the model surely refuses, as far as the table knows."""
        window = self.window_of(provider, target_model)
        if window is None or self.vendor_of(provider) in _KEPT_UP:
            return window
        return 2 * window

    def vendor_of(self, provider: str) -> str | None:
        """The table's name of whoever sells a provider's models."""
        seller = self._sellers.get(provider)
        if seller is None or seller.local:
            return None
        table = self._table()
        if (vendor := table.vendor_at(seller.address)) is not None:
            return vendor
        return provider.lower() if table.has(provider.lower()) else None

    def _row(self, provider: str, model: str) -> Row | None:
        known = (provider, model)
        if known in self._rows:
            return self._rows[known]
        vendor = self.vendor_of(provider)
        row = self._table().row(vendor, model.removeprefix("models/")) if vendor is not None else None
        if len(self._rows) < _MOST_KNOWN:
            self._rows[known] = row
        return row

    def _look_up(self, provider: str, model: str, at: float, tier: str) -> Quote:
        seller = self._sellers.get(provider)
        if seller is not None and seller.local:
            return Quote(FREE)
        row = self._row(provider, model)
        if row is None:
            return Quote(None)
        moment = datetime.fromtimestamp(at, UTC).replace(tzinfo=None)
        since, until = _span(row, moment)
        quoted = row.quoted(moment, "" if tier.lower() in USUAL_TIERS else tier.lower())
        price = None
        if quoted is not None and not quoted.unmeasured and "input" in quoted.rates:
            steps = quoted.steps()
            rates = steps.pop(0)
            price = price_of_rates(rates, steps, source=self._table().source, beside=quoted.beside)
        return Quote(price, since, until, bool(row.tiers))


def _span(row: Row, moment: datetime) -> tuple[float, float]:
    """The seconds around a moment in which no price of the row changes: its day, cut at the times of day that matter."""
    midnight = datetime.combine(moment.date(), time(), UTC).timestamp()
    cuts = [0.0, 86400.0] + [
        change.hour * 3600 + change.minute * 60 + change.second + change.microsecond / 1e6 for change in row.changes()
    ]
    into = datetime.timestamp(moment.replace(tzinfo=UTC)) - midnight
    return midnight + max(cut for cut in cuts if cut <= into), midnight + min(cut for cut in cuts if cut > into)
