"""A price for people and for `--json`: a line a unit, US dollars a million tokens, and where it comes from."""

from __future__ import annotations

from typing import Any

from dragoman.catalog.price import UNITS, Price, Rates, per_million


def price_told(price: Price | None) -> dict[str, Any] | None:
    """None where the price is not known."""
    if price is None:
        return None
    return {
        "source": price.source,
        "per_million": _told(price.rates),
        "steps": [{"above": bound, **_told(rates)} for bound, rates in price.steps],
        "beside": list(price.beside),
    }


def price_lines(told: dict[str, Any] | None) -> list[str]:
    """The same in lines."""
    if told is None:
        return ["price not known: set models.NAME.price to have its cost counted"]
    if not any(float(usd) for usd in told["per_million"].values()) and not told["steps"]:
        return [f"costs nothing ({told['source']})"]
    width = max(map(len, told["per_million"]))
    lines = [f"price in US dollars a million tokens ({told['source']})"]
    for unit, usd in told["per_million"].items():
        higher = "".join(f", ${step[unit]} above {step['above']:,} of input" for step in told["steps"] if unit in step)
        lines.append(f"  {unit.replace('_', ' '):<{width}}  ${usd}{higher}")
    if told["beside"]:
        lines.append(f"  charged besides, and not counted here: {', '.join(told['beside'])}")
    return lines


def _told(rates: Rates) -> dict[str, str]:
    found = {unit: getattr(rates, unit) for unit in UNITS}
    return {unit: f"{per_million(rate).normalize():f}" for unit, rate in found.items() if rate is not None}
