"""`dragoman keys`, on the database of the configuration, with and without a gateway on it."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import Run, data_of
from e2e import canned
from e2e.gateway import provider, running, wait_until
from e2e.vendor import serving

FILED = """
keys:
  - {name: filed, key: dgm_key_in_the_file_of_the_tests, models: ["gpt-*"], budget: {usd: "5"}, expires_at: 2020-01-01}
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def placed(request: pytest.FixtureRequest, shell: Path) -> Path:
    """A directory with a configuration that names a database, in a file and on a server."""
    database = request.param if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    (shell / "dragoman.yaml").write_text(f"database: {database}\n{FILED}")
    return shell


def test_a_key_from_its_making_to_its_end(placed: Path, run: Run) -> None:
    made = run("keys", "create", "ci")
    assert made.exit_code == 0
    assert re.fullmatch(r"dgm_[0-9a-f]{48}\n", made.stdout)
    assert "shown this once" in made.stderr
    row = data_of(run("keys", "show", "ci", "--json"))
    assert (row["name"], row["status"], row["models"], row["budget"]) == ("ci", "active", ["*"], None)
    assert made.stdout.strip().endswith(row["ending"])
    again = data_of(run("keys", "rotate", "ci", "--grace", "1h", "--json"))
    assert again["id"] == row["id"] and again["key"].startswith("dgm_") and again["previous_valid_until"]
    ended = data_of(run("keys", "revoke", row["id"], "--json"))
    assert (ended["id"], ended["status"]) == (row["id"], "revoked")
    assert data_of(run("keys", "list", "--active", "--json"))["keys"][1:] == []
    for words in (("rotate", "ci"), ("rotate", row["id"])):
        result = run("keys", *words)
        assert result.exit_code == 1 and "is revoked, and stays so" in result.stderr


def test_all_that_may_be_said_of_one(placed: Path, run: Run) -> None:
    made = data_of(
        run(
            *("keys", "create", "--name", "team", "--models", "gemini-*, fast", "--models", "gpt-*"),
            *("--requests-per-minute", "60", "--tokens-per-minute", "1000", "--concurrent-requests", "2"),
            *("--budget", "10.5", "--window", "day", "--expires", "30d"),
            *("--metadata", "team=search", "--metadata", "cost=a=b", "--json"),
        )
    )
    row = data_of(run("keys", "show", "team", "--json"))
    assert {name: value for name, value in made.items() if name != "key"} == row
    assert row["models"] == ["gemini-*", "fast", "gpt-*"]
    assert row["limits"] == {"requests_per_minute": 60, "tokens_per_minute": 1000, "concurrent_requests": 2}
    assert row["budget"] == {"usd": "10.50", "window": "day"}
    assert row["metadata"] == {"team": "search", "cost": "a=b"}
    expires = time.mktime(time.strptime(row["expires_at"], "%Y-%m-%dT%H:%M:%SZ")) - time.timezone
    assert abs(expires - time.time() - 30 * 86400) < 600
    text = run("keys", "show", "team").stdout
    assert "60 requests/min, 1000 tokens/min, 2 at once" in text and "10.50 USD a day" in text


def test_the_files_keys_are_listed_and_left_alone(placed: Path, run: Run) -> None:
    data_of(run("keys", "create", "new", "--json"))
    rows = data_of(run("keys", "list", "--json"))["keys"]
    assert [(row["id"].partition("_")[0], row["source"], row["status"]) for row in rows] == [
        ("file:filed", "file", "expired"),
        ("key", "database", "active"),
    ]
    assert rows[0].keys() == rows[1].keys()
    assert data_of(run("keys", "show", "file:filed", "--json")) == rows[0]
    for verb in ("rotate", "revoke"):
        result = run("keys", verb, "filed")
        assert result.exit_code == 1 and "Change it there: " in result.stderr
    assert run("keys", "list").stdout.splitlines()[1].split()[:3] == ["file:filed", "filed", "(in"]


def test_a_long_list_says_how_it_goes_on(shell: Path, run: Run) -> None:
    for name in "abc":
        run("keys", "create", name)
    first = run("keys", "list", "--limit", "2")
    cursor = re.search(r"--cursor (key_[0-9a-f]{24})$", first.stderr.strip())
    assert cursor is not None
    rest = data_of(run("keys", "list", "--limit", "2", "--cursor", cursor[1], "--json"))
    assert [row["name"] for row in rest["keys"]] == ["a"] and rest["next_cursor"] is None


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (("create",), 2, "Say whose key it is"),
        (("create", "a", "--name", "b"), 2, "Two names are given"),
        (("create", "root"), 2, "name: is what one of the gateway's own keys is called"),
        (("create", "a", "--budget", "ten"), 2, "budget.usd: is not an amount of money"),
        (("create", "a", "--window", "day"), 2, "give --budget too"),
        (("create", "a", "--expires", "2020-01-01"), 2, "expires_at: is in the past"),
        (("create", "a", "--expires", "soon"), 2, "expires_at: is not a date and time"),
        (("create", "a", "--expires", "5x"), 2, "--expires '5x' is not a time"),
        (("create", "a", "--metadata", "team"), 2, "is not of the form NAME=VALUE"),
        (("create", "a", "--requests-per-minute", "0"), 2, "--requests-per-minute"),
        (("list", "--cursor", "x"), 2, "cursor: is none that a list gave"),
        (("rotate", "a", "--grace", "long"), 2, "--grace 'long' is not a time"),
        (("show", "nobody"), 1, "There is no key 'nobody'"),
        (("revoke", "key_" + "0" * 24), 1, "There is no key 'key_0"),
    ],
)
def test_what_cannot_be_done(shell: Path, run: Run, words: tuple[str, ...], status: int, message: str) -> None:
    result = run("keys", *words)
    assert (result.exit_code, result.stdout) == (status, "")
    assert message in result.stderr


def test_a_server_that_is_not_there(shell: Path, run: Run) -> None:
    (shell / "dragoman.yaml").write_text("database: postgresql://u:a-password@127.0.0.1:9/none\n")
    result = run("keys", "list")
    assert result.exit_code == 1
    assert "postgresql://127.0.0.1:9/none cannot be used: Connection refused. Check the address" in result.stderr
    assert "a-password" not in result.stderr


def test_a_gateway_that_runs_knows_it_at_once(placed: Path, run: Run) -> None:
    with serving(canned.openai) as vendor:
        config = (placed / "dragoman.yaml").read_text() + "providers:\n"
        config += provider("openai", "openai-chat", f"{vendor.base_url}/v1", "gpt-*")
        with running(placed / "data", config=config) as gateway:
            given = ("--config", str(gateway.config), "--data", str(placed / "data"))
            secret = run("keys", "create", "ci", *given).stdout.strip()

            def answer() -> Any:
                asked = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}]}
                return gateway.post("/v1/chat/completions", asked, {"authorization": f"Bearer {secret}"})[0]

            wait_until(lambda: answer() == 200)
            assert run("keys", "revoke", "ci", *given).exit_code == 0
            wait_until(lambda: answer() == 401)
