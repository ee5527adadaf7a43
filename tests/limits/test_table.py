"""Slots: found again, given on when idle, refused when there are none; and the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from dragoman.limits import NANOS, LocalMeter, SharedTable, Table
from dragoman.limits.layout import HEADER, LEFT, TAG
from limits.rules import WALL, ask, granted, key, refused


def keys(count: int, **limits: int | float) -> list:
    return [key(limits.get("requests"), usd=limits.get("usd"), id=f"key:{number}") for number in range(count)]  # type: ignore[arg-type]


def used(table: Table) -> int:
    return sum(table.words[HEADER + number * table.size + TAG] != 0 for number in range(table.slots))


def test_every_rule_has_a_slot_of_its_own(meter: LocalMeter) -> None:
    rules = keys(64, requests=1)
    for rule in rules:
        granted(meter, (rule,), ask(), 100.0)
    for rule in rules:
        assert refused(meter, (rule,), ask(), 100.0).rule is rule
    assert used(meter._table) == 64


def test_a_full_table_refuses_and_says_so_and_goes_on_counting_for_those_it_has(meter: LocalMeter) -> None:
    rules = keys(65, requests=2)
    for rule in rules[:64]:
        granted(meter, (rule,), ask(), 100.0)
    no = refused(meter, (rules[0], rules[64]), ask(), 130.0)
    assert (no.kind, no.limit, no.rule) == ("full", 64, rules[64])
    assert no.retry_after is not None
    granted(meter, (rules[0],), ask(), 130.0)  # the refused one took nothing
    refused(meter, (rules[0],), ask(), 130.0)


def test_an_idle_slot_goes_to_who_needs_one(meter: LocalMeter) -> None:
    busy, *rules = keys(200, requests=1)
    running = granted(meter, (busy,), ask(), 100.0)
    for number, rule in enumerate(rules):
        now = 100.0 + 61 * (number // 63)
        meter.settle(granted(meter, (rule,), ask(), now), 1, 0, now, WALL)
        refused(meter, (rule,), ask(), now)
    # Under way for minutes, it kept its slot.
    meter.settle(running, 1, 0, 400.0, WALL)
    granted(meter, (busy,), ask(), 400.0)
    assert used(meter._table) == 64


def test_a_slot_with_a_request_under_way_is_not_idle(meter: LocalMeter) -> None:
    busy, *rules = keys(128, requests=1)
    grants = [granted(meter, (rule,), ask(), 100.0) for rule in (busy, *rules[:63])]
    for grant in grants[1:]:
        meter.settle(grant, 1, 0, 100.0, WALL)
    for rule in rules[63:126]:
        granted(meter, (rule,), ask(), 500.0)
    assert refused(meter, (rules[126],), ask(), 500.0).kind == "full"
    meter.settle(grants[0], 1, 0, 500.0, WALL)
    granted(meter, (rules[126],), ask(), 500.0)


def test_who_died_while_claiming_a_slot_hides_nobody(meter: LocalMeter) -> None:
    rules = keys(64, requests=1)
    for rule in rules:
        granted(meter, (rule,), ask(), 100.0)
    table = meter._table
    for number in range(64):
        slot = HEADER + number * table.size
        tag = table.words[slot + TAG]
        table.words[slot + TAG] = LEFT
        anew = LocalMeter(table)
        assert sum(anew._slot(rule, 100) == 0 for rule in rules) == 1
        table.words[slot + TAG] = tag


def test_what_was_spent_stays_longer_and_is_asked_for_again(meter: LocalMeter) -> None:
    rules = keys(65, usd=1.0)
    for rule in rules[:64]:
        meter.settle(granted(meter, (rule,), ask(1, 1), 100.0), 1, NANOS, 100.0, WALL)
        [(_, window)] = meter.unprimed((rule,), WALL)
        meter.prime(rule, window, 5, 100.0)
    assert refused(meter, (rules[64],), ask(), 3699.0).kind == "full"
    granted(meter, (rules[64],), ask(), 3700.0)
    known = [rule for rule in rules[:64] if not meter.unprimed((rule,), WALL)]
    assert len(known) == 63
    assert all(refused(meter, (rule,), ask(1, 0.1), 3700.0).kind == "budget" for rule in known)


def test_other_workers_notice_when_a_slot_goes_on(tmp_path: Path) -> None:
    SharedTable.create(tmp_path / "limits", workers=2, slots=1).close()
    one, two = (LocalMeter(SharedTable.open(tmp_path / "limits", worker=n)) for n in range(2))
    first, second = keys(2, requests=1)
    meter_of = {0: one, 1: two}
    for turn in range(6):
        now = 100.0 + 61 * turn
        for meter in (one, two):  # both know the place of the one before
            rule = (first, second)[turn % 2]
            answer = meter.reserve((rule,), ask(), now, WALL)
            if meter is one:
                one.settle(answer, 1, 0, now, WALL)  # type: ignore[arg-type]
            else:
                assert answer.kind == "requests"  # type: ignore[union-attr]
        left = meter_of[turn % 2].standing((rule,), now).requests
        assert left is not None and left.remaining == 0


def test_workers_count_together(tmp_path: Path) -> None:
    SharedTable.create(tmp_path / "limits", workers=3).close()
    meters = [LocalMeter(SharedTable.open(tmp_path / "limits", worker=n)) for n in range(3)]
    rules = (key(5, 50, 4, usd=1),)
    first, *_ = [granted(meters[number % 3], rules, ask(10, 0.25), 100.0) for number in range(4)]
    assert {refused(meter, rules, ask(10, 0.25), 100.0).kind for meter in meters} == {"concurrent"}
    meters[0].settle(first, 0, 0, 100.0, WALL)
    granted(meters[1], rules, ask(20, 0.25), 100.0)
    assert {refused(meter, rules, ask(0, 0), 100.0).kind for meter in meters} == {"requests"}


def test_a_dead_worker_gives_back_what_it_had_under_way(tmp_path: Path) -> None:
    keeper = SharedTable.create(tmp_path / "limits", workers=2)
    one, two = (LocalMeter(SharedTable.open(tmp_path / "limits", worker=n)) for n in range(2))
    rules = (key(10, 100, 2, usd=1, window="total"),)
    [(rule, window)] = one.unprimed(rules, WALL)
    one.prime(rule, window, 0, 100.0)
    mine = granted(one, rules, ask(10, 0.5), 100.0)
    granted(two, rules, ask(10, 0.5), 100.0)
    keeper.forget_worker(1)
    assert one.unprimed(rules, WALL) == [(rule, window)]  # what it spent and did not tell stands in the ledger
    granted(one, rules, ask(10, 0.5), 100.0)
    assert refused(one, rules, ask(10, 0), 100.0).kind == "concurrent"
    one.settle(mine, 10, 0, 100.0, WALL)
    standing = one.standing(rules, 100.0)
    assert standing.requests is not None and standing.requests.remaining == 7  # vendors were asked; that counts
    with pytest.raises(ValueError, match="worker 2 of 2"):
        keeper.forget_worker(2)


def test_one_worker_is_not_locked_and_its_counts_outlive_it(tmp_path: Path) -> None:
    keeper = SharedTable.create(tmp_path / "limits", workers=1)
    rules = (key(3, 300, 1, usd=1),)
    first = SharedTable.open(tmp_path / "limits", worker=0)
    assert first.lock is None
    meter = LocalMeter(first)
    meter.settle(granted(meter, rules, ask(100, 0.5), 100.0), 100, NANOS // 2, 100.0, WALL)
    granted(meter, rules, ask(100, 0.5), 100.0)
    first.close()
    keeper.forget_worker(0)
    after = LocalMeter(SharedTable.open(tmp_path / "limits", worker=0))
    granted(after, rules, ask(100, 0.5), 130.0)
    assert refused(after, rules, ask(100, 0), 130.0).retry_after == 31.0


def test_a_claim_that_takes_a_slot_from_the_next_rule_does_not_count_for_it(meter: LocalMeter) -> None:
    """A request's second rule is idle, and its first needs just that slot."""
    rules = keys(65, requests=1)
    for rule in rules[:64]:
        meter.settle(granted(meter, (rule,), ask(), 100.0), 1, 0, 100.0, WALL)
    for rule in rules[1:64]:
        meter.settle(granted(meter, (rule,), ask(), 200.0), 1, 0, 200.0, WALL)
    no = refused(meter, (rules[64], rules[0]), ask(), 200.0)
    assert (no.kind, no.rule) == ("full", rules[0])


def test_the_file(tmp_path: Path) -> None:
    path = tmp_path / "limits"
    SharedTable.create(path, workers=2).close()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.stat().st_blocks * 512 >= path.stat().st_size  # no page of it can fail to be there
    with pytest.raises(FileExistsError):
        SharedTable.create(path, workers=2)
    for worker in (-1, 2):
        with pytest.raises(ValueError, match="of 2"):
            SharedTable.open(path, worker=worker)
    path.write_bytes(b"something else")
    with pytest.raises(ValueError, match="no table of limits"):
        SharedTable.open(path, worker=0)
    with pytest.raises(ValueError, match="power of two"):
        SharedTable.create(tmp_path / "other", workers=1, slots=100)
    assert not (tmp_path / "other").exists()
    with pytest.raises(ValueError, match="power of two"):
        Table(0)


def test_nine_tenths_of_the_slots_can_be_in_use() -> None:
    meter = LocalMeter(Table(4096))
    for rule in keys(3686, requests=1):
        granted(meter, (rule,), ask(), 100.0)
