"""The address that the child shows: llama.cpp's server behind it, unchanged but for chat answers (see `mend`).

Lets a caller who leaves free the model at once, refuses whoever has not the key, and opens only the paths
in use.
"""

import hmac
import json
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
from aiohttp import web

from dragoman.local.mend import Answer, Asked, Chunk, ask, refusal

_CHAT = "/v1/chat/completions"
_RELAYED = (
    ("GET", "/v1/models"),
    ("GET", "/slots"),
    ("POST", f"{_CHAT}/input_tokens"),
    ("POST", "/tokenize"),
    ("POST", "/apply-template"),
)
_MAX_BODY = 64 << 20
_JSON = "application/json"


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Cut(Exception):
    """llama.cpp's answer ended before its end."""


class Front:
    """Serves at `address` once `start` returned; `engine` is llama.cpp's base URL, the keys are for either side."""

    def __init__(self, engine: str, engine_key: str, key: str) -> None:
        self.address = ""
        self._engine = engine
        self._engine_headers = {"Authorization": f"Bearer {engine_key}", "Content-Type": _JSON}
        self._expected = f"Bearer {key}".encode()
        self._open = not key

    async def start(self, port: int) -> None:
        """Listen on 127.0.0.1 at `port`, 0 for a free one; raises OSError when it is taken."""
        self._session = aiohttp.ClientSession(
            # llama.cpp has a thread for each open connection: idle ones are not kept.
            connector=aiohttp.TCPConnector(limit=0, force_close=True),
            timeout=aiohttp.ClientTimeout(total=None),
            read_bufsize=1 << 20,
        )

        @web.middleware
        async def admit(request: web.Request, handler: Handler) -> web.StreamResponse:
            if not self._allowed(request):
                return _error(401, "authentication_error", "Invalid API Key")
            try:
                return await handler(request)
            except Cut:
                # A stream already begun is cut off here too: aiohttp closes it without its last chunk.
                return _error(502, "server_error", "The model's answer was cut off.")

        app = web.Application(client_max_size=_MAX_BODY, middlewares=[admit])
        app.router.add_get("/health", self._relay)
        app.router.add_post(_CHAT, self._chat)
        for method, path in _RELAYED:
            app.router.add_route(method, path, self._relay)
        runner = web.AppRunner(app, handler_cancellation=True, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        self.address = f"http://127.0.0.1:{runner.addresses[0][1]}"

    def _allowed(self, request: web.Request) -> bool:
        given = request.headers.get("Authorization", "").encode(errors="surrogateescape")
        return self._open or request.path == "/health" or hmac.compare_digest(given, self._expected)

    async def _relay(self, request: web.Request) -> web.Response:
        body = await request.read()
        async with self._session.request(
            request.method, self._engine + request.path, data=body, headers=self._engine_headers
        ) as answer:
            status, content = refusal(answer.status, await answer.read())
        return web.Response(status=status, body=content, content_type=_JSON, charset="utf-8")

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        asked = ask(await request.read())
        if asked is None:
            return await self._relay(request)
        body, wanted = asked
        async with self._session.post(self._engine + _CHAT, data=body, headers=self._engine_headers) as answer:
            if answer.status != 200:
                status, content = refusal(answer.status, await answer.read())
                return web.Response(status=status, body=content, content_type=_JSON, charset="utf-8")
            if wanted.stream:
                return await _streamed(request, answer, wanted)
            return await _whole(answer)


def _error(status: int, kind: str, message: str) -> web.Response:
    error = {"code": status, "message": message, "type": kind}
    return web.Response(status=status, body=_json({"error": error}), content_type=_JSON)


async def _streamed(request: web.Request, upstream: aiohttp.ClientResponse, wanted: Asked) -> web.StreamResponse:
    answer = Answer()
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    async for chunk in _chunks(upstream):
        if "error" in chunk:
            await response.write(_event(chunk))
            return response
        if (seen := answer.take(chunk)) is not None:
            await response.write(_event(seen))
    if wanted.usage:
        await response.write(_event(answer.usage_chunk()))
    await response.write(b"data: [DONE]\n\n")
    return response


async def _whole(upstream: aiohttp.ClientResponse) -> web.Response:
    answer = Answer()
    async for chunk in _chunks(upstream):
        if "error" in chunk:
            return web.Response(status=int(chunk["error"].get("code", 500)), body=_json(chunk), content_type=_JSON)
        answer.take(chunk)
    return web.Response(body=_json(answer.body()), content_type=_JSON, charset="utf-8")


async def _chunks(upstream: aiohttp.ClientResponse) -> AsyncIterator[Chunk]:
    async for line in upstream.content:
        if line.startswith(b"data: [DONE]"):
            return
        if line.startswith(b"data: "):
            yield json.loads(line[6:])
    raise Cut


def _event(chunk: Chunk) -> bytes:
    return b"data: " + _json(chunk) + b"\n\n"


def _json(value: Chunk) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
