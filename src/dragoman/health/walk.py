"""One request's way along its targets: whom to ask next, after how long, and what to tell the caller where nobody answers.

First every target that can be asked, in the plan's order, with each credential that is left; then, rather than give up, those
that were passed over because they are thought to be dead; then the same ones again, a little later each time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from dragoman.health.budget import backoff
from dragoman.health.failure import Failure
from dragoman.health.hold import Use
from dragoman.health.policy import Policy
from dragoman.health.target import TargetHealth
from dragoman.ir import DragomanError

# Who has failed so often for one request will not do better a moment later.
_MOST_FAILURES = 5
_RANK = {failure: rank for rank, failure in enumerate(Failure)}


class Try(Struct, frozen=True, gc=False):
    """Ask the target at `place` with `credential`, `wait` seconds from now."""

    place: int
    credential: int
    wait: float = 0.0


class Walk:
    """Ask it for the `next` try, and tell it how each one ended. `trail` says for the operator what was asked, and why."""

    __slots__ = (
        "_asked",
        "_began",
        "_failed",
        "_faults",
        "_place",
        "_policy",
        "_probe",
        "_retries",
        "_round",
        "_skipped",
        "_targets",
        "_told",
        "_tried",
        "_try",
        "failures",
        "trail",
    )

    def __init__(self, targets: Sequence[TargetHealth], policy: Policy, began: float) -> None:
        self._targets = targets
        self._policy = policy
        self._began = began
        self._place = 0
        self._round = 0
        self._retries = 0
        self._asked = 0
        self._skipped: list[int] = []
        self._faults: list[int] = []
        self._failed: list[int] = []
        self._tried: set[int] | tuple[()] = ()
        self._told: tuple[int, DragomanError] | None = None
        self._try: Try | None = None
        self._probe = False
        self.failures = 0
        self.trail: list[str] = []

    def next(self, now: float, chance: Callable[[], float]) -> Try | None:
        """None where there is nobody left to ask. `chance` gives numbers from 0 to 1."""
        if self._round == 0:
            targets = self._targets
            while self._place < len(targets):
                target = targets[self._place]
                if target.sound and not self._tried:
                    # As nearly always: nothing is to be weighed.
                    self._asked += 1
                    self._probe = False
                    self._try = Try(self._place, target.provider.turn())
                    return self._try
                use = target.use(now)
                if use is Use.YES and (credential := target.credential(now, self._tried)) is not None:
                    return self._begin(Try(self._place, credential), now)
                if not self._tried:
                    self._pass_over(target, use, now)
                self._leave()
            self._round = 1
        if self._round == 1:
            while self._skipped and now - self._began < self._policy.retry_within:
                place = self._skipped.pop(0)
                target = self._targets[place]
                if target.use(now) is not Use.NO:
                    credential = target.credential(now, (), Use.LAST_RESORT)
                    if credential is not None:
                        return self._begin(Try(place, credential), now)
            self._round = 2
        return self._again(now, chance)

    def succeeded(self, now: float) -> None:
        assert self._try is not None
        self._targets[self._try.place].succeeded(self._try.credential, now)

    def failed(self, failure: Failure, error: DragomanError, now: float, *, counts: bool = True) -> None:
        """How the last try ended. After a failure that is the caller's there is no other. Without `counts` it does not speak
        against the target; nor does what the same request has met there before, for that may be the request's own doing."""
        assert self._try is not None
        place, credential = self._try.place, self._try.credential
        target = self._targets[place]
        counts = counts and place not in self._faults
        target.failed(failure, error, credential, now, probe=self._probe, counts=counts)
        self._note(failure, error)
        self._failed.append(place)
        self.failures += failure is not Failure.FULL
        self.trail.append(f"{target}: {error.code or failure.value}")
        if failure is Failure.FAULT and place not in self._faults:
            self._faults.append(place)
        if self._round == 0:
            if failure in (Failure.WAIT, Failure.CREDENTIAL) and target.provider.credentials > 1:
                self._tried = {*self._tried, credential}
            else:
                self._leave()
        if failure is Failure.CALLER:
            self._round = 3

    def broke_off(self, error: DragomanError, now: float) -> None:
        """The last try failed when the caller had part of its answer already."""
        assert self._try is not None
        target = self._targets[self._try.place]
        target.failed(Failure.FAULT, error, self._try.credential, now, probe=self._probe, counts=True)

    def released(self) -> None:
        """The last try ended and tells nothing of the target: the caller left."""
        if self._try is not None:
            target = self._targets[self._try.place]
            target.released(self._try.credential, probe=self._probe)

    def telling(self, now: float) -> DragomanError | None:
        """The error that helps the caller most; None where every target was passed over for what is not known here."""
        for place, target in enumerate(self._targets):
            if place not in self._failed and (found := target.refusal(now)) is not None:
                self._note(*found)
        return self._told[1] if self._told is not None else None

    def _begin(self, found: Try, now: float) -> Try:
        self._try = found
        self._asked += 1
        self._probe = self._targets[found.place].begin(found.credential, now)
        return found

    def _leave(self) -> None:
        self._place += 1
        self._tried = ()

    def _pass_over(self, target: TargetHealth, use: Use, now: float) -> None:
        if target.breaker.state != "closed":
            why = "its breaker is " + target.breaker.state
        else:
            refusal = target.refusal(now)
            why = refusal[0].value if refusal is not None else use.name
        self.trail.append(f"{target}: passed over, {why}")
        self._skipped.append(self._place)

    def _again(self, now: float, chance: Callable[[], float]) -> Try | None:
        """The same target once more, where it failed for a reason that may pass, or asks to wait no longer than one may."""
        policy = self._policy
        if self._round != 2 or self._retries >= policy.retries:
            return None
        pause = backoff(self._retries, chance(), policy)
        least: tuple[float, int] | None = None
        for n in range(len(self._targets)):
            place = (n + self._retries) % len(self._targets)
            target = self._targets[place]
            if target.use(now) is Use.YES:
                if place not in self._faults or self._failed.count(place) >= _MOST_FAILURES:
                    continue
                wait = pause
            else:
                held = target.waits(now)
                if held is None or held > policy.longest_wait:
                    continue
                wait = held + pause
            if least is None or wait < least[0]:
                least = (wait, place)
        if least is None or now + least[0] - self._began > policy.retry_within:
            return None
        wait, place = least
        target = self._targets[place]
        # Where nobody has been asked yet, it is no retry.
        if self._asked and not target.budget.spend(now):
            return None
        credential = target.credential(now + wait, (), Use.LAST_RESORT)
        if credential is None:
            return None
        self._retries += 1
        return self._begin(Try(place, credential, wait), now + wait)

    def _note(self, failure: Failure, error: DragomanError) -> None:
        """Keeps the error if it tells more than those before it: of those that ask to wait the shortest, of those
        that the request does not fit the first, else the latest."""
        rank = _RANK[failure]
        if self._told is not None:
            before, known = self._told
            if before < rank:
                return
            if before == rank and failure in (Failure.UNFIT, Failure.TOO_LONG):
                return
            if before == rank and failure is Failure.WAIT and (known.retry_after or 0.0) < (error.retry_after or 0.0):
                return
        self._told = (rank, error)
