"""The JSON Schema and the reference pages: complete, and true to what the loader takes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from dragoman.config import load
from dragoman.config.reference import every_setting
from dragoman.config.schema import json_schema

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "docs" / "configuration.md", ROOT / "docs" / "zh" / "configuration.md"]
SAMPLES = [
    pytest.param(text, id=f"{page.parent.name}-{number}")
    for page in PAGES
    for number, text in enumerate(re.findall(r"```yaml\n(.*?)```", page.read_text(), re.S))
]


def fits(value: Any, schema: dict[str, Any], root: dict[str, Any]) -> bool:
    """Validation by the few words of JSON Schema that ours uses; any other word fails the test."""
    if "type" in schema and not TYPES[schema["type"]](value):
        return False
    known = {"type", "description", "default", "examples", "title", "format", "$schema", "$defs"}
    for word, rule in schema.items():
        match word:
            case "$ref":
                good = fits(value, root["$defs"][rule.removeprefix("#/$defs/")], root)
            case "anyOf":
                good = any(fits(value, choice, root) for choice in rule)
            case "enum":
                good = value in rule
            case "const":
                good = value == rule
            case "minimum":
                good = value >= rule
            case "exclusiveMinimum":
                good = value > rule
            case "maximum":
                good = value <= rule
            case "minLength" | "minItems":
                good = len(value) >= rule
            case "maxLength":
                good = len(value) <= rule
            case "pattern":
                good = re.search(rule, value) is not None
            case "required":
                good = all(name in value for name in rule)
            case "items":
                good = all(fits(item, rule, root) for item in value)
            case "properties":
                good = all(fits(item, rule[name], root) for name, item in value.items() if name in rule)
            case "additionalProperties":
                others = [item for name, item in value.items() if name not in schema.get("properties", {})]
                good = not others if rule is False else all(fits(item, rule, root) for item in others)
            case _:
                assert word in known, word
                good = True
        if not good:
            return False
    return True


TYPES = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
}


class Plain(yaml.SafeLoader):
    """Dates stay text, as JSON has no dates and editors see none."""


Plain.yaml_implicit_resolvers = {
    first: [(tag, rule) for tag, rule in rules if not tag.endswith("timestamp")]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


@pytest.mark.parametrize("text", SAMPLES)
def test_samples_of_the_pages(text: str, tmp_path: Path) -> None:
    path = tmp_path / "dragoman.yaml"
    path.write_text(text)
    for name in ("cert.pem", "key.pem"):
        (tmp_path / name).touch()
    (tmp_path / "secrets").mkdir()
    for name in re.findall(r"\$\{file:(.*?)\}", text):
        (tmp_path / name).write_text("a secret of good length\n")
    env = {name: f"the value of {name}" for name in re.findall(r"\$\{([A-Z_]+)\}", text)}
    assert load(path, env).warnings == []
    schema = json_schema()
    assert fits(yaml.load(text, Plain), schema, schema)


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("server: {port: '${PORT}'}", True),
        ("server: {port: '8000'}", False),
        ("server: {port: 70000}", False),
        ("server: {prot: 1}", False),
        ("server:", True),
        ("local: {threads: 0}", False),
        ("local: {threads: }", True),
        ("server: {drain_timeout: 1h30m}", True),
        ("server: {drain_timeout: soon}", False),
        ("providers: {a: {protocols: [gemini]}}", True),
        ("providers: {a: {protocols: ['${P}']}}", True),
        ("providers: {a: {protocols: []}}", False),
        ("providers: {a: {protocols: [x]}}", False),
        ("providers: {a: {}}", False),
    ],
)
def test_schema(text: str, good: bool) -> None:
    schema = json_schema()
    assert fits(yaml.load(text, Plain), schema, schema) is good


def test_schema_says_its_dialect_and_is_json() -> None:
    schema = json_schema()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert json.loads(json.dumps(schema)) == schema


def test_every_setting_is_described() -> None:
    schema = json_schema()
    for part in [schema, *schema["$defs"].values()]:
        for name, rule in part["properties"].items():
            inner = [choice.get("$ref") for choice in rule.get("anyOf", [rule])]
            described = [schema["$defs"][ref.removeprefix("#/$defs/")] for ref in inner if ref]
            assert rule.get("description") or any("description" in other for other in described), name
    assert all(setting.doc for setting in every_setting())


def test_the_reference_has_every_path_of_the_schema() -> None:
    schema = json_schema()

    def walk(rule: dict[str, Any], path: str) -> set[str]:
        found = {path} if path and not path.endswith(("NAME", "[]")) else set()
        if "$ref" in rule:
            found |= walk(schema["$defs"][rule["$ref"].removeprefix("#/$defs/")], path)
        for choice in rule.get("anyOf", ()):
            found |= walk(choice, path)
        for name, inner in rule.get("properties", {}).items():
            found |= walk(inner, f"{path}.{name}" if path else name)
        if isinstance(rule.get("additionalProperties"), dict):
            found |= walk(rule["additionalProperties"], f"{path}.NAME")
        if "items" in rule:
            found |= walk(rule["items"], f"{path}[]")
        return found

    assert walk(schema, "") == {s.path for s in every_setting()} - {"providers.NAME.headers.NAME"}


@pytest.mark.parametrize("page", PAGES, ids=["en", "zh"])
def test_pages_have_a_row_for_every_setting(page: Path) -> None:
    lines = re.findall(r"^\| `([^`]+)` \| (.*) \|$", page.read_text().replace("\\|", "/"), re.M)
    rows = {path: cells.split(" | ") for path, cells in lines if cells.count(" | ") == 2}
    for setting in every_setting():
        assert setting.path in rows, f"{setting.path} is not in {page.name}"
        kind, default, meaning = rows[setting.path]
        assert kind
        assert meaning.strip(" |")
        if setting.default is not None:
            text = setting.default if isinstance(setting.default, str) else json.dumps(setting.default)
            assert default.strip() == f"`{text}`", setting.path


def test_the_english_page_says_what_the_settings_say() -> None:
    text = PAGES[0].read_text()
    for setting in every_setting():
        assert setting.doc in text, setting.path
