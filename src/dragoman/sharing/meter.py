"""The meter of one of several machines: what is leased here, counted on in `limits.LocalMeter` all the while.

A request takes from leases, without waiting. Where they do not do, `reserve` answers `Wanting`, and its `decide` asks Valkey
together with all who ask at that moment. While Valkey cannot be asked, the local meter decides by this machine's share; but in
the first moment, when others may well be counting there, what is leased here and a small part of what was left decide.

The local meter's own counts make it a second bound: what it refuses, all machines together would refuse too. It is also what
makes the change to shares safe: it knows what has passed here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from time import monotonic, time

from msgspec import Struct

from dragoman.limits import Demand, Grant, Level, LocalMeter, Refused, Rule, Standing, Wanting, Window, window_at
from dragoman.limits.leased_minute import LeasedMinute
from dragoman.limits.leased_money import LeasedMoney
from dragoman.limits.leased_running import LeasedRunning
from dragoman.limits.share import doubted, share_of, told
from dragoman.sharing.address import Address
from dragoman.sharing.courier import PREFIX, Account, Change, Courier, Figures
from dragoman.sharing.patience import LONGEST, PATIENCE, arrived

_TRUST = 0.1  # seconds for which "nothing is left" is believed without asking again
_NEVER = -1.0  # the same, of what may be given back at any moment: by requests under way
_AGAIN = 0.025  # seconds until such a thing is asked for a second time: longer than others take to give back
_KEPT = 20_000  # rules that are remembered; idle ones are forgotten beyond


class Leased(Struct, gc=False):
    """What a rule has here. `used` is when a request last asked."""

    rule: Rule
    minute: LeasedMinute | None
    running: LeasedRunning | None
    money: LeasedMoney | None
    past: list[LeasedMoney]  # of windows that have ended, until all of it is told
    share: tuple[Rule, int, int, Rule] | None
    used: float

    def accounts(self) -> Iterator[Account]:
        for account in (self.minute, self.running, self.money, *self.past):
            if account is not None:
                yield account

    def doubts(self, demand: Demand, now: float, wall: float, nodes: int) -> Refused | None:
        refused = None
        if self.minute is not None:
            refused = self.minute.doubts(demand, now, nodes)
        if refused is None and self.running is not None:
            refused = self.running.doubts(now, nodes)
        if refused is None and self.money is not None:
            refused = self.money.doubts(demand, now, wall, nodes)
        return refused


class Taken(Struct, gc=False):
    """What one request took of one rule."""

    leased: Leased
    minute: LeasedMinute | None
    second: int
    running: LeasedRunning | None
    money: LeasedMoney | None
    part: int


class SharedGrant(Grant, gc=False):
    """Good for one `settle` or `cancel`, as any grant."""

    taken: list[Taken]


class SharedMeter:
    """For one event loop; `start` and `close` belong around its use."""

    def __init__(
        self,
        local: LocalMeter,
        address: Address,
        node: str,
        tell: Callable[[Change], None],
        *,
        patience: float = PATIENCE,
        longest: float = LONGEST,
        machines: int = 1,
        remember: Callable[[int], None] = lambda machines: None,
    ) -> None:
        self._local = local
        self._node = node
        self._longest = longest
        self._rules: dict[str, Leased] = {}
        self._courier = Courier(
            address, node, self._accounts, tell, patience=patience, machines=machines, remember=remember
        )

    @property
    def up(self) -> bool:
        """Whether machines count together now."""
        return self._courier.up

    @property
    def figures(self) -> Figures:
        return self._courier.figures

    def start(self) -> None:
        self._courier.start()

    async def close(self) -> None:
        await self._courier.close()

    # --- the meter

    def reserve(self, rules: tuple[Rule, ...], demand: Demand, now: float, wall: float) -> Grant | Refused | Wanting:
        courier = self._courier
        if not courier.up:
            if courier.starting is None:
                return self._alone(rules, demand, now, wall)
            return Wanting(lambda: self._decide(rules, demand, []))
        answer = self._together(rules, demand, now, wall)
        if isinstance(answer, list):
            return Wanting(lambda: self._decide(rules, demand, answer))
        return answer

    def settle(self, grant: Grant, tokens: int | None, nanos: int | None, now: float, wall: float) -> None:
        if grant.places is None:
            return
        reserved = grant.tokens
        self._local.settle(grant, tokens, nanos, now, wall)
        courier = self._courier
        more = 0 if tokens is None else max(tokens, 0) - reserved
        for took in grant.taken if isinstance(grant, SharedGrant) else ():
            took.leased.used = now
            if more and took.minute is not None and took.minute.settle(took.second, more, now):
                courier.soon(took.minute)
            if took.running is not None and took.running.release():
                courier.now(took.running)
            if took.money is not None:
                used = took.part if nanos is None else max(nanos, 0)
                if took.money.settle(took.part, used):
                    courier.soon(took.money)

    def cancel(self, grant: Grant, now: float) -> None:
        if grant.places is None:
            return
        tokens = grant.tokens
        self._local.cancel(grant, now)
        courier = self._courier
        for took in grant.taken if isinstance(grant, SharedGrant) else ():
            took.leased.used = now
            if took.minute is not None and took.minute.cancel(took.second, tokens, now):
                courier.soon(took.minute)
            if took.running is not None and took.running.release():
                courier.now(took.running)
            if took.money is not None and took.money.settle(took.part, 0):
                courier.soon(took.money)

    def left(self, grant: Grant) -> Standing:
        standing = self._local.left(grant)
        if not self._courier.up or not isinstance(grant, SharedGrant):
            return standing
        now = monotonic()
        requests, tokens = standing.requests, standing.tokens
        for took in grant.taken:
            if took.minute is not None:
                requests = _less(requests, took.minute.level("requests", now))
                tokens = _less(tokens, took.minute.level("tokens", now))
        return Standing(requests, tokens)

    def standing(self, rules: tuple[Rule, ...], now: float) -> Standing:
        if not self._courier.up:
            return self._local.standing(tuple(self._share(self._leased(rule, now)) for rule in rules), now)
        standing = self._local.standing(rules, now)
        requests, tokens = standing.requests, standing.tokens
        for rule in rules:
            leased = self._rules.get(rule.id)
            if leased is not None and leased.minute is not None:
                requests = _less(requests, leased.minute.level("requests", now))
                tokens = _less(tokens, leased.minute.level("tokens", now))
        return Standing(requests, tokens)

    def unprimed(self, rules: tuple[Rule, ...], wall: float) -> list[tuple[Rule, Window]]:
        found = self._local.unprimed(rules, wall)
        for rule in rules:
            if rule.budget is not None and not any(rule is known for known, _ in found):
                money = self._leased(rule, monotonic(), wall).money
                if money is not None and not money.primed:
                    found.append((rule, window_at(rule.budget.window, wall)))
        return found

    def prime(self, rule: Rule, window: Window, spent: int, now: float) -> None:
        self._local.prime(rule, window, spent, now)
        money = self._leased(rule, now).money
        if money is not None and money.window.code == window.code and money.prime(spent):
            self._courier.soon(money)

    # --- together

    def _together(
        self, rules: tuple[Rule, ...], demand: Demand, now: float, wall: float, trust: float | None = None
    ) -> Grant | Refused | list[Account]:
        """The accounts whose leases do not do, if there are any. `trust` is how old what is known may be."""
        lacking: list[Account] | None = None
        trusted = _TRUST if trust is None else trust
        soon = _NEVER if trust is None else trust
        taken: list[Taken] = []
        for rule in rules:
            leased = self._rules.get(rule.id)
            if leased is None or leased.rule is not rule or (leased.money is not None and _is_past(leased.money, wall)):
                leased = self._leased(rule, now, wall)
            leased.used = now
            part = 0
            if leased.minute is not None:
                found = leased.minute.lacks(demand, now, trusted)
                if found is not False:
                    if found is not True:
                        return found
                    lacking = _and(lacking, leased.minute)
            if leased.running is not None:
                found = leased.running.lacks(now, soon)
                if found is not False:
                    if found is not True:
                        return found
                    lacking = _and(lacking, leased.running)
            if leased.money is not None:
                share = leased.money.part(demand, now, wall, soon)
                if share is True:
                    lacking = _and(lacking, leased.money)
                elif isinstance(share, Refused):
                    return share
                else:
                    part = share
            if lacking is None:
                taken.append(Taken(leased, leased.minute, 0, leased.running, leased.money, part))
        if lacking is not None:
            return lacking
        grant = self._local.reserve(rules, demand, now, wall)
        if isinstance(grant, Refused):
            return grant
        for took in taken:
            if took.minute is not None:
                took.second = took.minute.take(demand.tokens)
            if took.running is not None:
                took.running.take()
            if took.money is not None:
                took.money.take(took.part)
        return SharedGrant(grant.second, grant.tokens, grant.places, grant.money, taken)

    async def _decide(self, rules: tuple[Rule, ...], demand: Demand, lacking: list[Account]) -> Grant | Refused:
        courier = self._courier
        latest = monotonic() + self._longest
        refused: Refused | None = None
        if (starting := courier.starting) is not None:
            await arrived(starting, self._longest)
            answer = self._together(rules, demand, monotonic(), time()) if courier.up else []
            if not isinstance(answer, list):
                return answer
            lacking = answer
        while courier.up and (left := latest - monotonic()) > 0:
            for account in lacking:
                account.want(demand)
                courier.now(account)
            if not await arrived(courier.next_batch(), left) or not courier.up:
                break
            now = monotonic()
            answer = self._together(rules, demand, now, time(), trust=LONGEST)
            if isinstance(answer, list):  # somebody else was quicker
                lacking = answer
                continue
            if isinstance(answer, Refused):
                self._give_back(rules)
                if refused is None and answer.kind in ("concurrent", "budget"):
                    # Another machine may be about to give back what it does not use.
                    refused = answer
                    await asyncio.sleep(_AGAIN)
                    answer = self._together(rules, demand, monotonic(), time(), trust=_NEVER)
                    if isinstance(answer, list):
                        lacking = answer
                        continue
            return answer
        return refused or self._alone(rules, demand, monotonic(), time())

    def _give_back(self, rules: tuple[Rule, ...]) -> None:
        """What was had for a request that is refused nevertheless."""
        now = monotonic()
        for rule in rules:
            leased = self._rules.get(rule.id)
            for account in leased.accounts() if leased is not None else ():
                if account.idle(now):
                    self._courier.soon(account)

    # --- alone

    def _alone(self, rules: tuple[Rule, ...], demand: Demand, now: float, wall: float) -> Grant | Refused:
        courier = self._courier
        in_doubt = courier.in_doubt
        if in_doubt:
            leases = self._together(rules, demand, now, wall)
            if not isinstance(leases, list):
                return leases
        known = [self._leased(rule, now, wall) for rule in rules]
        courier.figures.alone += 1
        if in_doubt:
            for leased in known:
                refused = leased.doubts(demand, now, wall, courier.nodes)
                if refused is not None:
                    return doubted(refused)
            shares = rules
        else:
            for leased in known:
                if leased.minute is not None:
                    refused = leased.minute.forbids(demand, now, courier.nodes)
                    if refused is not None:
                        return refused
            shares = tuple(self._share(leased) for leased in known)
        answer = self._local.reserve(shares, demand, now, wall)
        if isinstance(answer, Refused):
            return answer if in_doubt else told(answer, self._rules[answer.rule.id].rule, courier.machines.count)
        parts = iter(answer.money or ())
        taken = []
        for leased in known:
            leased.used = now
            second = part = 0
            if leased.minute is not None:
                if in_doubt and leased.minute.lacks(demand, now, _NEVER) is False:
                    second = leased.minute.take(demand.tokens)
                else:
                    second = leased.minute.owe(demand.tokens, now)
            if leased.running is not None:
                leased.running.take()
            if leased.money is not None:
                _, part, _ = next(parts)
                leased.money.take(part)
            taken.append(Taken(leased, leased.minute, second, leased.running, leased.money, part))
        return SharedGrant(answer.second, answer.tokens, answer.places, answer.money, taken)

    def _share(self, leased: Leased) -> Rule:
        machines = self._courier.machines.count
        money = leased.money
        spent = 0 if money is None else money.spent_at_parting
        known = leased.share
        if known is not None and known[0] is leased.rule and known[1] == machines and known[2] == spent:
            return known[3]
        share = share_of(leased.rule, machines, spent)
        if money is not None and spent:  # what others have spent is nothing that a share may be taken of
            self._local.prime(leased.rule, money.window, spent, monotonic())
        leased.share = (leased.rule, machines, spent, share)
        return share

    # --- rules

    def _accounts(self, since: float) -> list[Account]:
        """Of all rules that a request has asked for or settled since then."""
        if len(self._rules) > _KEPT:
            self._forget_idle()
        for leased in self._rules.values():
            if leased.past:
                leased.past = [money for money in leased.past if not money.done()]
        return [account for leased in self._rules.values() if leased.used >= since for account in leased.accounts()]

    def _forget_idle(self) -> None:
        before = monotonic() - 120.0
        for id, leased in list(self._rules.items()):
            busy = (leased.running is not None and (leased.running.running or leased.running.held)) or (
                leased.money is not None and not leased.money.done()
            )
            if leased.used < before and not busy and not leased.past:
                del self._rules[id]

    def _leased(self, rule: Rule, now: float, wall: float | None = None) -> Leased:
        """What a rule has here, following its limits and the calendar."""
        leased = self._rules.get(rule.id)
        if leased is None:
            leased = self._rules[rule.id] = Leased(rule, None, None, None, [], None, now)
        elif leased.rule is rule and (wall is None or leased.money is None or not _is_past(leased.money, wall)):
            return leased
        leased.rule = rule
        key = f"{PREFIX}{rule.id}"
        living = f"{PREFIX}nodes"
        limits = rule.limits
        if limits is None or (limits.requests_per_minute is None and limits.tokens_per_minute is None):
            leased.minute = None
        elif leased.minute is None:
            leased.minute = LeasedMinute(rule, f"{key}:minute", self._courier.clock)
        else:
            leased.minute.follow(rule)
        if leased.running is not None:
            # Also without a limit: who is under way must be counted off again.
            leased.running.follow(rule)
        elif limits is not None and limits.concurrent_requests is not None:
            leased.running = LeasedRunning(rule, (f"{key}:running", living), self._node)
        self._follow_budget(leased, rule, key, living, time() if wall is None else wall)
        return leased

    def _follow_budget(self, leased: Leased, rule: Rule, key: str, living: str, wall: float) -> None:
        money = leased.money
        if rule.budget is None:
            if money is not None:
                leased.past.append(money)
            leased.money = None
            return
        window = window_at(rule.budget.window, wall)
        if money is not None:
            if money.window.code == window.code:
                money.follow(rule)
                return
            leased.past.append(money)
        for past in leased.past:
            if past.window.code == window.code:  # a clock that was set back
                leased.past.remove(past)
                past.follow(rule)
                leased.money = past
                return
        leased.money = LeasedMoney(rule, window, (f"{key}:money:{window.name}", living), self._node)


def _is_past(money: LeasedMoney, wall: float) -> bool:
    until = money.window.until
    return until is not None and not money.window.since <= wall < until


def _and(lacking: list[Account] | None, account: Account) -> list[Account]:
    return [account] if lacking is None else [*lacking, account]


def _less(one: Level | None, other: Level | None) -> Level | None:
    if one is None or other is None:
        return one or other
    return other if other.remaining < one.remaining else one
