"""Where Valkey is: valkey://user:password@host:port/database, valkeys:// with TLS; redis:// and rediss:// mean the same."""

from __future__ import annotations

from urllib.parse import parse_qs, unquote, urlsplit

from msgspec import Struct

PORT = 6379


class Address(Struct, frozen=True):
    host: str
    port: int
    database: int
    user: str | None
    password: str | None
    tls: bool
    authority: str | None  # a file of certificates to trust instead of the system's

    def __str__(self) -> str:
        """For messages: without the password."""
        return f"{'valkeys' if self.tls else 'valkey'}://{self.host}:{self.port}/{self.database}"


def address_of(url: str) -> Address:
    """Raises ValueError, with words for whoever wrote it."""
    parts = urlsplit(url)
    database = parts.path.strip("/")
    if not parts.hostname:
        raise ValueError("names no host")
    if database and not database.isdecimal():
        raise ValueError(f"names a database {database!r}, which is no number")
    return Address(
        host=parts.hostname,
        port=parts.port or PORT,
        database=int(database or 0),
        user=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        tls=parts.scheme in ("valkeys", "rediss"),
        authority=parse_qs(parts.query).get("ssl_ca_certs", [None])[0],
    )
