"""The kinds of value a setting can have: each a type for pydantic, a name for the docs, and a way to show it.

A settings tree is written out in two ways. For people (the default) durations read "30s" and secrets
are covered; with the context `PIPE` everything is exact and open, for the pipe between our own processes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    PlainSerializer,
    SecretStr,
    SerializationInfo,
    WithJsonSchema,
)

from dragoman.config.problem import wrong
from dragoman.config.units import (
    read_duration,
    read_money,
    read_size,
    read_whole,
    write_duration,
    write_size,
)

COVERED = "[redacted]"
PIPE = {"dragoman": "pipe"}


@dataclass(frozen=True, slots=True)
class Kind:
    """The word the reference uses for a type, and whether its values may appear in a message."""

    word: str
    speakable: bool = True


def _piped(info: SerializationInfo[Any]) -> bool:
    return bool(info.context == PIPE)


def _show_duration(value: float, info: SerializationInfo[Any]) -> float | str:
    return value if _piped(info) else write_duration(value)


def _show_size(value: int, info: SerializationInfo[Any]) -> int | str:
    return value if _piped(info) else write_size(value)


def _show_secret(value: SecretStr, info: SerializationInfo[Any]) -> str:
    return value.get_secret_value() if _piped(info) else COVERED


def _show_url(value: str, info: SerializationInfo[Any]) -> str:
    return value if _piped(info) else cover_password(value)


def _show_money(value: Decimal) -> str:
    return f"{value:f}"


_USERINFO = re.compile(r"^([a-z+]+://)[^/?#]*@", re.IGNORECASE)
_QUERY_PASSWORD = re.compile(r"([?&](?:password|sslpassword|key|token)=)[^&#]*", re.IGNORECASE)


def cover_password(url: str) -> str:
    """The address without the user and password it may carry."""
    return _QUERY_PASSWORD.sub(rf"\g<1>{COVERED}", _USERINFO.sub(rf"\g<1>{COVERED}@", url))


def _check_secret(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if not text.strip():
        raise wrong("is empty", "Set the variable or file that it is taken from.")
    if text != text.strip() or not text.isprintable():
        # It would be sent in a header, where a line break is an attack and a stray space a puzzle.
        raise wrong("holds a line break, a control character or a space at an end", "Remove it.")
    return value


_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}", re.ASCII)
_FRAMING = {"host", "connection", "content-length", "transfer-encoding", "upgrade", "te", "trailer"}


def _check_header(name: str) -> str:
    if not _HEADER.fullmatch(name):
        raise wrong("is not a header name", "Use letters, digits and dashes.")
    if name.lower() in _FRAMING:
        raise wrong("is a header that the connection itself sets", "Leave it out.")
    return name


def _check_path(path: Path) -> Path:
    if not str(path).isprintable():
        raise wrong("holds a control character", "Remove it.")
    try:
        return path.expanduser()
    except RuntimeError:
        raise wrong("begins with ~ and a user without a home", "Write the whole path.") from None


def _some_text(value: object) -> object:
    if value == "":
        raise wrong("is empty", "Write a path, or leave the whole line out.")
    return value


def _check_host(host: str) -> str:
    if not host or len(host) > 255 or not host.isprintable() or re.search(r"[\s/@\[\]]", host):
        raise wrong("is not a host", "Write an address or a name without a port, such as 127.0.0.1 or ::1.")
    return host


def _check_title(text: str) -> str:
    if not text.strip() or len(text) > 100 or not text.isprintable():
        raise wrong("is not a usable name", "Use up to 100 visible characters.")
    return text


_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)


def _check_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise wrong("is not a usable name", "Use letters, digits, dots, dashes and underscores, 100 at most.")
    return name


def _check_model_name(name: str) -> str:
    if not name or len(name) > 200 or not name.isprintable() or any(c.isspace() for c in name):
        raise wrong("is not a usable model name", "Use up to 200 visible characters without spaces.")
    if name.startswith("models/"):
        # Google's clients put "models/" before every name; a name of its own could never be reached.
        raise wrong("must not begin with models/", "Leave that part out: callers may write it anyway.")
    return name


def _check_pattern(pattern: str) -> str:
    if not pattern or len(pattern) > 200 or not pattern.isprintable():
        raise wrong("is not a usable pattern", 'Write a model name, or a pattern such as "gpt-*".')
    return pattern


def _check_base_url(url: str) -> str:
    mend = "Write one such as https://api.example.com/v1."
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname
    except ValueError:
        raise wrong("is not an address", mend) from None
    if parts.scheme not in ("http", "https") or not host or port == 0:
        raise wrong("is not an http or https address", mend)
    if parts.query or parts.fragment:
        raise wrong("must not hold ? or #", mend)
    if not url.isascii() or not url.isprintable() or " " in url:
        raise wrong("holds characters that an address cannot have", mend)
    if parts.username is not None:
        raise wrong("must not hold a user or password", "Use api_key, or headers, for credentials.")
    return url.rstrip("/")


def _check_database(url: str) -> str:
    if url == "sqlite" or re.match(r"postgres(ql)?://[^\s]", url):
        return url
    raise wrong("is not a database", "Write sqlite, or postgresql://user:password@host/name.")


def check_shared(url: str | None) -> str | None:
    """A Valkey or Redis address; nothing, also as empty text from a variable, means none."""
    if url is None or url == "":
        return None
    if re.match(r"(valkeys?|rediss?)://[^\s]", url):
        return url
    raise wrong("is not a shared store", "Write valkey://host:6379/0 or redis://host:6379/0, or leave it out.")


Duration = Annotated[
    float,
    BeforeValidator(read_duration),
    PlainSerializer(_show_duration),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "exclusiveMinimum": 0},
                {"type": "string", "pattern": r"^([0-9]+(\.[0-9]+)?(ms|s|m|h|d))+$|^[0-9]+(\.[0-9]+)?$"},
            ]
        }
    ),
    Kind("duration"),
]
Size = Annotated[
    int,
    BeforeValidator(read_size),
    PlainSerializer(_show_size),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1},
                {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)? ?([KMGkmg]i?)?[Bb]$|^[0-9]+$"},
            ]
        }
    ),
    Kind("size"),
]
Money = Annotated[
    Decimal,
    BeforeValidator(read_money),
    PlainSerializer(_show_money, return_type=str),
    WithJsonSchema(
        {"anyOf": [{"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?$"}, {"type": "number", "minimum": 0}]}
    ),
    Kind("US dollars"),
]
Whole = Annotated[int, BeforeValidator(read_whole), Kind("whole number")]
Text = Annotated[str, Kind("text")]
Secret = Annotated[
    SecretStr,
    AfterValidator(_check_secret),
    PlainSerializer(_show_secret, return_type=str),
    WithJsonSchema({"type": "string", "minLength": 1}),
    Kind("secret", speakable=False),
]
FilePath = Annotated[
    Path, BeforeValidator(_some_text), AfterValidator(_check_path), WithJsonSchema({"type": "string"}), Kind("path")
]
Host = Annotated[str, AfterValidator(_check_host), Kind("host")]
Title = Annotated[str, AfterValidator(_check_title), Kind("text")]
HeaderName = Annotated[str, AfterValidator(_check_header)]
ProviderName = Annotated[str, AfterValidator(_check_name), Kind("name")]
ModelName = Annotated[str, AfterValidator(_check_model_name), Kind("model name")]
Pattern = Annotated[str, AfterValidator(_check_pattern), Kind("pattern")]
BaseUrl = Annotated[
    str,
    AfterValidator(_check_base_url),
    PlainSerializer(_show_url, return_type=str),
    Kind("address", speakable=False),
]
DatabaseUrl = Annotated[
    str,
    AfterValidator(_check_database),
    PlainSerializer(_show_url, return_type=str),
    Kind("sqlite or address", speakable=False),
]
