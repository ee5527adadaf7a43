"""What may be said of a key, in the shape that the file and the admin API have: read, checked, and shown again."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, get_args

from msgspec import Struct

from dragoman.limits.values import NANOS, Budget, Limits, Period, usd
from dragoman.store.key_rows import StoredKey

_LONGEST_NAME = 100
_LONGEST_PATTERN = 200
_MOST_PATTERNS = 200
_MOST_PAIRS, _LONGEST_LABEL, _LONGEST_VALUE = 32, 64, 512
_MOST_USD = 10**9
_END_OF_CALENDAR = 253_402_300_800  # in UTC, after which a time cannot be shown
# The least that each limit can be is 1; the most is what the file takes, too.
_MOST = {"requests_per_minute": 10**9, "tokens_per_minute": 10**12, "concurrent_requests": 10**6}
# What log lines call the keys that are the gateway's own.
_OWN_NAMES = ("root", "trial")
FIELDS = ("name", "models", "limits", "budget", "metadata", "expires_at")


class KeyRefused(Exception):
    """Nothing was changed; the message says why and what to do."""


class InvalidKey(KeyRefused):
    """`field` is the path of what is wrong: "limits.requests_per_minute"."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


class NoSuchKey(KeyRefused):
    """No key has this id, or not just one this name."""


class KeyEnded(KeyRefused):
    """The key is revoked, and stays so."""


class KeyFields(Struct, frozen=True):
    """Checked. `expires` is in Unix seconds."""

    name: str
    models: tuple[str, ...]
    limits: Limits | None
    budget: Budget | None
    metadata: dict[str, str]
    expires: int | None


def read_fields(given: Mapping[str, Any]) -> KeyFields:
    """Raises InvalidKey."""
    _check_names(given)
    return KeyFields(
        _name(given.get("name")),
        _patterns(given.get("models")),
        _limits(given.get("limits")),
        _budget(given.get("budget")),
        _pairs(given.get("metadata")),
        _moment(given.get("expires_at")),
    )


def patched(key: StoredKey, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The key's fields with the changes in them, as RFC 7396 merges: null takes away, objects are merged one by one. Raises
    InvalidKey."""
    _check_names(changes)
    merged = _merged({field: value for field, value in shown(key, 0).items() if field in FIELDS}, changes)
    assert isinstance(merged, dict)
    return merged


def shown(key: StoredKey, now: float) -> dict[str, Any]:
    """For people and the admin API: times in ISO 8601, money as a decimal string."""
    limits, budget = key.limits or Limits(), key.budget
    return {
        "id": key.id,
        "name": key.name,
        "ending": key.ending,
        "status": key.status(now),
        "models": list(key.models),
        "limits": {name: getattr(limits, name) for name in _MOST},
        "budget": None if budget is None else {"usd": usd(budget.nanos), "window": budget.window},
        "metadata": key.metadata,
        "created_at": moment(key.created),
        "expires_at": moment(key.expires),
        "revoked_at": moment(key.revoked),
        "previous_valid_until": moment(key.previous_until),
    }


def moment(at: int | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _check_names(given: Mapping[str, Any]) -> None:
    for field in given:
        if field not in FIELDS:
            raise InvalidKey(str(field), f"there is no such field. There are: {', '.join(FIELDS)}.")


def _merged(old: Any, new: Any) -> Any:
    if not isinstance(new, Mapping):
        return new
    kept = dict(old) if isinstance(old, dict) else {}
    for name, value in new.items():
        kept[name] = _merged(kept.get(name), value)
    return {name: value for name, value in kept.items() if value is not None}


def _name(value: Any) -> str:
    if value is None:
        raise InvalidKey("name", "is missing. Say whose key it is, or what for.")
    if not isinstance(value, str) or not value.strip() or len(value) > _LONGEST_NAME or not value.isprintable():
        raise InvalidKey("name", f"is not a usable name. Use up to {_LONGEST_NAME} visible characters.")
    if value in _OWN_NAMES:
        raise InvalidKey("name", "is what one of the gateway's own keys is called. Choose another name.")
    return value


def _patterns(value: Any) -> tuple[str, ...]:
    if value is None:
        return ("*",)
    if not isinstance(value, list | tuple) or not 0 < len(value) <= _MOST_PATTERNS:
        raise InvalidKey("models", f'is not a list of 1 to {_MOST_PATTERNS} names and patterns, such as ["gemini-*"].')
    for index, pattern in enumerate(value):
        usable = isinstance(pattern, str) and 0 < len(pattern) <= _LONGEST_PATTERN and pattern.isprintable()
        if not usable:
            raise InvalidKey(f"models.{index}", 'is not a usable pattern. Write a name, or a pattern such as "gpt-*".')
    # Google's clients put it before every name.
    return tuple(dict.fromkeys(pattern.removeprefix("models/") for pattern in value))


def _limits(value: Any) -> Limits | None:
    if value is None:
        return None
    found: dict[str, int] = {}
    for name, limit in _object("limits", value).items():
        if name not in _MOST:
            raise InvalidKey(f"limits.{name}", f"there is no such limit. There are: {', '.join(_MOST)}.")
        if limit is None:
            continue
        if not isinstance(limit, int) or isinstance(limit, bool) or not 1 <= limit <= _MOST[name]:
            raise InvalidKey(f"limits.{name}", f"is not a whole number from 1 to {_MOST[name]}.")
        found[name] = limit
    return Limits(**found) if found else None


def _budget(value: Any) -> Budget | None:
    if value is None:
        return None
    given = _object("budget", value)
    for name in given:
        if name not in ("usd", "window"):
            raise InvalidKey(f"budget.{name}", "there is no such field. There are: usd, window.")
    window = given.get("window", "month")
    if window not in get_args(Period):
        raise InvalidKey("budget.window", f"is none of {', '.join(get_args(Period))}.")
    return Budget(_nanos(given.get("usd")), window)


def _nanos(value: Any) -> int:
    amount = Decimal("NaN")
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        with suppress(InvalidOperation):
            amount = Decimal(str(value).strip())
    if not amount.is_finite():
        raise InvalidKey("budget.usd", 'is not an amount of money. Write US dollars as text, such as "10.00".')
    if not 0 <= amount <= _MOST_USD:
        raise InvalidKey("budget.usd", f"is out of range. Write 0 to {_MOST_USD} US dollars.")
    nanos = amount * NANOS
    if nanos != nanos.to_integral_value():
        raise InvalidKey("budget.usd", "has too many decimal places. Write at most nine.")
    return int(nanos)


def _pairs(value: Any) -> dict[str, str]:
    if value is None:
        return {}
    pairs = _object("metadata", value)
    if len(pairs) > _MOST_PAIRS:
        raise InvalidKey("metadata", f"has more than {_MOST_PAIRS} entries.")
    for label, text in pairs.items():
        if not 0 < len(label) <= _LONGEST_LABEL or not label.isprintable():
            raise InvalidKey("metadata", f"names must have 1 to {_LONGEST_LABEL} visible characters.")
        if not isinstance(text, str) or len(text) > _LONGEST_VALUE:
            raise InvalidKey(f"metadata.{label}", f"is not text of up to {_LONGEST_VALUE} characters.")
    return dict(pairs)


def _moment(value: Any) -> int | None:
    if value is None:
        return None
    try:
        if not isinstance(value, str):
            raise ValueError
        at = datetime.fromisoformat(value)
        seconds = int((at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp())
        if not 0 <= seconds < _END_OF_CALENDAR:
            raise ValueError
        return seconds
    except (ValueError, OverflowError):
        raise InvalidKey(
            "expires_at", "is not a date and time. Write one such as 2027-01-31T00:00:00Z; without a zone it is UTC."
        ) from None


def _object(field: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise InvalidKey(field, "is not an object.")
    return value
