"""The bundled price table, made from what the package genai-prices carries (MIT, github.com/pydantic/genai-prices).

Only facts are taken: names, prices, dates, context windows. `test_price_table.py` writes the file and holds it to its source;
`dragoman.catalog.price_table` reads it and tells what its members mean.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime, time
from decimal import Decimal
from importlib.metadata import version
from typing import Any

from genai_prices.data import providers
from genai_prices.types import (
    ClauseAnd,
    ClauseContains,
    ClauseEndsWith,
    ClauseEquals,
    ClauseOr,
    ClauseRegex,
    ClauseStartsWith,
    ModelInfo,
    ModelPrice,
    Provider,
    StartDateConstraint,
    TieredPrices,
    TimeOfDateConstraint,
)

# What an answer's token counts can be multiplied with.
RATES = {
    "input_mtok": "input",
    "output_mtok": "output",
    "cache_read_mtok": "cached_input",
    "cache_write_mtok": "cache_write",
    "cache_write_1h_mtok": "cache_write_hour",
    "output_reasoning_mtok": "reasoning",
    "input_audio_mtok": "audio_input",
    "output_audio_mtok": "audio_output",
    "cache_audio_read_mtok": "cached_audio",
    "input_image_mtok": "image_input",
    "output_image_mtok": "image_output",
    "cache_image_read_mtok": "cached_image",
    "input_video_mtok": "video_input",
    "output_video_mtok": "video_output",
    "requests_kcount": "request",
}
# Charged beside the tokens, for work that token counts do not tell of.
BESIDE = {
    "web_searches_kcount": "web searches",
    "storage_searches_kcount": "file searches",
    "social_searches_kcount": "social searches",
    "code_executions_kcount": "code executions",
    "output_citation_mtok": "citation tokens",
}


def table() -> str:
    """The whole file: a line a vendor, so that a change of prices can be read."""
    vendors = {one.id: rows for one in providers if (rows := [row for m in one.models if (row := _row(m))])}
    head = {
        "source": f"genai-prices {version('genai-prices')}",
        "addresses": [[one.id, *_address(one.api_pattern)] for one in providers if one.id in vendors],
        "fallbacks": {one.id: one.fallback_model_providers for one in providers if one.fallback_model_providers},
    }
    lines = [f"{_json(name)}: {_json(rows)}" for name, rows in vendors.items()]
    return f'{_json(head)[:-1]}, "vendors": {{\n' + ",\n".join(lines) + "\n}}\n"


def _address(pattern: str) -> tuple[str, str]:
    """A base URL's beginning, and a pattern where a beginning does not tell it: to compile one costs a third of a millisecond."""
    bare = re.sub(r"\((\?:)?/\|\$\)$", "", pattern).replace("\\.", ".")
    return (bare, "") if re.fullmatch(r"https://[a-z0-9./_-]+", bare) else ("", pattern)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _row(model: ModelInfo) -> dict[str, Any] | None:
    given = (
        [(None, model.prices)]
        if isinstance(model.prices, ModelPrice)
        else [(c.constraint, c.prices) for c in model.prices]
    )
    prices = [_price(constraint, price) for constraint, price in given]
    if not any(prices) and model.context_window is None:
        return None
    row: dict[str, Any] = {"match": _match(model.match)}
    if model.context_window is not None:
        row["window"] = model.context_window
    row["prices"] = prices
    tiers = []
    for variant in model.price_variants or ():
        ((word, value),) = variant.when.items() if len(variant.when) == 1 else (("", ""),)
        if word in ("service_tier", "speed") and value not in ("default", "standard"):
            tiers.append({"tier": value, **_price(variant.constraint, variant.prices)})
    if tiers:
        row["tiers"] = tiers
    return row


def _price(constraint: object, price: ModelPrice) -> dict[str, Any]:
    """`unmeasured` marks a price in units that no answer counts in tokens (minutes, pages, characters)."""
    given = {key: value for key, value in vars(price).items() if value is not None}
    found: dict[str, Any] = {}
    match constraint:
        case StartDateConstraint():
            found["since"] = constraint.start_date.isoformat()
        case TimeOfDateConstraint():
            found["hours"] = [_in_utc(constraint.start_time), _in_utc(constraint.end_time)]
    found["rates"] = {RATES[key]: _amount(key, value) for key, value in given.items() if key in RATES}
    if beside := [BESIDE[key] for key in given if key in BESIDE]:
        found["beside"] = beside
    if any(key not in RATES and key not in BESIDE for key in given):
        found["unmeasured"] = True
    return found


def _in_utc(moment: time) -> str:
    """Times without a zone are UTC's."""
    if moment.tzinfo is None:
        return moment.isoformat()
    return datetime.combine(date(2026, 1, 1), moment).astimezone(UTC).time().isoformat()


def _amount(key: str, value: Decimal | TieredPrices) -> Any:
    """US dollars a million, as text; with its steps where the price rises with the length of the input."""
    if isinstance(value, TieredPrices):
        return [_amount(key, value.base), *([tier.start, _amount(key, tier.price)] for tier in value.tiers)]
    exact = value * 1000 if key == "requests_kcount" else value
    # Some are told as fractions (a twelfth); twelve places are what the arithmetic holds exactly.
    return f"{round(exact, 12).normalize():f}"


def _match(clause: object) -> list[Any]:
    match clause:
        case ClauseEquals():
            return ["is", clause.equals.lower()]
        case ClauseStartsWith():
            return ["begins", clause.starts_with.lower()]
        case ClauseEndsWith():
            return ["ends", clause.ends_with.lower()]
        case ClauseContains():
            return ["holds", clause.contains.lower()]
        case ClauseRegex():
            re.compile(clause.regex)
            return ["like", clause.regex]
        case ClauseOr():
            return ["any", *map(_match, clause.or_)]
        case ClauseAnd():
            return ["all", *map(_match, clause.and_)]
    raise TypeError(clause)


__all__ = ["Provider", "providers", "table"]
