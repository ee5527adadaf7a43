"""Carries what accounts ask to Valkey and what it answers back: one batch at a time, so that whatever is asked meanwhile goes
together in the next. Also tells that this node lives, and finds its way back by itself.

`up` says whether accounts may be relied on. It is false from the first failure until Valkey has answered again, knows all that
happened meanwhile and, if it had forgotten everything, was told by everybody. An answer that is late is a failure too, but is
waited for a while longer: what it gives is not lost then, and machines part only if it does not come.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from time import monotonic, time
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from dragoman.limits import Demand
from dragoman.limits.breaker import Breaker
from dragoman.limits.share import Machines
from dragoman.sharing.address import Address
from dragoman.sharing.patience import PATIENCE, Unreachable, arrived

if TYPE_CHECKING:
    from dragoman.sharing.link import Command, Link, Reply

CONNECT_PATIENCE = 0.5  # nobody waits for this
LATE = 1.0  # seconds for a batch that nobody waits for any more: as long as a lease is valid
HEARTBEAT = 1.0
DEAD_AFTER = 5.0  # a node that was silent for so long holds nothing any more
TICK = 0.25  # what is idle is given back at the next but one
SOON = 0.02
_RECENT = 3.0  # seconds: whoever was used no later has nothing to give back
_ALL = 10.0  # seconds until all are looked at nevertheless
_EVER = float("-inf")
REFILLING = 3.0  # seconds that a store which has forgotten everything is left to be told by all, who notice within one
_MOST = 64  # calls in a batch

PREFIX = "{dragoman}:"  # braces: in a cluster, all keys belong to one node


class Account(Protocol):
    """Something that is kept in Valkey and leased to us."""

    @property
    def script(self) -> str: ...
    @property
    def keys(self) -> tuple[str, ...]: ...
    def want(self, demand: Demand) -> None: ...
    def idle(self, now: float) -> bool: ...
    def call(self, now: float, nodes: int) -> list[int | str]: ...
    def answered(self, answer: list[int], sent: float, now: float) -> None: ...
    def failed(self) -> None: ...
    def lost(self) -> None: ...


class Change(Struct, frozen=True):
    """What a log line tells: whether limits are counted together from now on, why, and how many machines there are."""

    up: bool
    why: str
    machines: int


class Figures(Struct):
    """For metrics; all but the last two only grow."""

    batches: int = 0
    calls: int = 0
    failures: int = 0
    alone: int = 0  # requests decided by this machine's share
    forgotten: int = 0  # times that Valkey came back empty
    up: int = 0
    machines: int = 1


class Courier:
    def __init__(
        self,
        address: Address,
        node: str,
        accounts: Callable[[float], Iterable[Account]],
        tell: Callable[[Change], None],
        *,
        patience: float = PATIENCE,
        machines: int = 1,
        remember: Callable[[int], None] = lambda machines: None,
    ) -> None:
        # It takes a process a tenth of a second to import, and is not for those who share nothing.
        from dragoman.sharing.link import Link

        self._open_link = Link.open
        self.node = node
        self.up = False
        self.machines = Machines(machines)
        self.nodes = 1
        self.figures = Figures(machines=machines)
        # The store's clock less ours; until it is known, this machine's own is the best guess.
        self.clock = time() - monotonic()
        self._address = address
        self._patience = patience
        self._accounts = accounts
        self._tell = tell
        self._remember = remember
        self._breaker = Breaker()
        self._link: Link | None = None
        self._store: bytes | None = None  # the name of the store that we know
        self._ready_at = 0.0
        self._beat_at = 0.0
        self._tick_at = 0.0
        self._all_at = 0.0
        self._open: dict[Account, None] = {}
        self._waiting: asyncio.Future[bool] | None = None
        self._under_way: asyncio.Future[bool] | None = None
        self._late = False
        self._found_out: asyncio.Future[None] | None = None  # at the start, whether Valkey is there
        self._wake = asyncio.Event()
        self._soon: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._closing = False

    # --- for the meter

    @property
    def starting(self) -> asyncio.Future[None] | None:
        """Done when it is known for the first time whether Valkey is there; None when it is."""
        return None if self._found_out is None or self._found_out.done() else self._found_out

    @property
    def in_doubt(self) -> bool:
        """Whether others may be counting together at this moment though we cannot. It lasts for a moment only."""
        return self.starting is not None or ((self.up or self._late) and self.machines.count > 1)

    def next_batch(self) -> asyncio.Future[bool]:
        """Resolves when all that is asked until now has been answered; false if it was not."""
        if self._waiting is None:
            self._waiting = asyncio.get_running_loop().create_future()
        return self._waiting

    def now(self, account: Account) -> None:
        self._open[account] = None
        self._wake.set()

    def soon(self, account: Account) -> None:
        self._open[account] = None
        if self._soon is None:
            self._soon = asyncio.get_running_loop().call_later(SOON, self._due)

    def _due(self) -> None:
        self._soon = None
        self._wake.set()

    def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._found_out = loop.create_future()
        self._task = loop.create_task(self._run())

    async def close(self) -> None:
        """Gives back what is leased and says goodbye, if that is possible at once."""
        self._closing = True
        self._wake.set()
        if self._task is not None:
            # A batch that is under way is waited for: cut short, it would take the connection with it.
            await asyncio.wait((self._task,), timeout=3 * self._patience)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._soon is not None:
            self._soon.cancel()
        self._answer_waiting(False)
        self._know()
        link, self._link, self.up = self._link, None, False
        if link is None:
            return
        with suppress(Unreachable):
            for _ in range(2):  # what was in use at first is idle the second time
                await self._carry(link, list(self._accounts(_EVER)), self._patience)
            await self._greet(link, f"-{self.node}", self._patience)
        await link.close()

    # --- the errand

    async def _run(self) -> None:
        while not self._closing:
            try:
                if self._link is None:
                    await self._find_back()
                else:
                    await self._rest()
                    await self._round(self._link)
            except Unreachable as error:
                await self._went_away(str(error))
            except Exception as error:  # whatever it is, requests must not wait for a courier that is gone
                await self._went_away(repr(error))

    async def _find_back(self) -> None:
        await asyncio.sleep(self._breaker.wait(monotonic()))
        self._breaker.begin(monotonic())
        slow = max(CONNECT_PATIENCE, self._patience)
        link = await self._open_link(self._address, slow, self._wake.set)
        try:
            await self._greet(link, self.node, slow)
            # All that happened meanwhile, and what others may have taken from us.
            await self._carry(link, list(self._accounts(_EVER)), slow)
        except BaseException:
            await link.close()
            raise
        self._link = link
        self._breaker.succeeded(monotonic())
        self._wake.set()

    async def _rest(self) -> None:
        """Until there is something to do."""
        wait = min(self._beat_at, self._tick_at) - monotonic()
        if not self._wake.is_set() and wait > 0:
            timer = asyncio.get_running_loop().call_later(wait, self._wake.set)
            try:
                await self._wake.wait()
            finally:
                timer.cancel()
        self._wake.clear()

    async def _round(self, link: Link) -> None:
        now = monotonic()
        if now >= self._beat_at:
            await self._greet(link, self.node, self._patience)
        if now >= self._tick_at:
            self._tick_at = now + TICK
            since = now - _RECENT
            if now >= self._all_at:
                since, self._all_at = _EVER, now + _ALL
            for account in self._accounts(since):
                if account.idle(now):
                    self._open[account] = None
        self._under_way, self._waiting = self._waiting, None
        accounts, self._open = list(self._open), {}
        if not accounts:
            await link.ask([])
        await self._carry(link, accounts, self._patience)
        self._late = False
        _tell_whoever(self._under_way, True)
        if not self.up and monotonic() >= self._ready_at:
            self._came_back()

    async def _carry(self, link: Link, accounts: list[Account], patience: float) -> None:
        for first in range(0, len(accounts), _MOST):
            part = accounts[first : first + _MOST]
            sent = monotonic()
            commands = [link.run(one.script, one.keys, one.call(sent, self.nodes)) for one in part]
            self.figures.batches += 1
            self.figures.calls += len(commands)
            try:
                answers = [_numbers(reply) for reply in await self._ask(link, commands, patience)]
            except BaseException:
                for one in accounts[first:]:
                    one.failed()
                raise
            now = monotonic()
            for one, answer in zip(part, answers, strict=True):
                one.answered(answer, sent, now)

    async def _ask(self, link: Link, commands: list[Command], patience: float) -> list[Reply]:
        try:
            async with asyncio.timeout(patience):
                answer = await link.ask(commands)
            if await arrived(answer, patience):
                return await answer
        except TimeoutError:  # not even sent: what was sent before has not been read
            raise Unreachable(f"nothing is read within {patience * 1000:.0f} ms") from None
        if self.up:
            self._late = True
            self.figures.failures += 1
            self._turn(False, f"no answer within {patience * 1000:.0f} ms")
        if await arrived(answer, LATE - patience):
            return await answer
        raise Unreachable(f"no answer within {max(LATE, patience) * 1000:.0f} ms")

    async def _greet(self, link: Link, node: str, patience: float) -> None:
        keys = (f"{PREFIX}nodes", f"{PREFIX}store")
        asked = link.run("node", keys, [node, int(DEAD_AFTER), self.node])
        (reply,) = await self._ask(link, [asked], patience)
        if not isinstance(reply, list):
            raise Unreachable(f"it answered: {reply!r}")
        name, second, nodes = reply
        assert isinstance(name, bytes) and isinstance(second, int) and isinstance(nodes, list)
        now = monotonic()
        self._beat_at = now + HEARTBEAT
        self.clock = second + 1 - now  # rather ahead than behind: what counts from later counts for longer
        self.nodes = max(1, len(nodes))
        self.machines.seen(len({bytes(node).rpartition(b"/")[0] for node in nodes if isinstance(node, bytes)}), now)
        if self.figures.machines != self.machines.count:
            self.figures.machines = self.machines.count
            self._remember(self.machines.count)
        known, self._store = self._store, name
        if known is not None and known != name:
            self._was_emptied(name, second, now)

    def _was_emptied(self, name: bytes, second: int, now: float) -> None:
        self.figures.forgotten += 1
        self._ready_at = now + max(0.0, int(name.rpartition(b" ")[2]) + REFILLING - second)
        for account in self._accounts(_EVER):
            account.lost()
            self._open[account] = None
        if self.up:
            self._turn(False, "it has forgotten everything")

    async def _went_away(self, why: str) -> None:
        self.figures.failures += 1
        self._breaker.failed(monotonic())
        self._late = False
        self._answer_waiting(False)
        self._know()
        if self.up:
            self._turn(False, why)
        link, self._link = self._link, None
        if link is not None:
            await link.close()

    def _came_back(self) -> None:
        self._turn(True, "it answers")

    def _turn(self, up: bool, why: str) -> None:
        self.up = up
        self.figures.up = int(up)
        self._know()
        if not up:
            self._answer_waiting(False)
        self._tell(Change(up, why, self.machines.count))

    def _know(self) -> None:
        if self._found_out is not None and not self._found_out.done():
            self._found_out.set_result(None)

    def _answer_waiting(self, answer: bool) -> None:
        for waiting in (self._under_way, self._waiting):
            _tell_whoever(waiting, answer)
        self._under_way = self._waiting = None


def _tell_whoever(waiting: asyncio.Future[bool] | None, answer: bool) -> None:
    if waiting is not None and not waiting.done():
        waiting.set_result(answer)


def _numbers(reply: Reply) -> list[int]:
    if not isinstance(reply, list) or not all(isinstance(number, int) for number in reply):
        raise Unreachable(f"it answered: {reply!r}")
    return reply  # type: ignore[return-value]
