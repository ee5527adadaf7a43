"""`dragoman config`: data on stdout, talk on stderr, exit codes 0, 2 and 3."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from dragoman.cli.config import command, print_problems
from dragoman.config import ConfigError, load

GOOD = 'server: {port: 9000}\nproviders: {google: {protocols: [gemini], api_key: sk-secret-123456, models: ["gemini-*"]}}\n'
BAD = "server: {prot: 1, port: x}\n"
DOUBTFUL = "keys: [{name: a, key: sk-secret-123456, models: [nothing]}]\n"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("DRAGOMAN_CONFIG", "DRAGOMAN_DATA", "GEMINI_API_KEY", "GOOGLE_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("ANTHROPIC_API_KEY", "ARK_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def run(*arguments: str, file: str | None = None) -> Result:
    if file is not None:
        Path("dragoman.yaml").write_text(file)
    result = CliRunner().invoke(command, arguments)
    assert "sk-secret-123456" not in result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def test_check_good() -> None:
    result = run("check", file=GOOD)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "dragoman.yaml: good.\n")


def test_check_without_a_file() -> None:
    result = run("check")
    assert result.exit_code == 0
    assert result.stderr == (
        "No file; the built-in defaults: good. No vendor key is set, so the built-in model answers.\n"
    )


def test_check_bad() -> None:
    result = run("check", file=BAD)
    assert result.exit_code == 3
    assert result.stdout == (
        "dragoman.yaml:1:10 server.prot: unknown key. Did you mean port?\n"
        "dragoman.yaml:1:25 server.port: is not a whole number. Write digits only.\n"
    )
    assert result.stderr == "2 problems: this configuration cannot be used.\n"


@pytest.mark.parametrize("arguments", [["check", "other.yaml"], ["check", "--config", "other.yaml"]])
def test_check_another_file(arguments: list[str]) -> None:
    Path("other.yaml").write_text(BAD)
    result = run(*arguments, file=GOOD)
    assert result.exit_code == 3
    assert result.stdout.startswith("other.yaml:1:10 ")


def test_check_of_two_files_is_a_mistake() -> None:
    assert run("check", "a.yaml", "--config", "b.yaml").exit_code == 2


def test_check_of_no_file() -> None:
    result = run("check", "none.yaml")
    assert result.exit_code == 3
    assert result.stdout.startswith("none.yaml: there is no such file. ")


def test_check_strict() -> None:
    warning = (
        "dragoman.yaml:1:50 keys[0].models[0]: matches no model. Check it against models and providers. [warning]\n"
    )
    lax, strict = run("check", file=DOUBTFUL), run("check", "--strict")
    assert (lax.exit_code, lax.stdout) == (0, warning)
    assert lax.stderr.startswith("dragoman.yaml: good with 1 warning.")
    assert (strict.exit_code, strict.stdout) == (3, warning)


@pytest.mark.parametrize(("file", "good"), [(GOOD, True), (BAD, False), (DOUBTFUL, True)])
def test_check_json(file: str, good: bool) -> None:
    result = run("check", "--json", file=file)
    answer = json.loads(result.stdout)
    assert result.exit_code == (0 if good else 3)
    assert (answer["ok"], answer["file"]) == (good, "dragoman.yaml")
    assert set(answer) == {"ok", "file", "demo", "problems", "warnings"}
    if not good:
        assert answer["problems"][0] == {
            "file": "dragoman.yaml",
            "line": 1,
            "col": 10,
            "path": "server.prot",
            "message": "unknown key",
            "mend": "Did you mean port?",
        }


def test_a_terminal_sees_the_line_and_a_caret() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    Path("dragoman.yaml").write_text("api_kye: sk-secret-123456\nserver: {prot: 1, port: 70000}\n")
    with pytest.raises(ConfigError) as caught:
        load(None, {})
    out = Terminal()
    print_problems(caught.value.problems, out)
    lines = [
        line.replace("\x1b[1m", "").replace("\x1b[31m", "").replace("\x1b[0m", "")
        for line in out.getvalue().splitlines()
    ]
    assert lines[1:3] == ["    api_kye: ••••••••••••••••", "    ^"]
    assert lines[-2:] == ["    server: {prot: •, port: 70000}", "                            ^"]


def test_show() -> None:
    result = run("show", file=GOOD)
    assert result.exit_code == 0
    shown = yaml.safe_load(result.stdout)
    assert shown["server"]["port"] == 9000
    assert shown["server"]["drain_timeout"] == "30s"
    assert shown["providers"]["google"]["api_key"] == "[redacted]"
    assert json.loads(run("show", "--json").stdout) == shown


def test_show_bad() -> None:
    result = run("show", file=BAD)
    assert (result.exit_code, result.stdout) == (3, "")
    assert "server.prot: unknown key" in result.stderr


def test_schema() -> None:
    assert json.loads(run("schema").stdout)["title"] == "dragoman.yaml"


def test_explain_a_value() -> None:
    assert run("explain", "server.port", file=GOOD).stdout == (
        "server.port\n"
        "  Port to listen on; 0 takes a free one.\n"
        "  type:     whole number\n"
        "  default:  8000\n"
        "  value:    9000  [dragoman.yaml:1:16]\n"
    )


@pytest.mark.parametrize(
    ("path", "setting", "value"),
    [
        ("providers.google.timeouts.total", "providers.NAME.timeouts.total", "30m"),
        ("providers.google.api_key", "providers.NAME.api_key", "[redacted]"),
        ("providers.google.models[0]", "providers.NAME.models", "gemini-*"),
        ('models["fast-1.5"].targets[0].model', "models.NAME.targets[].model", "g"),
        ("models.fast-1.5.targets.0.weight", "models.NAME.targets[].weight", 1),
    ],
)
def test_explain_json(path: str, setting: str, value: object) -> None:
    file = GOOD + "models: {fast-1.5: {targets: [{provider: google, model: g}]}}\n"
    found = json.loads(run("explain", path, "--json", file=file).stdout)
    assert found["setting"] == setting
    assert found["doc"]
    assert [entry["value"] for entry in found["values"]] == [value]


def test_explain_one_of_a_kind() -> None:
    found = json.loads(run("explain", "providers.NAME.transport", "--json", file=GOOD).stdout)
    assert found["values"] == [{"path": "providers.google.transport", "value": "lean", "origin": "default"}]


def test_explain_what_is_not_in_the_file() -> None:
    found = json.loads(run("explain", "providers.other.timeouts.idle", "--json", file=GOOD).stdout)
    assert (found["values"], found["default"]) == ([], "1m")


def test_explain_a_section() -> None:
    result = run("explain", "providers.google", file=GOOD)
    assert "    providers.NAME.timeouts.connect\n" in result.stdout
    assert "[dragoman.yaml:2:13]" in result.stdout


def test_explain_everything() -> None:
    lines = [line.split(maxsplit=1) for line in run("explain").stdout.splitlines()]
    assert ["providers.NAME.timeouts.connect", "duration; default 5s"] in lines
    rows = json.loads(run("explain", "--json").stdout)["settings"]
    assert {"path", "type", "required", "default", "doc", "examples"} == set(rows[0])


@pytest.mark.parametrize(
    ("path", "advice"),
    [
        ("server.prot", "Did you mean server.port?"),
        ("provders.google.api_key", "Did you mean providers.google.api_key?"),
        ("qqqqqq", "List them all with: dragoman config explain"),
        ("server.port.x", "Did you mean server.port?"),
        ("", "List them all with: dragoman config explain"),
        ("[]", "List them all with: dragoman config explain"),
    ],
)
def test_explain_what_does_not_exist(path: str, advice: str) -> None:
    result = run("explain", path, file=GOOD)
    assert result.exit_code == 2
    assert advice in result.stderr


def test_explain_with_a_bad_file() -> None:
    result = run("explain", "server.port", file=BAD)
    assert result.exit_code == 3
    assert "Port to listen on" in result.stdout
    assert "server.prot: unknown key" in result.stderr
