"""Places at the providers that take a bounded number of requests at once: taken, waited for, given back.

Whose turn it is, `routing.bound` decides. Here are the tasks that wait, and what those are told who wait in vain. A request that
could go to several providers waits at all of them, and takes the first place that comes free.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from math import inf
from time import monotonic

from dragoman.config import Provider
from dragoman.ir import DragomanError, Overloaded, TooManyRequests
from dragoman.observe.metrics import Tally
from dragoman.pipeline.call import Call
from dragoman.pipeline.step import Step
from dragoman.routing.bound import Bound, share


class AtBound(Overloaded):
    """A provider has no place free at the moment. Another target may have; else there is `wait`."""

    code = "provider_busy"


class Waiter:
    """A task that waits at some doors. Its turn brings the door at which there is a place, or why there will be none."""

    __slots__ = ("doors", "key", "turn")

    def __init__(self, key: str, turn: asyncio.Future[Door | DragomanError]) -> None:
        self.key = key
        self.turn = turn
        self.doors: list[Door] = []

    def leave(self, *, but: Door | None = None) -> None:
        for door in self.doors:
            if door is not but:
                door.withdraw(self.key, self)
        self.doors.clear()


class Door(Bound[Waiter]):
    """The bound of one provider in this worker. `patience` is how long is waited, in seconds."""

    __slots__ = ("patience", "provider")

    def __init__(self, provider: str, places: float, room: int, patience: float) -> None:
        super().__init__(places, room)
        self.provider = provider
        self.patience = patience

    def free(self) -> None:
        """A place is given back: to the next whose task still wants it."""
        while (waiter := self.give_back()) is not None:
            if self.let_in(waiter):
                return

    def let_in(self, waiter: Waiter) -> bool:
        """False where its task was cancelled in this very moment, and has not run since."""
        waiter.leave(but=self)
        if waiter.turn.done():
            return False
        waiter.turn.set_result(self)
        return True


class Place:
    """One of a provider's. Whoever has it gives it back, come what may; more than once does no harm."""

    __slots__ = ("_door", "_since")

    def __init__(self, door: Door) -> None:
        self._door: Door | None = door
        self._since = monotonic()

    def give_back(self) -> None:
        door = self._door
        if door is not None:
            self._door = None
            door.took(monotonic() - self._since)
            door.free()


class Places:
    """All of one worker's: its share of each provider's bound. `bounded` says whether there are any."""

    def __init__(self, tally: Tally, workers: int, number: int) -> None:
        self.bounded = False
        self._tally = tally
        self._workers = workers
        self._number = number
        self._doors: dict[str, Door] = {}

    def set(self, providers: Mapping[str, Provider]) -> None:
        """From here on. Who has a place keeps it, and is counted as long, also where the bound is another or is gone."""
        for name in [*self._doors]:
            provider = providers.get(name)
            if provider is None or provider.max_concurrent_requests is None:
                _resize(self._doors[name], inf, 0)
                if not self._doors[name].in_use:
                    del self._doors[name]
        for name, provider in providers.items():
            if provider.max_concurrent_requests is None:
                continue
            # A worker without a place could answer nobody whose connection it was given.
            places = max(1, share(provider.max_concurrent_requests, self._workers, self._number))
            room = share(provider.max_queued_requests, self._workers, self._number)
            door = self._doors.get(name)
            if door is None:
                self._doors[name] = Door(name, places, room, provider.queue_timeout)
            else:
                door.patience = provider.queue_timeout
                _resize(door, places, room)
        self.bounded = bool(self._doors)

    def take(self, call: Call, step: Step) -> Place | None:
        """A place at the step's provider; None where it has no bound. Raises AtBound, and notes the step as one that is full."""
        door = self._doors.get(step.target.provider)
        if door is None:
            return None
        if door.take():
            return Place(door)
        call.full.append(step)
        wait = door.retry_after()
        raise AtBound(f"{_all_taken(door)}. Try again in {wait} s.", retry_after=wait)

    async def wait(self, call: Call, steps: Sequence[Step]) -> tuple[Step, Place | None]:
        """One of `steps`, and a place at its provider. Raises Overloaded where none comes free in time or too many wait already;
        TooManyRequests where too many of them are the key's own."""
        doors: list[Door] = []
        for step in steps:
            door = self._doors.get(step.target.provider)
            if door is None:
                return step, None
            if door.take():
                return step, Place(door)
            if door not in doors:
                doors.append(door)
        began = monotonic()
        try:
            door = await self._turn(call, doors)
        finally:
            call.upstream += monotonic() - began
        return next(step for step in steps if step.target.provider == door.provider), Place(door)

    async def _turn(self, call: Call, doors: list[Door]) -> Door:
        assert call.key is not None
        loop = asyncio.get_running_loop()
        waiter = Waiter(call.key.id, loop.create_future())
        for door in doors:
            gone = door.join(waiter.key, waiter)
            if gone is waiter:
                continue
            waiter.doors.append(door)
            if gone is not None:
                self._send_away(door, gone)
        if not waiter.doors:
            self._send_away(doors[-1], waiter)
            return _opened(waiter.turn.result())
        patience = max(door.patience for door in waiter.doors)
        timer = loop.call_later(patience, self._give_up, waiter, doors[0], patience)
        try:
            return _opened(await waiter.turn)
        except asyncio.CancelledError:
            if not waiter.turn.cancelled() and isinstance(given := waiter.turn.result(), Door):
                given.free()  # it came in the moment of leaving
            raise
        finally:
            timer.cancel()
            waiter.leave()

    def _send_away(self, door: Door, waiter: Waiter) -> None:
        """There is no room for `waiter` at `door`; there may be at another."""
        if door in waiter.doors:
            waiter.doors.remove(door)
        if waiter.doors or waiter.turn.done():
            return
        own = door.waiting_of(waiter.key)
        self._tally.turned_away(door.provider, "share" if own else "full")
        waiter.turn.set_result(_too_many(door, waiter.key) if own else _full(door))

    def _give_up(self, waiter: Waiter, door: Door, patience: float) -> None:
        if not waiter.turn.done():
            self._tally.turned_away(door.provider, "timeout")
            waiter.turn.set_result(_waited(door, patience))
            waiter.leave()

    def figures(self) -> Iterator[tuple[str, int, int]]:
        """Of each provider with a bound: places in use, and requests that wait. One that waits at several is counted at each."""
        for door in self._doors.values():
            yield door.provider, door.in_use, door.waiting


def _resize(door: Door, places: float, room: int) -> None:
    for waiter in door.resize(places, room):
        if not door.let_in(waiter):
            door.free()


def _opened(turn: Door | DragomanError) -> Door:
    if isinstance(turn, DragomanError):
        raise turn
    return turn


def _all_taken(door: Door) -> str:
    return f"The provider {door.provider!r} has as many requests under way as it may have"


def _full(door: Door) -> Overloaded:
    wait = door.retry_after()
    told = f"{_all_taken(door)}, and as many wait for it as may. Try again in {wait} s."
    return Overloaded(told, code="provider_busy", retry_after=wait)


def _waited(door: Door, patience: float) -> Overloaded:
    wait = door.retry_after()
    told = f"{_all_taken(door)}, and none of them ended for this one within {patience:g} s. Try again in {wait} s."
    return Overloaded(told, code="provider_busy", retry_after=wait)


def _too_many(door: Door, key: str) -> TooManyRequests:
    wait = door.retry_after()
    told = (
        f"{_all_taken(door)}, and your key has its share of those that may wait for it ({door.waiting_of(key)}). Send fewer "
        f"requests at a time, or try again in {wait} s."
    )
    subject = {"subject": f"provider:{door.provider}", "description": told}
    return TooManyRequests(
        told,
        retry_after=wait,
        details=[{"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [subject]}],
    )
