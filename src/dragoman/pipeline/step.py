"""One target that a request may be sent to, and how it is spoken to. Made once for a model, shared by all its requests."""

from __future__ import annotations

from dragoman.catalog.directory import Resolved, Target
from dragoman.catalog.prices import Quote
from dragoman.health import TargetHealth
from dragoman.pipeline.header_text import header_text
from dragoman.protocols.base import WireProtocol
from dragoman.protocols.known import SPOKEN_AS, protocol_of
from dragoman.providers.endpoint import Endpoint


class Step:
    """`named` is the protocol as the provider's entry names it, `protocol` what speaks it; `same` whether it is the caller's.
    `label` is `provider/model`, and `header` the same for x-dragoman-target. `others` are the same target in the provider's
    other protocols, where the caller's own is not among them; `quote` is its price, as it was last looked up. `credit` is how far
    its weight has been served, `health` what is known of the target, once it has been asked."""

    __slots__ = (
        "credit",
        "endpoint",
        "header",
        "health",
        "label",
        "named",
        "others",
        "priority",
        "protocol",
        "quote",
        "same",
        "target",
        "weight",
    )

    def __init__(self, target: Target, endpoint: Endpoint, named: str, protocol: WireProtocol, same: bool) -> None:
        self.target = target
        self.endpoint = endpoint
        self.named = named
        self.protocol = protocol
        self.same = same
        self.others: tuple[Step, ...] = ()
        self.quote: Quote | None = None
        self.health: TargetHealth | None = None
        self.weight = target.weight
        self.priority = target.priority
        self.credit = 0
        self.label = str(target)
        self.header = (b"x-dragoman-target", header_text(self.label))


def steps_of(resolved: Resolved, endpoints: dict[str, Endpoint], wanted: WireProtocol) -> dict[Target, Step]:
    """A step for every target that we can speak to, in the file's order."""
    found = {}
    for target in resolved.targets:
        step = _step(target, endpoints[target.provider], wanted)
        if step is not None:
            found[target] = step
    return found


def _step(target: Target, endpoint: Endpoint, wanted: WireProtocol) -> Step | None:
    """The caller's own protocol where the provider speaks it, else those that we can translate to."""
    found: list[Step] = []
    for named in endpoint.protocols:
        if SPOKEN_AS.get(named, named) == wanted.name:
            return Step(target, endpoint, named, wanted, True)
        if (protocol := protocol_of(named)) is not None:
            found.append(Step(target, endpoint, named, protocol, False))
    if not found:
        return None
    first, *others = found
    first.others = tuple(others)
    return first
