"""Which price a provider's model has: by whose it is, when, and at which service tier. What is not known is None."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest

from dragoman.catalog.price import Price, price_of_rates
from dragoman.catalog.price_table import PriceTable
from dragoman.catalog.prices import PriceBook, Seller
from dragoman.ir import Usage

SELLERS = {
    "google": Seller("https://generativelanguage.googleapis.com"),
    "mine": Seller("https://api.openai.com/v1"),
    "openai": Seller("http://127.0.0.1:4010/v1"),
    "house": Seller("http://10.0.0.7/v1"),
    "evil": Seller("https://api.openai.com.example/v1"),
    "local": Seller(local=True),
}
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp()


def cost(price: Price | None, usage: Usage) -> Decimal | None:
    return None if price is None else Decimal(price.cost(usage).usd)


# A million in and a million out, from the vendors' price pages as of November 2026.
MILLION = Usage(1_000_000, 1_000_000)


@pytest.mark.parametrize(
    ("provider", "model", "usd"),
    [
        ("mine", "gpt-4o-mini", "0.75"),
        ("mine", "gpt-4o-mini-2024-07-18", "0.75"),
        ("mine", "GPT-4o-mini", "0.75"),
        ("openai", "gpt-4o-mini", "0.75"),  # by its name, where the address tells nothing
        ("google", "gemini-2.5-flash", "2.80"),
        ("google", "models/gemini-2.5-flash", "2.80"),
        ("google", "gemini-2.5-pro", "17.50"),  # above 200,000
        ("house", "gpt-4o-mini", None),
        ("evil", "gpt-4o-mini", None),
        ("mine", "gpt-99-nobody-has-seen", None),
        ("mine", "whisper-1", None),  # by the minute, which tokens do not tell
        ("mine", "omni-moderation-latest", None),
        ("nobody", "gpt-4o-mini", None),
        ("local", "smollm2-135m", "0"),
        ("mine", "text-embedding-3-small", "0.02"),
    ],
)
def test_whose_price(provider: str, model: str, usd: str | None) -> None:
    price = PriceBook(SELLERS).quote(provider, model, NOW).price
    assert cost(price, MILLION) == (None if usd is None else Decimal(usd))


def test_the_operators_price_stands_first() -> None:
    own = price_of_rates({"input": Decimal(1), "output": Decimal(2)})
    book = PriceBook(SELLERS)
    assert book.quote("mine", "gpt-4o-mini", NOW, own).price is own
    assert book.quote("house", "anything", NOW, own).price is own


def test_windows() -> None:
    book = PriceBook(SELLERS)
    assert book.window_of("mine", "gpt-4o-mini") == 128_000
    assert book.limit_of("mine", "gpt-4o-mini") == 128_000
    assert book.window_of("house", "gpt-4o-mini") is None
    assert book.limit_of("house", "gpt-4o-mini") is None
    assert book.window_of("local", "smollm2-135m") is None
    # A window that may have grown since is believed by half.
    deep = PriceBook({"deepseek": Seller("https://api.deepseek.com")})
    assert deep.limit_of("deepseek", "deepseek-chat") == 2 * (deep.window_of("deepseek", "deepseek-chat") or 0) > 0


def made(*rows: object) -> PriceBook:
    table = {
        "source": "test",
        "addresses": [["vendor", "https://vendor.example", ""], ["shop", "", r"https://[a-z]+\.shop\.example(/|$)"]],
        "fallbacks": {"shop": ["vendor"]},
        "vendors": {"vendor": rows, "shop": []},
    }
    sellers = {"v": Seller("https://vendor.example/v1"), "s": Seller("https://eu.shop.example")}
    return PriceBook(sellers, lambda: PriceTable(msgspec.json.encode(table)))


def test_prices_change_at_midnight() -> None:
    row = {
        "match": ["is", "m"],
        "prices": [
            {"rates": {"input": "1", "output": "0"}},
            {"since": "2026-03-13", "rates": {"input": "2", "output": "0"}},
            {"since": "2026-05-01", "rates": {"input": "3", "output": "0"}},
        ],
    }
    book, million = made(row), Usage(1_000_000)
    days = [(3, 12, 23, 1), (3, 13, 0, 2), (4, 30, 23, 2), (5, 1, 0, 3), (3, 12, 0, 1), (12, 31, 23, 3)]
    for month, day, hour, usd in days:
        at = datetime(2026, month, day, hour, 59 if hour else 0, tzinfo=UTC).timestamp()
        assert cost(book.quote("v", "m", at).price, million) == usd


def test_prices_change_with_the_time_of_day() -> None:
    """Off-peak from half past four in the afternoon, over midnight, until half past midnight."""
    row = {
        "match": ["begins", "m"],
        "prices": [
            {"rates": {"input": "4", "output": "0"}},
            {"hours": ["16:30:00", "00:30:00"], "rates": {"input": "1", "output": "0"}},
        ],
    }
    book, million = made(row), Usage(1_000_000)
    for hour, minute, usd in [(16, 29, 4), (16, 30, 1), (23, 59, 1), (0, 0, 1), (0, 29, 1), (0, 30, 4), (16, 29, 4)]:
        at = datetime(2026, 3, 13, hour, minute, 59 if minute in (29, 59) else 0, tzinfo=UTC).timestamp()
        assert cost(book.quote("v", "m-1", at).price, million) == usd, (hour, minute)


def test_a_service_tier_costs_what_is_known_of_it() -> None:
    row = {
        "match": ["any", ["is", "m"], ["like", "^m-[0-9]{4}$"]],
        "prices": [{"rates": {"input": ["1", [200_000, "2"]], "output": "0"}}],
        "tiers": [
            {"tier": "priority", "rates": {"input": "4"}},
            {"tier": "flex", "since": "2027-01-01", "rates": {"input": "0.5"}},
        ],
    }
    book, million = made(row), Usage(1_000_000)
    assert cost(book.quote("v", "m", NOW).price, million) == 2
    for usual in ("default", "standard", ""):
        assert cost(book.quote("v", "m-2026", NOW, tier=usual).price, million) == 2
    assert cost(book.quote("v", "m", NOW, tier="priority").price, million) == 4
    assert book.quote("v", "m", NOW, tier="flex").price is None
    assert book.quote("v", "m", NOW, tier="scale").price is None
    # Who sells another's models sells its tiers not.
    assert cost(book.quote("s", "m", NOW).price, million) == 2
    assert book.quote("s", "m", NOW, tier="priority").price is None


def test_dates_are_found_in_either_spelling() -> None:
    book = made({"match": ["is", "m-2026-03-05"], "prices": [{"rates": {"input": "1", "output": "1"}}]})
    assert book.quote("v", "m-20260305", NOW).price is not None
    assert book.quote("v", "m-20260306", NOW).price is None


def test_what_is_remembered_has_a_bound() -> None:
    book = made({"match": ["is", "m"], "prices": [{"rates": {"input": "1", "output": "1"}}]})
    for number in range(5000):
        assert book.quote("v", f"unheard-{number}", NOW).price is None
    assert len(book._kept) == len(book._rows) == 4096
    assert book.quote("v", "m", NOW).price is not None


def test_the_table_is_not_read_before_it_is_needed() -> None:
    def never() -> PriceTable:
        raise AssertionError

    book = PriceBook(SELLERS, never)
    assert book.quote("local", "smollm2-135m", NOW).price is not None
    assert book.quote("mine", "m", NOW, price_of_rates({"input": Decimal(1)})).price is not None
    assert book.quote("nobody", "m", NOW).price is None
