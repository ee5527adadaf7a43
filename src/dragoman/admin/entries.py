"""An entry of the ledger as an operator sees it, and the arithmetic of its cost line by line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from dragoman.admin.price_words import price_told
from dragoman.catalog.price import Line, Price, in_dollars, price_from
from dragoman.ir import Usage
from dragoman.wire import json

_AS_THEY_ARE = (
    "key_id",
    "protocol",
    "model",
    "provider",
    "target_model",
    "operation",
    "status",
    "error",
)
_TOKENS = ("input_tokens", "cached_input_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")
SUMS = ("requests", "errors", *_TOKENS)


def entry_shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """Times in ISO 8601 to the microsecond, money as a decimal string; null where nobody knows."""
    return {
        "request_id": row["request_id"],
        "started_at": _moment(row["started_at"]),
        **{name: row[name] for name in _AS_THEY_ARE},
        "stream": bool(row["stream"]),
        "attempts": row["attempts"],
        "losses": json.decode(row["losses"].encode()) if row["losses"] else [],
        **{name: row[name] for name in _TOKENS},
        "cost_usd": _dollars(row["cost_nanos"]),
        "estimated": bool(row["estimated"]),
        "first_byte_ms": _thousandths(row["first_byte_ms"]),
        "duration_ms": _thousandths(row["duration_ms"]),
        "client_closed": bool(row["client_closed"]),
    }


def entry_in_full(row: Mapping[str, Any]) -> dict[str, Any]:
    """The same with the price that was applied and the arithmetic; both null where no price was."""
    detail = row["price_detail"]
    price = price_from(detail) if detail else None
    return {
        **entry_shown(row),
        "price": price_told(price),
        "arithmetic": None if price is None else _arithmetic(price, row),
    }


def usage_shown(by: str, row: Mapping[str, Any]) -> dict[str, Any]:
    return {by: row["group"], **_sums(row)}


def total_of(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    total: dict[str, int] = dict.fromkeys((*SUMS, "cost_nanos", "unpriced", "estimated"), 0)
    for row in rows:
        for name in total:
            total[name] += row[name]
    return _sums(total)


def _sums(row: Mapping[str, Any]) -> dict[str, Any]:
    """The cost is that of the requests whose price is known; null where none is."""
    unknown = row["unpriced"] > 0 and row["unpriced"] == row["requests"]
    return {
        **{name: row[name] for name in SUMS},
        "cost_usd": None if unknown else in_dollars(row["cost_nanos"]),
        "unpriced": row["unpriced"],
        "estimated": row["estimated"],
    }


def _arithmetic(price: Price, row: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [_line(line) for line in price.cost(_used(row)).lines]


def _line(line: Line) -> dict[str, Any]:
    return {
        "unit": line.unit,
        "quantity": line.quantity,
        "usd_per_million": f"{line.per_million.normalize():f}",
        "usd": f"{line.amount.normalize():f}",
    }


def _used(row: Mapping[str, Any]) -> Usage:
    units = json.decode(row["units"].encode()) if row["units"] else {}
    return Usage(
        input=row["input_tokens"] or 0,
        output=row["output_tokens"] or 0,
        cached_input=row["cached_input_tokens"] or 0,
        cache_write=row["cache_write_tokens"] or 0,
        reasoning=row["reasoning_tokens"] or 0,
        input_by_modality=tuple(units.get("input", {}).items()),
        output_by_modality=tuple(units.get("output", {}).items()),
        cached_by_modality=tuple(units.get("cached", {}).items()),
        cache_write_hour=units.get("cache_write_hour", 0),
    )


def _moment(microseconds: int) -> str:
    whole, rest = divmod(microseconds, 1_000_000)
    return f"{datetime.fromtimestamp(whole, UTC):%Y-%m-%dT%H:%M:%S}.{rest:06d}Z"


def _dollars(nanos: int | None) -> str | None:
    return None if nanos is None else in_dollars(nanos)


def _thousandths(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else round(milliseconds, 3)
