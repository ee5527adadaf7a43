"""The admin API in this process, on both databases. Every answer is held against what the OpenAPI document says of it."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest

from admin.contract import check_answer, check_request
from dragoman.admin.application import application
from dragoman.admin.desk import Desk
from dragoman.config import Loaded
from dragoman.config.loading import load_text
from dragoman.ir import Overloaded
from dragoman.ledger import Entry, Journal, journal_of
from dragoman.ledger.entry import encode
from dragoman.observe import logs
from dragoman.observe.metrics import Tally
from dragoman.pipeline.gateway import Gateway
from dragoman.pipeline.key import digest
from dragoman.pipeline.snapshot import snapshot_of
from dragoman.providers.endpoint import Endpoint
from dragoman.store import Location, location_of
from dragoman.store.migrate import migrate
from e2e import canned
from e2e.gateway import provider
from e2e.vendor import Vendor, serving

ROOT = "dgm_root_key_of_the_tests"
FILED = "dgm_key_in_the_file_of_the_tests"
CONFIG = """
database: {database}
data: {data}
providers:
{providers}
models:
  fast:
    targets: [{{provider: openai, model: gpt-4o}}]
    price: {{input: "0.30", output: "2.50"}}
    aliases: [quick]
keys:
  - {{name: filed, key: {key}, models: ["gpt-*"], budget: {{usd: "5"}}}}
"""


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    value: Any


class Reloads:
    """What the supervisor would say, and how often it was asked what."""

    def __init__(self) -> None:
        self.answer: tuple[int, dict[str, Any]] = (200, {"reloaded": True, "needs_restart": []})
        self.reloaded = self.told = 0

    async def reload(self) -> tuple[int, dict[str, Any]]:
        self.reloaded += 1
        return self.answer

    async def tell(self) -> None:
        self.told += 1


class NoEngine:
    async def endpoint(self, template: Endpoint) -> Endpoint:
        raise Overloaded("There is no built-in model here.")


Ask = Callable[..., Awaitable[Answer]]
Enter = Callable[..., None]


@pytest.fixture(scope="session")
def _openai() -> Iterator[Vendor]:
    with serving(canned.openai) as vendor:
        yield vendor


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> str:
    url: str = request.param if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def location(database: str, tmp_path: Path) -> Location:
    found = location_of(database, tmp_path)
    migrate(found)
    return found


@pytest.fixture
def loaded(database: str, tmp_path: Path, _openai: Vendor) -> Loaded:
    _openai.reset()
    _openai.usual = canned.openai
    providers = provider("openai", "openai-chat", f"{_openai.base_url}/v1", "gpt-*")
    providers += provider("gone", "gemini", "http://127.0.0.1:9", "gemini-*")
    text = CONFIG.format(database=json.dumps(database), data=tmp_path, providers=providers, key=FILED)
    return load_text(text, tmp_path / "dragoman.yaml", {})


@pytest.fixture
def reloads() -> Reloads:
    return Reloads()


@pytest.fixture
async def desk(location: Location, loaded: Loaded, tmp_path: Path, reloads: Reloads) -> AsyncIterator[Desk]:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    log = logs.configure("json", "info", nowhere)
    snapshot = snapshot_of(loaded.settings, demo=False, root_key=digest(ROOT.encode()))
    gateway = Gateway(snapshot, tally=Tally(), logs=log, engine=NoEngine())
    found = Desk(gateway, loaded, location, tmp_path, reload=reloads.reload, tell_keys=reloads.tell)
    yield found
    await found.aclose()
    await gateway.aclose()
    log.close()
    os.close(nowhere)


@pytest.fixture
def ask(desk: Desk) -> Ask:
    """`await ask("GET", "/keys?limit=1")` with the root key; `await ask("POST", "/keys", {...}, key=None)`."""
    app = application(desk)

    async def asking(
        method: str, where: str, body: Any = None, *, key: str | None = ROOT, headers: dict[str, str] | None = None
    ) -> Answer:
        path, _, query = where.partition("?")
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        given = {"x-dragoman-remote": "10.0.0.1", **(headers or {})}
        if key is not None:
            given["authorization"] = f"Bearer {key}"
        sent: list[Any] = []
        pending = [content]

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": pending.pop(), "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": "/admin/v1" + path,
            "raw_path": quote("/admin/v1" + path).encode(),
            "root_path": "",
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in given.items()],
            "client": None,
            "server": ("localhost", None),
        }
        await app(scope, receive, send)
        head = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        answer = Answer(sent[0]["status"], head, json.loads(b"".join(part.get("body", b"") for part in sent[1:])))
        check_answer(method, path, answer.status, answer.value)
        if answer.status < 300:
            check_request(method, path, query, body)
        return answer

    return asking


@pytest.fixture
def enter(tmp_path: Path) -> Iterator[Enter]:
    """Puts entries, and details of prices by their name, into the journal of a worker that has not moved them on yet."""
    journal = Journal(journal_of(tmp_path), limit=2**20, segment_bytes=2**16)

    def entering(*entries: Entry, **prices: bytes) -> None:
        for name, detail in prices.items():
            journal.append(encode([name, detail.decode()]))
        for entry in entries:
            journal.append(encode(entry))

    yield entering
    journal.close()
