"""What was asked: parameters and bodies, read and checked field by field. Every mistake is a BadRequest that names its field."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from dragoman.ir import BadRequest
from dragoman.wire import json

_DIGITS = re.compile(r"[0-9]{1,15}", re.ASCII)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_STATUS = re.compile(r"([1-5])(?:xx|XX)|([1-5][0-9]{2})", re.ASCII)
_LONGEST = 512
_SECONDS_A_DAY = 86_400
MOST_LISTED = 1000
USUALLY_LISTED = 50


class Asked:
    """One request. `params` are from the path; `remote` is the caller's address."""

    def __init__(
        self, params: Mapping[str, str], query: bytes, body: bytes, remote: str, known: Sequence[str] = ()
    ) -> None:
        """`known` are the names of the query's parameters. Raises BadRequest."""
        self.params = params
        self.remote = remote
        self._body = body
        self._query = _parameters(query, known)

    def text(self, name: str) -> str | None:
        found = self._query.get(name)
        if found is not None and (not found or len(found) > _LONGEST or not found.isprintable()):
            raise BadRequest(f"{name} is empty, too long or not text.", param=name)
        return found

    def limit(self) -> int:
        found = self._query.get("limit")
        if found is None:
            return USUALLY_LISTED
        if not _DIGITS.fullmatch(found) or not 1 <= int(found) <= MOST_LISTED:
            raise BadRequest(f"limit is not a whole number from 1 to {MOST_LISTED}.", param="limit")
        return int(found)

    def flag(self, name: str) -> bool:
        found = self._query.get(name, "false")
        if found not in ("true", "false"):
            raise BadRequest(f"{name} is neither true nor false.", param=name)
        return found == "true"

    def word(self, name: str, words: Sequence[str], usual: str) -> str:
        found = self._query.get(name, usual)
        if found not in words:
            raise BadRequest(f"{name} is none of {', '.join(words)}.", param=name)
        return found

    def matching(self, name: str, pattern: re.Pattern[str], message: str) -> str | None:
        found = self._query.get(name)
        if found is not None and not pattern.fullmatch(found):
            raise BadRequest(f"{name} {message}", param=name)
        return found

    def status(self) -> int | None:
        """Whole, or the first digit of a class."""
        found = self._query.get("status")
        try:
            return None if found is None else read_status(found)
        except ValueError as error:
            raise BadRequest(f"status {error}", param="status") from None

    def moment(self, name: str) -> float | None:
        """Unix seconds."""
        found = self._query.get(name)
        try:
            return None if found is None else read_moment(found)
        except ValueError as error:
            raise BadRequest(f"{name} {error}", param=name) from None

    def day(self, name: str) -> int | None:
        """Days since 1970."""
        found = self._query.get(name)
        try:
            return None if found is None else read_day(found)
        except ValueError as error:
            raise BadRequest(f"{name} {error}", param=name) from None

    def object(self) -> dict[str, Any]:
        """The body; an empty one is an empty object."""
        if not self._body.strip():
            return {}
        try:
            found = json.decode(self._body)
        except json.NotJson as error:
            raise BadRequest(f"The body is not JSON: {error}", code="invalid_json") from None
        if not isinstance(found, dict):
            raise BadRequest("The body is not a JSON object.", code="invalid_json")
        return found

    def nothing(self) -> None:
        """For what has no body: one that is sent anyway was meant for something else."""
        for name in self.object():
            raise BadRequest(f"{name}: there is no such field here.", param=name)


def read_status(text: str) -> int:
    """Raises ValueError with the rest of a sentence that begins with the field's name."""
    found = _STATUS.fullmatch(text)
    if found is None:
        raise ValueError("is not a status. Write one such as 429, or a class such as 4xx.")
    return int(found[1] or found[2])


def read_moment(text: str) -> float:
    """Unix seconds, of themselves or of a date and time. Raises ValueError as `read_status` does."""
    try:
        if _DIGITS.fullmatch(text):
            at = float(text)
        else:
            # A plus that was not escaped arrives as a space.
            told = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
            at = (told if told.tzinfo is not None else told.replace(tzinfo=UTC)).timestamp()
        if not 0 <= at < 2**37:
            raise ValueError
    except (ValueError, OverflowError):
        raise ValueError(
            "is not a time. Write one such as 2027-01-31T00:00:00Z (without a zone it is UTC), a date, or Unix seconds."
        ) from None
    return at


def read_day(text: str) -> int:
    """Days since 1970 of a date. Raises ValueError as `read_status` does."""
    try:
        if not _DAY.fullmatch(text):
            raise ValueError
        at = datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
        if at < 0:
            raise ValueError
    except ValueError:
        raise ValueError("is not a day. Write one such as 2027-01-31; days are those of UTC.") from None
    return int(at) // _SECONDS_A_DAY


def shown_day(day: int) -> str:
    return datetime.fromtimestamp(day * _SECONDS_A_DAY, UTC).strftime("%Y-%m-%d")


def _parameters(query: bytes, known: Sequence[str]) -> dict[str, str]:
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=100)
    except (UnicodeDecodeError, ValueError):
        raise BadRequest("The query string cannot be read.", code="invalid_query") from None
    found: dict[str, str] = {}
    for name, value in pairs:
        if name not in known:
            told = f"There are: {', '.join(known)}." if known else "There are none here."
            raise BadRequest(f"There is no parameter {name[:80]!r}. {told}", param=name[:80])
        if name in found:
            raise BadRequest(f"{name} is given twice.", param=name)
        found[name] = value
    return found
