"""Which secrets open, until when, and what those read who come with another."""

from __future__ import annotations

from hashlib import sha256

import pytest
from msgspec.structs import replace

from dragoman.config import Settings
from dragoman.limits import Budget, Limits, Rule
from dragoman.pipeline.key import Key, Ring, end_text, expired, limited
from dragoman.pipeline.snapshot import snapshot_of
from dragoman.store import HeldKey

NOW = 1_000_000


def digest(secret: str) -> bytes:
    return sha256(secret.encode()).digest()


HELD = HeldKey("key_1", "ci", digest("one").hex(), ("gpt-*",), Limits(5), Budget(7, "day"), None, None, None, None)


def ring_of(*held: HeldKey) -> Ring:
    ring = Ring()
    ring.take(held, whole=True)
    return ring


def opens(ring: Ring, secret: str) -> str:
    """What becomes of a caller with this secret."""
    key = ring.keys.get(digest(secret))
    if key is None:
        return "unknown"
    return end_text(key) if expired(key, NOW) else key.id


def test_a_key_is_as_it_is_held() -> None:
    assert ring_of(HELD).keys == {
        digest("one"): limited(Key("key_1", "ci", ("gpt-*",), limits=Limits(5), budget=Budget(7, "day")))
    }


@pytest.mark.parametrize(
    ("change", "one", "two"),
    [
        ({}, "key_1", "unknown"),
        ({"expires": NOW + 1}, "key_1", "unknown"),
        ({"expires": NOW}, "expired at 1970-01-12T13:46:40+00:00. Ask the operator for a new one.", "unknown"),
        ({"revoked": NOW}, "was revoked at 1970-01-12T13:46:40+00:00. Ask the operator for a new one.", "unknown"),
        ({"revoked": NOW, "expires": NOW + 5}, "was revoked at 1970-01-12T13:46:40+00:00.", "unknown"),
        ({"revoked": NOW, "expires": NOW - 5}, "expired at 1970-01-12T13:46:35+00:00.", "unknown"),
        ({"previous": digest("two").hex(), "previous_until": NOW + 1}, "key_1", "key_1"),
        (
            {"previous": digest("two").hex(), "previous_until": NOW},
            "key_1",
            "was replaced by a new one, and ended at 1970-01-12T13:46:40+00:00. Use the new one.",
        ),
        ({"previous": digest("two").hex(), "previous_until": NOW + 9, "revoked": NOW}, "was revoked", "was revoked"),
        ({"previous": digest("two").hex(), "previous_until": NOW + 9, "expires": NOW}, "expired", "expired"),
        ({"digest": ""}, "unknown", "unknown"),
    ],
)
def test_who_is_let_in(change: dict[str, object], one: str, two: str) -> None:
    ring = ring_of(replace(HELD, **change))
    assert opens(ring, "one").startswith(one)
    assert opens(ring, "two").startswith(two)


def test_what_changes_takes_the_place_of_what_was() -> None:
    ring = ring_of(HELD, replace(HELD, id="key_2", digest=digest("two").hex()))
    before = ring.keys
    ring.take(
        [replace(HELD, digest=digest("new").hex(), previous=digest("one").hex(), previous_until=NOW + 9)], whole=False
    )
    assert [opens(ring, secret) for secret in ("one", "two", "new")] == ["key_1", "key_2", "key_1"]
    ring.take(
        [replace(HELD, digest=digest("newer").hex(), previous=digest("new").hex(), previous_until=NOW + 9)], whole=False
    )
    assert [opens(ring, secret) for secret in ("one", "new", "newer")] == ["unknown", "key_1", "key_1"]
    ring.take([replace(HELD, digest="")], whole=False)
    assert list(ring.keys) == [digest("two")]
    assert len(before) == 2, "a request may still hold them"
    ring.take([], whole=True)
    assert ring.keys == {}


def test_the_files_keys_and_our_own_come_first() -> None:
    settings = Settings.model_validate(
        {
            "keys": [
                {"name": "ci", "key": "one", "limits": {"tokens_per_minute": 9}, "budget": {"usd": "1.5"}},
                {"name": "free", "key": "two"},
            ]
        }
    )
    held = (HELD, replace(HELD, id="key_3", digest=digest("three").hex()))
    snapshot = snapshot_of(settings, demo=False, root_key=digest("root"), trial_key=digest("trial"))
    assert {key.id for key in snapshot.keys.values()} == {"root", "trial", "file:ci", "file:free"}
    later = snapshot.with_keys(ring_of(*held).keys)
    limits, budget = Limits(tokens_per_minute=9), Budget(1_500_000_000, "month")
    rule = Rule("key:file:ci", "the key 'ci'", limits, budget)
    assert later.keys[digest("one")] == Key("file:ci", "ci", limits=limits, budget=budget, rule=rule)
    assert later.keys[digest("two")] == Key("file:free", "free")
    assert later.keys[digest("three")].id == "key_3"
    assert later.keys[digest("root")].root and not later.keys[digest("trial")].root
    assert digest("three") not in later.with_keys({}).keys
    assert later.plans is snapshot.plans
