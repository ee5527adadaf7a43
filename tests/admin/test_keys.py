"""Keys by the admin API: from their making to their end, and every field that may be wrong."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from admin.conftest import FILED, Ask, Reloads


async def test_a_key_from_its_making_to_its_end(ask: Ask, reloads: Reloads) -> None:
    fields = {
        "name": "ci",
        "models": ["gemini-*", "fast"],
        "limits": {"requests_per_minute": 60},
        "budget": {"usd": "10.00", "window": "day"},
        "expires_at": "2099-01-31T00:00:00Z",
        "metadata": {"team": "search"},
    }
    made = (await ask("POST", "/keys", fields)).value
    assert made["key"].startswith("dgm_") and made["key"].endswith(made["ending"])
    assert {name: made[name] for name in fields} == {
        **fields,
        "limits": {"requests_per_minute": 60, "tokens_per_minute": None, "concurrent_requests": None},
    }
    where = f"/keys/{made['id']}"
    shown = (await ask("GET", where)).value
    assert shown == {name: value for name, value in made.items() if name != "key"}

    changed = (
        await ask("PATCH", where, {"models": ["fast"], "budget": None, "limits": {"tokens_per_minute": 9}})
    ).value
    assert (changed["models"], changed["budget"]) == (["fast"], None)
    assert changed["limits"] == {"requests_per_minute": 60, "tokens_per_minute": 9, "concurrent_requests": None}

    rotated = (await ask("POST", f"{where}/rotate", {"grace": "1h"})).value
    assert rotated["key"] != made["key"] and rotated["previous_valid_until"]
    assert (await ask("POST", f"{where}/revoke")).value["status"] == "revoked"
    for method, path, body in (("PATCH", where, {"name": "x"}), ("POST", f"{where}/rotate", None)):
        refused = await ask(method, path, body)
        assert (refused.status, refused.value["error"]["code"]) == (409, "key_revoked")
    assert (await ask("GET", "/keys?active=true")).value["data"] == [(await ask("GET", "/keys/file:filed")).value]

    assert (await ask("DELETE", where)).value == {"id": made["id"], "deleted": True}
    assert (await ask("GET", where)).status == 404
    assert (await ask("DELETE", where)).value["error"]["code"] == "key_not_found"
    assert reloads.told == 5

    changes = (await ask("GET", f"/audit?subject={made['id']}")).value["data"]
    assert [one["action"] for one in changes] == ["key.delete", "key.revoke", "key.rotate", "key.change", "key.create"]
    assert {one["actor"] for one in changes} == {"api:root@10.0.0.1"}
    assert changes[3]["detail"]["models"] == {"from": ["gemini-*", "fast"], "to": ["fast"]}
    assert made["key"] not in str(changes) and rotated["key"] not in str(changes)


async def test_keys_page_by_page(ask: Ask) -> None:
    ids = [(await ask("POST", "/keys", {"name": f"k{number}"})).value["id"] for number in range(5)]
    found, cursor = [], ""
    while True:
        page = (await ask("GET", f"/keys?limit=2{cursor}")).value
        found += [key["id"] for key in page["data"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert found == ["file:filed", *reversed(ids)]


async def test_a_key_of_the_file_is_shown_and_not_changed(ask: Ask) -> None:
    shown = (await ask("GET", "/keys/file:filed")).value
    assert (shown["source"], shown["ending"], shown["models"]) == ("file", None, ["gpt-*"])
    for method, path in (
        ("PATCH", "/keys/file:filed"),
        ("DELETE", "/keys/file:filed"),
        ("POST", "/keys/file:filed/rotate"),
        ("POST", "/keys/file:filed/revoke"),
    ):
        refused = await ask(method, path, {})
        assert (refused.status, refused.value["error"]["code"]) == (409, "key_of_file")
    assert (await ask("GET", "/keys/file:other")).status == 404
    assert FILED not in str((await ask("GET", "/keys")).value)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({}, "name"),
    ({"name": ""}, "name"),
    ({"name": 1}, "name"),
    ({"name": "root"}, "name"),
    ({"name": "x" * 101}, "name"),
    ({"name": "a", "models": "gpt-*"}, "models"),
    ({"name": "a", "models": []}, "models"),
    ({"name": "a", "models": ["gpt-*", 1]}, "models.1"),
    ({"name": "a", "limits": 1}, "limits"),
    ({"name": "a", "limits": {"requests": 1}}, "limits.requests"),
    ({"name": "a", "limits": {"requests_per_minute": 0}}, "limits.requests_per_minute"),
    ({"name": "a", "limits": {"tokens_per_minute": "many"}}, "limits.tokens_per_minute"),
    ({"name": "a", "limits": {"concurrent_requests": True}}, "limits.concurrent_requests"),
    ({"name": "a", "budget": "10"}, "budget"),
    ({"name": "a", "budget": {"window": "day"}}, "budget.usd"),
    ({"name": "a", "budget": {"usd": "ten"}}, "budget.usd"),
    ({"name": "a", "budget": {"usd": -1}}, "budget.usd"),
    ({"name": "a", "budget": {"usd": "1", "window": "year"}}, "budget.window"),
    ({"name": "a", "budget": {"usd": "1", "eur": "1"}}, "budget.eur"),
    ({"name": "a", "metadata": {"team": 1}}, "metadata.team"),
    ({"name": "a", "metadata": []}, "metadata"),
    ({"name": "a", "expires_at": "soon"}, "expires_at"),
    ({"name": "a", "expires_at": 1}, "expires_at"),
    ({"name": "a", "expires_at": "2001-01-01T00:00:00Z"}, "expires_at"),
    ({"name": "a", "model": ["x"]}, "model"),
    ({"name": "a", "key": "dgm_mine"}, "key"),
]


async def test_every_field_that_may_be_wrong(ask: Ask) -> None:
    id = (await ask("POST", "/keys", {"name": "kept"})).value["id"]
    for fields, param in WRONG:
        refused = await ask("POST", "/keys", fields)
        assert (refused.status, refused.value["error"]["param"]) == (400, param), fields
        if fields.get("name") != "a" and "name" not in fields:
            continue
        refused = await ask("PATCH", f"/keys/{id}", fields)
        assert (refused.status, refused.value["error"]["param"]) == (400, param), fields
    assert (await ask("PATCH", f"/keys/{id}", {"name": None})).value["error"]["param"] == "name"
    for grace in ("soon", -1, True, [], "91d", {}):
        refused = await ask("POST", f"/keys/{id}/rotate", {"grace": grace})
        assert (refused.status, refused.value["error"]["param"]) == (400, "grace"), grace
    assert (await ask("POST", f"/keys/{id}/rotate", {"seconds": 1})).value["error"]["param"] == "seconds"
    assert (await ask("POST", f"/keys/{id}/revoke", {"at": 1})).value["error"]["param"] == "at"
    assert [key["name"] for key in (await ask("GET", "/keys")).value["data"]] == ["filed", "kept"]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
_NAMES = ["name", "models", "limits", "budget", "metadata", "expires_at", "other"]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(fields=st.dictionaries(st.sampled_from(_NAMES), values, max_size=4))
async def test_whatever_is_sent_is_taken_or_refused_by_name(ask: Ask, fields: dict[str, Any]) -> None:
    answer = await ask("POST", "/keys", {"name": "a", **fields})
    if answer.status == 400:
        assert answer.value["error"]["param"] or answer.value["error"]["code"] == "invalid_json"
    else:
        assert answer.status == 201
