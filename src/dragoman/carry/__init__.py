"""What must survive the change of protocols, and one exchange: tool names, call ids, vendors' signatures.

Pure transforms on the neutral language, between a protocol's reader and another's writer: `outward` makes a request fit for
its vendor, `inward` an answer fit for its caller. What must be remembered between the two lies in `Signatures`.
"""

from dragoman.carry.inward import Inward
from dragoman.carry.outward import carries, history_calls, outward
from dragoman.carry.signatures import Kept, Shelf, Signatures

__all__ = ["Inward", "Kept", "Shelf", "Signatures", "carries", "history_calls", "outward"]
