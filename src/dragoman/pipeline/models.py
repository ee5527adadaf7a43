"""The lists of models: the operator's own names, and what the vendors themselves list under the providers' patterns."""

from __future__ import annotations

import asyncio
from fnmatch import fnmatchcase

from dragoman.catalog.directory import is_pattern
from dragoman.ir import Forbidden
from dragoman.pipeline.call import Call
from dragoman.pipeline.caller import Caller
from dragoman.pipeline.choose import unknown_model
from dragoman.pipeline.gateway import Gateway
from dragoman.pipeline.key import Key
from dragoman.pipeline.record import record
from dragoman.pipeline.snapshot import Snapshot
from dragoman.protocols.base import ModelCard
from dragoman.providers.endpoint import Endpoint


async def cards_of(gateway: Gateway, snapshot: Snapshot, key: Key | None) -> list[ModelCard]:
    """Every model that `key` may use, each name once: the operator's own first, then by provider."""
    found: dict[str, ModelCard] = {}
    for name, named in snapshot.directory.named.items():
        for public in (name, *named.aliases):
            found[public] = ModelCard(public, named.targets[0].provider, 0, public, named.description)
    patterned = [name for name, patterns in snapshot.directory.patterns.items() if any(map(is_pattern, patterns))]
    lists = await asyncio.gather(*(_list_of(gateway, snapshot.endpoints[name]) for name in patterned))
    listed = dict(zip(patterned, lists, strict=True))
    for provider, patterns in snapshot.directory.patterns.items():
        vendor = {card.id: card for card in listed.get(provider, ())}
        for pattern in patterns:
            if not is_pattern(pattern):
                found.setdefault(pattern, vendor.get(pattern) or ModelCard(pattern, provider, 0, pattern))
        for card in vendor.values():
            if any(fnmatchcase(card.id, pattern) for pattern in patterns):
                found.setdefault(card.id, card)
    return [card for card in found.values() if key is None or key.root or key.may_use(card.id)]


async def _list_of(gateway: Gateway, endpoint: Endpoint) -> list[ModelCard]:
    return await gateway.lists.of(gateway.transport(endpoint), endpoint)


async def answer_models(call: Call, caller: Caller, gateway: Gateway) -> None:
    """GET of the list, or of one model. Raises NotFound with the nearest names, Forbidden."""
    assert call.protocol is not None and call.route is not None
    if call.route.operation == "list_models":
        body = call.protocol.write_models(await cards_of(gateway, call.snapshot, call.key))
    else:
        body = call.protocol.write_model(await _one(call, gateway))
    call.status = 200
    record(call, gateway)
    await caller.answer(200, [(b"content-type", b"application/json"), *call.headers()], body)


async def _one(call: Call, gateway: Gateway) -> ModelCard:
    assert call.route is not None
    call.model = name = (call.route.model or "").removeprefix("models/")
    call.resolved = resolved = call.snapshot.directory.resolve(name)
    if resolved is None:
        raise unknown_model(call, gateway.lists.names())
    if call.key is not None and not call.key.root and not call.key.may_use(name, resolved.name):
        raise Forbidden(f"The key {call.key.name!r} may not use the model {name!r}.", code="model_not_allowed")
    directory = call.snapshot.directory
    provider = resolved.targets[0].provider
    if named := directory.named.get(resolved.name):
        return ModelCard(resolved.name, provider, 0, resolved.name, named.description)
    patterns = directory.patterns[provider]
    if resolved.name not in patterns and any(map(is_pattern, patterns)):
        for card in await _list_of(gateway, call.snapshot.endpoints[provider]):
            if card.id in (name, resolved.name):
                return card
    # A plain name of the file's; or the vendor does not list it or cannot be asked: that a request for it would be sent on
    # is all that is known.
    return ModelCard(resolved.name, provider, 0, resolved.name)
