"""The ledger by the admin API: pages, filters, one entry's arithmetic, sums that are those of the entries."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from admin.conftest import Ask, Enter
from dragoman.catalog.price import in_dollars, price_detail, price_of_rates
from dragoman.observe.ids import id_from
from ledger.samples import DAY, entry

FIELDS = [
    *("request_id", "started_at", "key_id", "protocol", "model", "provider", "target_model", "operation", "status"),
    *("error", "stream", "attempts", "losses", "input_tokens", "cached_input_tokens", "cache_write_tokens"),
    *("output_tokens", "reasoning_tokens", "cost_usd", "estimated", "first_byte_ms", "duration_ms", "client_closed"),
]


def came(seconds: float, **changed: Any) -> Any:
    """An entry with the id that a request of that second would have."""
    fields: dict[str, Any] = {
        "request_id": id_from(seconds) + "0" * 16,
        "started_at": int(seconds * 1e6),
        "provider": "openai",
        "cost_nanos": 1_500,
        "price": None,
    }
    return entry(**(fields | changed))


async def test_an_entry_in_a_journal_is_there_at_once(ask: Ask, enter: Enter) -> None:
    one = came(1e9)
    enter(one)
    found = (await ask("GET", f"/requests/{one.request_id}")).value
    assert [name for name in found if name not in ("price", "arithmetic")] == FIELDS
    assert (found["started_at"], found["cost_usd"]) == ("2001-09-09T01:46:40.000000Z", "0.0000015")
    assert (found["stream"], found["losses"], found["price"], found["arithmetic"]) == (False, [], None, None)
    two = came(1e9 + 1)
    enter(two)
    listed = (await ask("GET", "/requests")).value["data"]
    assert [one["request_id"] for one in listed] == [two.request_id, one.request_id]
    assert list(listed[0]) == FIELDS


@pytest.mark.parametrize("id", ["req_01m83523878ynhm6w7gfk7f6k1", "1", "req_%00", "x" * 300])
async def test_a_request_that_there_is_not(ask: Ask, id: str) -> None:
    refused = await ask("GET", f"/requests/{id}")
    assert (refused.status, refused.value["error"]["code"]) == (404, "request_not_found")


async def test_the_arithmetic_adds_up_to_the_cost(ask: Ask, enter: Enter) -> None:
    price = price_of_rates(
        {
            "input": Decimal("0.3"),
            "output": Decimal("2.5"),
            "cached_input": Decimal("0.075"),
            "audio_input": Decimal(1),
        },
        {100_000: {"input": Decimal("0.6"), "output": Decimal("5"), "audio_input": Decimal(2)}},
        source="a test",
    )
    used = {"input_tokens": 120_000, "cached_input_tokens": 20_000, "output_tokens": 333, "reasoning_tokens": 33}
    units = '{"input":{"audio":77},"cache_write_hour":0}'
    # As it was costed: the rates above the step, 77 of the input heard, what was cached without a price of its own.
    nanos = (120_000 - 20_000 - 77) * 600 + 20_000 * 600 + 77 * 2_000 + 333 * 5_000
    one = came(1e9, price="p", units=units, cost_nanos=nanos, **used)
    enter(one, p=price_detail(price))
    found = (await ask("GET", f"/requests/{one.request_id}")).value
    assert found["price"]["source"] == "a test"
    assert [(line["unit"], line["quantity"]) for line in found["arithmetic"]] == [
        ("input", 99_923),
        ("output", 333),
        ("cached_input", 20_000),
        ("audio_input", 77),
    ]
    for line in found["arithmetic"]:
        assert Decimal(line["quantity"]) * Decimal(line["usd_per_million"]) / 10**6 == Decimal(line["usd"])
    assert sum(Decimal(line["usd"]) for line in found["arithmetic"]) == Decimal(found["cost_usd"])


async def test_an_unknown_cost_is_null(ask: Ask, enter: Enter) -> None:
    one = came(1e9, cost_nanos=None, losses='["tools"]', error="upstream_broken", status=502, estimated=1)
    enter(one)
    found = (await ask("GET", f"/requests/{one.request_id}")).value
    assert (found["cost_usd"], found["losses"], found["estimated"]) == (None, ["tools"], True)
    used = (await ask("GET", "/usage?group_by=model")).value
    assert (used["data"][0]["cost_usd"], used["total"]["unpriced"], used["total"]["errors"]) == (None, 1, 1)


async def test_every_filter(ask: Ask, enter: Enter) -> None:
    made = (await ask("POST", "/keys", {"name": "ci"})).value["id"]
    entries = [
        came(1e9, key_id=made),
        came(1e9 + 10, model="slow"),
        came(1e9 + 20, provider="google"),
        came(1e9 + 30, status=429),
        came(1e9 + 40, status=404, key_id="file:filed"),
        came(1e9 + 50.0005, key_id="root"),
    ]
    enter(*entries)

    async def found(query: str) -> list[int]:
        ids = [one["request_id"] for one in (await ask("GET", f"/requests?{query}")).value["data"]]
        return [number for number, one in enumerate(entries) if one.request_id in ids]

    assert await found("") == [0, 1, 2, 3, 4, 5]
    assert await found("key=ci") == await found(f"key={made}") == [0]
    assert await found("key=filed") == await found("key=file:filed") == [4]
    assert await found("key=root") == [5]
    assert await found("model=slow") == [1]
    assert await found("provider=google") == [2]
    assert await found("status=429") == [3]
    assert await found("status=4xx") == [3, 4]
    assert await found("status=2xx&key=root") == [5]
    assert await found("since=1000000010&until=1000000030") == [1, 2]
    assert await found("since=2001-09-09T01:47:20Z") == [4, 5]
    assert await found("since=2001-09-09T03:47:20%2B02:00") == [4, 5]
    assert await found("since=2001-09-09T03:47:20+02:00") == [4, 5]
    assert await found("until=2001-09-09") == []


async def test_pages(ask: Ask, enter: Enter) -> None:
    entries = [came(1e9 + number) for number in range(7)]
    enter(*entries)
    found: list[str] = []
    cursor = ""
    while cursor is not None:
        page = (await ask("GET", f"/requests?limit=3{cursor and '&cursor='}{cursor}")).value
        found += [one["request_id"] for one in page["data"]]
        cursor = page["next_cursor"]
    assert found == [one.request_id for one in reversed(entries)]


async def test_usage_is_the_sum_of_the_entries(ask: Ask, enter: Enter) -> None:
    made = (await ask("POST", "/keys", {"name": "ci"})).value["id"]
    entries = [
        came(number * 43_200, key_id=(made, "root")[number % 2], model=f"m{number % 3}", cost_nanos=number * 10**6)
        for number in range(1, 20)
    ]
    enter(*entries)
    for by, of in (
        ("day", lambda one: f"1970-01-{one.started_at // DAY + 1:02d}"),
        ("key", lambda one: one.key_id),
        ("model", lambda one: one.model),
        ("provider", lambda one: one.provider),
    ):
        answer = (await ask("GET", f"/usage?group_by={by}")).value
        sums: dict[str, list[int]] = {}
        for one in entries:
            sum_ = sums.setdefault(of(one), [0, 0, 0])
            for place, more in enumerate((1, one.input_tokens, one.cost_nanos)):
                sum_[place] += more
        told = {row[by]: [row["requests"], row["input_tokens"], row["cost_usd"]] for row in answer["data"]}
        assert told == {name: [count, tokens, in_dollars(nanos)] for name, (count, tokens, nanos) in sums.items()}
        assert answer["total"]["requests"] == 19
        assert answer["total"]["cost_usd"] == in_dollars(sum(one.cost_nanos for one in entries))
    names = {row["key"]: row["key_name"] for row in (await ask("GET", "/usage?group_by=key")).value["data"]}
    assert names == {made: "ci", "root": "root"}
    some = (await ask("GET", "/usage?since=1970-01-03&until=1970-01-05&key=ci")).value
    assert [row["day"] for row in some["data"]] == ["1970-01-03", "1970-01-04"]
    assert some["total"]["requests"] == sum(one.key_id == made and 2 <= one.started_at // DAY < 4 for one in entries)


@pytest.mark.parametrize(
    ("where", "param"),
    [
        ("/requests?limit=0", "limit"),
        ("/requests?limit=1001", "limit"),
        ("/requests?limit=many", "limit"),
        ("/requests?limit=", "limit"),
        ("/requests?cursor=req_1", "cursor"),
        ("/requests?status=600", "status"),
        ("/requests?status=ok", "status"),
        ("/requests?since=yesterday", "since"),
        ("/requests?until=2027-13-01", "until"),
        ("/requests?since=99999999999999", "since"),
        ("/requests?key=nobody", "key"),
        ("/requests?key=", "key"),
        ("/requests?model=%00", "model"),
        ("/requests?provider=" + "x" * 600, "provider"),
        ("/requests?modle=fast", "modle"),
        ("/requests?status=1&status=2", "status"),
        ("/usage?group_by=hour", "group_by"),
        ("/usage?since=1", "since"),
        ("/usage?until=2027-01-01T00:00:00Z", "until"),
        ("/usage?key=nobody", "key"),
        ("/keys?cursor=1", "cursor"),
        ("/keys?limit=-1", "limit"),
        ("/keys?active=yes", "active"),
        ("/audit?cursor=x", "cursor"),
        ("/audit?limit=1e3", "limit"),
        ("/models?offline=1", "offline"),
        ("/models?limit=1", "limit"),
        ("/providers?name=x", "name"),
        ("/config?path=server", "path"),
    ],
)
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
async def test_every_parameter_that_may_be_wrong(ask: Ask, where: str, param: str) -> None:
    refused = await ask("GET", where)
    assert (refused.status, refused.value["error"]["param"]) == (400, param)
    assert refused.value["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    where=st.sampled_from(["/requests", "/usage", "/keys", "/audit"]),
    name=st.sampled_from(
        ["key", "model", "provider", "status", "since", "until", "cursor", "limit", "group_by", "active"]
    ),
    value=st.text(max_size=20) | st.from_regex(r"[0-9T:Z+-]{1,20}", fullmatch=True) | st.integers().map(str),
)
async def test_whatever_is_asked_is_answered_or_refused_by_name(ask: Ask, where: str, name: str, value: str) -> None:
    answer = await ask("GET", f"{where}?{name}={quote(value.encode('utf-8', 'replace'))}")
    if answer.status != 200:
        assert (answer.status, answer.value["error"]["param"]) == (400, name)


@pytest.mark.parametrize("query", ["key=%ff", "a" * 10, "&".join(["limit=1"] * 200)])
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
async def test_a_query_that_cannot_be_read(ask: Ask, query: str) -> None:
    refused = await ask("GET", f"/requests?{query}")
    assert refused.status == 400 and refused.value["error"]["message"]
