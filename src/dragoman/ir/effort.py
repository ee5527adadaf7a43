"""How hard a model is asked to think, in words: which there are, and which is nearest to a budget in tokens."""

from typing import get_args

from dragoman.ir.request import Effort

EFFORTS: frozenset[Effort] = frozenset(get_args(Effort))
# The most tokens that each word stands for.
_MOST: tuple[tuple[int, Effort], ...] = (
    (0, "none"),
    (512, "minimal"),
    (1024, "low"),
    (8192, "medium"),
    (24576, "high"),
)


def effort_of(budget: int) -> Effort | None:
    """None for a dynamic budget, which is less than 0."""
    if budget < 0:
        return None
    for most, effort in _MOST:
        if budget <= most:
            return effort
    return "xhigh"
