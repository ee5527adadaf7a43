"""The vendors' own lists of models, asked for when somebody wants to know and kept for some minutes."""

from __future__ import annotations

import asyncio
from time import monotonic

import structlog

from dragoman.protocols.base import ModelCard
from dragoman.providers.endpoint import Endpoint
from dragoman.providers.listing import NoList, list_path, read_list
from dragoman.upstream.base import Deadlines, Transport
from dragoman.upstream.errors import TransportError

_log = structlog.get_logger(__name__)

FRESH_SECONDS = 300.0
_RETRY_SECONDS = 15.0
_DEADLINES = Deadlines(connect=3.0, first_byte=5.0, idle=5.0, total=10.0)
_MAX_LIST = 16 * 1024 * 1024


class Lists:
    """The vendors' lists, kept for some minutes. Callers at once share one question to a vendor."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[float, Endpoint, list[ModelCard]]] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    def names(self) -> list[str]:
        """Every name that a vendor has listed so far."""
        return [card.id for _, _, cards in self._kept.values() for card in cards]

    async def of(self, transport: Transport, endpoint: Endpoint) -> list[ModelCard]:
        """The vendor's own list, or nothing where it cannot be had: one vendor's bad day hides no other's models."""
        async with self._locks.setdefault(endpoint.name, asyncio.Lock()):
            kept = self._kept.get(endpoint.name)
            if kept is not None and kept[0] > monotonic() and kept[1] is endpoint:
                return kept[2]
            try:
                cards = await ask_for_list(transport, endpoint)
                until = monotonic() + FRESH_SECONDS
            except (TransportError, NoList) as error:
                _log.warning("a provider's list of models cannot be had", provider=endpoint.name, error=str(error))
                cards = kept[2] if kept is not None else []
                until = monotonic() + _RETRY_SECONDS
            self._kept[endpoint.name] = (until, endpoint, cards)
            return cards


async def ask_for_list(transport: Transport, endpoint: Endpoint) -> list[ModelCard]:
    """One question to the vendor. Raises TransportError, NoList."""
    protocol = endpoint.protocols[0]
    request = endpoint.request(protocol, list_path(protocol), b"", method=b"GET", credential=endpoint.next_credential())
    request.deadlines = _DEADLINES
    response = await transport.send(request)
    try:
        body = await response.read(_MAX_LIST)
    finally:
        response.close()
    if response.status != 200:
        raise NoList(f"status {response.status}")
    return read_list(protocol, endpoint.name, body)
