"""One provider, asked whether it answers and whether it takes our key: its list of models, or one token of the built-in model."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any

from dragoman.config import Loaded
from dragoman.config.reading import spell
from dragoman.ir import DragomanError, Overloaded
from dragoman.pipeline.gateway import Gateway
from dragoman.protocols.known import PROTOCOLS, protocol_of
from dragoman.providers.endpoint import Endpoint
from dragoman.providers.listing import NoList, list_path, read_list
from dragoman.upstream.base import Deadlines, Origin
from dragoman.upstream.errors import BodyTooLarge, ConnectFailed, DeadlineExceeded, TransportError

PATIENT = Deadlines(connect=5.0, first_byte=15.0, idle=10.0, total=30.0)
HASTY = Deadlines(connect=2.0, first_byte=3.0, idle=3.0, total=5.0)
_MAX_LIST = 16 * 1024 * 1024


@dataclass(slots=True)
class Probe:
    """`status` is the HTTP status, None where none came; `date` the vendor's clock as its Date header tells it."""

    provider: str
    ok: bool = False
    status: int | None = None
    latency_ms: float | None = None
    models: list[str] = field(default_factory=list)
    error: str | None = None
    mend: str | None = None
    date: str | None = None

    def as_dict(self) -> dict[str, Any]:
        return {
            "provider": self.provider,
            "ok": self.ok,
            "status": self.status,
            "latency_ms": self.latency_ms,
            "models": self.models,
            "error": self.error,
            "mend": self.mend,
        }


async def probe(gateway: Gateway, loaded: Loaded, name: str, deadlines: Deadlines = PATIENT) -> Probe:
    """Asks with each of the provider's keys; the first failure tells, where there is one. Never raises."""
    endpoint = gateway.snapshot.endpoints[name]
    if endpoint.local:
        return await _probe_local(gateway, endpoint)
    asked = [_Asking(gateway, loaded, endpoint, n, deadlines) for n in range(max(1, len(endpoint.credentials)))]
    found = await asyncio.gather(*(one.ask() for one in asked))
    return next((one for one in found if not one.ok), found[0])


class _Asking:
    """One question for the list of models, with one of the provider's keys."""

    def __init__(
        self, gateway: Gateway, loaded: Loaded, endpoint: Endpoint, credential: int, deadlines: Deadlines
    ) -> None:
        self._gateway = gateway
        self._loaded = loaded
        self._endpoint = endpoint
        self._credential = credential
        self._deadlines = deadlines
        self._protocol = endpoint.protocols[0]

    async def ask(self) -> Probe:
        endpoint = self._endpoint
        found = Probe(endpoint.name)
        path = list_path(self._protocol)
        request = endpoint.request(self._protocol, path, b"", method=b"GET", credential=self._credential)
        request.deadlines = self._deadlines
        began = perf_counter()
        try:
            response = await self._gateway.transport(endpoint).send(request)
            found.status = response.status
            try:
                body = await response.read(_MAX_LIST)
            finally:
                response.close()
        except (TransportError, ValueError) as error:
            found.error, found.mend = self._no_answer(error)
            return found
        finally:
            found.latency_ms = round((perf_counter() - began) * 1000, 1)
        found.date = next((value.decode("latin-1") for key, value in response.headers if key == b"date"), None)
        if response.status != 200:
            protocol = protocol_of(self._protocol) or PROTOCOLS["openai-chat"]
            refused = protocol.read_error(response.status, response.headers, body)
            found.error = self._gateway.redactor(refused.message)
            found.mend = self._mend_refusal(response.status, path, body)
            return found
        try:
            found.models = [card.id for card in read_list(self._protocol, endpoint.name, body)]
        except NoList as error:
            found.error = f"what came back is no list of models: {error}"
            found.mend = f"Check {self._setting('base_url')}; asked was {url_of(endpoint, path)}."
            return found
        found.ok = True
        return found

    def _no_answer(self, error: Exception) -> tuple[str, str]:
        origin = self._endpoint.origin
        where = f"{origin.host}:{origin.port}"
        address = self._setting("base_url")
        match error:
            case ConnectFailed(reason="dns"):
                return f"the name {origin.host} does not resolve", f"Check {address}, and this machine's DNS."
            case ConnectFailed(reason="refused"):
                return f"nothing listens at {where}", f"Start it there, or correct {address}."
            case ConnectFailed(reason="tls"):
                return f"no secure connection to {where}: {error}", f"Check {address}, and the clock of this machine."
            case ConnectFailed():
                return f"{where} cannot be reached: {error}", f"Check {address}, the network and the firewall."
            case DeadlineExceeded():
                return (
                    f"{where} did not answer in time ({error.phase.replace('_', ' ')})",
                    f"Try again; check {address}, the network and the firewall.",
                )
            case BodyTooLarge():
                return "its list of models is larger than 16 MiB", f"Check {address}."
            case _:
                return f"{where} broke off: {error}", f"Try again; check {address}."

    def _mend_refusal(self, status: int, path: str, body: bytes) -> str:
        # Google answers 400 INVALID_ARGUMENT to a key it does not know, with API_KEY_INVALID in the details.
        if status in (401, 402, 403) or b"API_KEY_INVALID" in body:
            return self._mend_key()
        if status == 404:
            return f"Check {self._setting('base_url')}; asked was {url_of(self._endpoint, path)}."
        if status == 429:
            return "The vendor's limit for this key is reached. Wait, or add keys in api_keys."
        if status >= 500:
            return "The fault is the provider's; try again later."
        return f"Check {self._setting('base_url')} and the provider's protocols."

    def _mend_key(self) -> str:
        provider = self._loaded.settings.providers[self._endpoint.name]
        if not provider.credentials:
            return f"Give it a key: {spell(('providers', self._endpoint.name, 'api_key'))}."
        if provider.api_key is not None:
            return f"Change the key: {self._setting('api_key')}."
        return f"Change the key: {self._setting('api_keys', self._credential)}."

    def _setting(self, *path: str | int) -> str:
        spelled = spell(("providers", self._endpoint.name, *path))
        origin = self._loaded.origins.get(spelled, "default")
        return f"{spelled} [{origin}]"


def url_of(endpoint: Endpoint, path: str) -> str:
    """The whole URL of a call, without any secret: keys travel in headers."""
    if endpoint.local:
        return f"local:/v1{path}"
    return f"{origin_text(endpoint.origin)}{endpoint.base_path.decode()}{path}"


def origin_text(origin: Origin) -> str:
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    usual = 443 if origin.scheme == "https" else 80
    return f"{origin.scheme}://{host}" + (f":{origin.port}" if origin.port != usual else "")


async def _probe_local(gateway: Gateway, template: Endpoint) -> Probe:
    """Starts the built-in model and asks it for one token; the time is that of the token."""
    found = Probe(template.name)
    try:
        endpoint = await gateway.engine.endpoint(template)
    except Overloaded as error:
        found.error, found.mend = error.message, "See what is missing: dragoman doctor"
        return found
    provider = gateway.snapshot.settings.providers[template.name]
    body = b'{"messages":[{"role":"user","content":"Hi"}],"max_tokens":1}'
    request = endpoint.request("openai-chat", "/chat/completions", body)
    request.deadlines = replace(PATIENT, first_byte=60.0, total=60.0)
    began = perf_counter()
    try:
        response = await gateway.transport(endpoint).send(request)
        found.status = response.status
        answer = await response.read(_MAX_LIST)
        if response.status != 200:
            raise PROTOCOLS["openai-chat"].read_error(response.status, response.headers, answer)
        PROTOCOLS["openai-chat"].read_response(answer)
    except (TransportError, DragomanError) as error:
        found.error, found.mend = str(error), "See what is wrong: dragoman doctor"
        return found
    finally:
        found.latency_ms = round((perf_counter() - began) * 1000, 1)
    found.models = list(provider.models)
    found.ok = True
    return found
