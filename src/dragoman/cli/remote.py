"""A gateway elsewhere, asked over HTTP as any caller would."""

from __future__ import annotations

import json
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import aiohttp

from dragoman.cli.exchange import Answer
from dragoman.cli.output import Failed
from dragoman.server.bind import is_loopback

_TIMEOUT = aiohttp.ClientTimeout(total=None, connect=10.0, sock_read=300.0)


class There:
    """`url` with or without /v1 behind it; `token` is one of that gateway's keys."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    @asynccontextmanager
    async def post(self, path: str, body: bytes) -> AsyncIterator[Answer]:
        async with self._ask("POST", path, body) as response:
            yield Answer(
                response.status,
                {name.lower(): value for name, value in response.headers.items()},
                self._pieces(response),
            )

    async def first_model(self) -> str:
        """The first name on the gateway's list. Raises Failed."""
        async with self._ask("GET", "/v1/models") as response:
            text = await response.text(errors="replace")
            if response.status != 200:
                raise Failed(error_message(text, response.status), mend_for(response.status))
            try:
                return str(json.loads(text)["data"][0]["id"])
            except (ValueError, LookupError, TypeError):
                raise Failed(
                    f"{self._url} lists no models.", "Name one: dragoman ask MODEL PROMPT. Is it a Dragoman's address?"
                ) from None

    @asynccontextmanager
    async def _ask(self, method: str, path: str, body: bytes | None = None) -> AsyncIterator[aiohttp.ClientResponse]:
        try:
            async with self._session.request(method, self._url + path, data=body) as response:
                yield response
        except aiohttp.InvalidURL:
            raise Failed(f"{self._url!r} is not an address.", "Write it as http://HOST:PORT.") from None
        except (aiohttp.ClientError, TimeoutError, ssl.SSLError) as error:
            raise _unreachable(self._url, error) from None

    async def _pieces(self, response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
        try:
            async for piece in response.content.iter_any():
                yield piece
        except (aiohttp.ClientError, TimeoutError):
            raise Failed("The answer broke off before its end.", "Ask again.") from None


@asynccontextmanager
async def gateway_there(url: str, token: str | None) -> AsyncIterator[There]:
    """Connections to the gateway at `url`. Raises Failed for what is no address."""
    base = url.rstrip("/").removesuffix("/v1")
    parts = urlsplit(base)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Failed(f"{url!r} is not an address.", "Write it as http://HOST:PORT.")
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    proxied = not is_loopback(parts.hostname)
    async with aiohttp.ClientSession(headers=headers, timeout=_TIMEOUT, trust_env=proxied) as session:
        yield There(session, base)


def error_message(text: str, status: int) -> str:
    """The message of an error in OpenAI's shape; the text's beginning where it is none."""
    try:
        message = json.loads(text)["error"]["message"]
    except (ValueError, LookupError, TypeError):
        message = None
    if isinstance(message, str) and message:
        return message
    return f"The answer has status {status} and is no Dragoman's: {text.strip()[:200] or 'it is empty'}"


def mend_for(status: int) -> str:
    if status in (401, 403):
        return "Give one of that gateway's keys by --token or in $DRAGOMAN_TOKEN."
    if status == 404:
        return "Ask for one of the models that it lists at /v1/models, and check --url."
    return "Look at the gateway's own log for the request."


def _unreachable(url: str, error: Exception) -> Failed:
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError):
        return Failed(f"{url}: its certificate is not trusted here.", "Set SSL_CERT_FILE to the authority's file.")
    if isinstance(error, TimeoutError):
        return Failed(f"{url} does not answer in time.", "Is that the gateway's address, and does it run?")
    return Failed(
        f"{url} cannot be reached: {_in_words(error)}.",
        "Is the gateway running there? Check --url or $DRAGOMAN_URL.",
    )


def _in_words(error: Exception) -> str:
    """The system's own words for it: aiohttp's speak of its settings and sockets."""
    match error:
        case aiohttp.ClientConnectorDNSError():
            return "there is no such host"
        case aiohttp.ClientConnectorError():
            number = error.os_error.errno
            return os.strerror(number).lower() if number else "no connection"
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError():
            return "the connection broke off"
        case aiohttp.ClientResponseError() | aiohttp.ClientPayloadError():
            return "what answers there does not speak HTTP"
        case _:
            return type(error).__name__
