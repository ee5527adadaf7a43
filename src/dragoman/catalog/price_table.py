"""The bundled price table: which row of it a vendor's model has. Read when a price is first asked for, a vendor at a time.

`price_table.json` holds prices as the package genai-prices collects them from the vendors' pages (its version stands in the
file), and `make prices` makes it anew. At 0.38 MB it is read in 3 ms; to import the package itself would take each worker
a third of a second and 31 MB. What prices mean is left to `price`, whose they are to `prices`.

    addresses: [[VENDOR, BEGINNING | "", "" | PATTERN]]
    vendors: {VENDOR: [{match, window?, prices: [PRICE], tiers?: [{tier, PRICE}]}]}
    PRICE: {since?, hours?, rates: {UNIT: "2.5" | ["2.5", [200000, "5"], …]}, beside?, unmeasured?}
    match: ["is" | "begins" | "ends" | "holds" | "like", TEXT] | ["any" | "all", MATCH, …]
"""

from __future__ import annotations

import re
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw, Struct

_COMPACT_DATE = re.compile(r"-(20\d\d)(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])$", re.ASCII)


class Quoted(Struct, frozen=True, forbid_unknown_fields=True):
    """Prices, and when they hold: from a day on, or each day between two times, both in UTC.

    `unmeasured` marks those in minutes, pages or characters, which no answer's token counts tell of."""

    rates: dict[str, str | list[Any]]
    since: date | None = None
    hours: tuple[time, time] | None = None
    tier: str = ""
    beside: tuple[str, ...] = ()
    unmeasured: bool = False

    def holds(self, at: datetime) -> bool:
        if self.since is not None:
            return at.date() >= self.since
        if self.hours is not None:
            start, end = self.hours
            now = at.time()
            return start <= now < end if start <= end else now >= start or now < end
        return True

    def steps(self) -> dict[int, dict[str, Decimal]]:
        """US dollars a million by unit, for inputs of more tokens than each bound; 0 is where they begin."""
        bounds = {0, *(bound for given in self.rates.values() if type(given) is list for bound, _ in given[1:])}
        return {bound: {unit: _at(given, bound) for unit, given in self.rates.items()} for bound in sorted(bounds)}


class Row(Struct, frozen=True, forbid_unknown_fields=True):
    """A model, or several that cost the same."""

    match: list[Any]
    prices: tuple[Quoted, ...]
    window: int | None = None
    tiers: tuple[Quoted, ...] = ()

    def quoted(self, at: datetime, tier: str = "") -> Quoted | None:
        """What holds at a moment: the last that does, else the first. None where the `tier` has no price that is known."""
        usual = next((one for one in reversed(self.prices) if one.holds(at)), self.prices[0])
        if not tier:
            return usual
        of_tier: dict[str, str | list[Any]] = {}
        for one in self.tiers:
            if one.tier == tier and one.holds(at):
                of_tier = {**one.rates, **of_tier}
        return msgspec.structs.replace(usual, rates={**usual.rates, **of_tier}) if of_tier else None

    def changes(self) -> list[time]:
        """The times of day at which a price of this row begins or ends; days begin at midnight for all."""
        return [moment for one in (*self.prices, *self.tiers) if one.hours for moment in one.hours]


class _Table(Struct, frozen=True):
    source: str
    addresses: tuple[tuple[str, str, str], ...]
    fallbacks: dict[str, tuple[str, ...]]
    vendors: dict[str, Raw]


class PriceTable:
    """The table as read; `source` names where its facts come from."""

    def __init__(self, data: bytes) -> None:
        table = msgspec.json.decode(data, type=_Table)
        self.source = table.source
        self._addresses = table.addresses
        self._fallbacks = table.fallbacks
        self._vendors = table.vendors
        self._rows: dict[str, tuple[Row, ...]] = {}

    def vendor_at(self, address: str) -> str | None:
        """The vendor whose API answers at a base URL."""
        whole = address + "/"
        for vendor, start, like in self._addresses:
            if whole.startswith(start + "/") if start else re.match(like, address):
                return vendor
        return None

    def has(self, vendor: str) -> bool:
        return vendor in self._vendors

    def rows(self, vendor: str) -> tuple[Row, ...]:
        found = self._rows.get(vendor)
        if found is None:
            found = self._rows[vendor] = msgspec.json.decode(self._vendors[vendor], type=tuple[Row, ...])
        return found

    def row(self, vendor: str, model: str) -> Row | None:
        """The first row that fits a vendor's own name for a model; of some vendors also others', whose models they sell too."""
        name = model.lower()
        return self._row(vendor, name) or (
            self._row(vendor, _COMPACT_DATE.sub(r"-\1-\2-\3", name)) if _COMPACT_DATE.search(name) else None
        )

    def _row(self, vendor: str, name: str) -> Row | None:
        for row in self.rows(vendor):
            if _fits(row.match, name):
                return row
        for other in self._fallbacks.get(vendor, ()):
            for row in self.rows(other):
                if _fits(row.match, name):
                    # The other vendor's tiers are its own.
                    return msgspec.structs.replace(row, tiers=())
        return None


def bundled() -> PriceTable:
    return PriceTable(Path(__file__).with_name("price_table.json").read_bytes())


def _fits(match: list[Any], name: str) -> bool:
    kind, *given = match
    if kind == "any":
        return any(_fits(one, name) for one in given)
    if kind == "all":
        return all(_fits(one, name) for one in given)
    text: str = given[0]
    if kind == "is":
        return name == text
    if kind == "begins":
        return name.startswith(text)
    if kind == "ends":
        return name.endswith(text)
    if kind == "holds":
        return text in name
    return re.search(text, name) is not None


def _at(given: str | list[Any], bound: int) -> Decimal:
    if isinstance(given, str):
        return Decimal(given)
    found = given[0]
    for step, dollars in given[1:]:
        if step <= bound:
            found = dollars
    return Decimal(found)
