"""From a file and the environment to checked settings with positions.

Importing does nothing and stays light: the schema and the reference are imported by those who need them.
"""

from dragoman.config.loading import Loaded, load
from dragoman.config.pricing import Price
from dragoman.config.problem import ConfigError, Problem
from dragoman.config.settings import (
    Budget,
    FileKey,
    Limits,
    Local,
    Log,
    Model,
    Protocol,
    Provider,
    Server,
    Settings,
    Target,
    Timeouts,
    Tls,
    redacted,
)
from dragoman.config.watch import fingerprint

__all__ = [
    "Budget",
    "ConfigError",
    "FileKey",
    "Limits",
    "Loaded",
    "Local",
    "Log",
    "Model",
    "Price",
    "Problem",
    "Protocol",
    "Provider",
    "Server",
    "Settings",
    "Target",
    "Timeouts",
    "Tls",
    "fingerprint",
    "load",
    "redacted",
]
