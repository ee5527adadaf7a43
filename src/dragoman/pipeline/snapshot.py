"""What the settings mean for requests, worked out once. A reload makes a new snapshot and swaps it in whole; a request
keeps the one that it began with."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import Struct

from dragoman import config
from dragoman.catalog.directory import Directory, Named, Resolved, Target
from dragoman.catalog.price import Price, price_of_rates
from dragoman.catalog.prices import PriceBook, Quote, Seller
from dragoman.config import Settings
from dragoman.limits import Limits, Rule
from dragoman.observe.redaction import Redactor
from dragoman.pipeline.caching import Caching, caching_of
from dragoman.pipeline.key import ROOT, TRIAL, Key, of_file
from dragoman.pipeline.step import Step
from dragoman.providers.endpoint import Endpoint, endpoint_of


class Snapshot(Struct, frozen=True):
    settings: Settings
    demo: bool
    directory: Directory
    endpoints: dict[str, Endpoint]
    # By digest: the file's and the gateway's own, and all.
    own: dict[bytes, Key]
    keys: dict[bytes, Key]
    max_body: int
    body_timeout: float
    redactor: Redactor
    book: PriceBook
    # By the model's own name: the operator's prices, and context windows.
    prices: dict[str, Price]
    windows: dict[str, int]
    # What limits a model, whoever asks for it.
    rules: dict[str, Rule]
    # (model's name as asked, caller's protocol) -> what it leads to; filled as requests come.
    plans: dict[tuple[str, str], tuple[Resolved, dict[Target, Step]]] = msgspec.field(default_factory=dict)
    # None where nothing is cached.
    caching: Caching | None = None

    def with_keys(self, keys: Mapping[bytes, Key]) -> Snapshot:
        """The same with these keys in the database."""
        return msgspec.structs.replace(self, keys={**keys, **self.own})

    def quote(self, name: str, target: Target, at: float, tier: str | None = None) -> Quote:
        """What `target` costs under the public `name` at `at`, in Unix seconds."""
        return self.book.quote(target.provider, target.model, at, self.prices.get(name), tier)

    def window(self, name: str, target: Target) -> int | None:
        """The input tokens beyond which `target`, under the public `name`, surely refuses; None where that is not known."""
        return self.windows.get(name) or self.book.limit_of(target.provider, target.model)


def snapshot_of(
    settings: Settings,
    *,
    demo: bool,
    root_key: bytes | None,
    trial_key: bytes | None = None,
    keys: Mapping[bytes, Key] | None = None,
) -> Snapshot:
    """`root_key` and `trial_key` are SHA-256 digests; the trial key opens models only and ends with the process. `keys` are the
    database's."""
    own = dict(map(of_file, settings.keys))
    if trial_key is not None:
        own[trial_key] = TRIAL
    if root_key is not None:
        own[root_key] = ROOT
    named = {
        name: Named(
            tuple(Target(t.provider, t.model, t.weight, t.priority) for t in model.targets),
            model.aliases,
            model.description or "",
            model.strategy,
        )
        for name, model in settings.models.items()
    }
    patterns = {name: provider.models for name, provider in settings.providers.items()}
    stand_in = None
    if demo:
        stand_in = next(
            (
                Target(name, model)
                for name, provider in settings.providers.items()
                if "local" in provider.protocols
                for model in provider.models
            ),
            None,
        )
    endpoints = {name: endpoint_of(name, provider) for name, provider in settings.providers.items()}
    return Snapshot(
        settings,
        demo,
        Directory(named, patterns, stand_in=stand_in),
        endpoints,
        own,
        {**(keys or {}), **own},
        settings.server.max_body,
        settings.server.body_timeout,
        _redactor(endpoints),
        PriceBook(
            {
                name: Seller(provider.base_url or "", "local" in provider.protocols)
                for name, provider in settings.providers.items()
            }
        ),
        {name: own_price(name, model.price) for name, model in settings.models.items() if model.price is not None},
        {name: model.context_window for name, model in settings.models.items() if model.context_window is not None},
        {name: rule for name, model in settings.models.items() if (rule := _rule(name, model)) is not None},
        caching=caching_of(settings),
    )


def _rule(name: str, model: config.Model) -> Rule | None:
    limits = model.limits.model_dump(exclude_none=True)
    return Rule(f"model:{name}", f"the model {name!r}", Limits(**limits)) if limits else None


def own_price(name: str, price: config.Price) -> Price:
    """The operator's price in the catalog's terms."""
    return price_of_rates(price.given, {step.above: step.given for step in price.steps}, source=f"models.{name}.price")


def _redactor(endpoints: dict[str, Endpoint]) -> Redactor:
    """Knows every vendor key in force, so that none gets into a log or into an answer."""
    secrets = [credential.secret for endpoint in endpoints.values() for credential in endpoint.credentials]
    secrets += [value.decode() for endpoint in endpoints.values() for _, value in endpoint.extra_headers]
    return Redactor(secrets)
