"""Record: the request's entry in the ledger, made before the last byte of its answer leaves.

Whoever is about to send that last byte says so; a request that never came so far is recorded when it is settled.
"""

from __future__ import annotations

from hashlib import sha256
from time import monotonic, perf_counter

from msgspec.structs import replace

from dragoman.catalog.price import Price, price_detail
from dragoman.ir import Overloaded, Usage
from dragoman.ledger import Entry
from dragoman.limits import Grant
from dragoman.pipeline.call import HIT, Call
from dragoman.pipeline.cost import price_billed
from dragoman.pipeline.estimate import estimated
from dragoman.pipeline.gateway import Gateway
from dragoman.pipeline.key import Key
from dragoman.wire import json

_MAX_NAME = 256
_MAX_LOSSES = 50
_MOST_PRICES = 4096
# More than any answer has and costs. What a vendor that has lost count tells beyond that, would not fit into the databases' whole
# numbers: not the cost of one, or not the sums of many.
_MOST_TOKENS = 2**31
_MOST_NANOS = 10**15


def check_ledger(call: Call, gateway: Gateway) -> None:
    """Raises Overloaded where there may be no place for the request's entry, and what is not recorded is not to be served."""
    ledger = gateway.ledger
    if ledger is not None and ledger.exhausted and call.snapshot.settings.ledger.when_full == "refuse":
        call.recorded = True  # what room there is belongs to the requests that are being answered
        raise Overloaded(
            "The gateway has no room left to record requests, and serves none that it cannot record. Its operator must see to "
            "the database and the disk.",
            code="ledger_full",
            retry_after=10.0,
        )


def record(call: Call, gateway: Gateway) -> None:
    """Once for each call, and for those alone that a key was found for."""
    key = call.key
    if call.recorded or key is None:
        return
    call.recorded = True
    usage = _used(call)
    if usage is not None and (
        usage.input + usage.output + usage.cached_input + usage.cache_write + usage.reasoning > _MOST_TOKENS
    ):
        usage = _bounded(usage)
        if call.usage is not None:
            call.usage = usage  # for the metrics and the log, too
    cost, price = _cost(call, gateway, usage)
    try:
        if gateway.ledger is not None:
            gateway.ledger.enter(_entry(call, key, usage, cost, price))
    finally:
        # Behind the entry, so that what is killed in between is not forgotten when the ledger is asked again.
        if call.grant is not None:
            _settle(call, call.grant, gateway, usage, cost)


def _settle(call: Call, grant: Grant, gateway: Gateway, usage: Usage | None, cost: int | None) -> None:
    meter = gateway.meter
    assert meter is not None
    if call.attempts or call.cache == HIT:
        used = 0 if usage is None else usage.input + usage.output
        meter.settle(grant, used, cost or 0, monotonic(), call.when)
    else:  # no vendor was asked: it is as if the request had never been
        meter.cancel(grant, monotonic())


def _entry(call: Call, key: Key, usage: Usage | None, cost: int | None, price: str | None) -> Entry:
    step, resolved = call.step, call.resolved
    target = step.target if step is not None else None
    first_byte = call.first_byte
    return (
        # By place, in the order of its fields: by name costs several times as much.
        Entry(
            call.id,
            int(call.when * 1_000_000),
            key.id,
            call.protocol.name if call.protocol is not None else "",
            resolved.name if resolved is not None else _storable(call.model),
            target.provider if target is not None else "",
            target.model if target is not None else "",
            call.route.operation if call.route is not None else "",
            call.status,
            call.error,
            1 if call.stream else 0,
            call.attempts,
            _losses(call) if call.losses else None,
            usage.input if usage is not None else None,
            usage.cached_input if usage is not None else None,
            usage.cache_write if usage is not None else None,
            usage.output if usage is not None else None,
            usage.reasoning if usage is not None else None,
            cost,
            price,
            _units(usage) if usage is not None else None,
            1 if usage is not None and usage.estimated else 0,
            None if first_byte is None else (first_byte - call.started) * 1000,
            (perf_counter() - call.started) * 1000,
            1 if call.client_closed else 0,
        )
    )


def _used(call: Call) -> Usage | None:
    """What the vendor bills, by its own count where there is one. A request that no vendor answered used nothing."""
    if call.route is None or call.route.operation != "generate":
        return None
    usage = call.usage
    if call.cache == HIT:
        return usage
    begun = call.first_byte is not None
    if begun and call.error is None:
        return usage if usage is not None else _estimated(call)
    # Cut off: in the middle of its answer, or while a vendor was at work on it.
    if begun or (call.client_closed and call.status == 499 and call.attempts):
        return _estimated(call)
    return None


def _estimated(call: Call) -> Usage:
    assert call.protocol is not None
    return estimated(call.usage, call.body, call.heard, call.protocol)


def _cost(call: Call, gateway: Gateway, usage: Usage | None) -> tuple[int | None, str | None]:
    """Nanodollars, and the name of the prices applied; None where the price is unknown."""
    step = call.step
    if usage is None or step is None or call.cache == HIT:
        return 0, None
    price = price_billed(call, step)
    if price is None:
        return None, None
    name = gateway.price_names.get(price)
    if name is None:
        name = _name(price, gateway)
    cost = price.nanos(usage)
    return cost if 0 <= cost < _MOST_NANOS else _MOST_NANOS if cost > 0 else 0, name


def _name(price: Price, gateway: Gateway) -> str:
    """The name that entries have for a price: of two that say the same, the same."""
    detail = price_detail(price)
    name = sha256(detail).hexdigest()[:16]
    if gateway.ledger is not None and not gateway.ledger.know(name, detail.decode()):
        return name  # to be told again with the next entry
    if len(gateway.price_names) >= _MOST_PRICES:
        gateway.price_names.clear()
    gateway.price_names[price] = name
    return name


def _count(tokens: int) -> int:
    return tokens if tokens < _MOST_TOKENS else _MOST_TOKENS


def _bounded(usage: Usage) -> Usage:
    return replace(
        usage,
        input=_count(usage.input),
        output=_count(usage.output),
        cached_input=_count(usage.cached_input),
        cache_write=_count(usage.cache_write),
        reasoning=_count(usage.reasoning),
        cache_write_hour=_count(usage.cache_write_hour),
        tool_input=_count(usage.tool_input),
        input_by_modality=_counts(usage.input_by_modality),
        output_by_modality=_counts(usage.output_by_modality),
        cached_by_modality=_counts(usage.cached_by_modality),
        tool_input_by_modality=_counts(usage.tool_input_by_modality),
    )


def _counts(told: tuple[tuple[str, int], ...]) -> tuple[tuple[str, int], ...]:
    return tuple((kind, _count(tokens)) for kind, tokens in told)


def _losses(call: Call) -> str | None:
    paths = list(dict.fromkeys(_storable(loss.path) for loss in call.losses if not loss.harmless))
    if len(paths) > _MAX_LOSSES:
        paths = [*paths[:_MAX_LOSSES], f"… {len(paths) - _MAX_LOSSES} more"]
    return json.encode(paths).decode() if paths else None


def _units(usage: Usage) -> str | None:
    """What of the usage has no column of its own; of most there is nothing."""
    told: dict[str, object] = {}
    for name, counts in (
        ("input", usage.input_by_modality + usage.tool_input_by_modality),
        ("output", usage.output_by_modality),
        ("cached", usage.cached_by_modality),
    ):
        if counts and (beyond := _beyond_text(counts)):
            told[name] = beyond
    if usage.cache_write_hour:
        told["cache_write_hour"] = usage.cache_write_hour
    return json.encode(told).decode() if told else None


def _beyond_text(counts: tuple[tuple[str, int], ...]) -> dict[str, int]:
    found: dict[str, int] = {}
    for kind, tokens in counts:
        if kind != "text" and tokens:
            found[kind] = _count(found.get(kind, 0) + tokens)
    return found


def _storable(text: str) -> str:
    """What callers choose, as any database takes it."""
    return text[:_MAX_NAME].encode("utf-8", "replace").decode().replace("\0", "")
