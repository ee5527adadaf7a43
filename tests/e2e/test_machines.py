"""Several machines on one database: the same keys, the same root key, the same kept answers."""

from __future__ import annotations

import json
import re
from pathlib import Path

from e2e import canned
from e2e.canned_responses import responses
from e2e.gateway import Gateway, provider, running, wait_until
from e2e.vendor import serving
from postgres import PostgresServer
from soak import soak

pytestmark = soak

_SHOWN = re.compile(r"Root key \(shown this once, keep it\): (dgm_\S+)")
NO_ROOT_KEY = {"DRAGOMAN_ROOT_KEY": ""}


def opens(gateway: Gateway, secret: str) -> int:
    return gateway.get("/v1/models", {"authorization": f"Bearer {secret}"})[0]


def test_they_have_one_root_key_and_each_others_answers(postgres_server: PostgresServer, tmp_path: Path) -> None:
    database = postgres_server.new_database()
    with serving(responses) as vendor:
        config = f"database: {database}\nproviders:\n" + provider(
            "other", "openai-responses", f"{vendor.base_url}/v1", "resp-*"
        )
        with running(tmp_path / "one", config=config, environment=NO_ROOT_KEY) as one:
            wait_until(lambda: "Try it:" in one.text)
            shown = _SHOWN.search(one.text)
            assert shown is not None
            root = {"authorization": f"Bearer {shown[1]}"}
            with running(tmp_path / "two", config=config, environment=NO_ROOT_KEY) as two:
                wait_until(lambda: "Try it:" in two.text)
                assert _SHOWN.search(two.text) is None
                assert opens(one, shown[1]) == opens(two, shown[1]) == 200
                status, _, body = one.post("/v1/responses", {"model": "resp-1", "input": "Hi"}, root)
                assert status == 200
                id = json.loads(body)["id"]
                assert two.get(f"/v1/responses/{id}", root)[0] == 200
                more = {"model": "resp-1", "input": "More", "previous_response_id": id}
                assert two.post("/v1/responses", more, root)[0] == 200
                assert two.ask("DELETE", f"/v1/responses/{id}", headers=root)[0] == 200
                assert one.get(f"/v1/responses/{id}", root)[0] == 404
        assert database not in one.text + two.text
        assert not list((tmp_path / "one").glob("dragoman.db*"))


def test_two_first_starts_at_once_agree(postgres_server: PostgresServer, tmp_path: Path) -> None:
    database = postgres_server.new_database()
    with serving(canned.openai) as vendor:
        config = f"database: {database}\nproviders:\n" + provider("o", "openai-chat", f"{vendor.base_url}/v1", "gpt-*")
        gateways = [
            Gateway(tmp_path / name, config=config, environment=NO_ROOT_KEY) for name in ("one", "two", "three")
        ]
        try:
            for gateway in gateways:
                gateway.wait_ready()
                wait_until(lambda gateway=gateway: "Try it:" in gateway.text)
            shown = [found[1] for gateway in gateways if (found := _SHOWN.search(gateway.text))]
            assert len(shown) == 1
            for gateway in gateways:
                wait_until(lambda gateway=gateway: opens(gateway, shown[0]) == 200)
        finally:
            for gateway in gateways:
                gateway.close()


def test_a_root_key_of_a_data_directory_comes_along(postgres_server: PostgresServer, tmp_path: Path) -> None:
    """Whoever goes from the file to a server keeps the root key."""
    with serving(canned.openai) as vendor:
        config = "providers:\n" + provider("o", "openai-chat", f"{vendor.base_url}/v1", "gpt-*")
        with running(tmp_path / "one", config=config, environment=NO_ROOT_KEY) as one:
            wait_until(lambda: "Try it:" in one.text)
            shown = _SHOWN.search(one.text)
            assert shown is not None
        config = f"database: {postgres_server.new_database()}\n{config}"
        for machine in ("one", "two"):
            with running(tmp_path / machine, config=config, environment=NO_ROOT_KEY) as gateway:
                wait_until(lambda gateway=gateway: "Try it:" in gateway.text)
                assert _SHOWN.search(gateway.text) is None
                assert opens(gateway, shown[1]) == 200


def test_a_server_that_is_not_there_is_told_of(postgres_server: PostgresServer, tmp_path: Path) -> None:
    address = postgres_server.url("nowhere")
    gateway = Gateway(tmp_path, config=f"database: {address}\nproviders: {{l: {{protocols: [local]}}}}\n")
    assert gateway.process.wait(60) == 1
    gateway.close()
    assert 'cannot be used: database "nowhere" does not exist. Make it first: createdb NAME.' in gateway.text
    assert "pg-secret" not in gateway.text
