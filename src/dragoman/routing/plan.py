"""The order in which a model's targets are tried: by priority, then by weight.

Weights are kept by smooth weighted round-robin, so three to one means a a b a and not a a a b, and the same history gives
the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from operator import attrgetter
from typing import Protocol, TypeVar


class Weighed(Protocol):
    """`credit` is how far a weight has been served; it begins at 0 and is kept here."""

    weight: int
    priority: int
    credit: int


W = TypeVar("W", bound=Weighed)

_PRIORITY = attrgetter("priority")


def order(targets: Sequence[W], passed_over: Collection[W] = ()) -> Sequence[W]:
    """All `targets`, the one whose turn it is first; its equals in priority follow as their turns would come, then the lesser
    priorities. Those that are passed over take no turn and stand behind all others."""
    if len(targets) == 1:
        return targets
    ready = [target for target in targets if target not in passed_over] if passed_over else targets
    if not ready:
        return sorted(targets, key=_PRIORITY)
    best = min(map(_PRIORITY, ready))
    total = 0
    chosen: W | None = None
    for target in ready:
        if target.priority == best:
            total += target.weight
            target.credit += target.weight
            if chosen is None or target.credit > chosen.credit:
                chosen = target
    assert chosen is not None
    found = [chosen]
    found += sorted([t for t in ready if t is not chosen], key=_next)
    chosen.credit -= total
    if passed_over:
        found += sorted([t for t in targets if t in passed_over], key=_PRIORITY)
    return found


def _next(target: Weighed) -> tuple[int, int]:
    return target.priority, -target.credit


def ranked(found: Sequence[W], rank: Callable[[W], float], passed_over: Collection[W] = ()) -> Sequence[W]:
    """An order with the targets of each priority put by `rank`, the least first."""
    return sorted(found, key=lambda target: (target in passed_over, target.priority, rank(target)))
