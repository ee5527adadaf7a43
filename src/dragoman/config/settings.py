"""The checked settings, one tree of frozen models for the file and for the running server.

Every field's description is its documentation: the JSON Schema, `config explain` and the reference
pages are made from it. Reading files, positions and wording of errors are left to the other modules.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    PlainSerializer,
    SerializationInfo,
    model_validator,
)

from dragoman.config.kinds import (
    PIPE,
    BaseUrl,
    DatabaseUrl,
    Duration,
    FilePath,
    HeaderName,
    Host,
    Kind,
    ModelName,
    Money,
    Pattern,
    ProviderName,
    Secret,
    Size,
    Text,
    Title,
    Whole,
    check_shared,
    cover_password,
)
from dragoman.config.pricing import Price
from dragoman.config.problem import wrong
from dragoman.config.section import Section

Protocol = Literal["gemini", "openai-chat", "openai-responses", "anthropic", "local"]

VENDOR_URLS: dict[str, str] = {
    "gemini": "https://generativelanguage.googleapis.com",
    "openai-chat": "https://api.openai.com/v1",
    "openai-responses": "https://api.openai.com/v1",
    "anthropic": "https://api.anthropic.com",
}


class Tls(Section):
    """Certificate and key for HTTPS."""

    certificate: FilePath = Field(
        description="PEM file with the certificate and its chain, relative to the configuration file.",
        examples=["cert.pem"],
    )
    private_key: FilePath = Field(
        description="PEM file with the private key, relative to the configuration file.",
        examples=["key.pem"],
    )


class Server(Section):
    """Where Dragoman listens and how it runs."""

    host: Host = Field(
        default="127.0.0.1",
        description="Address to listen on. Anything wider than loopback needs a root key of your own.",
        examples=["0.0.0.0", "::1"],  # noqa: S104 - an example, not a default
    )
    port: Whole = Field(default=8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    workers: Whole = Field(
        default=1, ge=1, le=256, description="Data-plane processes. One a core is the most that helps."
    )
    tls: Tls | None = Field(default=None, description="Serve HTTPS with this certificate; otherwise HTTP.")
    drain_timeout: Duration = Field(
        default=30.0, description="How long open requests and streams may go on after a stop was asked for."
    )
    max_body: Size = Field(
        default=32 * 2**20,
        description="Largest request body; a larger one is refused with 413 while it is being read.",
    )
    body_timeout: Duration = Field(
        default=60.0, description="How long a request body may take to arrive; a slower one is refused with 408."
    )
    max_in_flight_requests: Whole = Field(
        default=10_000,
        ge=1,
        le=10**6,
        description="Requests under way at once, for each worker; more are refused with 503 before their bodies are read.",
    )
    max_in_flight_bytes: Size = Field(
        default=2 * 2**30,
        ge=2**20,
        description="Bodies held at once for requests under way, for each worker; what would be more is refused with 503.",
    )


class Log(Section):
    """What is logged and how it looks."""

    format: Literal["auto", "json", "text"] = Field(
        default="auto", description="`auto` writes text to a terminal and JSON elsewhere."
    )
    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least severe line that is still written."
    )


class Failover(Section):
    """What becomes of a request when a target fails."""

    health: Literal["keep", "ignore"] = Field(
        default="keep",
        description="Whether what went wrong is remembered, so that later requests go past what is known to fail.",
    )
    cool_down: Duration = Field(
        default=5.0,
        ge=0.1,
        le=600,
        description="How long a target that fails is left alone before a request tries it again.",
    )
    retries: Whole = Field(
        default=10, ge=0, le=100, description="Most calls of one request beyond the first of each target."
    )
    retry_within: Duration = Field(default=10.0, description="How long after its start a request may still ask again.")
    retry_percent: Whole = Field(
        default=20,
        ge=0,
        le=100,
        description="Most retries of a target, in percent of what succeeds there; a few are always free.",
    )
    longest_wait: Duration = Field(
        default=2.0, description="The longest that a request waits itself where every vendor asks to wait."
    )


class Ledger(Section):
    """How requests are recorded, and what becomes of the records."""

    journal_limit: Size = Field(
        default=2**30,
        description="Disk space for entries that the database does not take at the moment, for each worker.",
    )
    when_full: Literal["refuse", "continue"] = Field(
        default="refuse",
        description="What becomes of requests once that space is nearly used up: refused with 503, or answered and not recorded.",
    )
    retention: Duration | None = Field(
        default=None,
        ge=86_400,
        description="How long entries are kept, a day at the least; unset, for ever. The sums of days stay.",
        examples=["400d"],
    )
    unpriced: Literal["refuse", "allow"] = Field(
        default="refuse",
        description="Whether keys with a budget may use models whose price is not known; what those cost is then in no budget.",
    )


class Cache(Section):
    """The room for answers that are kept to be given again; `models.NAME.cache` and `keys[].cache` say which are."""

    memory: Size = Field(
        default=64 * 2**20,
        description="The most memory that kept answers take, for each worker; the longest unasked go first.",
    )
    shared_memory: Size = Field(
        default=256 * 2**20,
        description="The most that kept answers take in Valkey, where `shared` is set; what ends soonest goes first.",
    )


class Caching(Section):
    """Identical requests of one key are answered from what is kept."""

    ttl: Duration = Field(le=86_400, description="How long an answer is kept, a day at the most.", examples=["10m"])


class Local(Section):
    """The built-in model's engine."""

    parallel: Whole = Field(default=2, ge=1, le=64, description="Requests the engine answers at once.")
    queue: Whole = Field(default=16, ge=0, le=10_000, description="Requests that may wait; more are refused with 503.")
    context: Whole = Field(default=4096, ge=256, le=1_048_576, description="Context window of each request, in tokens.")
    threads: Whole | None = Field(
        default=None, ge=1, le=512, description="Processor threads; unset, the engine takes one a core."
    )


class Timeouts(Section):
    """Deadlines of one call to a provider."""

    connect: Duration = Field(default=5.0, description="To open the connection, TLS included.")
    first_byte: Duration = Field(default=120.0, description="From the request sent to the answer's first byte.")
    idle: Duration = Field(default=60.0, description="The longest silence inside an answer.")
    total: Duration = Field(default=1800.0, description="The whole call.")


class Provider(Section):
    """An endpoint with credentials.

    `base_url` is filled in from `protocols` when it is left out, and stays None only for `local`.
    """

    protocols: tuple[Protocol, ...] = Field(
        min_length=1,
        description="Wire languages the endpoint speaks, the preferred first; `local` stands alone.",
        examples=[["openai-chat"]],
    )
    base_url: BaseUrl | None = Field(
        default=None,
        repr=False,
        description="Address in the form the vendor's SDK takes it; left out, the vendor's own for the protocol.",
        examples=["https://api.openai.com/v1"],
    )
    api_key: Secret | None = Field(
        default=None, description="The credential sent to the provider.", examples=["${OPENAI_API_KEY}"]
    )
    api_keys: tuple[Secret, ...] = Field(
        default=(),
        description="Several credentials instead of one; load is spread over them.",
        examples=[["${KEY_A}", "${KEY_B}"]],
    )
    models: tuple[Pattern, ...] = Field(
        default=(),
        description="Names and patterns (`*`, `?`, `[ab]`) of the models callers may ask for here by plain name.",
        examples=[["gpt-*"]],
    )
    timeouts: Timeouts = Field(default_factory=Timeouts, description="Deadlines of one call.")
    transport: Literal["lean", "aiohttp"] = Field(
        default="lean",
        description="HTTP client; `aiohttp` goes through proxies and copes with odd servers, at more cost.",
    )
    headers: dict[HeaderName, Secret] = Field(
        default={},
        description="Extra request headers; values are treated as secrets.",
        examples=[{"x-team": "search"}],
    )
    max_connections: Whole = Field(
        default=1000, ge=1, le=100_000, description="Connections open at once, for each worker."
    )
    max_concurrent_requests: Whole | None = Field(
        default=None,
        ge=1,
        le=10**6,
        description="Requests under way at the provider at once, over all workers; more of them wait. Unset, unlimited.",
        examples=[32],
    )
    max_queued_requests: Whole = Field(
        default=100, ge=0, le=10_000, description="Requests that may wait for a place; more are refused."
    )
    queue_timeout: Duration = Field(
        default=30.0, description="How long a request waits for a place; then it is refused."
    )

    @model_validator(mode="before")
    @classmethod
    def _fill_base_url(cls, data: Any) -> Any:
        if not isinstance(data, dict) or data.get("base_url") is not None:
            return data
        protocols = data.get("protocols")
        if isinstance(protocols, (list, tuple)):
            urls = {VENDOR_URLS[name] for name in protocols if isinstance(name, str) and name in VENDOR_URLS}
            if len(urls) == 1:
                return {**data, "base_url": urls.pop()}
        return data

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if len(set(self.protocols)) != len(self.protocols):
            raise wrong("names a protocol twice", "Remove one.")
        if self.api_key is not None and self.api_keys:
            raise wrong("has both api_key and api_keys", "Keep one of them.")
        if "local" in self.protocols:
            if len(self.protocols) > 1:
                raise wrong("mixes local with other protocols", "Make two providers of it.")
            if self.base_url is not None or self.credentials:
                raise wrong("gives an address or a key to the built-in model", "Remove base_url, api_key, api_keys.")
            if self.max_concurrent_requests is not None:
                raise wrong("bounds the built-in model", "Set local.parallel and local.queue instead.")
        elif self.base_url is None:
            raise wrong("speaks protocols of several vendors and has no address", "Add base_url.")
        return self

    @property
    def credentials(self) -> tuple[Secret, ...]:
        """Every credential, whichever of the two ways it was written."""
        return (self.api_key,) if self.api_key is not None else self.api_keys


class Target(Section):
    """A provider and that provider's own name for a model."""

    provider: ProviderName = Field(description="Name of an entry of `providers`.", examples=["google"])
    model: ModelName = Field(description="The provider's name for the model.", examples=["gemini-2.5-flash"])
    weight: Whole = Field(
        default=1, ge=1, le=1_000_000, description="Share of requests among targets of the same priority."
    )
    priority: Whole = Field(
        default=1, ge=1, le=1000, description="1 is tried first; 2 when every target of 1 has failed."
    )


class Limits(Section):
    """How much may be asked for; what is unset is unlimited."""

    requests_per_minute: Whole | None = Field(
        default=None, ge=1, le=10**9, description="Requests started in a minute.", examples=[60]
    )
    tokens_per_minute: Whole | None = Field(
        default=None, ge=1, le=10**12, description="Input and output tokens in a minute.", examples=[100000]
    )
    concurrent_requests: Whole | None = Field(
        default=None, ge=1, le=10**6, description="Requests open at the same time.", examples=[8]
    )


class Model(Section):
    """A model name of your own and where it leads."""

    targets: tuple[Target, ...] = Field(min_length=1, description="Where requests go.")
    strategy: Literal["weighted", "least_latency", "cheapest"] = Field(
        default="weighted", description="Which of the targets of one priority is asked first."
    )
    price: Price | None = Field(default=None, description="A price of your own for every target.")
    context_window: Whole | None = Field(
        default=None,
        ge=1,
        le=10**9,
        description="The most input tokens that every target takes; unset, as the bundled table knows. "
        "What surely does not fit is refused.",
        examples=[200000],
    )
    aliases: tuple[ModelName, ...] = Field(
        default=(), description="Further names for the same model.", examples=[["quick"]]
    )
    limits: Limits = Field(
        default_factory=Limits, description="Rates of the model, whichever keys ask for it; a key's own hold besides."
    )
    cache: Caching | None = Field(
        default=None, description="Answer a key's identical requests from memory; unset, only where its key says so."
    )
    description: Text | None = Field(
        default=None, max_length=2000, description="A sentence about the model, for lists."
    )


class Budget(Section):
    """How much money a key may spend."""

    usd: Money = Field(description="US dollars that may be spent in a window.", examples=["10.00"])
    window: Literal["day", "month", "total"] = Field(
        default="month", description="Calendar day or month in UTC, or the key's whole life."
    )


def _in_utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


class FileKey(Section):
    """A caller's key that is kept in the file; keys made by command or console live in the database."""

    name: Title = Field(description="What the key is called in lists and the ledger.")
    key: Secret = Field(description="The credential callers send.", examples=["${CI_KEY}"])
    models: tuple[Pattern, ...] = Field(
        default=("*",), min_length=1, description="Names and patterns of the models the key may use."
    )
    limits: Limits = Field(default_factory=Limits, description="Rates; unset, unlimited.")
    budget: Budget | None = Field(default=None, description="Money; unset, unlimited.")
    cache: Caching | None = Field(
        default=None,
        description="Answer the key's identical requests from memory, whatever the model; unset, as the model says.",
    )
    expires_at: Annotated[datetime, AfterValidator(_in_utc), Kind("date and time")] | None = Field(
        default=None,
        description="When the key stops working; without a zone it is UTC.",
        examples=["2027-01-31T00:00:00Z"],
    )


def _show_shared(value: str | None, info: SerializationInfo[Any]) -> str | None:
    return value if value is None or info.context == PIPE else cover_password(value)


class Settings(Section):
    """The whole configuration, checked. Frozen: a reload makes a new one and swaps it in."""

    server: Server = Field(default_factory=Server, description="Where Dragoman listens and how it runs.")
    data: FilePath = Field(
        default=Path("data"),
        description="Folder for the SQLite file, the ledger's journals and pulled models, relative to the "
        "configuration file; $DRAGOMAN_DATA overrides it.",
    )
    database: DatabaseUrl = Field(
        default="sqlite",
        repr=False,
        description="`sqlite`, a file in `data`, or the address of a PostgreSQL database.",
        examples=["postgresql://user:${PGPASSWORD}@host/db"],
    )
    shared: Annotated[
        str | None,
        AfterValidator(check_shared),
        PlainSerializer(_show_shared),
        Kind("address", speakable=False),
    ] = Field(
        default=None,
        repr=False,
        description="Valkey or Redis in which several machines count limits and budgets together, and keep answers.",
        examples=["valkey://host:6379/0"],
    )
    log: Log = Field(default_factory=Log, description="What is logged and how it looks.")
    ledger: Ledger = Field(default_factory=Ledger, description="How requests are recorded.")
    cache: Cache = Field(default_factory=Cache, description="The room for answers that are kept to be given again.")
    failover: Failover = Field(default_factory=Failover, description="What becomes of a request when a target fails.")
    local: Local = Field(default_factory=Local, description="The built-in model's engine.")
    providers: dict[ProviderName, Provider] = Field(
        default={},
        description="Endpoints with credentials, by name. Without this section, those whose key variable is set.",
    )
    models: dict[ModelName, Model] = Field(
        default={}, description="Model names of your own: several targets, order and weights."
    )
    keys: tuple[FileKey, ...] = Field(
        default=(), description="Callers' keys kept in the file; others live in the database."
    )

    def dump_secret_json(self) -> bytes:
        """Everything, secrets in the clear, for a pipe to our own process; `from_secret_json` reads it."""
        return self.model_dump_json(context=PIPE).encode()

    @classmethod
    def from_secret_json(cls, data: bytes | str) -> Self:
        """What `dump_secret_json` wrote."""
        return cls.model_validate_json(data)


def redacted(settings: Settings) -> dict[str, Any]:
    """The settings as plain values for people: secrets covered, durations and sizes with their units."""
    return settings.model_dump(mode="json")
