"""The order in which a model's targets are tried: by priority, then by weight.

Weights are kept by smooth weighted round-robin, so three to one means a a b a and not a a a b, and the same history gives
the same order.
"""

from __future__ import annotations

from collections.abc import Sequence

from dragoman.catalog.directory import Target


class Balance:
    """Remembers, for each model, how far each target's weight has been served."""

    __slots__ = ("_credit",)

    def __init__(self) -> None:
        self._credit: dict[Target, int] = {}

    def order(self, targets: Sequence[Target]) -> Sequence[Target]:
        """All `targets`, the one whose turn it is first; its equals in priority follow by weight, then the lesser priorities."""
        if len(targets) == 1:
            return targets
        best = min(target.priority for target in targets)
        equals = [target for target in targets if target.priority == best]
        chosen = self._turn(equals)
        rest = sorted((t for t in targets if t is not chosen), key=lambda t: (t.priority, -t.weight))
        return [chosen, *rest]

    def _turn(self, equals: Sequence[Target]) -> Target:
        credit = self._credit
        total = 0
        for target in equals:
            credit[target] = credit.get(target, 0) + target.weight
            total += target.weight
        chosen = max(equals, key=lambda target: credit[target])
        credit[chosen] -= total
        return chosen
