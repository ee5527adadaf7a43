"""Limits that several machines keep together, through Valkey (or Redis).

`meter_of` makes a worker's meter: `LocalMeter` where no `shared:` is set, else a `SharedMeter` around it. What the pipeline does
is the same for both, and one `await` more for what only Valkey can answer:

    meter.start()                                    # SharedMeter: once, in the worker's event loop; and at its end
    await meter.close()

    for rule, window in meter.unprimed(rules, wall):
        meter.prime(rule, window, <the ledger's sum>, now)
    answer = meter.reserve(rules, demand, now, wall)
    if type(answer) is Wanting:                      # only ever from a SharedMeter
        answer = await answer.decide()               # Grant or Refused, after 0.3 s at most; never raises
    ...
    meter.settle(answer, tokens, nanos, now, wall)   # or meter.cancel(answer, now)

A request that is cancelled while it awaits `decide` holds nothing. Where what is counted stands in Valkey, and by which rules, is
told in docs/scaling.md; the scripts themselves are in `scripts/`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from secrets import token_hex

from dragoman.config.settings import Settings
from dragoman.limits import LocalMeter, SharedTable, Table
from dragoman.sharing.address import Address, address_of
from dragoman.sharing.courier import Change, Figures
from dragoman.sharing.meter import SharedMeter

__all__ = ["TABLE", "Address", "Change", "Figures", "SharedMeter", "address_of", "machine_of", "meter_of"]

TABLE = "limits"
"""The table of limits in the supervisor's directory, made by the supervisor with `SharedTable.create`."""
_MACHINE = "machine"


def meter_of(
    settings: Settings, directory: Path | None, worker: int, tell: Callable[[Change], None] = lambda change: None
) -> LocalMeter | SharedMeter:
    """A worker's meter. `directory` is the supervisor's, which all workers of this machine see; without one the worker is alone.
    `tell` is called at each change between counting together and alone; it should write one log line."""
    table = Table() if directory is None else SharedTable.open(directory / TABLE, worker=worker)
    local = LocalMeter(table)
    if settings.shared is None:
        return local
    machine = token_hex(8) if directory is None else machine_of(directory)
    seen = Seen(settings.data)
    return SharedMeter(
        local,
        address_of(settings.shared),
        f"{machine}/{worker}-{token_hex(4)}",
        tell,
        machines=seen.machines(),
        remember=seen.remember,
    )


def machine_of(directory: Path) -> str:
    """This machine's name, the same for all workers under one supervisor: whoever asks first makes it."""
    path = directory / _MACHINE
    mine = directory / f".{_MACHINE}-{os.getpid()}"
    if not path.exists():
        mine.write_text(token_hex(8))
        try:
            os.link(mine, path)
        except FileExistsError:
            pass
        finally:
            mine.unlink()
    return path.read_text()


class Seen:
    """How many machines there were last, kept in the data directory: for a start while Valkey is away."""

    def __init__(self, data: Path) -> None:
        self._path = data / "machines"

    def machines(self) -> int:
        try:
            return max(1, int(self._path.read_text()))
        except (OSError, ValueError):
            return 1

    def remember(self, machines: int) -> None:
        written = self._path.with_name(f".machines-{os.getpid()}")
        # Not worth more than a try: it is asked for only where a start and an outage meet.
        with suppress(OSError):
            written.write_text(f"{machines}\n")
            written.replace(self._path)
