"""Vendors' proofs on tool calls, kept on our side: many a client drops every field that it does not know.

Gemini 3 answers 400 to a step of the current turn whose first call lacks its signature (ai.google.dev/gemini-api/docs/
thought-signatures); Claude wants its thinking blocks back, unchanged, before the calls that followed them; OpenAI its encrypted
reasoning. All that stood before a call and was signed is kept with it, under the caller's key and the id that the caller has
of it: in memory, and on a shelf that other workers and the next start see too.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import msgspec
from msgspec import Struct

from dragoman.carry.ids import legal
from dragoman.ir import Signature, Thought

_MOST_BYTES = 16 * 1024 * 1024
_LARGEST = 4 * 1024 * 1024
_MOST = 16_384


class Kept(Struct, frozen=True, array_like=True):
    """What stood before a call, and on it. `before` are the thoughts before the text of this step, `behind` those between it and
    the call; `text` is on the text. `provider` is who answered: OpenAI's reasoning is sealed for one account."""

    maker: str
    provider: str
    call: Signature | None = None
    before: tuple[Thought, ...] = ()
    behind: tuple[Thought, ...] = ()
    text: Signature | None = None

    def good_for(self, maker: str, provider: str) -> bool:
        """Whether it may go to this vendor: nobody else is shown what he did not sign."""
        return self.maker == maker and (maker != "openai" or self.provider == provider)


class Shelf(Protocol):
    """Where it lies for other workers and for the next start. Neither raises."""

    async def put_signatures(self, owner: str, blobs: Mapping[str, bytes], /) -> bool: ...

    async def get_signatures(self, owner: str, calls: Sequence[str], /) -> dict[str, bytes] | None:
        """None where the shelf cannot be reached."""
        ...


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Kept).decode


class Signatures:
    """The newest of them in memory, and what is known to have none; all of them on the shelf, if there is one."""

    def __init__(self, shelf: Shelf | None = None) -> None:
        self._shelf = shelf
        # An empty blob: the call is known to have nothing.
        self._held: OrderedDict[tuple[str, str], bytes] = OrderedDict()
        self._bytes = 0

    def of(self, owner: str, call: str) -> Kept | None:
        """What was kept with a call, as far as memory holds it; `fetch` first."""
        blob = self._held.get((owner, call))
        if not blob:
            return None
        self._held.move_to_end((owner, call))
        try:
            return _decode(blob)
        except msgspec.MsgspecError:  # another version's
            return None

    async def fetch(self, owner: str, calls: Iterable[str]) -> None:
        """Brings into memory what the shelf has of `calls`."""
        if self._shelf is None:
            return
        # What a caller may write has no bound; all that it was given fits.
        unknown = [call for call in calls if (owner, call) not in self._held and legal(call) == call]
        if not unknown:
            return
        found = await self._shelf.get_signatures(owner, unknown)
        if found is not None:
            for call in unknown:
                if (owner, call) not in self._held:  # kept in the meantime
                    self._hold(owner, call, found.get(call, b""))

    async def keep(self, owner: str, calls: Mapping[str, Kept | None]) -> None:
        """Once this returns, every worker can have it. None for a call that has nothing."""
        blobs = {call: b"" if kept is None else _encode(kept) for call, kept in calls.items()}
        for call, blob in blobs.items():
            self._hold(owner, call, blob)
        signed = {call: blob for call, blob in blobs.items() if 0 < len(blob) <= _LARGEST}
        if signed and self._shelf is not None:
            await self._shelf.put_signatures(owner, signed)

    def _hold(self, owner: str, call: str, blob: bytes) -> None:
        key = (owner, call)
        self._bytes += len(blob) - len(self._held.pop(key, b""))
        self._held[key] = blob
        while len(self._held) > _MOST or (self._bytes > _MOST_BYTES and len(self._held) > 1):
            self._bytes -= len(self._held.popitem(last=False)[1])
