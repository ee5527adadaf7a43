"""What a strict caller is told when its request cannot be carried whole: which fields, and why, within bounds.

A caller makes up its own field names, as many and as long as its body has room for; its error need not be as long.
"""

from collections.abc import Sequence

from dragoman.ir import Loss

MOST = 20  # losses told
LONGEST = 200  # characters of each field's path, and of each reason


def told(losses: Sequence[Loss]) -> str:
    """The first losses, and how many more there are."""
    listed = "; ".join([f"{cut(loss.path)}: {cut(loss.why)}" for loss in losses[:MOST]])
    more = len(losses) - MOST
    return f"{listed}; and {more} more" if more > 0 else listed


def cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
