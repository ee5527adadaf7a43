"""What the workers' gauges tell of their targets' health, for whoever is not a worker."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from dragoman.observe import names, spool


class Seen(Struct, frozen=True):
    """Of one provider: whether each target that was asked is healthy, and each credential that was ever refused is accepted."""

    targets: dict[str, bool]
    credentials: dict[str, bool]


def health_seen(directory: Path) -> dict[str, Seen]:
    """By provider, as the worst of the workers sees it. Workers tell it about once a second."""
    found: dict[str, Seen] = {}
    for gauge, value in spool.read(directory, None).gauges.items():
        if gauge[0] in (names.TARGET_HEALTHY.name, names.CREDENTIAL_ACCEPTED.name):
            seen = found.setdefault(gauge[1], Seen({}, {}))
            kind = seen.targets if gauge[0] == names.TARGET_HEALTHY.name else seen.credentials
            kind[gauge[2]] = value > 0.0
    return found
