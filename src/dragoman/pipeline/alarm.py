"""Alarm: what an operator hears of the targets' health, as log lines and metrics."""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from dragoman.catalog.directory import Target
from dragoman.health import Change, TargetHealth
from dragoman.observe.metrics import Tally
from dragoman.providers.endpoint import Endpoint

_log = structlog.get_logger(__name__)


class Alarm:
    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._endpoints: Mapping[str, Endpoint] = {}

    def swap(self, endpoints: Mapping[str, Endpoint]) -> None:
        self._endpoints = endpoints
        self._tally.keep_providers(
            {name: [credential.label for credential in endpoint.credentials] for name, endpoint in endpoints.items()}
        )

    def known(self, target: Target, health: TargetHealth) -> None:
        """A target is asked for the first time, or for the first time since a reload."""
        self._tally.target_known(target.provider, target.model, healthy=health.breaker.state == "closed")

    def tell(self, change: Change) -> None:
        target = f"{change.provider}/{change.model}"
        # Told already without its secrets: an error is made for callers.
        why = change.error.message if change.error is not None else None
        if change.credential is None:
            self._tally.target(change.provider, change.model, change.to)
            if change.to == "open":
                _log.error("a target fails and is passed over for a while", target=target, error=why)
            else:
                _log.warning("a target answers again", target=target)
            return
        endpoint = self._endpoints.get(change.provider)
        labels = endpoint.credentials if endpoint is not None else ()
        label = labels[change.credential].label if change.credential < len(labels) else f"providers.{change.provider}"
        self._tally.credential(change.provider, label, accepted=change.to == "accepted")
        if change.to == "refused":
            _log.error(
                "a provider refuses a credential, which is passed over", credential=label, target=target, error=why
            )
        else:
            _log.warning("a provider accepts a credential again", credential=label, target=target)
