"""Death between any two stores: never more room than there is, and all is right once the dead worker is forgotten."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dragoman.limits import NANOS, Grant, LocalMeter, Rule, SharedTable
from dragoman.limits.layout import COLUMNS, EMPTY, HEADER, LEFT, REQUESTS, RING, SECONDS, TAG, TOKENS
from limits.rules import WALL, ask, granted, key, refused

MIDNIGHT = 1_795_046_400.0
RULES: tuple[Rule, ...] = (
    key(3, 300, 9, usd=1, window="day"),
    key(3, 300, 9, usd=1, window="total", id="key:other"),
)


class Died(BaseException):
    pass


class Mortal:
    """Words that take so many more stores."""

    def __init__(self, words: Any, stores: int) -> None:
        self._words = words
        self.stores = stores

    def __getitem__(self, at: Any) -> Any:
        return self._words[at]

    def __setitem__(self, at: Any, value: Any) -> None:
        if self.stores == 0:
            raise Died
        self.stores -= 1
        self._words[at] = value


def _claim(victim: LocalMeter) -> None:
    victim.reserve(RULES, ask(100, 0.25), 100.0, WALL)


def _idle_slot(victim: LocalMeter) -> None:
    """The table's only other slot was somebody else's."""
    victim.reserve((RULES[0], key(3, 300, id="key:third")), ask(100, 0.25), 170.0, WALL)


def _advance(victim: LocalMeter) -> None:
    victim.reserve(RULES, ask(100, 0.25), 171.0, WALL)


def _after_long(victim: LocalMeter) -> None:
    victim.reserve(RULES, ask(100, 0.25), 300.0, WALL)


def _midnight(victim: LocalMeter) -> None:
    victim.reserve(RULES, ask(100, 0.25), 112.0, MIDNIGHT)


def _settle_less(victim: LocalMeter) -> None:
    victim.settle(granted(victim, RULES, ask(100, 0.25), 112.0), 40, NANOS // 10, 112.5, WALL)


def _settle_more(victim: LocalMeter) -> None:
    victim.settle(granted(victim, RULES, ask(10, 0.25), 112.0), 200, NANOS // 2, 113.5, WALL)


def _cancel(victim: LocalMeter) -> None:
    victim.cancel(granted(victim, RULES, ask(100, 0.25), 112.0), 113.0)


@pytest.mark.parametrize("used_before", [False, True])
@pytest.mark.parametrize(
    "act", [_claim, _idle_slot, _advance, _after_long, _midnight, _settle_less, _settle_more, _cancel]
)
def test_death_between_any_two_stores(tmp_path: Path, act: Callable[[LocalMeter], None], used_before: bool) -> None:
    finished = False
    stores = 0
    while not finished:
        path = tmp_path / f"limits-{stores}"
        keeper = SharedTable.create(path, workers=2, slots=2)
        table = SharedTable.open(path, worker=1)
        victim, other = LocalMeter(table), LocalMeter(SharedTable.open(path, worker=0))
        before = 0
        if used_before and act is not _idle_slot:
            for now in (110.0, 111.0):
                other.settle(granted(other, RULES, ask(100, 0.25), now), 100, NANOS // 4, now, WALL)
                before += 1
        elif act is _idle_slot:
            granted(other, (key(3, 300, id="key:second"),), ask(), 100.0)
            other._table.forget_worker(0)
        table.words = victim._words = Mortal(table.words, stores)  # type: ignore[assignment]
        try:
            act(victim)
            finished = True
        except Died:
            pass
        stores += 1
        for slot in _owned(keeper):
            for total, seconds in _minutes(keeper, slot):
                assert keeper.words[slot + total] >= sum(seconds)
        keeper.forget_worker(1)
        _is_whole(keeper)
        _is_not_over(other, before, act)
        keeper.close()
    assert stores > 5


def _is_whole(table: SharedTable) -> None:
    words = table.words
    for slot in _owned(table):
        assert not any(words[slot + COLUMNS : slot + COLUMNS + 4])
        for total, seconds in _minutes(table, slot):
            assert min(seconds) >= 0
            assert words[slot + total] == sum(seconds)


def _owned(table: SharedTable) -> list[int]:
    slots = [HEADER + number * table.size for number in range(table.slots)]
    return [slot for slot in slots if table.words[slot + TAG] not in (EMPTY, LEFT)]


def _minutes(table: SharedTable, slot: int) -> list[tuple[int, list[int]]]:
    rings = ((REQUESTS, slot + RING), (TOKENS, slot + RING + SECONDS))
    return [(total, table.words[ring : ring + SECONDS].tolist()) for total, ring in rings]


def _is_not_over(other: LocalMeter, before: int, act: Callable[[LocalMeter], None]) -> None:
    """What was there before is still counted, and what the dead one took at most once."""
    if act in (_settle_less, _settle_more, _cancel, _midnight):
        left = 3 - before
        passed = 0
        while isinstance(answer := other.reserve(RULES[:1], ask(0, 0), 113.0, WALL), Grant):
            other.settle(answer, 0, 0, 113.0, WALL)
            passed += 1
        assert left - 1 <= passed <= left
        # Of two at 0.25 each half a dollar is left, or less by what the dead one spent.
        assert refused(other, RULES[:1], ask(0, 1 - 0.25 * before + 0.01), 200.0).kind == "budget"
    else:
        # Room comes again for everybody.
        for rule in RULES:
            for _ in range(3):
                other.settle(granted(other, (rule,), ask(100), 4000.0), 100, 0, 4000.0, WALL)
            assert refused(other, (rule,), ask(1), 4000.0).kind in ("requests", "tokens")
