"""The admin API from outside, of a gateway with two workers: what is changed is in force, what was answered is on the ledger, and
whatever becomes of the admin process, callers do not notice."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import stat
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from admin.contract import check_answer
from e2e import canned
from e2e.gateway import Gateway, provider, running, wait_until
from e2e.processes import of_session
from e2e.vendor import serving
from postgres import PostgresServer

ASKED = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}]}
CHAT = "/v1/chat/completions"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def gateway(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer
) -> Iterator[Gateway]:
    database = "sqlite" if request.param == "sqlite" else postgres_server.new_database()
    with serving(canned.openai) as openai, serving(canned.gemini) as google:
        config = (
            f"database: {database}\nserver: {{workers: 2}}\nproviders:\n"
            + provider("openai", "openai-chat", f"{openai.base_url}/v1", "gpt-*")
            + provider("google", "gemini", google.base_url, "gemini-*")
        )
        with running(tmp_path_factory.mktemp("admin"), config=config) as found:
            yield found


def admin(gateway: Gateway, method: str, where: str, body: Any = None, key: str | None = None) -> tuple[int, Any]:
    """Every answer is what the OpenAPI document says."""
    content = None if body is None else json.dumps(body).encode()
    headers = {"authorization": f"Bearer {key or gateway.key}", "content-type": "application/json"}
    status, head, told = gateway.ask(method, f"/admin/v1{where}", content, headers)
    assert head["x-request-id"].startswith("req_") and head["content-type"] == "application/json"
    value = json.loads(told)
    check_answer(method, where.partition("?")[0], status, value)
    return status, value


def admin_process(gateway: Gateway) -> int:
    def found() -> list[int]:
        return [pid for pid, line in of_session(gateway.process.pid).items() if "server.admin_process" in line]

    pid: int = wait_until(found)[0]
    return pid


def statuses(gateway: Gateway, secret: str, times: int = 24) -> set[int]:
    """What many connections are told, which the kernel spreads over the workers."""
    return {gateway.post(CHAT, ASKED, {"authorization": f"Bearer {secret}"})[0] for _ in range(times)}


def test_a_key_made_with_curl_opens_at_once_in_every_worker(gateway: Gateway) -> None:
    done = subprocess.run(
        (
            *("curl", "-sS", "-f", f"{gateway.base_url}/admin/v1/keys", "-H", f"Authorization: Bearer {gateway.key}"),
            *("-d", '{"name": "ci", "models": ["gpt-*"]}'),
        ),
        capture_output=True,
        check=True,
        timeout=60,
    )
    made = json.loads(done.stdout)
    check_answer("POST", "/keys", 201, made)
    # Without a moment's waiting: the answer came when every worker knew.
    assert statuses(gateway, made["key"]) == {200}
    assert admin(gateway, "PATCH", f"/keys/{made['id']}", {"models": ["gemini-*"]})[0] == 200
    assert statuses(gateway, made["key"]) == {403}
    _, again = admin(gateway, "POST", f"/keys/{made['id']}/rotate", {"grace": 0})
    assert (statuses(gateway, made["key"], 8), statuses(gateway, again["key"], 8)) == ({401}, {403})
    assert admin(gateway, "DELETE", f"/keys/{made['id']}")[0] == 200
    assert statuses(gateway, again["key"]) == {401}


@pytest.mark.parametrize("page", ["docs/admin.md", "docs/zh/admin.md"])
def test_what_the_page_shows_works_as_it_stands(gateway: Gateway, page: str) -> None:
    shown = re.search(r"```sh\n(.*?)```", (Path(__file__).parents[2] / page).read_text(), re.DOTALL)
    assert shown is not None
    script = shown[1].replace("http://127.0.0.1:8000", gateway.base_url).replace("curl ", "curl -sS -f -w '\\n' ")
    done = subprocess.run(
        ("bash", "-ec", script),
        capture_output=True,
        check=True,
        timeout=60,
        env={**os.environ, "DRAGOMAN_ROOT_KEY": gateway.key},
    )
    made, used = (json.loads(line) for line in done.stdout.splitlines())
    check_answer("POST", "/keys", 201, made)
    check_answer("GET", "/usage", 200, used)


def test_a_request_is_on_the_ledger_when_its_answer_is_here(gateway: Gateway) -> None:
    _, made = admin(gateway, "POST", "/keys", {"name": "billed"})
    bearer = {"authorization": f"Bearer {made['key']}"}
    ids = []
    for number in range(12):
        model = ("gpt-4o", "gemini-2.5-flash", "gpt-unknown-to-all-prices", "no-such-model")[number % 4]
        body = {**ASKED, "model": model, "stream": number % 3 == 0}
        _, headers, _ = gateway.post(CHAT, body, bearer)
        ids.append(headers["x-request-id"])
        status, found = admin(gateway, "GET", f"/requests/{ids[-1]}")
        assert status == 200, f"the {number}th is not there"
        assert (found["key_id"], found["model"]) == (made["id"], model)
        if found["arithmetic"] is not None:
            assert sum(Decimal(line["usd"]) for line in found["arithmetic"]) == Decimal(found["cost_usd"])
    _, page = admin(gateway, "GET", "/requests?key=billed")
    assert sorted(one["request_id"] for one in page["data"]) == sorted(ids)
    assert {one["status"] for one in page["data"]} == {200, 404}
    for by in ("day", "key", "model", "provider"):
        _, used = admin(gateway, "GET", f"/usage?group_by={by}&key={made['id']}")
        for rows in (used["data"], [used["total"]]):
            assert sum(row["requests"] for row in rows) == 12
            for name in ("input_tokens", "output_tokens", "reasoning_tokens"):
                assert sum(row[name] for row in rows) == sum(one[name] or 0 for one in page["data"])
            cost = sum(Decimal(one["cost_usd"] or 0) for one in page["data"])
            assert sum(Decimal(row["cost_usd"] or 0) for row in rows) == cost > 0
            assert sum(row["unpriced"] for row in rows) == sum(one["cost_usd"] is None for one in page["data"])


@contextlib.contextmanager
def traffic(gateway: Gateway) -> Iterator[Callable[[], int]]:
    """Callers all the while, every one of them answered; gives how many so far."""
    stop, told = threading.Event(), list[tuple[int, float]]()

    def ask() -> None:
        while not stop.is_set():
            began = time.monotonic()
            told.append((gateway.post(CHAT, ASKED)[0], time.monotonic() - began))

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield lambda: len(told)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert {status for status, _ in told} == {200}
    # On a machine that does other things too; a request that waited for a process to start would take longer.
    assert sorted(seconds for _, seconds in told)[len(told) // 2] < 0.5


def test_the_admin_process_is_killed_and_callers_do_not_notice(gateway: Gateway) -> None:
    with traffic(gateway) as answered:
        for _ in range(3):
            before, pid = answered(), admin_process(gateway)
            os.kill(pid, signal.SIGKILL)
            # What is asked meanwhile waits for the next one.
            assert admin(gateway, "GET", "/keys?limit=1")[0] == 200
            assert admin_process(gateway) != pid
            wait_until(lambda before=before: answered() > before)
    assert gateway.wait_for_log(lambda line: line["event"] == "the admin process died and is started again")


def test_an_admin_process_that_does_not_answer_holds_up_nobody(gateway: Gateway) -> None:
    pid = admin_process(gateway)
    answers: list[int] = []
    os.kill(pid, signal.SIGSTOP)
    try:
        waiting = threading.Thread(target=lambda: answers.append(admin(gateway, "GET", "/usage")[0]))
        waiting.start()
        with traffic(gateway) as answered:
            wait_until(lambda: answered() > 20)
        assert not answers
    finally:
        os.kill(pid, signal.SIGCONT)
    waiting.join(60)
    assert answers == [200]


def test_nobody_else_reaches_its_socket(gateway: Gateway) -> None:
    held = set()
    for fd in Path(f"/proc/{gateway.process.pid}/fd").iterdir():
        with contextlib.suppress(OSError):  # it may be closed by now
            held.add(os.readlink(fd))
    sockets = [line.split() for line in Path("/proc/net/unix").read_text().splitlines() if line.endswith("/admin.sock")]
    (path,) = (Path(where) for *_, inode, where in sockets if f"socket:[{inode}]" in held)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    with socket.socket(
        socket.AF_UNIX
    ) as reached:  # we are the gateway's own user: and even so nothing opens without the key
        reached.settimeout(60)
        reached.connect(str(path))
        reached.sendall(b"GET /admin/v1/keys HTTP/1.1\r\nhost: x\r\nx-dragoman-remote: 10.0.0.1\r\n\r\n")
        assert reached.recv(100).startswith(b"HTTP/1.1 401 ")


def test_callers_cannot_say_who_they_are(gateway: Gateway) -> None:
    headers = {"authorization": f"Bearer {gateway.key}", "x-dragoman-remote": "6.6.6.6", "x-request-id": "req_of_mine"}
    status, head, told = gateway.ask("POST", "/admin/v1/keys", b'{"name": "mine"}', headers)
    assert status == 201 and head["x-request-id"] != "req_of_mine"
    _, changes = admin(gateway, "GET", f"/audit?subject={json.loads(told)['id']}")
    assert changes["data"][0]["actor"] == "api:root@127.0.0.1"
    line = gateway.entry(head["x-request-id"])
    assert (line["operation"], line["key"], line["remote"]) == ("admin", "root", "127.0.0.1")


def test_what_cannot_be_handed_on_is_refused_as_everything_else(gateway: Gateway) -> None:
    bearer = {"authorization": f"Bearer {gateway.key}"}
    for method, path, body, status in (
        ("POST", "/admin/v1/keys", b"x" * (2**20 + 1), 413),
        ("POST", "/admin/v1/keys", b"{", 400),
        ("GET", "/admin/v2/keys", None, 404),
        ("GET", "/admin/", None, 404),
        ("GET", "/admin/v1/keys/%0d%0ax", None, 404),
        ("TRACE", "/admin/v1/keys", None, 405),
        ("OPTIONS", "/admin/v1/keys", None, 405),
    ):
        found, head, told = gateway.ask(method, path, body, bearer)
        assert found == status, (method, path)
        assert set(json.loads(told)["error"]) == {"message", "type", "param", "code"}
        assert gateway.entry(head["x-request-id"])["status"] == status
    status, head, told = gateway.ask("HEAD", "/admin/v1/keys", None, bearer)
    assert (status, told) == (200, b"") and int(head["content-length"]) > 0


def test_a_body_in_pieces(gateway: Gateway) -> None:
    connection = gateway.connect()
    try:
        pieces = iter([b'{"name": ', b'"in pieces"', b"}"])
        connection.request(
            "POST", "/admin/v1/keys", pieces, {"authorization": f"Bearer {gateway.key}"}, encode_chunked=True
        )
        answer = connection.getresponse()
        assert (answer.status, json.loads(answer.read())["name"]) == (201, "in pieces")
    finally:
        connection.close()


def test_readiness_does_not_wait_for_it(tmp_path: Path) -> None:
    """It is started when the first worker answers, and a request that comes before it is there waits for it."""
    with serving(canned.openai) as openai:
        config = "providers:\n" + provider("openai", "openai-chat", f"{openai.base_url}/v1", "gpt-*")
        with running(tmp_path, config=config) as gateway:
            assert gateway.post(CHAT, ASKED)[0] == 200
            assert admin(gateway, "GET", "/providers")[0] == 200
            pid = gateway.process.pid
            assert gateway.stop() == 0
            assert not of_session(pid)


def test_a_temporary_directory_too_deep_for_a_socket(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 120)
    deep.mkdir()
    with serving(canned.openai) as openai:
        config = "providers:\n" + provider("openai", "openai-chat", f"{openai.base_url}/v1", "gpt-*")
        with running(tmp_path, config=config, environment={"TMPDIR": str(deep)}) as gateway:
            assert admin(gateway, "GET", "/providers")[0] == 200
            assert gateway.stop() == 0
    assert not list(deep.iterdir())


def test_a_database_that_is_gone(postgres_server: PostgresServer, tmp_path: Path) -> None:
    database = postgres_server.new_database()
    with serving(canned.openai) as openai:
        config = f"database: {database}\nproviders:\n" + provider(
            "openai", "openai-chat", f"{openai.base_url}/v1", "gpt-*"
        )
        with running(tmp_path, config=config) as gateway:
            assert admin(gateway, "GET", "/requests")[0] == 200
            postgres_server.stop()
            try:
                for method, where, body in (
                    ("GET", "/requests", None),
                    ("GET", "/keys", None),
                    ("POST", "/keys", {"name": "a"}),
                ):
                    status, told = admin(gateway, method, where, body)
                    assert (status, told["error"]["code"]) == (503, "database_unavailable")
                    assert "secret" not in str(told) and "127.0.0.1" in told["error"]["message"]
                status, headers, _ = gateway.post(CHAT, ASKED)
                assert status == 200
                assert admin(gateway, "POST", "/config/reload")[0] == 200
                assert admin(gateway, "GET", "/config")[0] == 200
            finally:
                postgres_server.start()
            found = wait_until(
                lambda: (told := admin(gateway, "GET", f"/requests/{headers['x-request-id']}"))[0] == 200 and told
            )
            assert found[1]["key_id"] == "root"


def test_reloads_that_nobody_called_for_are_in_the_audit(tmp_path: Path) -> None:
    with serving(canned.openai) as openai:
        config = "providers:\n" + provider("openai", "openai-chat", f"{openai.base_url}/v1", "gpt-*")
        with running(tmp_path, config=config) as gateway:
            assert admin(gateway, "GET", "/audit")[1]["data"] == []
            gateway.config.write_text(config.replace("gpt-*", "gpt-5*"))
            gateway.signal(signal.SIGHUP)
            gateway.wait_for_log(lambda line: line.get("asked_by") == "signal")
            gateway.config.write_text("server: {workers: 2}\n" + config)
            gateway.wait_for_log(lambda line: line.get("asked_by") == "file change")
            told = wait_until(lambda: len(found := admin(gateway, "GET", "/audit")[1]["data"]) == 2 and found)
            assert [(one["actor"], one["action"], one["subject"], one["detail"]) for one in told] == [
                ("file change", "config.reload", str(gateway.config), {"needs_restart": ["server.workers"]}),
                ("signal", "config.reload", str(gateway.config), {"needs_restart": []}),
            ]


def test_the_built_in_model_is_tested_too(demo: Gateway) -> None:
    status, found = admin(demo, "POST", "/providers/local/test")
    assert (status, found["ok"], found["error"]) == (200, True, None)
    _, models = admin(demo, "GET", "/models")
    assert models["data"][0]["targets"][0]["price"]["source"] == "the built-in model"
