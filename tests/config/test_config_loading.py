"""Which file is read, what holds without one, where each value came from, and what comes out."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from dragoman.config import ConfigError, FileKey, Loaded, Provider, Settings, fingerprint, load, redacted

FULL = """\
server:
  port: ${PORT:-9000}
  drain_timeout: 1h30m
  max_body: 1MB
database: postgresql://me:hunter2@db/d
shared: valkey://:hunter2@cache:6379/0
providers:
  google: {protocols: [gemini], api_key: "${KEY}", models: ["gemini-*"], headers: {X-Team: hunter2}}
  two: {protocols: [anthropic], api_keys: [hunter2, "${KEY}"], timeouts: {connect: 250ms}}
models:
  fast-1.5:
    targets: [{provider: google, model: gemini-2.5-flash, weight: 3}]
    price: {input: 0.30, output: "2.50"}
    aliases: [quick]
keys:
  - {name: ci, key: "${KEY}", models: [quick], limits: {requests_per_minute: 60}, expires_at: 2027-01-31}
"""
ENV = {"KEY": "hunter2-key"}


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def written(text: str, name: str = "dragoman.yaml") -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def full() -> Loaded:
    return load(written(FULL), ENV)


def test_values() -> None:
    settings = full().settings
    assert settings.server.port == 9000
    assert settings.server.drain_timeout == 5400.0
    assert settings.server.max_body == 1_000_000
    google, two = settings.providers["google"], settings.providers["two"]
    assert google.base_url == "https://generativelanguage.googleapis.com"
    assert [key.get_secret_value() for key in google.credentials] == ["hunter2-key"]
    assert [key.get_secret_value() for key in two.credentials] == ["hunter2", "hunter2-key"]
    assert two.timeouts.connect == 0.25
    assert two.timeouts.total == 1800.0
    price = settings.models["fast-1.5"].price
    assert price is not None
    assert (price.input, price.output) == (Decimal("0.3"), Decimal("2.50"))
    key = settings.keys[0]
    assert key.expires_at == datetime(2027, 1, 31, tzinfo=UTC)
    assert key.limits.tokens_per_minute is None


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        Settings().data = Path("x")  # type: ignore[misc]


def test_the_contracts_example_loads() -> None:
    page = Path(__file__).parents[2] / "docs" / "configuration.md"
    text = page.read_text().split("```yaml")[2].split("```")[0].replace("  tls:", "  # tls:")
    env = dict.fromkeys(["GEMINI_API_KEY", "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "ARK_API_KEY", "CI_KEY"], "k" * 16)
    loaded = load(written(text), env)
    assert [warning.message for warning in loaded.warnings] == []
    assert list(loaded.settings.providers) == ["google", "openai", "anthropic", "ark", "local"]


@pytest.mark.parametrize(
    ("given", "env", "port"),
    [
        ("a.yaml", {"DRAGOMAN_CONFIG": "b.yaml"}, 1),
        (None, {"DRAGOMAN_CONFIG": "b.yaml"}, 2),
        (None, {"DRAGOMAN_CONFIG": ""}, 3),
        (None, {}, 3),
    ],
)
def test_which_file(given: str | None, env: dict[str, str], port: int) -> None:
    for number, name in enumerate(["a.yaml", "b.yaml", "dragoman.yaml"], 1):
        written(f"server: {{port: {number}}}", name)
    assert load(Path(given) if given else None, env).settings.server.port == port


def test_no_file_no_keys_is_the_demo() -> None:
    loaded = load(None, {"OPENAI_API_KEY": ""})
    assert loaded.demo
    assert loaded.path is None
    assert loaded.settings.providers == {"local": Provider(protocols=("local",), models=("smollm2-135m",))}


@pytest.mark.parametrize(
    ("variable", "name", "base_url"),
    [
        ("GEMINI_API_KEY", "google", "https://generativelanguage.googleapis.com"),
        ("GOOGLE_API_KEY", "google", "https://generativelanguage.googleapis.com"),
        ("OPENAI_API_KEY", "openai", "https://api.openai.com/v1"),
        ("ANTHROPIC_API_KEY", "anthropic", "https://api.anthropic.com"),
        ("ARK_API_KEY", "ark", "https://ark.cn-beijing.volces.com/api/v3"),
    ],
)
def test_no_file_and_a_key(variable: str, name: str, base_url: str) -> None:
    loaded = load(None, {variable: "k"})
    assert not loaded.demo
    assert list(loaded.settings.providers) == [name, "local"]
    assert loaded.settings.providers[name].base_url == base_url
    assert loaded.origins[f"providers.{name}.api_key"] == f"environment {variable}"


def test_a_file_without_providers_has_those_of_the_environment() -> None:
    path = written("providers:\nmodels: {fast: {targets: [{provider: openai, model: gpt-5}]}}")
    loaded = load(path, {"OPENAI_API_KEY": "k"})
    assert list(loaded.settings.providers) == ["openai", "local"]
    with pytest.raises(ConfigError, match="there is no provider of this name"):
        load(path, {})


def test_a_file_with_providers_is_no_demo() -> None:
    assert not load(written("providers: {local: {protocols: [local]}}"), {}).demo
    assert load(written("server: {port: 1}"), {}).demo


@pytest.mark.parametrize("text", ["", "# only words\n", "---\n", "server:\n", "null\n", "\ufeff"])
def test_an_empty_file_is_the_defaults(text: str) -> None:
    assert load(written(text), {}).settings.server == Settings().server


def test_relative_paths_start_at_the_file() -> None:
    path = written("data: store\nserver: {tls: {certificate: c.pem, private_key: k.pem}}", "etc/d.yaml")
    written("", "etc/c.pem")
    written("", "etc/k.pem")
    settings = load(path, {}).settings
    assert settings.data == Path("etc/store")
    assert settings.server.tls is not None
    assert settings.server.tls.certificate == Path("etc/c.pem")
    assert load(path, {"DRAGOMAN_DATA": "elsewhere"}).settings.data == Path("elsewhere")


def test_an_openai_shape_without_an_address_is_doubtful() -> None:
    loaded = load(written("providers: {deepseek: {protocols: [openai-chat], api_key: k}}"), {})
    assert [str(warning) for warning in loaded.warnings] == [
        "dragoman.yaml:1:13 providers.deepseek: has no base_url, so its requests and key go to "
        "api.openai.com. Add base_url if another vendor is meant."
    ]


def test_ark_has_its_own_address() -> None:
    loaded = load(written("providers: {ark: {protocols: [openai-chat], api_key: k}}"), {})
    assert loaded.settings.providers["ark"].base_url == "https://ark.cn-beijing.volces.com/api/v3"
    assert loaded.warnings == []


def test_doubtful_things() -> None:
    text = """\
providers: {google: {protocols: [gemini], api_key: k, models: ["gemini-*"]}}
models:
  fast: {targets: [{provider: google, model: a}, {provider: google, model: a}], aliases: [quick]}
keys:
  - {name: a, key: a, models: ["*", gemini-2.5-pro, "google/*", "g*-flash", quick, models/fast]}
  - {name: b, key: b, models: [gpt-5, fst]}
"""
    found = load(written(text.replace("key: a", f"key: {'a' * 16}").replace("key: b", f"key: {'b' * 16}")), {}).warnings
    assert [str(warning) for warning in found] == [
        "dragoman.yaml:3:50 models.fast.targets[1]: is the same target as one above. Remove it.",
        "dragoman.yaml:6:47 keys[1].models[0]: matches no model. Check it against models and providers.",
        "dragoman.yaml:6:54 keys[1].models[1]: matches no model. Did you mean fast?",
    ]


@pytest.mark.parametrize(
    ("providers", "warning"),
    [
        ("{}", "1:1 providers: has no entry, so nothing can answer. Add one, or remove the section."),
        (
            "{g: {protocols: [gemini]}}",
            "1:13 providers.g: has no api_key, so the vendor will refuse. Add api_key.",
        ),
        ("{g: {protocols: [gemini], base_url: 'http://localhost:1'}}", None),
        ("{g: {protocols: [gemini], headers: {Authorization: x}}}", None),
        ("{l: {protocols: [local]}}", None),
    ],
)
def test_providers_that_cannot_answer(providers: str, warning: str | None) -> None:
    found = [str(w) for w in load(written(f"providers: {providers}"), {}).warnings]
    assert found == ([f"dragoman.yaml:{warning}"] if warning else [])


def test_a_key_that_could_be_guessed() -> None:
    found = [str(warning) for warning in load(written("keys: [{name: a, key: sk-short}]"), {}).warnings]
    assert found == [
        "dragoman.yaml:1:23 keys[0].key: is shorter than 16 characters, so it can be guessed. "
        "Make another, e.g. by openssl rand -hex 32."
    ]


def test_a_variable_that_names_no_file() -> None:
    with pytest.raises(ConfigError) as caught:
        load(None, {"DRAGOMAN_CONFIG": "none.yaml"})
    assert str(caught.value).startswith("none.yaml $DRAGOMAN_CONFIG: there is no such file. ")


def test_origins() -> None:
    origins = full().origins
    assert origins["server.port"] == "dragoman.yaml:2:9 (default of PORT)"
    assert origins["server.host"] == "default"
    assert origins["providers.google.api_key"] == "dragoman.yaml:8:42 (environment KEY)"
    assert origins['models["fast-1.5"].targets[0].weight'] == "dragoman.yaml:12:67"
    assert load(None, {**ENV, "DRAGOMAN_DATA": "x"}).origins["data"] == "environment DRAGOMAN_DATA"


def test_merges() -> None:
    text = """\
providers:
  a: &base {protocols: [gemini], api_key: k, timeouts: {idle: 7s}}
  b:
    <<: *base
    api_key: other
"""
    b = load(written(text), {}).settings.providers["b"]
    assert b.api_key is not None
    assert (b.api_key.get_secret_value(), b.timeouts.idle) == ("other", 7.0)


def test_nothing_shown_holds_a_secret() -> None:
    loaded = full()
    shown = redacted(loaded.settings)
    for text in (json.dumps(shown), repr(loaded), str(loaded.settings), loaded.settings.model_dump_json()):
        assert "hunter2" not in text
    assert shown["database"] == "postgresql://[redacted]@db/d"
    assert shown["shared"] == "valkey://[redacted]@cache:6379/0"
    assert shown["providers"]["google"]["headers"] == {"X-Team": "[redacted]"}
    assert shown["server"]["drain_timeout"] == "90m"


def test_what_is_shown_can_be_loaded_again() -> None:
    shown = redacted(full().settings)
    shown["keys"][0]["key"] = shown["providers"]["two"]["api_keys"][0] = "x"
    again = load(written(yaml.safe_dump(shown, sort_keys=False)), {}).settings
    assert again.server == full().settings.server
    assert again.models == full().settings.models


def test_the_pipe_keeps_everything() -> None:
    settings = full().settings
    piped = settings.dump_secret_json()
    assert b"hunter2-key" in piped
    again = Settings.from_secret_json(piped)
    assert again == settings
    assert again.providers["google"].headers["X-Team"].get_secret_value() == "hunter2"


def test_models_can_be_made_in_code() -> None:
    provider = Provider(protocols=("openai-chat",))
    assert provider.base_url == "https://api.openai.com/v1"
    with pytest.raises(ValidationError) as caught:
        FileKey(name="x", key="top secret \n")  # type: ignore[arg-type]
    assert "top secret" not in str(caught.value)


def test_fingerprint() -> None:
    assert fingerprint(Path("none")) is None
    first = written("a: 1", "v1/dragoman.yaml")
    link = Path("current")
    link.symlink_to("v1")
    seen = fingerprint(link / "dragoman.yaml")
    assert seen == fingerprint(first)
    written("a: 2", "v2/dragoman.yaml")
    link.unlink()
    link.symlink_to("v2")
    assert fingerprint(link / "dragoman.yaml") != seen
    assert fingerprint(Path("a\0b")) is None


def test_importing_is_light() -> None:
    code = (
        "import sys, dragoman.config; heavy = {'asyncio', 'aiohttp', 'click', 'rich', 'ssl', 'uvicorn', "
        "'dragoman.config.schema', 'dragoman.config.reference'}; print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_bound_below_the_number_of_workers_is_warned_of() -> None:
    text = "server: {workers: 4}\nproviders: {a: {protocols: [gemini], api_key: x, models: ['*'], max_concurrent_requests: %d}}"
    assert [str(warning).partition(" ")[2] for warning in load(written(text % 3), {}).warnings] == [
        "providers.a.max_concurrent_requests: is less than server.workers, and each worker has a place: it holds as 4. "
        "Raise it."
    ]
    assert load(written(text % 4), {}).warnings == []
