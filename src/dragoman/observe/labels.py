"""Label values that stay few: what a caller or a vendor makes up must not fill memory or the scrape.

Three bounds: a label's length and alphabet, indexes out of field paths, and a cap on the series of one process (beyond it,
names turn to `other`).
"""

import re
from collections.abc import Mapping
from functools import lru_cache

from dragoman.observe.names import OTHER

MAX_SERIES = 1000
MAX_LABEL = 128

RequestKey = tuple[str, str, str, str, int, bool]
"""protocol, operation, model, provider, status, stream"""
AttemptKey = tuple[str, str, str, str]
"""provider, model, operation, outcome"""
LossKey = tuple[str, str, str]
"""from, to, field"""

_INDEX = re.compile(r"\[[^\]]*\]|\.\d+(?=\.|\[|$)", re.ASCII)
# Names behind these are the caller's own: schema properties, metadata.
_OWN_NAMES = re.compile(r"\b(properties|patternProperties|\$?defs|definitions|metadata|labels|logit_bias)\.[^.\[]+")
_WORD = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_STRANGE = re.compile(r"[^A-Za-z0-9_.\[\]$*:-]")


@lru_cache(maxsize=1024)
def field_path(path: str) -> str:
    """`path` without what is one request's own: `messages[0].x` → `messages[].x`, `schema.properties.age.format` →
    `schema.properties.*.format`; at most MAX_LABEL characters. Normalising twice changes nothing."""
    # Cut first: no step below makes a path longer, and one cut behind them could uncover an index.
    path = _STRANGE.sub("_", path[:MAX_LABEL])
    return _OWN_NAMES.sub(r"\1.*", _INDEX.sub("[]", path))


def label(value: str) -> str:
    """`value` cut to MAX_LABEL characters, and writable as UTF-8."""
    return value[:MAX_LABEL].encode("utf-8", "replace").decode()


def request_key(series: Mapping[RequestKey, object], key: RequestKey) -> RequestKey:
    """The key under which to count: `key` itself, or the one of `other` where `series` is full."""
    protocol, operation, model, provider, status, stream = key
    key = (label(protocol), label(operation), label(model), label(provider), status, stream)
    if key in series or len(series) < MAX_SERIES:
        return key
    return (key[0], key[1], OTHER, OTHER, status, stream)


def attempt_key(series: Mapping[AttemptKey, object], key: AttemptKey) -> AttemptKey:
    """As `request_key`."""
    provider, model, operation, outcome = map(label, key)
    # An outcome may be the vendor's own word.
    key = (provider, model, operation, outcome if _WORD.fullmatch(outcome) else "error")
    if key in series or len(series) < MAX_SERIES:
        return key
    return (OTHER, OTHER, operation, OTHER)


def loss_key(series: Mapping[LossKey, object], key: LossKey) -> LossKey:
    """As `request_key`."""
    if key in series or len(series) < MAX_SERIES:
        return key
    return (key[0], key[1], OTHER)
