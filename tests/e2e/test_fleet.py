"""Three gateways on one PostgreSQL and one Valkey, behind nginx where there is one: to callers they are one, limits and all."""

from __future__ import annotations

import collections
import contextlib
import http.client
import itertools
import json
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e.gateway import Gateway, provider, running, wait_until
from e2e.ledger import entries_of, sums_of
from e2e.vendor import Exchange, Vendor, reply, serving
from postgres import PostgresServer
from soak import soak
from valkey_server import ValkeyServer

pytestmark = soak

GATEWAYS = 3
ROOT = "dgm_root_key_of_the_fleet_of_the_tests"
KEYS = {name: f"dgm_{name}_key_of_the_fleet_of_the_tests" for name in ("sixty", "four", "ten", "all")}
GIVEN, SAID = 10, 20
COST = (GIVEN + SAID) * 1000
CONFIG = """
log: {{format: json, level: info}}
database: {database}
shared: {shared}
providers:
{providers}
models:
  fast: {{targets: [{{provider: openai, model: m}}], price: {{input: "1", output: "1"}}}}
keys:
  - {{name: sixty, key: {sixty}, limits: {{requests_per_minute: 60}}}}
  - {{name: four, key: {four}, limits: {{concurrent_requests: 4}}}}
  - {{name: ten, key: {ten}, budget: {{usd: "0.000300", window: day}}}}
  - {{name: all, key: {all}}}
"""
_NGINX = """
daemon off;
worker_processes 1;
pid nginx.pid;
error_log error.log warn;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  upstream fleet {{ {servers} keepalive 64; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://fleet;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
    }}
  }}
}}
"""


def answer(exchange: Exchange) -> None:
    usage = {"prompt_tokens": GIVEN, "completion_tokens": SAID, "total_tokens": GIVEN + SAID}
    choice = {"index": 0, "message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"}
    reply({"id": "c", "object": "chat.completion", "model": "m", "choices": [choice], "usage": usage})(exchange)


class Fleet:
    """`ports` are asked in turn: nginx's, or those of the gateways themselves."""

    def __init__(self, gateways: list[Gateway], vendor: Vendor, valkey: ValkeyServer, ports: list[int]) -> None:
        self.gateways = gateways
        self.vendor = vendor
        self.valkey = valkey
        self._ports = itertools.cycle(ports)

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", next(self._ports), timeout=60)

    def ask(self, key: str, **more: Any) -> tuple[int, http.client.HTTPMessage, bytes]:
        connection = self.connect()
        try:
            return _ask(connection, key, more)
        finally:
            connection.close()

    def at_once(self, count: int, key: str, **more: Any) -> collections.Counter[int]:
        found: collections.Counter[int] = collections.Counter()
        gate, lock = threading.Barrier(count), threading.Lock()
        connections = [self.connect() for _ in range(count)]

        def ask(connection: http.client.HTTPConnection) -> None:
            connection.connect()
            gate.wait()
            status, _, _ = _ask(connection, key, more)
            connection.close()
            with lock:
                found[status] += 1

        threads = [threading.Thread(target=ask, args=(connection,)) for connection in connections]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return found


def _ask(
    connection: http.client.HTTPConnection, key: str, more: dict[str, Any]
) -> tuple[int, http.client.HTTPMessage, bytes]:
    body = json.dumps({"model": "fast", "messages": [{"role": "user", "content": "hi"}], **more})
    connection.request("POST", "/v1/chat/completions", body, {"authorization": f"Bearer {KEYS.get(key, key)}"})
    response = connection.getresponse()
    return response.status, response.headers, response.read()


@contextlib.contextmanager
def _nginx(directory: Path, ports: list[int]) -> Iterator[list[int]]:
    """Its port; without nginx, those of the gateways."""
    binary = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if binary is None:
        yield ports
        return
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        port = asked.getsockname()[1]
    servers = " ".join(f"server 127.0.0.1:{one};" for one in ports)
    (directory / "nginx.conf").write_text(_NGINX.format(servers=servers, port=port))
    process = subprocess.Popen([binary, "-p", str(directory), "-c", "nginx.conf", "-e", "error.log"])
    try:
        wait_until(lambda: _listens(port), "nginx listens")
        yield [port]
    finally:
        process.terminate()
        process.wait(10)


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


@pytest.fixture
def fleet(postgres_server: PostgresServer, valkey: ValkeyServer, tmp_path: Path) -> Iterator[Fleet]:
    with contextlib.ExitStack() as stack:
        vendor = stack.enter_context(serving(answer))
        config = CONFIG.format(
            database=postgres_server.new_database(),
            shared=valkey.url,
            providers=provider("openai", "openai-chat", f"{vendor.base_url}/v1", "m"),
            **KEYS,
        )
        gateways = [
            stack.enter_context(running(tmp_path / f"machine-{number}", config=config, key=ROOT))
            for number in range(GATEWAYS)
        ]
        ports = [int(gateway.base_url.rpartition(":")[2]) for gateway in gateways]
        yield Fleet(gateways, vendor, valkey, stack.enter_context(_nginx(tmp_path, ports)))


def database_of(fleet: Fleet) -> str:
    config = fleet.gateways[0].config.read_text()
    return next(line.partition(": ")[2] for line in config.splitlines() if line.startswith("database:"))


def test_limits_and_budgets_hold_over_all_of_them(fleet: Fleet) -> None:
    assert fleet.at_once(300, "sixty") == {200: 60, 429: 240}
    assert len(fleet.vendor.seen) == 60

    fleet.vendor.reset()
    running_now, most, lock = [0], [0], threading.Lock()

    def counting(exchange: Exchange) -> None:
        with lock:
            running_now[0] += 1
            most[0] = max(most[0], running_now[0])
        threading.Event().wait(0.05)
        with lock:
            running_now[0] -= 1
        answer(exchange)

    fleet.vendor.usual = counting
    found = fleet.at_once(40, "four")
    assert 1 <= most[0] <= 4
    assert found[200] >= 4

    fleet.vendor.usual = answer
    fleet.vendor.reset()
    found = fleet.at_once(200, "ten", max_tokens=SAID)
    assert set(found) == {200, 429}
    passed = found[200]
    for _ in range(30):
        passed += fleet.ask("ten", max_tokens=SAID)[0] == 200
    assert passed == len(fleet.vendor.seen)
    assert passed * COST <= 300_000

    database = database_of(fleet)
    entries: dict[str, dict[str, Any]] = {}
    for gateway in fleet.gateways:
        entries |= entries_of(gateway.data, database)
    spent = [entry["cost_nanos"] for entry in entries.values() if entry["key_id"] == "file:ten"]
    assert sum(spent) == passed * COST
    assert sums_of(fleet.gateways[0].data, database)["requests"] == len(entries)


def test_without_valkey_each_keeps_its_share(fleet: Fleet) -> None:
    assert fleet.ask("all")[0] == 200
    assert fleet.ask("sixty")[0] == 200
    for gateway in fleet.gateways:
        wait_until(
            lambda gateway=gateway: b"\ndragoman_shared_machines 3.0\n" in gateway.get("/metrics")[2], "three machines"
        )
    fleet.valkey.kill()
    found = fleet.at_once(300, "sixty")
    # A third of sixty for each machine, and never more than sixty in all, what was let in before included.
    assert 20 <= found[200] <= 60
    assert found[200] + found[429] == 300
    for _ in range(20):
        assert fleet.ask("all")[0] == 200
    for gateway in fleet.gateways:
        gateway.wait_for_log(lambda line: "limits are not kept together" in line.get("event", ""))
    fleet.valkey.start()
    for gateway in fleet.gateways:
        gateway.wait_for_log(lambda line: "limits are kept together" in line.get("event", ""))


def test_a_key_made_at_one_opens_all(fleet: Fleet) -> None:
    status, _, body = fleet.gateways[0].post("/admin/v1/keys", {"name": "new"})
    assert status == 201
    made = json.loads(body)
    for gateway in fleet.gateways:
        wait_until(
            lambda gateway=gateway: gateway.get("/v1/models", {"authorization": f"Bearer {made['key']}"})[0] == 200
        )
    root = {"authorization": f"Bearer {ROOT}"}
    assert fleet.gateways[1].ask("DELETE", f"/admin/v1/keys/{made['id']}", headers=root)[0] in (200, 204)
    for gateway in fleet.gateways:
        wait_until(
            lambda gateway=gateway: gateway.get("/v1/models", {"authorization": f"Bearer {made['key']}"})[0] == 401
        )
