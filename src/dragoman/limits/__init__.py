"""Requests, tokens, concurrency and money: reserved before the call, settled after it, never over.

Pure, given the time. `Meter` is the seam; `LocalMeter` counts for one machine, in a `Table` of its own process or in a
`SharedTable` that all workers map. What several machines count together is leased: the accounts of that are here, in
`leased_minute`, `leased_running` and `leased_money`, and what carries them to and fro is the room `sharing`. What the ledger
holds is asked by others and told here (`prime`).
"""

from dragoman.limits.local import LocalMeter
from dragoman.limits.meter import Grant, Meter, Wanting
from dragoman.limits.shared import SharedTable
from dragoman.limits.table import Table
from dragoman.limits.values import NANOS, Budget, Demand, Level, Limits, Refused, Rule, Standing, usd
from dragoman.limits.windows import Window, window_at

__all__ = [
    "NANOS",
    "Budget",
    "Demand",
    "Grant",
    "Level",
    "Limits",
    "LocalMeter",
    "Meter",
    "Refused",
    "Rule",
    "SharedTable",
    "Standing",
    "Table",
    "Wanting",
    "Window",
    "usd",
    "window_at",
]
