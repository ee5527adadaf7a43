"""The models that callers may use, and the providers behind them: listed, and asked whether they answer."""

from __future__ import annotations

from typing import Any

from dragoman.admin.asked import Asked
from dragoman.admin.catalogue import Row, every_row, target_shown
from dragoman.admin.desk import Desk
from dragoman.admin.endpoint import Answer, Endpoint, Parameter
from dragoman.admin.probe import probe
from dragoman.admin.schemas import FLAG, TEXTS, described, list_of, ref
from dragoman.config import Loaded, redacted
from dragoman.ir import NotFound
from dragoman.observe.health import Seen, health_seen
from dragoman.providers.endpoint import Endpoint as ProviderEndpoint


async def _models(desk: Desk, asked: Asked) -> Answer:
    rows, silent = await every_row(desk.gateway, offline=asked.flag("offline"))
    data = [{**row.as_dict(), "targets": _targets(desk, row)} for row in rows]
    return 200, {"data": data, "next_cursor": None, "unlisted_providers": silent}


def _targets(desk: Desk, row: Row) -> list[dict[str, Any]]:
    snapshot = desk.gateway.snapshot
    resolved = None if row.kind == "pattern" else snapshot.directory.resolve(row.name)
    if resolved is None:
        return []
    told = [target_shown(desk.loaded, snapshot, resolved.name, target) for target in resolved.targets]
    return [{name: value for name, value in one.items() if name not in ("protocols", "profile")} for one in told]


async def _providers(desk: Desk, asked: Asked) -> Answer:
    seen = await desk.blocking(health_seen, desk.metrics) if desk.metrics is not None else {}
    rows = provider_rows(desk.loaded)
    for row in rows:
        row["health"] = _health(desk.gateway.snapshot.endpoints[row["name"]], seen.get(row["name"]))
    return 200, {"data": rows, "next_cursor": None}


def _health(endpoint: ProviderEndpoint, seen: Seen | None) -> dict[str, Any]:
    """Of the targets those that were asked; of the credentials all, for one of which nothing bad is known is good."""
    targets = seen.targets if seen is not None else {}
    refused = seen.credentials if seen is not None else {}
    labels = [credential.label for credential in endpoint.credentials]
    return {
        "targets": [{"model": model, "healthy": healthy} for model, healthy in sorted(targets.items())],
        "credentials": [{"name": label, "accepted": refused.get(label, True)} for label in labels],
    }


def provider_rows(loaded: Loaded) -> list[dict[str, Any]]:
    shown = redacted(loaded.settings)["providers"]
    return [
        {
            "name": name,
            "protocols": list(provider.protocols),
            "base_url": shown[name]["base_url"],
            "keys": len(provider.credentials),
            "models": list(provider.models),
            "transport": provider.transport,
        }
        for name, provider in loaded.settings.providers.items()
    ]


async def _test(desk: Desk, asked: Asked) -> Answer:
    asked.nothing()
    name, known = asked.params["name"], desk.loaded.settings.providers
    if name not in known:
        raise NotFound(f"There is no provider {name[:80]!r}. There is: {', '.join(known)}.", code="provider_not_found")
    found = await probe(desk.gateway, desk.loaded, name)
    return 200, found.as_dict()


ENDPOINTS = (
    Endpoint(
        "GET",
        "/models",
        "listModels",
        "The names that callers may use, and where they lead.",
        _models,
        {
            200: list_of(
                ref("Model"),
                unlisted_providers=described(TEXTS, "Whose own list of models cannot be had just now."),
            )
        },
        query=(Parameter("offline", FLAG, "Ask no provider for its list."),),
    ),
    Endpoint(
        "GET",
        "/providers",
        "listProviders",
        "The providers, and their health.",
        _providers,
        {200: list_of(ref("Provider"))},
    ),
    Endpoint(
        "POST",
        "/providers/{name}/test",
        "testProvider",
        "Ask a provider for its list of models, with each of its keys; the built-in model for one token.",
        _test,
        {200: ref("Probe")},
        refusals=(404,),
    ),
)
