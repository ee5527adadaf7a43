"""The arithmetic: worked by hand from vendors' published prices, and by its laws."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.catalog.price import (
    FREE,
    UNITS,
    Price,
    in_dollars,
    per_million,
    price_detail,
    price_from,
    price_of_rates,
)
from dragoman.ir import Usage
from dragoman.protocols.anthropic.usage import read_usage as anthropic
from dragoman.protocols.gemini.usage import read_usage as gemini
from dragoman.protocols.openai_chat.usage import read_usage as chat
from dragoman.protocols.openai_responses.usage import read_usage as responses


def priced(**dollars: str) -> Price:
    return price_of_rates({unit: Decimal(usd) for unit, usd in dollars.items()})


GPT_4O_MINI = priced(input="0.15", output="0.6", cached_input="0.075")
SONNET = price_of_rates(
    {
        "input": Decimal(3),
        "output": Decimal(15),
        "cached_input": Decimal("0.3"),
        "cache_write": Decimal("3.75"),
        "cache_write_hour": Decimal(6),
    },
    {
        200_000: {
            "input": Decimal(6),
            "output": Decimal("22.5"),
            "cached_input": Decimal("0.6"),
            "cache_write": Decimal("7.5"),
            "cache_write_hour": Decimal(12),
        }
    },
)
FLASH = priced(input="0.3", output="2.5", cached_input="0.03", audio_input="1", cached_audio="0.1")
FLASH_IMAGE = priced(input="0.3", output="2.5", image_output="30")
THINKER = priced(input="2", output="8", reasoning="3", request="5000")


@pytest.mark.parametrize(
    ("price", "usage", "usd"),
    [
        # 53 × 0.15 + 15 × 0.60 = 7.95 + 9.00 = 16.95 millionths
        (GPT_4O_MINI, Usage(53, 15), "0.00001695"),
        # 1000 - 896 = 104 × 0.15 = 15.6, 896 × 0.075 = 67.2, 20 × 0.6 = 12
        (GPT_4O_MINI, Usage(1000, 20, 896), "0.0000948"),
        # one cached token: 75 nanodollars
        (GPT_4O_MINI, Usage(1, 0, 1), "0.000000075"),
        # 10 × 3 + 2000 × 0.3 + 500 × 3.75 + 300 × 15 = 30 + 600 + 1875 + 4500
        (SONNET, Usage(2510, 300, 2000, 500, reasoning=250), "0.007005"),
        # of 500 written, 200 for an hour: 300 × 3.75 + 200 × 6 = 1125 + 1200
        (SONNET, Usage(510, 0, 0, 500, cache_write_hour=200), "0.002355"),
        # exactly 200,000 is not above it: 600,000 + 15; a token more and all of it costs the higher price
        (SONNET, Usage(200_000, 1), "0.600015"),
        (SONNET, Usage(200_001, 1), "1.2000285"),
        # what was cached counts for the bound: 1 × 6 + 200,000 × 0.6 + 2 × 22.5
        (SONNET, Usage(200_001, 2, 200_000), "0.120051"),
        # 700 × 0.3 + 300 × 1 + 10 × 2.5 = 210 + 300 + 25
        (FLASH, Usage(1000, 10, input_by_modality=(("text", 700), ("audio", 300))), "0.000535"),
        # of 300 of sound 100 were cached, of 200 cached 100 of text: 600 × 0.3 + 200 × 1 + 100 × 0.03 + 100 × 0.1
        (
            FLASH,
            Usage(
                1000,
                0,
                200,
                input_by_modality=(("text", 700), ("audio", 300)),
                cached_by_modality=(("text", 100), ("audio", 100)),
            ),
            "0.000393",
        ),
        # a picture is 1290 tokens: 1290 × 30 + 10 × 2.5
        (FLASH_IMAGE, Usage(0, 1300, output_by_modality=(("text", 10), ("image", 1290))), "0.038725"),
        # 10 × 2 + 60 × 3 + 40 × 8, and the request's own half a cent
        (THINKER, Usage(10, 100, reasoning=60), "0.00552"),
        (FREE, Usage(10_000, 10_000), "0"),
        # a vendor whose parts are more than its whole: no token twice, none below zero
        (GPT_4O_MINI, Usage(100, 0, 150), "0.0000075"),
        (SONNET, Usage(100, 0, 80, 80), "0.000099"),
    ],
)
def test_worked_by_hand(price: Price, usage: Usage, usd: str) -> None:
    cost = price.cost(usage)
    assert Decimal(cost.usd) == Decimal(usd)
    assert sum(line.amount for line in cost.lines) == Decimal(usd)


def test_lines_show_the_arithmetic() -> None:
    lines = SONNET.cost(Usage(510, 7, 100, 300, cache_write_hour=100)).lines
    assert [(line.unit, line.quantity, line.per_million, line.amount) for line in lines] == [
        ("input", 110, Decimal(3), Decimal("0.00033")),
        ("output", 7, Decimal(15), Decimal("0.000105")),
        ("cached_input", 100, Decimal("0.3"), Decimal("0.00003")),
        ("cache_write", 200, Decimal("3.75"), Decimal("0.00075")),
        ("cache_write_hour", 100, Decimal(6), Decimal("0.0006")),
    ]


# The same consumption as each vendor counts it: 1000 in, of which 400 read from a cache; 120 out, of which 50 reasoning.
SAME = {
    "gemini": (
        gemini,
        {
            "promptTokenCount": 1000,
            "cachedContentTokenCount": 400,
            "candidatesTokenCount": 70,
            "thoughtsTokenCount": 50,
            "totalTokenCount": 1120,
        },
    ),
    "openai-chat": (
        chat,
        {
            "prompt_tokens": 1000,
            "completion_tokens": 120,
            "total_tokens": 1120,
            "prompt_tokens_details": {"cached_tokens": 400},
            "completion_tokens_details": {"reasoning_tokens": 50},
        },
    ),
    "openai-responses": (
        responses,
        {
            "input_tokens": 1000,
            "output_tokens": 120,
            "total_tokens": 1120,
            "input_tokens_details": {"cached_tokens": 400},
            "output_tokens_details": {"reasoning_tokens": 50},
        },
    ),
    "anthropic": (
        anthropic,
        {
            "input_tokens": 600,
            "cache_read_input_tokens": 400,
            "cache_creation_input_tokens": 0,
            "output_tokens": 120,
            "output_tokens_details": {"thinking_tokens": 50},
        },
    ),
}


@pytest.mark.parametrize("protocol", SAME)
@pytest.mark.parametrize(("price", "usd"), [(GPT_4O_MINI, "0.000192"), (SONNET, "0.00372"), (THINKER, "0.00771")])
def test_every_protocols_counts_cost_the_same(protocol: str, price: Price, usd: str) -> None:
    """600 plain, 400 cached, 70 said, 50 thought: 90 + 30 + 72; 1800 + 120 + 1800; 2000 + 560 + 150 + 5000."""
    read, told = SAME[protocol]
    usage = read(told)
    assert usage is not None
    assert Decimal(price.cost(usage).usd) == Decimal(usd)


def test_anthropic_tells_how_long_a_cache_is_kept() -> None:
    told: dict[str, Any] = {
        "input_tokens": 10,
        "cache_creation_input_tokens": 500,
        "cache_creation": {"ephemeral_5m_input_tokens": 300, "ephemeral_1h_input_tokens": 200},
        "output_tokens": 0,
    }
    usage = anthropic(told)
    assert usage is not None
    assert Decimal(SONNET.cost(usage).usd) == Decimal("0.002355")


@pytest.mark.parametrize(
    ("nanodollars", "usd"),
    [
        (0, "0.000000"),
        (75, "0.000000075"),
        (1_230_000, "0.001230"),
        (12_000_000_001, "12.000000001"),
        (-5, "-0.000000005"),
    ],
)
def test_dollars_in_words(nanodollars: int, usd: str) -> None:
    assert in_dollars(nanodollars) == usd


def test_half_a_nanodollar_goes_to_the_even_side() -> None:
    half = priced(input="0.0005", output="0.0015")  # half a nanodollar, and one and a half
    assert [half.cost(Usage(n)).amount for n in (1, 2, 3, 4, 5)] == [0, 1, 2, 2, 2]
    assert half.cost(Usage(0, 1)).amount == 2
    assert priced(input="0.000501", output="0").cost(Usage(1)).amount == 1


def test_a_price_of_twelve_places_is_exact() -> None:
    tiny = priced(input="0.000000000001", output="0")
    assert tiny.cost(Usage(10**9)).amount == 1
    with pytest.raises(ValueError, match="input is no price"):
        priced(input="0.0000000000001", output="0")


tokens = st.integers(0, 10**7)
dollars = st.decimals(0, 1000, places=6)
modalities = st.lists(st.tuples(st.sampled_from(["text", "audio", "image", "video"]), tokens), max_size=3).map(tuple)
usages = st.builds(
    Usage,
    input=tokens,
    output=tokens,
    cached_input=tokens,
    cache_write=tokens,
    reasoning=tokens,
    input_by_modality=modalities,
    output_by_modality=modalities,
    cached_by_modality=modalities,
    tool_input_by_modality=modalities,
    cache_write_hour=tokens,
)
rates = st.fixed_dictionaries(
    {"input": dollars, "output": dollars}, optional={unit: dollars for unit in UNITS if unit not in ("input", "output")}
)
prices = st.builds(price_of_rates, rates, st.dictionaries(st.integers(1, 10**6), rates, max_size=2))


@given(prices, usages)
def test_the_lines_are_the_sum_and_bill_every_token_once(price: Price, usage: Usage) -> None:
    cost = price.cost(usage)
    exact = sum((line.amount for line in cost.lines), Decimal(0))
    assert abs(exact - Decimal(cost.amount).scaleb(-9)) <= Decimal("0.5e-9")
    assert all(line.quantity > 0 and line.amount == line.quantity * line.per_million / 10**6 for line in cost.lines)
    billed = sum(line.quantity for line in cost.lines if line.unit != "request")
    assert billed == usage.input + usage.output


@given(rates, usages, st.integers(0, 1000), st.integers(0, 1000))
def test_more_never_costs_less(rates: dict[str, Decimal], usage: Usage, into: int, out: int) -> None:
    price = price_of_rates(rates)
    more = Usage(
        usage.input + into,
        usage.output + out,
        usage.cached_input,
        usage.cache_write,
        cache_write_hour=usage.cache_write_hour,
    )
    less = Usage(
        usage.input, usage.output, usage.cached_input, usage.cache_write, cache_write_hour=usage.cache_write_hour
    )
    if usage.cached_input + usage.cache_write <= usage.input:
        assert price.cost(less).amount <= price.cost(more).amount


@given(prices, usages, tokens, tokens)
def test_nothing_costs_more_than_the_estimate(price: Price, usage: Usage, into: int, out: int) -> None:
    ceiling = price.estimate_ceiling(usage.input + into, usage.output + out)
    assert price.cost(usage).amount <= ceiling


@given(prices, st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_tighter_estimate_holds_for_what_it_is_told(price: Price, plain: int, cached: int, out: int) -> None:
    usage = Usage(plain + cached, out, cached, reasoning=out // 2)
    assert price.cost(usage).amount <= price.estimate_ceiling(usage.input, out, caches=False, media=False)


def test_the_estimate_of_a_plain_price_is_its_cost() -> None:
    assert GPT_4O_MINI.estimate_ceiling(1000, 500) == GPT_4O_MINI.cost(Usage(1000, 500)).amount
    # Not below the step that the input would reach.
    assert SONNET.estimate_ceiling(200_001, 0, caches=False) == 200_001 * 6000


def test_a_rate_in_words() -> None:
    assert per_million(GPT_4O_MINI.rates.input) == Decimal("0.15")


@given(prices, usages)
def test_a_price_written_down_is_the_same_price(price: Price, usage: Usage) -> None:
    again = price_from(price_detail(price))
    assert (again.rates, again.steps) == (price.rates, price.steps)
    assert again.cost(usage).amount == price.cost(usage).amount
    assert price_detail(again) == price_detail(price)


def test_a_price_in_writing() -> None:
    assert price_detail(GPT_4O_MINI) == b'{"rates":{"input":"0.15","output":"0.6","cached_input":"0.075"}}'
