"""Keys in the database: what is said of one is checked, each change is on the audit, and is what a process reads next."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.limits.values import Budget, Limits
from dragoman.store import Location, StoreRefused, location_of
from dragoman.store.key_fields import InvalidKey, KeyEnded, NoSuchKey, patched, read_fields, shown
from dragoman.store.key_rows import StoredKey
from dragoman.store.keyring import Keyring
from dragoman.store.keys import Keys
from dragoman.store.migrate import migrate
from postgres import PostgresServer
from store.conftest import Ask

FULL = {
    "name": "ci",
    "models": ["gemini-*", "models/fast", "fast"],
    "limits": {"requests_per_minute": 60, "tokens_per_minute": 100000, "concurrent_requests": None},
    "budget": {"usd": "10.00", "window": "day"},
    "metadata": {"team": "search"},
    "expires_at": "2099-01-31T12:00:00+02:00",
}


@pytest.fixture
def keys(location: Location) -> Iterator[Keys]:
    opened = Keys(location)
    yield opened
    opened.close()


@pytest.fixture
def ring(location: Location) -> Iterator[Keyring]:
    opened = Keyring(location)
    yield opened
    opened.close()


def digest(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()


def test_a_key_is_what_was_said_of_it(keys: Keys) -> None:
    made = keys.create(FULL, "tests")
    assert keys.show(made.key.id) == keys.find("ci") == made.key
    told = shown(made.key, time.time())
    assert {name: told[name] for name in FULL} == {
        **FULL,
        "models": ["gemini-*", "fast"],
        "expires_at": "2099-01-31T10:00:00Z",
    }
    assert (told["status"], told["ending"]) == ("active", made.secret[-4:])
    assert made.key.limits == Limits(60, 100000)
    assert made.key.budget == Budget(10_000_000_000, "day")


def test_only_a_digest_of_the_secret_is_kept(keys: Keys, location: Location, ask: Ask) -> None:
    secrets = [keys.create({"name": "a"}, "tests").secret]
    secrets.append(keys.rotate(keys.find("a").id, "tests").secret)
    for table in ("keys", "audit"):
        text = repr(ask(location, f"SELECT * FROM {table}"))
        assert not any(secret in text or secret[4:] in text for secret in secrets)
    assert all(secret.startswith("dgm_") and len(secret) == 52 for secret in secrets)
    (kept, previous) = ask(location, "SELECT digest, previous FROM keys")[0]
    assert (bytes(kept).hex(), bytes(previous).hex()) == (digest(secrets[1]), digest(secrets[0]))


def test_what_has_changed_is_read(keys: Keys, ring: Keyring) -> None:
    start = ring.read()
    assert start is not None and (start.keys, start.whole) == ([], True)
    assert ring.read(start.number) is None
    one, two = keys.create(FULL, "tests"), keys.create({"name": "two"}, "tests")
    both = ring.read(start.number)
    assert both is not None and not both.whole
    assert {held.id: held.digest for held in both.keys} == {made.key.id: digest(made.secret) for made in (one, two)}
    again = keys.rotate(one.key.id, "tests", grace=60)
    third = ring.read(both.number)
    assert third is not None
    (held,) = third.keys
    assert (held.digest, held.previous) == (digest(again.secret), digest(one.secret))
    assert held.previous_until == again.key.previous_until
    assert (held.models, held.limits, held.budget) == (one.key.models, one.key.limits, one.key.budget)
    keys.delete(two.key.id, "tests")
    last = ring.read(third.number)
    assert last is not None and [(held.id, held.digest) for held in last.keys] == [(two.key.id, "")]
    whole = ring.read()
    assert whole is not None and [held.id for held in whole.keys] == [one.key.id]


def test_a_key_whose_rules_cannot_be_read_lets_nobody_in(
    keys: Keys, ring: Keyring, location: Location, ask: Ask
) -> None:
    for name in ("good", "bad"):
        keys.create({"name": name}, "tests")
    ask(location, "UPDATE keys SET limits = '[' WHERE name = 'bad'")
    found = ring.read()
    assert found is not None
    assert {held.name: bool(held.digest) for held in found.keys} == {"good": True, "bad": False}


def test_a_number_that_went_back_is_another_database(keys: Keys, ring: Keyring) -> None:
    made = keys.create({"name": "a"}, "tests")
    found = ring.read(1_000_000)
    assert found is not None and found.whole and [held.id for held in found.keys] == [made.key.id]


def test_a_patch_takes_merges_and_takes_away(keys: Keys) -> None:
    id = keys.create(FULL, "tests").key.id
    assert keys.patch(
        id, {"limits": {"requests_per_minute": None, "concurrent_requests": 2}}, "tests"
    ).limits == Limits(None, 100000, 2)
    key = keys.patch(id, {"budget": {"usd": 20}, "metadata": {"team": None, "cost": "7"}, "expires_at": None}, "tests")
    assert (key.budget, key.metadata, key.expires) == (Budget(20_000_000_000, "day"), {"cost": "7"}, None)
    key = keys.patch(id, {"budget": None, "models": None, "limits": None, "name": "other"}, "tests")
    assert (key.budget, key.models, key.limits, key.name) == (None, ("*",), None, "other")
    assert keys.show(id) == key


def test_a_patch_that_is_wrong_changes_nothing(keys: Keys, ring: Keyring) -> None:
    made = keys.create(FULL, "tests")
    before = ring.read()
    assert before is not None
    with pytest.raises(InvalidKey, match=r"^limits.requests_per_minute: "):
        keys.patch(made.key.id, {"limits": {"requests_per_minute": 0}, "name": "other"}, "tests")
    assert ring.read(before.number) is None
    assert keys.show(made.key.id) == made.key
    assert len(keys.audit().rows) == 1


def test_an_expiry_that_is_past_may_stay_but_not_be_set(keys: Keys, location: Location, ask: Ask) -> None:
    with pytest.raises(InvalidKey, match=r"^expires_at: is in the past"):
        keys.create({"name": "a", "expires_at": "2020-01-01"}, "tests")
    id = keys.create({"name": "a"}, "tests").key.id
    ask(location, "UPDATE keys SET expires = 1000")
    assert keys.patch(id, {"name": "b"}, "tests").expires == 1000
    assert keys.show(id).status(time.time()) == "expired"
    with pytest.raises(InvalidKey):
        keys.patch(id, {"expires_at": "2020-01-01"}, "tests")


def test_a_revoked_key_stays_revoked(keys: Keys) -> None:
    id = keys.create({"name": "a"}, "tests").key.id
    assert keys.revoke(id, "tests").status(0) == "revoked"
    assert keys.revoke(id, "tests") == keys.show(id)
    for change in (lambda: keys.rotate(id, "tests"), lambda: keys.patch(id, {"name": "b"}, "tests")):
        with pytest.raises(KeyEnded, match="is revoked, and stays so"):
            change()
    assert [row.action for row in keys.audit().rows] == ["key.revoke", "key.create"]


@pytest.mark.parametrize("grace", [-1, 91 * 24 * 3600])
def test_a_grace_time_has_bounds(keys: Keys, grace: int) -> None:
    made = keys.create({"name": "a"}, "tests")
    with pytest.raises(InvalidKey, match=r"^grace: is not from 0 to"):
        keys.rotate(made.key.id, "tests", grace)
    assert keys.show(made.key.id) == made.key


def test_a_deleted_key_is_gone(keys: Keys) -> None:
    id = keys.create({"name": "a"}, "tests").key.id
    keys.delete(id, "tests")
    assert keys.list().keys == []
    for ask in (keys.show, keys.find, lambda id: keys.delete(id, "tests"), lambda id: keys.revoke(id, "tests")):
        with pytest.raises(NoSuchKey):
            ask(id)
    assert json.loads(keys.audit().rows[0].detail)["name"] == "a"


@pytest.mark.parametrize("id", ["", "key_", "key_" + "0" * 24, "key_\0", "file:ci", "x" * 10_000, "key_" + "é" * 24])
def test_an_id_that_is_none(keys: Keys, id: str) -> None:
    for ask in (keys.show, keys.find, lambda id: keys.revoke(id, "tests")):
        with pytest.raises(NoSuchKey):
            ask(id)


def test_a_name_finds_a_key_where_only_one_has_it(keys: Keys) -> None:
    one, two = (keys.create({"name": "twin"}, "tests").key for _ in "ab")
    with pytest.raises(NoSuchKey, match="2 keys have the name") as refused:
        keys.find("twin")
    assert one.id in str(refused.value) and two.id in str(refused.value)
    keys.revoke(one.id, "tests")
    assert keys.find("twin").id == two.id
    keys.revoke(two.id, "tests")
    with pytest.raises(NoSuchKey):
        keys.find("twin")
    assert keys.find(one.id).id == one.id


def test_lists_go_page_by_page(keys: Keys) -> None:
    made = [keys.create({"name": f"k{number}"}, "tests").key.id for number in range(7)]
    keys.revoke(made[3], "tests")
    seen: list[str] = []
    cursor = None
    for _ in range(3):
        page = keys.list(cursor, 3)
        seen += [key.id for key in page.keys]
        cursor = page.next_cursor
    assert cursor is None
    assert seen == sorted(made, reverse=True)
    assert made[3] not in [key.id for key in keys.list(revoked=False).keys]
    pages = [keys.audit(limit=5)]
    pages.append(keys.audit(pages[0].next_cursor, 5))
    assert [len(page.rows) for page in pages] == [5, 3] and pages[1].next_cursor is None
    assert [row.action for row in keys.audit(subject=made[3]).rows] == ["key.revoke", "key.create"]
    for cursor in ("", "x", "key_'; DROP TABLE keys", "-1"):
        with pytest.raises(InvalidKey, match=r"^cursor: "):
            keys.list(cursor)
        with pytest.raises(InvalidKey, match=r"^cursor: "):
            keys.audit(cursor)
    with pytest.raises(InvalidKey, match=r"^limit: "):
        keys.list(limit=0)


def test_the_audit_says_who_changed_what(keys: Keys) -> None:
    id = keys.create({"name": "a"}, "cli:ann").key.id
    keys.patch(id, {"budget": {"usd": "0.5"}}, "root")
    keys.patch(id, {}, "root")
    keys.note("root", "config.reload", "config", {"needs_restart": []})
    told = [(row.actor, row.action, row.subject, json.loads(row.detail)) for row in keys.audit().rows]
    assert told[0] == ("root", "config.reload", "config", {"needs_restart": []})
    assert told[1] == ("root", "key.change", id, {"budget": {"from": None, "to": {"usd": "0.50", "window": "month"}}})
    assert told[2][:3] == ("cli:ann", "key.create", id)
    assert len(told) == 3


def test_many_who_change_keys_at_once(location: Location, ring: Keyring) -> None:
    """Every change has a number of its own, and none is overtaken by a later one."""
    failed: list[BaseException] = []

    def work(number: int) -> None:
        keys = Keys(location)
        try:
            for turn in range(5):
                made = keys.create({"name": f"{number}-{turn}"}, "tests")
                keys.rotate(made.key.id, "tests")
        except BaseException as error:
            failed.append(error)
        finally:
            keys.close()

    seen: dict[str, str] = {}
    at = None
    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        if (changes := ring.read(at)) is not None:
            at = changes.number
            seen.update({held.id: held.digest for held in changes.keys})
    changes = ring.read(at)
    seen.update({held.id: held.digest for held in changes.keys} if changes is not None else {})
    whole = ring.read()
    assert failed == []
    assert whole is not None and whole.number == 40
    assert seen == {held.id: held.digest for held in whole.keys} and len(seen) == 20


def test_machines_agree_on_one_root_key(keys: Keys, ring: Keyring) -> None:
    assert ring.root_key() is None
    assert keys.agree_on_root_key(b"a" * 32) == b"a" * 32
    assert keys.agree_on_root_key(b"b" * 32) == b"a" * 32
    assert ring.root_key() == b"a" * 32


def test_a_database_that_does_not_answer(location: Location, keys: Keys, ring: Keyring, ask: Ask) -> None:
    for table in ("keys", "versions", "settings"):
        ask(location, f"ALTER TABLE {table} RENAME TO {table}_gone")
    for reading in (ring.read, ring.root_key, keys.list, lambda: keys.create({"name": "a"}, "tests")):
        with pytest.raises(StoreRefused, match="cannot be used") as refused:
            reading()
        assert "\n" not in str(refused.value)
    for table in ("keys", "versions", "settings"):
        ask(location, f"ALTER TABLE {table}_gone RENAME TO {table}")
    assert ring.read() is not None and keys.list().keys == []


WRONG: list[tuple[dict[str, Any], str]] = [
    ({}, "name"),
    ({"name": ""}, "name"),
    ({"name": "root"}, "name"),
    ({"name": "a\nb"}, "name"),
    ({"name": "x" * 101}, "name"),
    ({"name": 3}, "name"),
    ({"modles": []}, "modles"),
    ({"models": []}, "models"),
    ({"models": "gpt-*"}, "models"),
    ({"models": ["a", ""]}, "models.1"),
    ({"models": ["\0"]}, "models.0"),
    ({"limits": []}, "limits"),
    ({"limits": {"rpm": 1}}, "limits.rpm"),
    ({"limits": {"requests_per_minute": True}}, "limits.requests_per_minute"),
    ({"limits": {"requests_per_minute": 1.5}}, "limits.requests_per_minute"),
    ({"limits": {"tokens_per_minute": 10**13}}, "limits.tokens_per_minute"),
    ({"limits": {"concurrent_requests": "8"}}, "limits.concurrent_requests"),
    ({"budget": 10}, "budget"),
    ({"budget": {}}, "budget.usd"),
    ({"budget": {"usd": "ten"}}, "budget.usd"),
    ({"budget": {"usd": "NaN"}}, "budget.usd"),
    ({"budget": {"usd": True}}, "budget.usd"),
    ({"budget": {"usd": "-1"}}, "budget.usd"),
    ({"budget": {"usd": "1e10"}}, "budget.usd"),
    ({"budget": {"usd": "0.0000000001"}}, "budget.usd"),
    ({"budget": {"usd": "1", "window": "week"}}, "budget.window"),
    ({"budget": {"usd": "1", "window": []}}, "budget.window"),
    ({"budget": {"usd": "1", "per": "day"}}, "budget.per"),
    ({"metadata": {"a": 1}}, "metadata.a"),
    ({"metadata": {"": "a"}}, "metadata"),
    ({"metadata": {str(n): "" for n in range(33)}}, "metadata"),
    ({"expires_at": 1}, "expires_at"),
    ({"expires_at": "soon"}, "expires_at"),
    ({"expires_at": "0001-01-01T00:00:00+14:00"}, "expires_at"),
    ({"expires_at": "9999-12-31T23:59:59-14:00"}, "expires_at"),
]


@pytest.mark.parametrize(("fields", "field"), WRONG)
def test_what_cannot_be_said_of_a_key(fields: dict[str, Any], field: str) -> None:
    given = fields if field == "name" else {"name": "a", **fields}
    with pytest.raises(InvalidKey) as refused:
        read_fields(given)
    assert refused.value.field == field
    assert refused.value.message[:1].islower() and refused.value.message.endswith(".")


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from([*FULL, "odd"])


@given(st.dictionaries(NAMES, ANYTHING, max_size=4), st.dictionaries(NAMES, ANYTHING, max_size=4))
def test_whatever_is_said_is_taken_or_refused(fields: dict[str, Any], changes: dict[str, Any]) -> None:
    with suppress(InvalidKey):
        read_fields({"name": "a", **fields})
    key = StoredKey("key_1", "a", "abcd", ("*",), Limits(1), Budget(5, "day"), {"a": "b"}, 1, None, None, None)
    try:
        found = read_fields(patched(key, changes))
    except InvalidKey:
        return
    assert set(changes) <= set(FULL) and found.name


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    nowhere = location_of("postgresql://u:a-password@127.0.0.1:9/none", tmp_path)
    keys, ring = Keys(nowhere), Keyring(nowhere)
    for reading in (ring.read, ring.root_key, keys.list, lambda: keys.create({"name": "a"}, "tests")):
        with pytest.raises(StoreRefused, match=r"Connection refused\. Check the address") as refused:
            reading()
        assert "a-password" not in str(refused.value)
    keys.close()
    ring.close()


def test_a_server_that_comes_again(postgres_server: PostgresServer, tmp_path: Path) -> None:
    location = location_of(postgres_server.new_database(), tmp_path)
    migrate(location)
    keys, ring = Keys(location), Keyring(location)
    assert keys.list().keys == [] and ring.read() is not None
    postgres_server.stop()
    try:
        with pytest.raises(StoreRefused):
            ring.read()
        with pytest.raises(StoreRefused):
            keys.list()
    finally:
        postgres_server.start()
    made = keys.create({"name": "a"}, "tests")
    found = ring.read()
    assert found is not None and [held.id for held in found.keys] == [made.key.id]
    keys.close()
    ring.close()
