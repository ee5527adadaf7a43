"""What all requests of one worker share: the current snapshot, the connections, the counters, the built-in model's gate."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Protocol

from dragoman.cache import Cache
from dragoman.carry import Signatures
from dragoman.catalog.price import Price
from dragoman.config import Settings
from dragoman.health import Health, Policy
from dragoman.ir import Overloaded
from dragoman.ledger import Ledger
from dragoman.limits import Demand, Meter
from dragoman.local.gate import Busy, Gate
from dragoman.observe.logs import Logs
from dragoman.observe.metrics import Tally
from dragoman.observe.redaction import Redactor
from dragoman.pipeline.alarm import Alarm
from dragoman.pipeline.bodies import Bodies
from dragoman.pipeline.lists import Lists
from dragoman.pipeline.places import Places
from dragoman.pipeline.snapshot import Snapshot
from dragoman.providers.endpoint import Endpoint
from dragoman.sharing.shelf import Shelf
from dragoman.store import Store
from dragoman.upstream.aiohttp_transport import AiohttpTransport
from dragoman.upstream.base import Transport
from dragoman.upstream.lean import LeanTransport


def policy_of(settings: Settings) -> Policy:
    given = settings.failover
    return Policy(
        remember=given.health == "keep",
        cool_down=given.cool_down,
        retries=given.retries,
        retry_within=given.retry_within,
        retry_share=given.retry_percent / 100,
        longest_wait=given.longest_wait,
    )


class Engine(Protocol):
    """Where the built-in model's process is; it belongs to the supervisor."""

    async def endpoint(self, template: Endpoint) -> Endpoint:
        """`template` with the address and key of the running process, started if need be.

        Raises Overloaded where it does not come up in time."""
        ...


class Gateway:
    """`store` is where what must outlive an exchange is kept; without one, it is kept in memory. Without a `ledger`, no entries
    are made; without a `meter`, nothing is limited."""

    def __init__(
        self,
        snapshot: Snapshot,
        *,
        tally: Tally,
        logs: Logs,
        engine: Engine,
        workers: int = 1,
        number: int = 0,
        store: Store | None = None,
        ledger: Ledger | None = None,
        meter: Meter | None = None,
    ) -> None:
        self.snapshot = snapshot
        self.tally = tally
        self.logs = logs
        self.log = logs.requests
        self.engine = engine
        self.chance = Random().random  # noqa: S311 - it spreads load, it keeps no secret
        self.alarm = Alarm(tally)
        self.health = Health(policy_of(snapshot.settings), self.alarm.tell)
        self.alarm.swap(snapshot.endpoints)
        self.draining = False  # /readyz says no
        self.closing = False  # what is still open is being ended
        self.lists = Lists()
        self.store = store
        self.ledger = ledger
        self.meter = meter
        # What a request is to limits that count neither tokens nor money.
        self.one_request = Demand(0, 0)
        # By a rule's id: until when its budget is known to be known.
        self.primed_until: dict[str, float] = {}
        self.price_names: dict[Price, str] = {}
        self.signatures = Signatures(store)
        # The bound is on the whole machine's one model, so each worker has its share of it. Like the model's own size it is
        # settled at the start: a second gate beside the first one's requests would let in twice as many.
        local = snapshot.settings.local
        self.gate = Gate(max(1, local.parallel // workers), local.queue // workers)
        self.places = Places(tally, workers, number)
        self.bodies = Bodies(tally)
        self.cache = Cache()
        self.shelf: Shelf | None = None  # where kept answers are shared with other workers and machines
        self._transports: dict[tuple[str, int], Transport] = {}
        self.swap(snapshot)

    def swap(self, snapshot: Snapshot) -> None:
        """From here on new requests see `snapshot`; running ones keep theirs."""
        if snapshot.endpoints is not self.snapshot.endpoints:
            self.health.reload(policy_of(snapshot.settings))
            self.alarm.swap(snapshot.endpoints)
        self.snapshot = snapshot
        self.logs.redact(snapshot.redactor)
        self.places.set(snapshot.settings.providers)
        self.max_in_flight = snapshot.settings.server.max_in_flight_requests
        self.bodies.limit = snapshot.settings.server.max_in_flight_bytes
        self.cache.resize(snapshot.settings.cache.memory if snapshot.caching is not None else 0)

    @property
    def redactor(self) -> Redactor:
        return self.snapshot.redactor

    def transport(self, endpoint: Endpoint) -> Transport:
        """Connections outlive reloads: they belong to an origin, not to a configuration."""
        kind = (endpoint.transport, endpoint.max_connections)
        found = self._transports.get(kind)
        if found is None:
            if endpoint.transport == "aiohttp":
                found = AiohttpTransport(max_connections_per_origin=endpoint.max_connections, trust_env=True)
            else:
                found = LeanTransport(max_connections_per_origin=endpoint.max_connections)
            self._transports[kind] = found
        return found

    async def aclose(self) -> None:
        await self.lists.aclose()
        if self.shelf is not None:
            await self.shelf.close()
        for transport in self._transports.values():
            await transport.aclose()
        if self.store is not None:
            await self.store.aclose()


@asynccontextmanager
async def admitted(gateway: Gateway, template: Endpoint) -> AsyncIterator[None]:
    """A place at the built-in model for the length of the block, taken once the model runs: nobody holds one while it is
    being fetched. Raises Overloaded where it does not run or too many wait already."""
    await gateway.engine.endpoint(template)
    try:
        async with gateway.gate.enter():
            yield
    except Busy as busy:
        raise Overloaded(str(busy), retry_after=busy.retry_after_seconds) from None
