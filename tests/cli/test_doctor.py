"""`dragoman doctor`: each check, well and ill."""

from __future__ import annotations

import json
import resource
import socket
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import Run, data_of
from dragoman.admin.probe import Probe
from dragoman.cli import checks
from dragoman.config import load
from e2e.fixtures import Vendors
from e2e.gateway import Gateway
from e2e.vendor import Exchange, reply


def of(found: Any, check: str) -> tuple[str, str, str]:
    """Status, message and mend of the one finding of that name."""
    (finding,) = (finding for finding in found["checks"] if finding["check"] == check)
    return finding["status"], finding["message"], finding["mend"]


def examine(run: Run, *words: str, **options: Any) -> Any:
    result = run("doctor", "--json", *words, **options)
    found = data_of(result)
    assert result.exit_code == (0 if found["ok"] else 1)
    assert found["ok"] is not any(finding["status"] == "fail" for finding in found["checks"])
    return found


def settings_of(text: str) -> Any:
    Path("dragoman.yaml").write_text(text)
    return load(None, {}).settings


def test_all_is_well(configured: Path, run: Run) -> None:
    with configured.open("a") as file:
        file.write("server: {port: 0}\n")
    found = examine(run)
    assert found["ok"] is True
    assert {finding["check"] for finding in found["checks"]} == {
        "python", "configuration", "data", "database", "port", "root key", "engine", "model file",
        "key of google", "key of openai",
        "reach google", "reach openai", "clock", "open files",
    }  # fmt: skip
    assert of(found, "reach openai")[1].endswith("lists 2 models")
    assert not (configured.parent / "data").exists(), "looking changes nothing"


def test_for_the_eye(configured: Path, shop: Vendors, run: Run) -> None:
    shop.openai.usual = reply({"error": {"message": "Incorrect API key provided."}}, 401)
    result = run("doctor")
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    at = lines.index("fail  reach openai   status 401: Incorrect API key provided.")
    assert lines[at + 1].startswith("      Change the key: providers.openai.api_key [dragoman.yaml:3:")
    assert result.stderr.endswith("1 failed, 0 to look at.\n")
    assert "\x1b" not in result.output


def test_offline_asks_nobody(configured: Path, shop: Vendors, run: Run) -> None:
    found = examine(run, "--offline")
    assert not any(finding["check"].startswith("reach") for finding in found["checks"])
    assert not shop.google.asked


def test_a_bad_configuration_tells_every_problem(shell: Path, run: Run) -> None:
    (shell / "dragoman.yaml").write_text("server: {port: 99999}\nbogus: 1\n")
    found = examine(run)
    told = [finding["message"] for finding in found["checks"] if finding["check"] == "configuration"]
    assert [message.partition(": ")[0] for message in told] == [
        "dragoman.yaml:1:16 server.port",
        "dragoman.yaml:2:1 bogus",
    ]


def test_the_data_directory(shell: Path, run: Run) -> None:
    (shell / "file").write_text("")
    for bad in ("file", "file/deeper"):
        status, message, _ = of(examine(run, "--offline", "--data", bad), "data")
        assert (status, message.endswith("file is no directory")) == ("fail", True)
    assert of(examine(run, "--offline", "--data", "new/one"), "data")[0] == "ok"
    assert not (shell / "new").exists()


@pytest.mark.parametrize(("free", "status"), [(10 << 20, "fail"), (500 << 20, "warn"), (5 << 30, "ok")])
def test_free_space(shell: Path, monkeypatch: pytest.MonkeyPatch, free: int, status: str) -> None:
    usage = checks.shutil.disk_usage(shell)._replace(free=free)
    monkeypatch.setattr(checks.shutil, "disk_usage", lambda _: usage)
    assert checks.data_directory(load(None, {}).settings).status == status


def test_a_port_that_another_program_has(shell: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        taken.close()
    with socket.create_server(("127.0.0.1", number)) as taken:
        found = checks.port(settings_of(f"server: {{port: {number}}}"))
    assert found.status == "fail"
    assert f"--port {number + 1}" in found.mend


def test_a_port_where_a_gateway_answers(shell: Path, relay: Gateway) -> None:
    number = int(relay.base_url.rpartition(":")[2])
    found = checks.port(settings_of(f"server: {{port: {number}}}"))
    assert (found.status, found.message) == ("ok", f"a gateway answers on 127.0.0.1:{number}")


def test_the_root_key(shell: Path) -> None:
    near, wide = settings_of("{}"), settings_of("server: {host: 0.0.0.0}")
    good = {"DRAGOMAN_ROOT_KEY": "d" * 32}
    assert checks.root_key(near, {}).status == "ok"
    assert checks.root_key(near, good).status == "ok"
    assert checks.root_key(near, {"DRAGOMAN_ROOT_KEY": "sk-1234"}).status == "warn"
    assert checks.root_key(wide, good).status == "ok"
    for bad in ({}, {"DRAGOMAN_ROOT_KEY": "sk-1234"}):
        found = checks.root_key(wide, bad)
        assert found.status == "fail"
        assert "openssl rand -hex 32" in found.mend
        assert "sk-1234" not in found.message
    guessable = settings_of("{server: {host: 0.0.0.0}, keys: [{name: ci, key: tiny-key}]}")
    found = checks.root_key(guessable, good)
    assert found.status == "fail" and "'ci'" in found.message and "tiny-key" not in found.message
    near.data.mkdir(exist_ok=True)
    (near.data / "root-key.sha256").write_text("0" * 64)
    assert (
        f"Remove {near.data / 'root-key.sha256'}: the next start makes a new one" in checks.root_key(near, {}).message
    )


def test_the_database(shell: Path, run: Run, postgres_url: str) -> None:
    local = settings_of("{}")
    assert checks.database(local).message.endswith("dragoman.db, made at the first start")
    server = settings_of(f"database: {postgres_url}")
    assert "next start" in checks.database(server).message
    run("db", "migrate")
    assert checks.database(server).message.endswith(", up to date")
    assert "pg-secret" not in checks.database(server).message
    gone = checks.database(settings_of("database: postgresql://u:p@127.0.0.1:9/none"))
    assert gone.status == "fail" and "Connection refused" in gone.message and "Check the address" in gone.mend
    local.data.mkdir(exist_ok=True)
    (local.data / "dragoman.db").write_bytes(b"something else, and quite long enough " * 40)
    assert checks.database(local).status == "fail"


@pytest.mark.parametrize("data", ["/proc", "/proc/x", "/sys/x/y"])
def test_a_data_directory_of_the_kernels(shell: Path, data: str) -> None:
    found = checks.data_directory(settings_of("{}").model_copy(update={"data": Path(data)}))
    assert found.status == "fail" and "kernel" in found.message and "--data" in found.mend


def test_the_engine(shell: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_of("{}")
    assert checks.engine(settings).status == "ok"
    (tmp_path / "xllamacpp.py").write_text("raise ImportError('libgomp.so.1 is missing')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    found = checks.engine(settings)
    assert found.status == "fail"
    assert "libgomp.so.1 is missing" in found.message
    assert "dragoman[local]" in found.mend
    (tmp_path / "xllamacpp.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGILL)")
    assert "signal 4" in checks.engine(settings).message


def test_the_model_file(shell: Path, local_data: Path) -> None:
    settings = settings_of("{}")
    assert checks.model_file(settings).status == "warn"
    assert checks.model_file(settings.model_copy(update={"data": local_data})).status == "ok"
    path = shell / "data" / "models" / "smollm2-135m.gguf"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"GGUF, but not the one")
    found = checks.model_file(settings)
    assert found.status == "fail"
    assert "dragoman models pull" in found.mend


def test_providers_keys(shell: Path) -> None:
    def provider(**more: Any) -> dict[str, Any]:
        return {"protocols": ["openai-chat"], "base_url": "https://vendor.example/v1", **more}

    providers = {
        "none": provider(),
        "near": provider(base_url="http://127.0.0.1:11434/v1"),
        "headed": provider(headers={"x-key": "abc"}),
        "placeholder": provider(api_key="changeme"),
        "one": provider(api_key="k" * 20),
        "two": provider(api_keys=["k" * 20, "l" * 20]),
        "local": {"protocols": ["local"]},
    }
    Path("dragoman.yaml").write_text(json.dumps({"providers": providers}))
    found = {finding.check: (finding.status, finding.message) for finding in checks.provider_keys(load(None, {}))}
    assert found == {
        "key of none": ("warn", "none"),
        "key of near": ("ok", "none, and its address is this machine"),
        "key of headed": ("ok", "none; signed in to by headers"),
        "key of placeholder": ("warn", "looks like a placeholder"),
        "key of one": ("ok", "present"),
        "key of two": ("ok", "2 present"),
    }


def test_a_provider_that_is_away(configured: Path, shop: Vendors, run: Run) -> None:
    shop.google.usual = Exchange.reset
    status, message, mend = of(examine(run), "reach google")
    assert status == "fail"
    assert "broke off" in message
    assert mend


def test_the_clock() -> None:
    told = "Sun, 22 Nov 2026 20:00:00 GMT"
    then = 1_795_377_600.0
    probes = [Probe("a", date=told), Probe("b", date="garbage"), Probe("c")]
    assert checks.clock(probes, then + 3).status == "ok"
    late, early = checks.clock(probes, then - 900), checks.clock(probes, then + 4000)
    assert (late.status, late.message) == ("fail", "900 s behind the vendors' clocks")
    assert (early.status, early.message) == ("fail", "4000 s ahead of the vendors' clocks")
    assert checks.clock([], then).status == "ok"
    assert checks.clock([], 86400.0).status == "fail"


@pytest.mark.parametrize(
    ("soft", "status"), [(resource.RLIM_INFINITY, "ok"), (65536, "ok"), (1024, "warn"), (128, "fail")]
)
def test_open_files(monkeypatch: pytest.MonkeyPatch, soft: int, status: str) -> None:
    monkeypatch.setattr(checks.resource, "getrlimit", lambda _: (soft, 524288))
    found = checks.open_files()
    assert found.status == status
    assert ("ulimit -n 65536" in found.mend) is (status != "ok")
