"""Keys of the database, from outside: whoever changes one, every worker knows within a second, and nobody is let in too long."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dragoman.store import location_of
from dragoman.store.keys import Keys
from e2e import canned
from e2e.canned_responses import responses
from e2e.gateway import Gateway, provider, running, wait_until
from e2e.processes import workers
from e2e.vendor import serving
from postgres import PostgresServer
from soak import soak

pytestmark = soak

# What the page promises is one second. Everything is asked anew all the while, on a machine that does other things too.
IN_FORCE = 1.0
BUSY = 9.0
ASKED = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}]}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def placed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer
) -> Iterator[tuple[Gateway, Keys]]:
    """A gateway of two workers, and whoever changes its keys from another process."""
    data = tmp_path_factory.mktemp("keys")
    database = "sqlite" if request.param == "sqlite" else postgres_server.new_database()
    with serving(canned.openai) as openai, serving(responses) as other:
        config = (
            f"database: {database}\nserver: {{workers: 2}}\nproviders:\n"
            + provider("openai", "openai-chat", f"{openai.base_url}/v1", "gpt-*")
            + provider("other", "openai-responses", f"{other.base_url}/v1", "resp-*")
            + "keys:\n  - {name: filed, key: dgm_key_in_the_file_of_the_tests}\n"
        )
        with running(data, config=config) as gateway:
            keys = Keys(location_of(database, data))
            yield gateway, keys
            keys.close()


@pytest.fixture
def gateway(placed: tuple[Gateway, Keys]) -> Gateway:
    return placed[0]


@pytest.fixture
def keys(placed: tuple[Gateway, Keys]) -> Keys:
    return placed[1]


def answers(gateway: Gateway, secret: str, model: str = "gpt-4o", times: int = 24) -> set[tuple[int, str]]:
    """What many connections are told, which the kernel spreads over the workers."""
    told = set()
    for _ in range(times):
        status, _, body = gateway.post(
            "/v1/chat/completions", {**ASKED, "model": model}, {"authorization": f"Bearer {secret}"}
        )
        told.add((status, body.decode() if status >= 400 else ""))
    return told


def everywhere(gateway: Gateway, secret: str, status: int, words: str = "") -> None:
    """Until all answers are such, and that in good time."""
    began = time.monotonic()

    def all_such() -> bool:
        return all(code == status and words in body for code, body in answers(gateway, secret))

    wait_until(all_such, f"{status} {words}")
    assert time.monotonic() - began < IN_FORCE + BUSY


def test_a_new_key_opens_and_a_revoked_one_does_not(gateway: Gateway, keys: Keys) -> None:
    made = keys.create({"name": "ci"}, "tests")
    everywhere(gateway, made.secret, 200)
    keys.revoke(made.key.id, "tests")
    everywhere(gateway, made.secret, 401, "was revoked at ")


def test_a_changed_key(gateway: Gateway, keys: Keys) -> None:
    made = keys.create({"name": "narrow", "models": ["gemini-*", "fast"]}, "tests")
    everywhere(gateway, made.secret, 403, "It may use: gemini-*, fast.")
    keys.patch(made.key.id, {"models": ["gpt-*"]}, "tests")
    everywhere(gateway, made.secret, 200)


def test_a_rotated_key_opens_with_both_secrets_until_its_grace_is_over(gateway: Gateway, keys: Keys) -> None:
    made = keys.create({"name": "rotated"}, "tests")
    everywhere(gateway, made.secret, 200)
    again = keys.rotate(made.key.id, "tests", grace=6)
    everywhere(gateway, again.secret, 200)
    assert again.key.previous_until is not None
    if time.time() < again.key.previous_until - 1:  # else this machine is too slow to look
        assert answers(gateway, made.secret, times=1) == {(200, "")}
    wait_until(lambda: time.time() >= (again.key.previous_until or 0))
    assert all(code == 401 and "was replaced" in body for code, body in answers(gateway, made.secret))
    assert answers(gateway, again.secret) == {(200, "")}


def test_a_deleted_key_was_never_there(gateway: Gateway, keys: Keys) -> None:
    made = keys.create({"name": "gone"}, "tests")
    everywhere(gateway, made.secret, 200)
    keys.delete(made.key.id, "tests")
    everywhere(gateway, made.secret, 401, "is not one of this gateway's")


def test_a_key_that_expires(gateway: Gateway, keys: Keys) -> None:
    until = int(time.time()) + 4
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(until))
    made = keys.create({"name": "short", "expires_at": stamp}, "tests")
    wait_until(lambda: time.time() >= until)
    everywhere(gateway, made.secret, 401, "expired at ")


def test_a_worker_that_is_started_again_knows_the_keys(gateway: Gateway, keys: Keys) -> None:
    made = keys.create({"name": "kept"}, "tests")
    everywhere(gateway, made.secret, 200)
    gateway.signal(signal.SIGHUP)  # a reload keeps them, too
    gateway.wait_for_log(lambda line: line["event"] == "the configuration was reloaded")
    assert answers(gateway, made.secret) == {(200, "")}
    old = workers(gateway.process.pid)
    os.kill(old[0], signal.SIGKILL)
    wait_until(lambda: len(now := workers(gateway.process.pid)) == 2 and old[0] not in now)
    # While one of them starts, the other answers; and once it listens, it knows.
    os.kill(old[1], signal.SIGKILL)
    wait_until(lambda: len(now := workers(gateway.process.pid)) == 2 and old[1] not in now)
    assert answers(gateway, made.secret) == {(200, "")}


def test_what_is_kept_is_kept_for_the_key_and_not_for_its_name(gateway: Gateway, keys: Keys) -> None:
    one, other = (keys.create({"name": "twin"}, "tests").secret for _ in "ab")
    everywhere(gateway, one, 200)
    everywhere(gateway, other, 200)
    asked = {"model": "resp-1", "input": "Hi"}
    status, _, body = gateway.post("/v1/responses", asked, {"authorization": f"Bearer {one}"})
    assert status == 200
    id = json.loads(body)["id"]
    assert gateway.get(f"/v1/responses/{id}", {"authorization": f"Bearer {one}"})[0] == 200
    assert gateway.get(f"/v1/responses/{id}", {"authorization": f"Bearer {other}"})[0] == 404


def test_a_database_that_goes_away_takes_no_key_with_it(postgres_server: PostgresServer, tmp_path: Path) -> None:
    database = postgres_server.new_database()
    with serving(canned.openai) as openai:
        config = f"database: {database}\nproviders:\n" + provider(
            "openai", "openai-chat", f"{openai.base_url}/v1", "gpt-*"
        )
        with running(tmp_path, config=config) as gateway:
            keys = Keys(location_of(database, tmp_path))
            made = keys.create({"name": "kept"}, "tests")
            everywhere(gateway, made.secret, 200)
            postgres_server.stop()
            try:
                gateway.wait_for_log(lambda line: line["event"].startswith("changed keys cannot be read"))
                assert answers(gateway, made.secret, times=2) == {(200, "")}
            finally:
                postgres_server.start()
            gateway.wait_for_log(lambda line: line["event"] == "changed keys are read again")
            keys.revoke(made.key.id, "tests")
            keys.close()
            everywhere(gateway, made.secret, 401, "was revoked")


def test_what_a_file_key_had_kept_is_found_again(tmp_path: Path) -> None:
    """A data directory of the version before: what it kept was kept under the key's name."""
    secret = "dgm_key_in_the_file_of_the_tests"
    with serving(responses) as vendor:
        config = (
            "providers:\n"
            + provider("other", "openai-responses", f"{vendor.base_url}/v1", "resp-*")
            + f"keys:\n  - {{name: filed, key: {secret}}}\n"
        )
        with running(tmp_path, config=config) as gateway:
            asked = {"model": "resp-1", "input": "Hi"}
            assert gateway.post("/v1/responses", asked, {"authorization": f"Bearer {secret}"})[0] == 200
        location = location_of("sqlite", tmp_path)
        with closing(sqlite3.connect(location.path)) as connection:
            found = connection.execute("SELECT DISTINCT owner, id FROM responses").fetchall()
            assert [owner for owner, _ in found] == ["file:filed"]
            _back_to_names(connection)
        with running(tmp_path, config=config) as gateway:
            assert gateway.get(f"/v1/responses/{found[0][1]}", {"authorization": f"Bearer {secret}"})[0] == 200


def _back_to_names(connection: sqlite3.Connection) -> None:
    owned = ("responses", "items", "signatures")
    for table in owned:
        connection.execute(f"UPDATE {table} SET owner = substr(owner, 6) WHERE owner LIKE 'file:%'")
    for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        if table not in (*owned, "alembic_version"):
            connection.execute(f"DROP TABLE {table}")
    connection.execute("UPDATE alembic_version SET version_num = '0002'")
    connection.commit()
