"""`dragoman init`: what it asks, what it writes, and that what it writes is good."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dragoman.cli.init import command
from dragoman.config import load
from dragoman.config.presets import PRESETS

FILE = Path("dragoman.yaml")
EVERY = {preset.variables[0]: "k" for preset in PRESETS}


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for preset in PRESETS:
        for name in preset.variables:
            monkeypatch.delenv(name, raising=False)


def run(*arguments: str, typed: str | None = None, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(command, arguments, input=typed, env=env)


def test_nothing_set_gives_the_demo_file() -> None:
    result = run("--yes")
    assert (result.exit_code, result.stdout) == (0, "dragoman.yaml\n")
    assert result.stderr == "Wrote dragoman.yaml.\nNext:  dragoman serve\n"
    loaded = load(FILE, {})
    assert list(loaded.settings.providers) == ["local"]
    assert loaded.settings.server.port == 8000
    assert loaded.warnings == []


def test_variables_that_are_set_are_taken() -> None:
    env = {"GOOGLE_API_KEY": "sk-1", "ARK_API_KEY": "sk-2"}
    assert run("--yes", env=env).exit_code == 0
    loaded = load(FILE, env)
    assert list(loaded.settings.providers) == ["google", "ark", "local"]
    assert "${GOOGLE_API_KEY}" in FILE.read_text()
    assert "sk-" not in FILE.read_text()
    assert loaded.warnings == []


def test_every_answer_is_a_flag() -> None:
    result = run(
        "--provider", "openai", "--key", "anthropic=${MY_KEY}", "--port", "9000", "--host", "::1",
        "--config", "etc/d.yaml", "--yes",
    )  # fmt: skip
    assert result.exit_code == 0
    assert result.stderr == (
        "Wrote etc/d.yaml.\n"
        "Before you start, set OPENAI_API_KEY:  export OPENAI_API_KEY=...\n"
        "Before you start, set MY_KEY:  export MY_KEY=...\n"
        "Next:  dragoman serve --config etc/d.yaml\n"
    )
    settings = load(Path("etc/d.yaml"), {"OPENAI_API_KEY": "a", "MY_KEY": "b"}).settings
    assert list(settings.providers) == ["openai", "anthropic", "local"]
    assert (settings.server.host, settings.server.port) == ("::1", 9000)


def test_every_provider_in_the_file_is_good_once_uncommented() -> None:
    run("--yes")
    text = FILE.read_text().replace("  # ", "  ").replace("\n# ", "\n")
    head, body = text.split("\nserver:", 1)
    body = body.replace("Vendors with", "# Vendors with").replace("Names of your", "# Names of your")
    body = body.replace("Callers' keys", "# Callers' keys")
    body = "\n".join(line.split("       data-plane")[0].split("      SQLite")[0] for line in body.splitlines())
    body = body.replace("  the built-in model, no key needed", "").replace("  when all of priority 1 fail", "")
    FILE.write_text("server:" + body)
    loaded = load(FILE, {**EVERY, "CI_KEY": "k" * 16})
    assert list(loaded.settings.providers) == ["google", "openai", "anthropic", "ark", "local"]
    assert loaded.settings.models["fast"].aliases == ("quick",)
    assert loaded.settings.keys[0].name == "ci"
    assert loaded.warnings == []
    assert head.startswith("# Dragoman")


def test_questions() -> None:
    result = run(typed='y\nn\n\n\nsk-raw-${x}"1\n9100\n')
    assert result.exit_code == 0, result.output
    assert result.stdout == "dragoman.yaml\n"
    assert "sk-raw" not in result.output
    assert "only you may read it" in result.stderr
    settings = load(FILE, {}).settings
    key = settings.providers["google"].api_key
    assert key is not None
    assert key.get_secret_value() == 'sk-raw-${x}"1'
    assert settings.server.port == 9100
    assert stat.S_IMODE(FILE.stat().st_mode) == 0o600


def test_enter_keeps_the_reference() -> None:
    result = run(typed="\n\n\n\n\n\n", env={"OPENAI_API_KEY": "sk-1"})
    assert result.exit_code == 0, result.output
    assert "OpenAI (OPENAI_API_KEY is set) [Y/n]" in result.stderr
    assert list(load(FILE, {"OPENAI_API_KEY": "sk-1"}).settings.providers) == ["openai", "local"]


def test_a_file_is_not_replaced() -> None:
    FILE.write_text("mine")
    result = run("--yes")
    assert result.exit_code == 1
    assert "already there" in result.stderr
    assert FILE.read_text() == "mine"
    assert run("--yes", "--force").exit_code == 0
    assert load(FILE, {}).demo is False
    assert [path.name for path in Path().iterdir()] == ["dragoman.yaml"]


def test_a_broken_link_is_not_followed() -> None:
    FILE.symlink_to("elsewhere")
    assert run("--yes").exit_code == 1
    assert not Path("elsewhere").exists()


@pytest.mark.parametrize("key", ["sk-secret", "nobody=sk-secret", "openai="])
def test_a_key_without_a_provider(key: str) -> None:
    result = run("--yes", "--key", key)
    assert result.exit_code == 2
    assert "sk-secret" not in result.output


@pytest.mark.parametrize("port", ["70000", "-1", "x"])
def test_a_port_that_is_none(port: str) -> None:
    assert run("--yes", "--port", port).exit_code == 2


def test_a_host_that_is_none() -> None:
    result = run("--yes", "--host", "a b")
    assert result.exit_code == 2
    assert "server.host is not a host" in result.stderr
    assert not FILE.exists()


def test_json() -> None:
    answer = json.loads(run("--yes", "--json", "--provider", "google").stdout)
    assert answer == {
        "path": "dragoman.yaml",
        "providers": ["google", "local"],
        "unset": ["GEMINI_API_KEY"],
        "next": "dragoman serve",
    }


def test_questions_without_an_answer() -> None:
    result = run(typed="")
    assert result.exit_code == 1
    assert not FILE.exists()
