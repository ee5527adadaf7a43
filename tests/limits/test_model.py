"""Three workers over one file against a model that keeps every request in a list."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition
from hypothesis.stateful import rule as step

from dragoman.limits import Demand, Grant, Level, LocalMeter, Rule, SharedTable, window_at
from limits.rules import key

WORKERS = 3
DAYS = (
    1_796_000_000.0 // 86_400 * 86_400 + 40_000.0,
    1_796_000_000.0 // 86_400 * 86_400 + 86_400.0,
)  # November's last, and the next
IDS = ("key:a", "key:b", "model:c")


@dataclass
class Kept:
    """Of one rule: (second, request's number, how many) for what is counted, and the rest in plain sums."""

    requests: list[tuple[int, int, int]] = field(default_factory=list)
    tokens: list[tuple[int, int, int]] = field(default_factory=list)
    spent: dict[str, int] = field(default_factory=dict)


@dataclass
class Running:
    grant: Grant
    number: int
    worker: int
    second: int
    rules: tuple[Rule, ...]
    tokens: int
    held: dict[str, tuple[int, str]]


class Limits(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.path = Path(self.directory.name) / "limits"
        self.keeper = SharedTable.create(self.path, workers=WORKERS, slots=8)
        self.meters = [self.open(worker) for worker in range(WORKERS)]
        self.now = 1000.0
        self.wall = DAYS[0]
        self.kept = {id: Kept() for id in IDS}
        self.running: list[Running] = []
        self.count = 0
        self.rules = {
            "key:a": key(4, 100, 3, usd=1e-7, window="day", id="key:a"),
            "key:b": key(None, 60, None, usd=1e-7, window="total", id="key:b"),
            "model:c": key(6, None, None, id="model:c"),
        }
        # A clock that goes back to a day that nobody has seen has a test of its own.
        self.meters[0].prime(self.rules["key:a"], window_at("day", self.wall), 0, self.now)

    def open(self, worker: int) -> LocalMeter:
        return LocalMeter(SharedTable.open(self.path, worker=worker))

    def teardown(self) -> None:
        for table in (self.keeper, *(meter._table for meter in self.meters)):
            table.close()
        self.directory.cleanup()

    # --- the model

    def minute(self, events: list[tuple[int, int, int]]) -> int:
        return sum(count for second, _, count in events if second >= int(self.now) - 60)

    def under_way(self, id: str) -> list[Running]:
        return [run for run in self.running if any(rule.id == id for rule in run.rules)]

    def reserved(self, id: str) -> int:
        return sum(run.held[id][0] for run in self.under_way(id) if id in run.held)

    def refusal(self, rule: Rule, demand: Demand) -> str | int:
        """Its kind, or what is reserved of the budget."""
        kept, limits, budget = self.kept[rule.id], rule.limits, rule.budget
        assert limits is not None
        if limits.requests_per_minute is not None and self.minute(kept.requests) >= limits.requests_per_minute:
            return "minute"
        most = limits.tokens_per_minute
        if most is not None and demand.tokens and self.minute(kept.tokens) + demand.tokens > most:
            return "minute"
        if limits.concurrent_requests is not None and len(self.under_way(rule.id)) >= limits.concurrent_requests:
            return "concurrent"
        if budget is None:
            return 0
        spent = kept.spent.get(window_at(budget.window, self.wall).name, 0)
        room = budget.nanos - spent - self.reserved(rule.id)
        if demand.nanos is None:
            return 0 if spent < budget.nanos else "budget"
        if demand.nanos == 0 or demand.nanos <= room:
            return demand.nanos
        if not demand.bounded and self.reserved(rule.id) == 0 and room > 0:
            return room
        return "budget"

    # --- what happens

    @step(gap=st.one_of(st.floats(0, 2), st.floats(0, 70), st.sampled_from([60.0, 61.0, 64.0, 200.0])))
    def time_passes(self, gap: float) -> None:
        self.now += gap

    @step(day=st.sampled_from(DAYS))
    def the_clock_is_set(self, day: float) -> None:
        self.wall = day

    @step(
        worker=st.integers(0, WORKERS - 1),
        ids=st.sampled_from([("key:a",), ("key:b",), ("key:a", "model:c"), ("key:b", "model:c"), IDS]),
        tokens=st.integers(0, 70),
        nanos=st.one_of(st.none(), st.integers(0, 60)),
        bounded=st.booleans(),
    )
    def reserve(self, worker: int, ids: tuple[str, ...], tokens: int, nanos: int | None, bounded: bool) -> None:
        rules, demand = tuple(self.rules[id] for id in ids), Demand(tokens, nanos, bounded)
        expected = [self.refusal(rule, demand) for rule in rules]
        answer = self.meters[worker].reserve(rules, demand, self.now, self.wall)
        against = [(rule, kind) for rule, kind in zip(rules, expected, strict=True) if isinstance(kind, str)]
        if against:
            assert not isinstance(answer, Grant)
            kind = "minute" if answer.kind in ("requests", "tokens") else answer.kind
            assert (answer.rule, kind) == against[0]
            return
        assert isinstance(answer, Grant), answer
        self.count += 1
        second = int(self.now)
        held = {}
        for rule, part in zip(rules, expected, strict=True):
            assert rule.limits is not None and isinstance(part, int)
            if rule.limits.requests_per_minute is not None:
                self.kept[rule.id].requests.append((second, self.count, 1))
            if rule.limits.tokens_per_minute is not None:
                self.kept[rule.id].tokens.append((second, self.count, tokens))
            if rule.budget is not None:
                held[rule.id] = part, window_at(rule.budget.window, self.wall).name
        self.running.append(Running(answer, self.count, worker, second, rules, tokens, held))

    @precondition(lambda self: self.running)
    @step(
        pick=st.integers(0),
        tokens=st.one_of(st.none(), st.integers(0, 90)),
        nanos=st.one_of(st.none(), st.integers(0, 80)),
    )
    def settle(self, pick: int, tokens: int | None, nanos: int | None) -> None:
        run = self.running.pop(pick % len(self.running))
        self.meters[run.worker].settle(run.grant, tokens, nanos, self.now, self.wall)
        for rule in run.rules:
            kept = self.kept[rule.id]
            if rule.limits is not None and rule.limits.tokens_per_minute is not None and tokens is not None:
                if tokens > run.tokens:
                    kept.tokens.append((int(self.now), 0, tokens - run.tokens))
                else:
                    kept.tokens.remove((run.second, run.number, run.tokens))
                    kept.tokens.append((run.second, run.number, tokens))
            if rule.id in run.held:
                part, window = run.held[rule.id]
                kept.spent[window] = kept.spent.get(window, 0) + (part if nanos is None else nanos)

    @precondition(lambda self: self.running)
    @step(pick=st.integers(0))
    def cancel(self, pick: int) -> None:
        run = self.running.pop(pick % len(self.running))
        self.meters[run.worker].cancel(run.grant, self.now)
        for kept in self.kept.values():
            for events in (kept.requests, kept.tokens):
                events[:] = [event for event in events if event[1] != run.number]

    @step(id=st.sampled_from(IDS[:2]), spent=st.integers(0, 120))
    def prime(self, id: str, spent: int) -> None:
        budget = self.rules[id].budget
        assert budget is not None
        window = window_at(budget.window, self.wall)
        self.meters[0].prime(self.rules[id], window, spent, self.now)
        known = self.kept[id].spent
        known[window.name] = max(known.get(window.name, 0), spent)

    @step(
        id=st.sampled_from(IDS), requests=st.integers(0, 8), tokens=st.integers(20, 120), concurrent=st.integers(1, 4)
    )
    def the_operator_changes_a_limit(self, id: str, requests: int, tokens: int, concurrent: int) -> None:
        self.rules[id] = {
            "key:a": key(requests, tokens, concurrent, usd=tokens * 1e-9, window="day", id=id),
            "key:b": key(None, tokens, None, usd=1e-7, window="total", id=id),
            "model:c": key(requests, None, None, id=id),
        }[id]

    @step(worker=st.integers(0, WORKERS - 1))
    def a_worker_dies(self, worker: int) -> None:
        self.meters[worker]._table.close()
        self.keeper.forget_worker(worker)
        self.meters[worker] = self.open(worker)
        self.running = [run for run in self.running if run.worker != worker]

    @invariant()
    def it_stands_as_the_model_says(self) -> None:
        for number, (id, rule) in enumerate(self.rules.items()):
            assert rule.limits is not None
            standing = self.meters[(self.count + number) % WORKERS].standing((rule,), self.now)
            for level, limit, events in (
                (standing.requests, rule.limits.requests_per_minute, self.kept[id].requests),
                (standing.tokens, rule.limits.tokens_per_minute, self.kept[id].tokens),
            ):
                if limit is None:
                    assert level is None
                    continue
                counting = [s for s, _, n in events if n and s >= int(self.now) - 60]
                reset = max(counting) + 61 - self.now if counting else 0.0
                assert level == Level(limit, max(0, limit - self.minute(events)), reset)


TestLimits = Limits.TestCase
TestLimits.settings = settings(
    max_examples=int(os.environ.get("DRAGOMAN_EXAMPLES", "60")),
    stateful_step_count=60,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
