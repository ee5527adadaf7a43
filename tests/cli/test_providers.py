"""`dragoman providers`: what is listed, and that a test tells the truth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import Run, data_of
from e2e import canned
from e2e.fixtures import Vendors
from e2e.vendor import Answer, Exchange, reply


def test_list_shows_no_key(configured: Path, run: Run) -> None:
    result = run("providers", "list", "--json")
    assert "vendor-secret" not in result.output
    found = data_of(result)["providers"]
    assert [(row["name"], row["protocols"], row["keys"], row["models"]) for row in found] == [
        ("google", ["gemini"], 1, ["gemini-*"]),
        ("openai", ["openai-chat"], 1, ["gpt-*", "doubao-*"]),
    ]
    result = run("providers", "list")
    assert result.stdout.splitlines()[0].split() == ["NAME", "PROTOCOLS", "BASE_URL", "KEYS", "MODELS"]
    assert "vendor-secret" not in result.output


def test_list_without_any_key(shell: Path, run: Run) -> None:
    result = run("providers", "list")
    assert result.stdout.splitlines()[1] == "local  local      (built in)  0     smollm2-135m"
    assert "GEMINI_API_KEY" in result.stderr


def test_all_is_well(configured: Path, shop: Vendors, run: Run) -> None:
    found = data_of(run("providers", "test", "--json"))
    assert found["ok"] is True
    assert [(row["provider"], row["status"], row["models"]) for row in found["providers"]] == [
        ("google", 200, ["gemini-2.5-flash", "gemini-3-pro-preview"]),
        ("openai", 200, ["gpt-4o", "gpt-5.4"]),
    ]
    assert all(row["latency_ms"] > 0 for row in found["providers"])
    assert shop.google.asked[0].header("x-goog-api-key") == "vendor-secret-of-google"
    assert shop.openai.asked[0].header("authorization") == "Bearer vendor-secret-of-openai"


def test_only_those_named_are_asked(configured: Path, shop: Vendors, run: Run) -> None:
    result = run("providers", "test", "openai")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines()[1].split()[:3] == ["openai", "ok", "200"]
    assert not shop.google.asked


def test_an_unknown_name(configured: Path, run: Run) -> None:
    result = run("providers", "test", "bing")
    assert (result.exit_code, result.stderr) == (1, "Error: There is no provider 'bing'.\nThere is: google, openai.\n")


REFUSED = {"error": {"message": "Incorrect API key provided: vendor-secret-of-openai.", "type": "x", "code": "y"}}
GOOGLE_REFUSED = {
    "error": {
        "code": 400,
        "message": "API key not valid. Please pass a valid API key.",
        "status": "INVALID_ARGUMENT",
        "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}],
    }
}


@pytest.mark.parametrize(
    ("name", "answer", "status", "error", "mend"),
    [
        ("openai", reply(REFUSED, 401), 401, "Incorrect API key provided: [redacted]", "providers.openai.api_key ["),
        ("google", reply(GOOGLE_REFUSED, 400), 400, "API key not valid.", "Change the key: providers.google.api_key ["),
        ("openai", reply("<html>", 404, content_type="text/html"), 404, "", "providers.openai.base_url ["),
        ("openai", reply("<html>", 200, content_type="text/html"), 200, "no list of models", "base_url ["),
        ("openai", reply({"error": {"message": "Slow down."}}, 429), 429, "Slow down.", "limit"),
        ("openai", reply({"error": {"message": "Ouch."}}, 503), 503, "Ouch.", "The fault is the provider's"),
        ("openai", Exchange.reset, None, "broke off", "Try again"),
    ],
)
def test_what_fails_is_told(
    configured: Path, shop: Vendors, run: Run, name: str, answer: Answer, status: int | None, error: str, mend: str
) -> None:
    getattr(shop, name).usual = answer
    result = run("providers", "test", name, "--json")
    assert result.exit_code == 1
    assert "vendor-secret" not in result.output
    found: dict[str, Any] = data_of(result)["providers"][0]
    assert (found["ok"], found["status"]) == (False, status)
    assert error in found["error"]
    assert mend in found["mend"]
    seen = run("providers", "test", name)
    assert seen.exit_code == 1
    assert "failed" in seen.stdout
    assert mend in seen.stderr


def test_every_key_is_tried(configured: Path, shop: Vendors, run: Run) -> None:
    text = configured.read_text().replace(
        '"api_key": "vendor-secret-of-openai"', '"api_keys": ["vendor-secret-of-openai", "vendor-secret-gone"]'
    )
    configured.write_text(text)

    def usual(exchange: Exchange) -> None:
        good = exchange.seen.header("authorization") == "Bearer vendor-secret-of-openai"
        (canned.openai if good else reply(REFUSED, 401))(exchange)

    shop.openai.usual = usual
    found = data_of(run("providers", "test", "openai", "--json"))["providers"][0]
    assert found["status"] == 401
    assert "providers.openai.api_keys[1] [dragoman.yaml:3:" in found["mend"]


@pytest.mark.parametrize(
    ("base_url", "error"),
    [
        ("http://127.0.0.1:9/v1", "nothing listens at 127.0.0.1:9"),
        ("http://nowhere.invalid/v1", "the name nowhere.invalid does not resolve"),
    ],
)
def test_nobody_there(shell: Path, run: Run, base_url: str, error: str) -> None:
    provider = {"protocols": ["openai-chat"], "base_url": base_url, "api_key": "k" * 12}
    (shell / "dragoman.yaml").write_text(json.dumps({"providers": {"mine": provider}}))
    found = data_of(run("providers", "test", "--json"))
    assert (found["ok"], found["providers"][0]["error"]) == (False, error)
    assert "providers.mine.base_url [dragoman.yaml:1:" in found["providers"][0]["mend"]


def test_the_built_in_model_says_a_token(shell: Path, local_data: Path, run: Run) -> None:
    found = data_of(run("providers", "test", "local", "--json", "--data", str(local_data)))["providers"][0]
    assert (found["ok"], found["status"], found["models"]) == (True, 200, ["smollm2-135m"])
