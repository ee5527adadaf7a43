"""What is known of one target and of its provider's credentials."""

from __future__ import annotations

from collections.abc import Callable, Collection

from dragoman.health.breaker import Breaker
from dragoman.health.budget import RetryBudget
from dragoman.health.failure import Failure, weight_of
from dragoman.health.hold import Hold, Reason, Use
from dragoman.health.policy import Policy
from dragoman.ir import DragomanError, UpstreamCredentials


class ProviderHealth:
    """`credentials` is how many there are, one where none is needed. `holds` are those of credentials, whatever the model."""

    __slots__ = ("_turn", "credentials", "holds", "name", "targets")

    def __init__(self, name: str, credentials: int) -> None:
        self.name = name
        self.credentials = max(1, credentials)
        self.holds: dict[int, Hold] = {}
        self.targets: dict[str, TargetHealth] = {}
        self._turn = -1

    def blank(self) -> ProviderHealth:
        """The same provider, of which nothing is known but whose turn it is."""
        found = ProviderHealth(self.name, self.credentials)
        found._turn = self._turn
        self.turn()
        return found

    def turn(self) -> int:
        """The credential whose turn it is: load is spread over them."""
        if self.credentials == 1:
            return 0
        self._turn = (self._turn + 1) % self.credentials
        return self._turn


class TargetHealth:
    """`holds` are those of credentials for this model alone; `rest` is the target's own, whatever the credential.

    `latency` is how long callers have waited for it, in seconds; 0 where nobody has looked.

    `tell` is called with the target, a credential or None, and what became of it."""

    __slots__ = ("_tell", "_worked", "breaker", "budget", "holds", "latency", "model", "policy", "provider", "rest")

    def __init__(
        self,
        provider: ProviderHealth,
        model: str,
        policy: Policy,
        now: float,
        tell: Callable[[TargetHealth, int | None, str, DragomanError | None], None],
    ) -> None:
        self.provider = provider
        self.model = model
        self.policy = policy
        self.breaker = Breaker(policy, now)
        self.budget = RetryBudget(policy, now)
        self.holds: dict[int, Hold] = {}
        self.rest: Hold | None = None
        self.latency = 0.0
        self._worked: set[int] = set()
        self._tell = tell

    def __str__(self) -> str:
        return f"{self.provider.name}/{self.model}"

    @property
    def sound(self) -> bool:
        """Whether nothing at all is against it."""
        return not self.holds and not self.provider.holds and self.rest is None and self.breaker.state == "closed"

    @property
    def proven(self) -> bool:
        """Whether it has ever answered: there is such a model."""
        return bool(self._worked)

    def use(self, now: float) -> Use:
        """Whether a request should go here now."""
        if self.rest is not None and (rest := self.rest.use(now, 0.0)) is not Use.YES:
            return rest
        if not self.breaker.may(now):
            return Use.NO if self._best(now) is Use.NO else Use.LAST_RESORT
        return self._best(now)

    def pass_over(self) -> None:
        """A request went to another because of what is known here."""
        if self.breaker.state != "closed":
            self.breaker.pass_over()

    def credential(self, now: float, tried: Collection[int], worst: Use = Use.YES) -> int | None:
        """One that may be used, the one whose turn it is if it can be; None where none is left."""
        provider = self.provider
        first = provider.turn()
        if not self.holds and not provider.holds and not tried:
            return first
        count = provider.credentials
        order = [(first + n) % count for n in range(count)]
        uses = {one: self._use_of(one, now) for one in order if one not in tried}
        return next((one for use in (Use.YES, worst) for one in order if uses.get(one) is use), None)

    def begin(self, credential: int, now: float) -> bool:
        """A request goes here. Whether it is a probe of the target."""
        for hold in self._holds_of(credential):
            if hold.reason is Reason.REFUSED:
                hold.begin(now)
        return self.breaker.begin(now)

    def waits(self, now: float) -> float | None:
        """How long until the vendor will be asked again, as it said itself; None where it did not."""
        if self.rest is not None and now < self.rest.until:
            return self.rest.until - now
        asked = [hold.until - now for hold in self.holds.values() if hold.reason is Reason.ASKED and hold.until > now]
        return min(asked, default=None)

    def refusal(self, now: float) -> tuple[Failure, DragomanError] | None:
        """What to say where nobody may be asked: the shortest wait, else what was said of the credentials."""
        if self.rest is not None and now < self.rest.until:
            return Failure.WAIT, self.rest.error(now)
        held = [hold for one in range(self.provider.credentials) for hold in self._holds_of(one)]
        waiting = [hold for hold in held if hold.reason is not Reason.REFUSED]
        if waiting:
            return Failure.WAIT, min(waiting, key=lambda hold: hold.until).error(now)
        return (Failure.CREDENTIAL, held[0].error(now)) if held else None

    def took(self, seconds: float) -> None:
        """So long a caller waited for it. The latest five or so make the `latency`."""
        self.latency = seconds if not self.latency else 0.8 * self.latency + 0.2 * seconds

    def succeeded(self, credential: int, now: float) -> None:
        self.budget.earn()
        if credential not in self._worked:
            self._worked.add(credential)
        if self.breaker.succeeded(now):
            self._tell(self, None, "closed", None)
        if self.holds or self.provider.holds or self.rest is not None:
            self._free(credential, now)

    def failed(
        self, failure: Failure, error: DragomanError, credential: int, now: float, *, probe: bool, counts: bool
    ) -> None:
        """`counts`: a fault speaks against the target. A probe's does in any case: it was made to find that out."""
        policy = self.policy
        match failure:
            case Failure.FAULT:
                if error.retry_after:
                    self._rest(error, now + min(error.retry_after, policy.longest_rest))
                if (counts or probe) and self.breaker.failed(now, probe=probe, weight=weight_of(error)):
                    self._tell(self, None, "open", error)
                self._released(credential)
            case Failure.WAIT:
                self._hold_back(credential, error, now)
                if error.retry_after is None:
                    error.retry_after = max(self.holds[credential].until - now, 0.0)
                self.released(credential, probe=probe)
            case Failure.CREDENTIAL:
                self._refuse(credential, error, now)
                self.released(credential, probe=probe)
            case Failure.CALLER | Failure.TOO_LONG:
                # It took the credential and read the request.
                if self.breaker.succeeded(now):
                    self._tell(self, None, "closed", None)
                self._released(credential)
            case Failure.FULL | Failure.UNFIT:
                self.released(credential, probe=probe)

    def began(self, now: float) -> None:
        """An answer has begun that may last for minutes: where a probe is waited for, that is word enough."""
        if self.breaker.state != "closed" and self.breaker.succeeded(now):
            self._tell(self, None, "closed", None)

    def released(self, credential: int, *, probe: bool) -> None:
        """A request ended and tells nothing."""
        if probe:
            self.breaker.released()
        self._released(credential)

    def _released(self, credential: int) -> None:
        for hold in self._holds_of(credential):
            hold.released()

    def _holds_of(self, credential: int) -> list[Hold]:
        found = (self.provider.holds.get(credential), self.holds.get(credential))
        return [hold for hold in found if hold is not None]

    def _use_of(self, credential: int, now: float) -> Use:
        uses = [hold.use(now, self.policy.cool_down) for hold in self._holds_of(credential)]
        return max(uses, key=lambda use: use.value, default=Use.YES)

    def _best(self, now: float) -> Use:
        if not self.holds and not self.provider.holds:
            return Use.YES
        uses = [self._use_of(one, now) for one in range(self.provider.credentials)]
        return min(uses, key=lambda use: use.value, default=Use.NO)

    def _rest(self, error: DragomanError, until: float) -> None:
        if self.rest is None or until > self.rest.until:
            self.rest = Hold(Reason.ASKED, until, error)

    def _hold_back(self, credential: int, error: DragomanError, now: float) -> None:
        policy = self.policy
        before = self.holds.get(credential)
        times = before.times + 1 if before is not None and before.reason is Reason.GUESSED else 1
        if error.retry_after:
            until = now + min(error.retry_after, policy.longest_rest)
            # Several that were asked together are told to wait one after the other: the last to end is the one to keep.
            if before is None or before.reason is not Reason.ASKED or until > before.until:
                self.holds[credential] = Hold(Reason.ASKED, until, error)
        elif before is None or before.until <= now:
            rest = min(policy.last_rest, policy.first_rest * 2.0 ** (min(times, 10) - 1))
            self.holds[credential] = Hold(Reason.GUESSED, now + rest, error, times)

    def _refuse(self, credential: int, error: DragomanError, now: float) -> None:
        """A bad key is bad for every model; what is forbidden, for one. And who may not have what one request asks for (another
        account's file: Google says 403 then) shall not take the model from all others."""
        policy = self.policy
        forbidden = isinstance(error, UpstreamCredentials) and error.vendor_status == 403
        holds = self.holds if forbidden else self.provider.holds
        before = holds.get(credential)
        times = before.times + 1 if before is not None and before.reason is Reason.REFUSED else 1
        enough = policy.forbidden_in_a_row if forbidden and credential in self._worked else 1
        hold = Hold(Reason.REFUSED, now + policy.refused_rest if times >= enough else now, error, times)
        holds[credential] = hold
        hold.told = times >= enough
        if times == enough:
            self._tell(self, credential, "refused", error)

    def _free(self, credential: int, now: float) -> None:
        """The credential has worked: nothing is against it any more, and what is over is forgotten."""
        for holds in (self.holds, self.provider.holds):
            hold = holds.get(credential)
            if hold is not None and (hold.reason is not Reason.ASKED or hold.until <= now):
                del holds[credential]
                if hold.told:
                    self._tell(self, credential, "accepted", None)
        if self.rest is not None and self.rest.until <= now:
            self.rest = None
