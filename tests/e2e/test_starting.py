"""How `dragoman serve` starts, or says why it does not; and what it leaves on the disk."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import signal
import socket
import ssl
import time
from pathlib import Path
from typing import Any

import pytest
import trustme

from e2e.gateway import Gateway, provider, running, wait_until, with_local_model
from e2e.processes import of_session

NOWHERE = "providers:\n" + provider("openai", "openai-chat", "http://127.0.0.1:9/v1", "gpt-*")
CHAT = "/v1/chat/completions"


def refused(data: Path, code: int, **options: Any) -> str:
    """What a gateway says that must not start; it must end with `code` and leave nothing behind."""
    gateway = Gateway(data, **options)
    try:
        assert gateway.process.wait(20) == code, gateway.text
        wait_until(lambda: not of_session(gateway.process.pid), "all have ended")
    finally:
        gateway.close()
    assert "Traceback" not in gateway.text
    return gateway.text


def test_a_port_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        text = refused(tmp_path, 1, config=NOWHERE, arguments=("--port", str(port)))
    assert f"127.0.0.1:{port}" in text and "--port" in text


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
@pytest.mark.parametrize("key", ["", "sk-1234", "changeme", "tooshort"])
def test_a_wide_bind_needs_a_root_key_of_ones_own(tmp_path: Path, host: str, key: str) -> None:
    text = refused(tmp_path, 1, config=NOWHERE, arguments=("--host", host), environment={"DRAGOMAN_ROOT_KEY": key})
    assert "DRAGOMAN_ROOT_KEY" in text and host in text
    assert not key or key not in text


def test_a_wide_bind_with_one_is_good(tmp_path: Path) -> None:
    with running(tmp_path, config=NOWHERE, arguments=("--host", "0.0.0.0")) as gateway:
        assert gateway.base_url.startswith("http://127.0.0.1:")


def test_a_bad_configuration(tmp_path: Path) -> None:
    bad = "server:\n  prot: 1\n  workers: many\nproviders:\n  a: {protocols: [gemini], api_key: '${NOT_SET_AT_ALL}'}\n"
    text = refused(tmp_path, 3, config=bad)
    for place in (":2:3 server.prot", ":3:12 server.workers", ":5:"):
        assert f"{tmp_path / 'dragoman.yaml'}{place}" in text
    assert "Did you mean port?" in text and "NOT_SET_AT_ALL" in text


def test_a_missing_configuration(tmp_path: Path) -> None:
    assert "nowhere.yaml" in refused(tmp_path, 3, arguments=("--config", "nowhere.yaml"))


def test_a_data_directory_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    text = refused(tmp_path, 1, config=NOWHERE, arguments=("--data", str(tmp_path / "file" / "data")))
    assert str(tmp_path / "file" / "data") in text and "--data" in text


def test_a_database_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "dragoman.db").write_bytes(b"not a database, and long enough to be seen as none " * 40)
    text = refused(tmp_path, 1, config=NOWHERE)
    assert "dragoman.db cannot be brought to this version's shape: file is not a database." in text


def test_the_root_key_is_shown_once_and_kept_as_a_digest(tmp_path: Path) -> None:
    unset = {"DRAGOMAN_ROOT_KEY": ""}
    with running(tmp_path, config=NOWHERE, environment=unset) as first:
        shown = wait_until(lambda: re.search(r"Root key \(shown this once, keep it\): (\S+)", first.text))[1]
        first.key = shown
        assert first.post("/admin/v1/config/reload", b"")[0] == 200
        wait_until(lambda: "curl" in first.text)
        assert f"Bearer {shown}" in first.text
    kept = tmp_path / "root-key.sha256"
    assert kept.stat().st_mode & 0o777 == 0o600
    for file in tmp_path.rglob("*"):
        if file.is_file():
            assert shown.encode() not in file.read_bytes()
    assert shown not in "".join(line for line in first.text.splitlines(keepends=True) if line.startswith("{"))
    with running(tmp_path, config=NOWHERE, environment=unset, key=shown) as second:
        wait_until(lambda: "Try it" in second.text)
        assert second.post("/admin/v1/config/reload", b"")[0] == 200
        assert shown not in second.text and "Root key" not in second.text


def test_a_start_that_does_not_come_to_showing_the_root_key_keeps_none(tmp_path: Path) -> None:
    unset = {"DRAGOMAN_ROOT_KEY": ""}
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused(tmp_path, 1, config=NOWHERE, arguments=("--port", port), environment=unset)
    refused(tmp_path, 1, config=NOWHERE, arguments=("--host", "0.0.0.0"), environment=unset)
    for name in ("cert.pem", "key.pem"):
        (tmp_path / name).write_text("not a certificate")
    broken = "server: {tls: {certificate: cert.pem, private_key: key.pem}}\n" + NOWHERE
    gateway = Gateway(tmp_path, config=broken, environment=unset)
    try:
        assert gateway.process.wait(60) == 1
    finally:
        gateway.close()
    assert "Root key" not in gateway.text
    assert not (tmp_path / "root-key.sha256").exists()


def test_a_removed_digest_makes_another_root_key(tmp_path: Path) -> None:
    shown = []
    for _ in range(2):
        with running(tmp_path, config=NOWHERE, environment={"DRAGOMAN_ROOT_KEY": ""}) as gateway:
            shown.append(wait_until(lambda gateway=gateway: re.search(r"keep it\): (\S+)", gateway.text))[1])
            file = tmp_path / "root-key.sha256"
            wait_until(lambda gateway=gateway, file=file: f"remove {file}" in gateway.text)
        file.unlink()
    assert shown[0] != shown[1]


def test_the_root_key_is_shown_before_the_model_is_fetched(tmp_path: Path) -> None:
    nothing = {
        "DRAGOMAN_ROOT_KEY": "",
        "PIP_INDEX_URL": "http://127.0.0.1:9/",
        "PIP_RETRIES": "0",
        "PIP_CONFIG_FILE": "/dev/null",
    }
    with running(tmp_path, environment=nothing) as gateway:
        wait_until(lambda: "Try it" in gateway.text)
        text = gateway.text
        assert text.index("listens on") < text.index("Root key") < text.index("does not run") < text.index("Try it")
        assert (tmp_path / "root-key.sha256").exists()
        match = re.search(r"keep it\): (\S+)", text)
        assert match is not None
        gateway.key = match[1]
        began = time.monotonic()
        status, headers, told = gateway.post(CHAT, {"model": "any", "messages": [{"role": "user", "content": "Hi"}]})
        assert status == 503, told
        assert (status, int(headers["retry-after"]) <= 10) == (503, True)
        assert b"could not be fetched" in told and b"PIP_INDEX_URL" not in told and str(tmp_path).encode() not in told
        assert time.monotonic() - began < 20


def test_a_host_that_is_none(tmp_path: Path) -> None:
    text = refused(tmp_path, 1, config=NOWHERE, arguments=("--host", "nosuch.invalid"))
    assert "nosuch.invalid" in text and "no such host" in text


def test_a_wide_bind_needs_callers_keys_that_nobody_guesses(tmp_path: Path) -> None:
    config = NOWHERE + "keys: [{name: ci, key: tiny-key}]\n"
    text = refused(tmp_path, 1, config=config, arguments=("--host", "0.0.0.0"))
    assert "'ci'" in text and "16 characters" in text and "tiny-key" not in text


def test_a_given_root_key_is_neither_shown_nor_kept(tmp_path: Path) -> None:
    with running(tmp_path, config=NOWHERE) as gateway:
        wait_until(lambda: "Try it" in gateway.text)
        assert gateway.key not in gateway.text
    assert not (tmp_path / "root-key.sha256").exists()


def test_the_trial_key_is_for_models_and_no_more(demo: Gateway) -> None:
    key = wait_until(lambda: re.search(r"Bearer (dgm_try_\w+)", demo.text))[1]
    bearer = {"authorization": f"Bearer {key}"}
    status, _, body = demo.post("/admin/v1/config/reload", b"", bearer)
    assert status == 403 and b"root key" in body
    asked = {"model": "any", "max_tokens": 2, "messages": [{"role": "user", "content": "Hi"}]}
    assert demo.post(CHAT, asked, bearer)[0] == 200


def test_the_trial_key_ends_with_the_demo(tmp_path: Path, local_model_file: Path) -> None:
    data = with_local_model(tmp_path, local_model_file)
    with running(data) as gateway:
        key = wait_until(lambda: re.search(r"Bearer (dgm_try_\w+)", gateway.text))[1]
        bearer = {"authorization": f"Bearer {key}"}
        assert gateway.get("/v1/models", bearer)[0] == 200
        gateway.config.write_text(NOWHERE)
        assert gateway.post("/admin/v1/config/reload", b"")[0] == 200
        assert gateway.get("/v1/models", bearer)[0] == 401
        # The file that was not there at the start is watched from now on.
        gateway.config.write_text(NOWHERE + "models: {mine: {targets: [{provider: openai, model: gpt-x}]}}\n")
        root = {"authorization": f"Bearer {gateway.key}"}
        wait_until(lambda: gateway.get("/v1/models/mine", root)[0] == 200)


class SecureGateway(Gateway):
    """Served over TLS, and asked so."""

    trusts: ssl.SSLContext

    def connect(self, timeout: float = 30.0) -> http.client.HTTPConnection:
        where = self.base_url.removeprefix("https://").split(":")
        return http.client.HTTPSConnection(where[0], int(where[1]), timeout=timeout, context=self.trusts)


def test_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    issued.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    SecureGateway.trusts = ssl.create_default_context()
    authority.configure_trust(SecureGateway.trusts)
    config = "server: {tls: {certificate: cert.pem, private_key: key.pem}}\n" + NOWHERE
    gateway = SecureGateway(tmp_path, config=config)
    try:
        gateway.wait_ready()
        assert gateway.base_url.startswith("https://")
        assert gateway.get("/v1/models", {"authorization": f"Bearer {gateway.key}"})[0] == 200
        wait_until(lambda: "curl -k" in gateway.text)
        plain = http.client.HTTPConnection("127.0.0.1", int(gateway.base_url.rpartition(":")[2]), timeout=10)
        plain.request("GET", "/livez")
        with pytest.raises((http.client.HTTPException, OSError)):
            plain.getresponse()
        plain.close()
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        authority.configure_trust(old)
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            old.maximum_version = ssl.TLSVersion.TLSv1_1
        with (
            socket.create_connection(("127.0.0.1", plain.port)) as bare,
            pytest.raises((ssl.SSLError, OSError)),
            old.wrap_socket(bare, server_hostname="127.0.0.1"),
        ):
            pass
        assert gateway.get("/livez")[0] == 200
    finally:
        gateway.close()


def test_stopping_while_starting(tmp_path: Path) -> None:
    """A stop is heard at every moment of a start."""
    for at, cue in enumerate(("", "listens")):
        gateway = Gateway(tmp_path / str(at), config=NOWHERE)
        try:
            if cue:
                wait_until(lambda gateway=gateway, cue=cue: cue in gateway.text)
            else:
                wait_until(
                    lambda gateway=gateway: len(of_session(gateway.process.pid)) > 1, "a worker is being started"
                )
            gateway.signal(signal.SIGTERM)
            assert gateway.process.wait(10) == 0
        finally:
            gateway.close()
        assert "Traceback" not in gateway.text
        wait_until(lambda gateway=gateway: not of_session(gateway.process.pid), "all have ended")


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with running(tmp_path / "data", config=NOWHERE, environment={"TMPDIR": str(scratch)}) as gateway:
        assert os.listdir(scratch)
        assert gateway.stop() == 0
    assert os.listdir(scratch) == []
    assert sorted(os.listdir(tmp_path / "data")) == ["dragoman.db", "dragoman.db.lock", "dragoman.yaml", "journal"]
    assert os.listdir(tmp_path / "data" / "journal") == []
    shutil.rmtree(scratch)
