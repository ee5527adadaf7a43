"""Reserve: what the key and the model may still have, taken before any vendor is asked, and settled when all is known."""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic

from dragoman.catalog.price import Price
from dragoman.ir import DragomanError, Forbidden, Overloaded, TooManyRequests
from dragoman.limits import Refused, Rule, Wanting, Window
from dragoman.pipeline.call import Call
from dragoman.pipeline.cost import price_asked
from dragoman.pipeline.demand import demand_of
from dragoman.pipeline.gateway import Gateway
from dragoman.pipeline.step import Step
from dragoman.store import StoreUnavailable

_DAY_SECONDS = 86_400
_MOST_PRIMED = 4096


def rules_of(call: Call) -> tuple[Rule, ...]:
    """What limits the request: its key's rule and its model's, where they have any."""
    key, resolved = call.key, call.resolved
    own = key.rule if key is not None else None
    general = call.snapshot.rules.get(resolved.name) if resolved is not None else None
    if own is None:
        return () if general is None else (general,)
    return (own,) if general is None else (own, general)


async def reserve(call: Call, gateway: Gateway, steps: Sequence[Step], *, free: bool = False) -> Sequence[Step]:
    """The steps that the request may take. Raises TooManyRequests, Forbidden where its price is not known and must be, Overloaded
    where nobody can tell what is left of a budget. `free`: no vendor will be asked."""
    meter = gateway.meter
    rules = rules_of(call)
    if not rules or meter is None:
        return steps
    assert call.route is not None
    demand = gateway.one_request
    if call.route.operation == "generate" and not free:  # to have tokens counted uses none
        own = rules[0]
        prices: list[Price | None] | None = None
        if own.budget is not None:  # of keys alone, whose rules come first
            steps, prices = _priced(call, steps)
            if call.when >= gateway.primed_until.get(own.id, 0.0):
                for rule, window in meter.unprimed(rules, call.when):
                    await prime(gateway, rule, window)
                _remember(gateway, own.id, call.when)
        demand = demand_of(call, prices)
        if not demand.bounded:
            demand.tokens = _assumed(demand.tokens, rules)
    now = monotonic()
    answer = meter.reserve(rules, demand, now, call.when)
    if isinstance(answer, Wanting):
        answer = await answer.decide()
    if isinstance(answer, Refused):
        call.standing = meter.standing(rules, now)
        gateway.tally.limited(answer.kind)
        raise _refusal(answer)
    call.grant = answer
    call.standing = meter.left(answer)
    return steps


async def prime(gateway: Gateway, rule: Rule, window: Window) -> None:
    """Tells the meter what the ledger has of a budget's window. Raises Overloaded."""
    store = gateway.store
    spent = 0
    if store is not None:
        since = 0 if window.since is None else window.since // _DAY_SECONDS
        try:
            spent = await store.spent(rule.id.partition(":")[2], since)
        except StoreUnavailable:
            raise Overloaded(
                f"What is left of the budget of {rule.name} cannot be told, for the database does not answer. Try again shortly.",
                code="budget_unknown",
                retry_after=5.0,
            ) from None
    assert gateway.meter is not None
    gateway.meter.prime(rule, window, spent, monotonic())


def _remember(gateway: Gateway, id: str, when: float) -> None:
    """What is known of a budget is not asked again within a second, nor over midnight."""
    if len(gateway.primed_until) >= _MOST_PRIMED:
        gateway.primed_until.clear()
    gateway.primed_until[id] = min(when + 1.0, (when // _DAY_SECONDS + 1) * _DAY_SECONDS)


def _priced(call: Call, steps: Sequence[Step]) -> tuple[Sequence[Step], list[Price | None]]:
    """The steps and their prices. What costs nobody knows how much is not for a key with a budget, unless the operator says
    so."""
    assert call.key is not None
    if len(steps) == 1 and (price := price_asked(call, steps[0])) is not None:
        return steps, [price]
    prices = [price_asked(call, step) for step in steps]
    if None not in prices or call.snapshot.settings.ledger.unpriced == "allow":
        return steps, prices
    known = [(step, found) for step, found in zip(steps, prices, strict=True) if found is not None]
    if not known:
        raise Forbidden(
            f"{call.key.name!r} is a key with a budget, and what the model {call.model!r} costs is not known. The operator can "
            f"give it a price (models.NAME.price), or allow models without one (ledger.unpriced).",
            code="price_unknown",
        )
    return [step for step, _ in known], [found for _, found in known]


def _assumed(tokens: int, rules: tuple[Rule, ...]) -> int:
    """What we assume ourselves must not be more than is ever allowed."""
    for rule in rules:
        if rule.limits is not None and rule.limits.tokens_per_minute is not None:
            tokens = min(tokens, rule.limits.tokens_per_minute)
    return tokens


def _refusal(refused: Refused) -> DragomanError:
    # A budget that is spent is what OpenAI calls a quota: its SDKs do not try again. One that is only reserved is not.
    spent = refused.kind == "budget" and (refused.retry_after is None or refused.retry_after > 60)
    subject = {"subject": refused.rule.id, "description": refused.message}
    return TooManyRequests(
        refused.message,
        code="insufficient_quota" if spent else "rate_limit_exceeded",
        retry_after=refused.retry_after,
        details=[{"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [subject]}],
    )
