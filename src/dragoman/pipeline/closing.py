"""How a request that is cut off by our own shutting down is told from one whose caller left."""

from dragoman.ir import Overloaded

# The arguments of the CancelledError: `task.cancel(*CLOSING)`.
CLOSING = ("closing",)


def shutting_down() -> Overloaded:
    return Overloaded("The gateway is shutting down. Try again.", retry_after=1.0)
