"""The health of every target that this process has asked, by provider. What an operator should hear of is told as a Change."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator

from msgspec import Struct

from dragoman.health.hold import Reason
from dragoman.health.policy import Policy
from dragoman.health.target import ProviderHealth, TargetHealth
from dragoman.ir import DragomanError

# Callers may name models that a provider has not: what is remembered of those has a bound.
MOST_TARGETS = 2000


class Change(Struct, frozen=True):
    """`to` is open or closed, of a target; refused or accepted, of a credential, whose number is given."""

    provider: str
    model: str
    credential: int | None
    to: str
    error: DragomanError | None


def _say_nothing(target: TargetHealth, credential: int | None, to: str, error: DragomanError | None) -> None:
    """What is not remembered has no changes."""


class Health:
    def __init__(self, policy: Policy, tell: Callable[[Change], None]) -> None:
        self.policy = policy
        self._tell = tell
        self._providers: dict[str, tuple[Hashable, ProviderHealth]] = {}
        self._count = 0

    def target(self, provider: str, model: str, credentials: int, identity: Hashable, now: float) -> TargetHealth:
        """What is known of a target. `identity` is where its provider is and which credentials it has: where that has changed,
        nothing is known."""
        known = self._providers.get(provider)
        if known is None or known[0] != identity:
            known = self._providers[provider] = (identity, ProviderHealth(provider, credentials))
        house = known[1]
        if not self.policy.remember:
            return TargetHealth(house.blank(), model, self.policy, now, _say_nothing)
        found = house.targets.get(model)
        if found is None:
            if self._count >= MOST_TARGETS:
                self._forget()
            found = house.targets[model] = TargetHealth(house, model, self.policy, now, self._told)
            self._count += 1
        return found

    def reload(self, policy: Policy) -> None:
        """The configuration was read again. A credential that was refused may be good now, though nothing of it has changed."""
        if policy != self.policy:
            self.policy = policy
            self._providers.clear()
            self._count = 0
            return
        for house in self.providers():
            house.holds.clear()
            for target in house.targets.values():
                target.holds = {n: hold for n, hold in target.holds.items() if hold.reason is not Reason.REFUSED}

    def providers(self) -> Iterator[ProviderHealth]:
        return (house for _, house in self._providers.values())

    def _told(self, target: TargetHealth, credential: int | None, to: str, error: DragomanError | None) -> None:
        self._tell(Change(target.provider.name, target.model, credential, to, error))

    def _forget(self) -> None:
        """Targets of which there is nothing to remember, and those that never answered, as invented names do not; where that is
        all too few, all of them."""
        for house in self.providers():
            house.targets = {model: one for model, one in house.targets.items() if one.proven and not one.sound}
        self._count = sum(len(house.targets) for house in self.providers())
        if self._count > MOST_TARGETS // 2:
            self._providers.clear()
            self._count = 0
