"""What a translation could not carry, named in the caller's own spelling."""

from collections.abc import Mapping

from msgspec import Struct

from dragoman.ir.parts import Extra
from dragoman.ir.request import Message


class Loss(Struct, frozen=True, gc=False):
    """`path` is a field path in the caller's body; `harmless` marks a hint that changes no answer (log and ledger only)."""

    path: str
    why: str
    harmless: bool = False


class Spelling(Struct, frozen=True):
    """How a protocol writes the neutral language's field names.

    `fields` maps a neutral name (`top_k`, `format`, `reasoning.budget`) to a path in that protocol's body;
    `part` is put behind a message's origin to name its n-th part, e.g. `.parts[{}]`.
    """

    fields: Mapping[str, str]
    part: str


class Losses:
    """Collects the losses of one translation. `places` are the request's own, which win over the protocol's spelling."""

    __slots__ = ("_spelling", "found", "places")

    def __init__(self, spelling: Spelling) -> None:
        self._spelling = spelling
        self.places: Mapping[str, str] | None = None
        self.found: list[Loss] = []

    def path(self, field: str) -> str:
        """Where the caller wrote the neutral `field`; the `param` of a BadRequest."""
        if self.places is not None and field in self.places:
            return self.places[field]
        return self._spelling.fields.get(field, field)

    def part_path(self, message: Message, number: int) -> str:
        """Where the caller wrote part `number` of `message`."""
        if number < len(message.places):
            return message.places[number]
        return message.origin + self._spelling.part.format(number)

    def add(self, field: str, why: str, *, harmless: bool = False) -> None:
        """Record that the neutral `field` could not be carried."""
        self.found.append(Loss(self.path(field), why, harmless))

    def add_part(self, message: Message, number: int, why: str, *, harmless: bool = False) -> None:
        """Record that part `number` of `message` could not be carried."""
        self.found.append(Loss(self.part_path(message, number), why, harmless))

    def add_path(self, path: str, why: str, *, harmless: bool = False) -> None:
        """Record a loss whose path is known already; an empty one is a reader's mark, of nothing that the caller wrote."""
        if not path:
            return
        self.found.append(Loss(path, why, harmless))

    def add_extras(self, extras: tuple[Extra, ...], carried: str, why: str) -> None:
        """Record every extra that is not the `carried` family's own."""
        for extra in extras:
            if extra.owner != carried and extra.path:
                self.found.append(Loss(extra.path, why, extra.harmless))

    @property
    def serious(self) -> list[Loss]:
        return [loss for loss in self.found if not loss.harmless]
