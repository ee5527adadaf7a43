"""The bundled table is what its source says. `make prices` (DRAGOMAN_UPDATE_PRICES=1) writes it anew."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from genai_prices import Usage as TheirUsage

from catalog.bundle import RATES, providers, table
from dragoman.catalog.prices import PriceBook, Seller
from dragoman.ir import Usage

FILE = Path(__file__).parents[2] / "src/dragoman/catalog/price_table.json"
AT = datetime(2026, 11, 23, 12, tzinfo=UTC)


def test_the_table_is_its_source() -> None:
    if os.environ.get("DRAGOMAN_UPDATE_PRICES"):
        FILE.write_text(table())
    assert FILE.read_text() == table(), "run make prices, and read what has changed"


@pytest.mark.parametrize("vendor", [one for one in providers if one.models], ids=lambda one: one.id)
@pytest.mark.parametrize(("into", "cached", "out"), [(1000, 0, 10), (1000, 400, 10), (300_000, 1000, 7)])
def test_text_costs_what_the_source_calculates(vendor: object, into: int, cached: int, out: int) -> None:
    """Every model of every vendor, by another's arithmetic."""
    assert isinstance(vendor, type(providers[0]))
    book = PriceBook({vendor.id: Seller()})
    compared = 0
    for model in vendor.models:
        if vendor.find_model(model.id) is not model:
            continue  # an id that an earlier row takes
        prices = {key: price for key, price in vars(model.get_prices(AT)).items() if price is not None}
        price = book.quote(vendor.id, model.id, AT.timestamp()).price
        if "input_mtok" not in prices or any(key.endswith(("_hours", "_kpages", "_mchars")) for key in prices):
            assert price is None, model.id
            continue
        assert price is not None, model.id
        theirs = model.calc_price(
            TheirUsage(
                input_tokens=into,
                cache_read_tokens=cached,
                output_tokens=out,
                output_reasoning_tokens=0,
                output_image_tokens=0,
                output_citation_tokens=0,
                cache_write_tokens=0,
                cache_write_1h_tokens=0,
                **{
                    f"{name}_tokens": 0
                    for name in ("input_audio", "output_audio", "cache_audio_read", "input_image", "cache_image_read")
                },
                input_video_tokens=0,
                output_video_tokens=0,
            ),
            vendor,
            genai_request_timestamp=AT,
        ).total_price
        ours = price.cost(Usage(into, out, cached))
        assert Decimal(ours.usd) == theirs.quantize(Decimal("1e-9")), model.id
        compared += 1
    if vendor.id in {"anthropic", "deepseek", "google", "openai", "openrouter"}:
        assert compared > 5


def test_every_unit_of_the_source_is_ours_or_set_aside() -> None:
    from dragoman.catalog.price import UNITS

    assert set(RATES.values()) <= set(UNITS)
