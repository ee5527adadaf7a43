"""The vendors' own lists of models, asked for when somebody wants to know and kept for some minutes."""

from __future__ import annotations

import asyncio
from time import monotonic

import structlog
from msgspec import Struct

from dragoman.protocols.base import ModelCard
from dragoman.providers.endpoint import Endpoint
from dragoman.providers.listing import NoList, list_path, read_list
from dragoman.upstream.base import Deadlines, Transport
from dragoman.upstream.errors import TransportError

_log = structlog.get_logger(__name__)

FRESH_SECONDS = 300.0
PATIENCE = 2.0
_RETRY_SECONDS = 15.0
_DEADLINES = Deadlines(connect=3.0, first_byte=5.0, idle=5.0, total=10.0)
_MAX_LIST = 16 * 1024 * 1024


class _Kept(Struct):
    """What a vendor last listed; `until` is when it should be asked again."""

    until: float
    endpoint: Endpoint
    cards: list[ModelCard]


class Lists:
    """The vendors' lists, kept for some minutes. Callers at once share one question to a vendor, and nobody waits for one
    that is only being asked anew; for a first answer nobody waits longer than `patience` seconds."""

    def __init__(self, patience: float = PATIENCE) -> None:
        self.patience = patience
        self._kept: dict[str, _Kept] = {}
        self._asking: dict[str, tuple[Endpoint, asyncio.Task[None]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def names(self) -> list[str]:
        """Every name that a vendor has listed so far."""
        return [card.id for kept in self._kept.values() for card in kept.cards]

    async def of(self, transport: Transport, endpoint: Endpoint) -> list[ModelCard]:
        """The vendor's own list, or nothing where it cannot be had: one vendor's bad day hides no other's models."""
        kept = self._of_same(endpoint)
        if kept is None or kept.until <= monotonic():
            asking = self._ask(transport, endpoint)
            if kept is None:
                await asyncio.wait((asking,), timeout=self.patience)
                kept = self._of_same(endpoint)
        return kept.cards if kept is not None else []

    def _of_same(self, endpoint: Endpoint) -> _Kept | None:
        """What is kept, unless a reload has put another vendor or other keys under the name."""
        kept = self._kept.get(endpoint.name)
        return kept if kept is not None and _whom(kept.endpoint) == _whom(endpoint) else None

    def _ask(self, transport: Transport, endpoint: Endpoint) -> asyncio.Task[None]:
        asked, asking = self._asking.get(endpoint.name, (None, None))
        if asked is None or asking is None or asking.done() or _whom(asked) != _whom(endpoint):
            asking = asyncio.create_task(self._renew(transport, endpoint), name=f"models of {endpoint.name}")
            self._asking[endpoint.name] = (endpoint, asking)
            self._tasks.add(asking)
            asking.add_done_callback(self._tasks.discard)
        return asking

    async def _renew(self, transport: Transport, endpoint: Endpoint) -> None:
        try:
            cards = await ask_for_list(transport, endpoint)
            until = monotonic() + FRESH_SECONDS
        except (TransportError, NoList) as error:
            _log.warning("a provider's list of models cannot be had", provider=endpoint.name, error=str(error))
            kept = self._of_same(endpoint)
            cards = kept.cards if kept is not None else []
            until = monotonic() + _RETRY_SECONDS
        self._kept[endpoint.name] = _Kept(until, endpoint, cards)

    async def aclose(self) -> None:
        """Ends the questions under way."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _whom(endpoint: Endpoint) -> tuple[object, ...]:
    return endpoint.protocols, endpoint.origin, endpoint.base_path, endpoint.credentials, endpoint.extra_headers


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
