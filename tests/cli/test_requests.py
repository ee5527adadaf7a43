"""`dragoman requests` and `dragoman usage`, on the database of the configuration, with and without a gateway on it."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import Run, Start, data_of
from dragoman.catalog.price import price_detail, price_of_rates
from dragoman.ledger import Entry, Journal, journal_of
from dragoman.ledger.entry import encode
from dragoman.observe.ids import id_from
from e2e import canned
from e2e.gateway import provider, running
from e2e.vendor import serving
from ledger.samples import entry

Enter = Callable[..., list[str]]

PRICE = price_of_rates({"input": Decimal("0.3"), "output": Decimal("2.5")}, source="a test", beside=("web searches",))


@pytest.fixture(params=["sqlite", "postgresql"])
def placed(request: pytest.FixtureRequest, shell: Path) -> Path:
    """A directory with a configuration that names a database, in a file and on a server."""
    database = request.param if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    key = "{name: filed, key: dgm_key_in_the_file_of_the_tests}"
    (shell / "dragoman.yaml").write_text(f"database: {database}\nkeys:\n  - {key}\n")
    return shell


@pytest.fixture
def enter(placed: Path) -> Iterator[Enter]:
    """Puts requests of one second after the other into the journal of a worker that lives; their ids."""
    journal = Journal(journal_of(placed / "data"), limit=2**20, segment_bytes=2**16)
    journal.append(encode(["p", price_detail(PRICE).decode()]))
    count = 0

    def entering(*changes: dict[str, Any]) -> list[str]:
        nonlocal count
        ids = []
        for changed in changes:
            at = 1_000_000_000 + count
            count += 1
            fields: dict[str, Any] = {
                "request_id": id_from(at) + "0" * 16,
                "started_at": at * 1_000_000,
                "cost_nanos": 15_500,
                "cached_input_tokens": 0,
                "price": "p",
            }
            one: Entry = entry(**(fields | changed))
            journal.append(encode(one))
            ids.append(one.request_id)
        return ids

    yield entering
    journal.close()


def test_nothing_yet(placed: Path, run: Run) -> None:
    assert data_of(run("requests", "list", "--json")) == {"requests": [], "next_cursor": None}
    told = data_of(run("usage", "--json"))
    assert (told["usage"], told["total"]["requests"], told["total"]["cost_usd"]) == ([], 0, "0.000000")
    missing = run("requests", "show", "req_01m83523878ynhm6w7gfk7f6k1")
    assert missing.exit_code == 1 and "There is no request" in missing.stderr and missing.stdout == ""


def test_what_a_living_worker_has_in_its_journal(placed: Path, run: Run, enter: Enter) -> None:
    ids = enter({}, {"status": 404, "error": "model_not_found"}, {"key_id": "file:filed"})
    found = data_of(run("requests", "list", "--json"))
    assert [one["request_id"] for one in found["requests"]] == ids[::-1]
    for words, expected in (
        (("--status", "4xx"), [1]),
        (("--status", "404"), [1]),
        (("--key", "filed"), [2]),
        (("--key", "file:filed"), [2]),
        (("--since", "2001-09-09T01:46:41Z", "--until", "1000000002"), [1]),
        (("--since", "1h"), []),
        (("--model", "fast"), [0, 1, 2]),
        (("--provider", "nobody"), []),
    ):
        some = data_of(run("requests", "list", *words, "--json"))["requests"]
        assert [one["request_id"] for one in some] == [ids[number] for number in reversed(expected)], words


def test_pages(placed: Path, run: Run, enter: Enter) -> None:
    ids = enter(*[{}] * 5)
    table = run("requests", "list", "--limit", "2")
    assert table.stdout.splitlines()[0].split()[:3] == ["REQUEST", "STARTED", "STATUS"]
    cursor = re.search(r"--cursor (req_\w+)", table.stderr)
    assert cursor is not None and cursor[1] == ids[3]
    rest = data_of(run("requests", "list", "--cursor", cursor[1], "--json"))
    assert [one["request_id"] for one in rest["requests"]] == ids[2::-1] and rest["next_cursor"] is None


def test_the_arithmetic_line_by_line(placed: Path, run: Run, enter: Enter) -> None:
    (id,) = enter({"input_tokens": 1234, "output_tokens": 99, "cost_nanos": 617_700, "losses": '["tools"]'})
    shown = run("requests", "show", id)
    rows = {tuple(line.split()) for line in shown.stdout.splitlines()}
    assert {("input", "1,234", "0.3", "0.0003702"), ("output", "99", "2.5", "0.0002475")} <= rows
    assert {("cost", "0.0006177", "USD"), ("losses", "tools"), ("request_id", id)} <= rows
    assert "a test" in shown.stdout and "web searches" in shown.stderr
    found = data_of(run("requests", "show", id, "--json"))
    assert sum(Decimal(line["usd"]) for line in found["arithmetic"]) == Decimal(found["cost_usd"])


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"price": None, "cost_nanos": None}, "The price was not known"),
        ({"price": None, "cost_nanos": 0, "input_tokens": None, "output_tokens": None}, "Nothing was used"),
        ({"estimated": 1}, "by our own estimate"),
    ],
)
def test_a_cost_in_words(placed: Path, run: Run, enter: Enter, changed: dict[str, Any], words: str) -> None:
    (id,) = enter(changed)
    assert words in run("requests", "show", id).stdout


def test_usage(placed: Path, run: Run, enter: Enter) -> None:
    made = data_of(run("keys", "create", "ci", "--json"))["id"]
    enter({"key_id": made}, {"key_id": "file:filed", "cost_nanos": None, "model": "slow"}, {"key_id": made})
    by_key = data_of(run("usage", "--by", "key", "--json"))
    assert [(row["key"], row["key_name"], row["requests"], row["cost_usd"]) for row in by_key["usage"]] == [
        (made, "ci", 2, "0.000031"),
        ("file:filed", "filed", 1, None),
    ]
    assert (by_key["total"]["cost_usd"], by_key["total"]["unpriced"]) == ("0.000031", 1)
    table = run("usage", "--by", "model")
    assert re.search(r"^slow +1 .*unknown$", table.stdout, re.M) and re.search(
        r"^total +3 .*0\.000031\+\?$", table.stdout, re.M
    )
    assert "The price of 1 request was not known" in table.stderr
    assert [row["day"] for row in data_of(run("usage", "--json"))["usage"]] == ["2001-09-09"]
    assert data_of(run("usage", "--since", "2001-09-10", "--json"))["usage"] == []
    assert data_of(run("usage", "--until", "2001-09-10", "--key", "ci", "--json"))["total"]["requests"] == 2


@pytest.mark.parametrize(
    "words",
    [
        ("requests", "list", "--status", "many"),
        ("requests", "list", "--since", "yesterday"),
        ("requests", "list", "--cursor", "1"),
        ("requests", "list", "--limit", "0"),
        ("requests", "tail", "--lines", "-1"),
        ("usage", "--by", "hour"),
        ("usage", "--since", "24h"),
    ],
)
def test_a_command_line_that_is_wrong(shell: Path, run: Run, words: tuple[str, ...]) -> None:
    result = run(*words)
    assert result.exit_code == 2 and result.stdout == ""


def test_a_key_that_there_is_not(placed: Path, run: Run) -> None:
    for words in (("requests", "list"), ("usage",)):
        result = run(*words, "--key", "nobody")
        assert result.exit_code == 1 and "There is no key 'nobody'" in result.stderr


def test_a_configuration_that_is_wrong(shell: Path, run: Run) -> None:
    (shell / "dragoman.yaml").write_text("serve: 1\n")
    for words in (("requests", "list"), ("usage",), ("requests", "show", "req_1")):
        assert run(*words).exit_code == 3


def test_a_directory_that_cannot_be_used(shell: Path, run: Run) -> None:
    (shell / "file").write_text("")
    result = run("requests", "list", "--data", "file/data")
    assert result.exit_code == 1 and "cannot be used" in result.stderr


def test_tail_shows_the_last_and_then_what_comes(placed: Path, start: Start, enter: Enter) -> None:
    ids = enter(*[{}] * 3, {"status": 500})
    process = start("requests", "tail", "--lines", "2", "--json", cwd=placed)
    assert process.stdout is not None
    lines = [json.loads(process.stdout.readline()) for _ in range(2)]
    more = enter({"model": "next"})
    lines.append(json.loads(process.stdout.readline()))
    assert [one["request_id"] for one in lines] == [*ids[2:], *more]
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    assert process.stdout.read() == ""


def test_tail_as_columns(placed: Path, start: Start, enter: Enter) -> None:
    enter({}, {"status": 200, "error": "upstream_broken", "estimated": 1, "cost_nanos": None})
    process = start("requests", "tail", "--status", "2xx", cwd=placed)
    assert process.stdout is not None
    head, first, second = (process.stdout.readline().split() for _ in range(3))
    assert head[:2] == ["REQUEST", "STARTED"]
    assert first[3:] == ["200", "key_1", "fast", "google/gemini-2.5-flash", "10", "5", "0.0000155", "2"]
    assert second[3:] == ["200*", "key_1", "fast", "google/gemini-2.5-flash", "~10", "~5", "unknown", "2"]


def test_beside_a_gateway_that_runs(tmp_path: Path, run: Run) -> None:
    with serving(canned.openai) as openai:
        config = "providers:\n" + provider("openai", "openai-chat", f"{openai.base_url}/v1", "gpt-*")
        with running(tmp_path, config=config) as gateway:
            asked = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}]}
            for number in range(1, 4):
                _, headers, _ = gateway.post("/v1/chat/completions", asked)
                where = ("--config", str(gateway.config), "--data", str(tmp_path), "--json")
                found = data_of(run("requests", "show", headers["x-request-id"], *where))
                assert found["key_id"] == "root" and found["arithmetic"]
                assert data_of(run("usage", *where))["total"]["requests"] == number
