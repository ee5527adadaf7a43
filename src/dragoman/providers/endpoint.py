"""One provider, ready to be called: address, credential headers and deadlines worked out once, not for every request."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from urllib.parse import urlsplit

from dragoman import __version__
from dragoman.config import Provider
from dragoman.upstream.base import Deadlines, FixedHeaders, Headers, Origin, OutgoingRequest

_USER_AGENT = (b"user-agent", f"dragoman/{__version__}".encode())
_JSON = (b"content-type", b"application/json")

# anthropic-version: any value is accepted by the API's clients; this one is what the API documents (2023-06-01).
_ANTHROPIC_VERSION = (b"anthropic-version", b"2023-06-01")


def credential_header(protocol: str, secret: str) -> tuple[bytes, bytes]:
    """The header in which a vendor of `protocol` wants its key."""
    match protocol:
        case "gemini":
            return (b"x-goog-api-key", secret.encode())
        case "anthropic":
            return (b"x-api-key", secret.encode())
        case _:
            return (b"authorization", b"Bearer " + secret.encode())


@dataclass(frozen=True, slots=True)
class Credential:
    """One of a provider's keys, as headers by protocol. `label` names it in the operator's messages, never shows it."""

    label: str
    secret: str


@dataclass(slots=True)
class Endpoint:
    """`speaks` maps a protocol's name to the name its reader has (`local` is `openai-chat` on loopback)."""

    name: str
    protocols: tuple[str, ...]
    origin: Origin
    base_path: bytes
    credentials: tuple[Credential, ...]
    deadlines: Deadlines
    transport: str
    max_connections: int
    extra_headers: Headers
    local: bool = False
    # Where it is and what it is called with: another one is another provider, whatever its name.
    identity: Hashable = field(init=False)
    _turn: cycle[int] = field(init=False)
    _signed: dict[tuple[str, int], Headers] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.identity = (self.origin, self.base_path, self.credentials)
        self._turn = cycle(range(max(1, len(self.credentials))))

    def next_credential(self) -> int:
        """Spreads load over the keys, one after the other."""
        return next(self._turn) if len(self.credentials) > 1 else 0

    def headers(self, protocol: str, credential: int) -> Headers:
        """All headers of a call but those that are the transport's business. The list is shared: do not change it."""
        signed = self._signed.get((protocol, credential))
        if signed is None:
            signed = [_JSON, _USER_AGENT]
            if self.credentials:
                signed.append(credential_header(protocol, self.credentials[credential].secret))
            if protocol == "anthropic":
                signed.append(_ANTHROPIC_VERSION)
            given = {name for name, _ in self.extra_headers}
            signed = FixedHeaders([header for header in signed if header[0] not in given] + self.extra_headers)
            self._signed[(protocol, credential)] = signed
        return signed

    def request(
        self,
        protocol: str,
        path: str,
        body: bytes,
        *,
        method: bytes = b"POST",
        credential: int = 0,
        passed: Sequence[tuple[bytes, bytes]] = (),
    ) -> OutgoingRequest:
        """A call of `path`, which goes behind the base URL. `passed` are headers of the caller's; the operator's own win."""
        headers = self.headers(protocol, credential)
        if passed:
            fixed = {name for name, _ in self.extra_headers}
            added = [header for header in passed if header[0] not in fixed]
            told = {name for name, _ in added}
            headers = [header for header in headers if header[0] not in told] + added
        return OutgoingRequest(
            origin=self.origin,
            method=method,
            target=self.base_path + path.encode(),
            headers=headers,
            body=body,
            deadlines=self.deadlines,
        )


def endpoint_of(name: str, provider: Provider) -> Endpoint:
    """The endpoint of a provider in the settings. A `local` one gets its address when its process is up."""
    parts = urlsplit(provider.base_url or "http://127.0.0.1:0")
    scheme = parts.scheme
    timeouts = provider.timeouts
    return Endpoint(
        name=name,
        protocols=tuple(provider.protocols),
        origin=Origin(scheme, parts.hostname or "127.0.0.1", parts.port or (443 if scheme == "https" else 80)),
        base_path=parts.path.rstrip("/").encode(),
        credentials=tuple(
            Credential(
                f"providers.{name}.api_key" if len(provider.credentials) == 1 else f"providers.{name}.api_keys[{n}]",
                secret.get_secret_value(),
            )
            for n, secret in enumerate(provider.credentials)
        ),
        deadlines=Deadlines(timeouts.connect, timeouts.first_byte, timeouts.idle, timeouts.total),
        transport=provider.transport,
        max_connections=provider.max_connections,
        extra_headers=[
            (key.lower().encode(), value.get_secret_value().encode()) for key, value in provider.headers.items()
        ],
        local="local" in provider.protocols,
    )
