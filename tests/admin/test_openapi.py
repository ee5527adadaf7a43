"""The OpenAPI document holds together, and is all that there is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from admin.conftest import Ask
from admin.contract import DOCUMENT

DOCS = Path(__file__).parents[2] / "docs"
# What scripts of operators rely on.
ENDPOINTS = {
    "POST /keys",
    "GET /keys",
    "GET /keys/{id}",
    "PATCH /keys/{id}",
    "DELETE /keys/{id}",
    "POST /keys/{id}/rotate",
    "POST /keys/{id}/revoke",
    "GET /requests",
    "GET /requests/{id}",
    "GET /usage",
    "GET /models",
    "GET /providers",
    "POST /providers/{name}/test",
    "GET /config",
    "POST /config/reload",
    "GET /audit",
    "GET /openapi.json",
}


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, there in DOCUMENT["paths"].items():
        for method, told in there.items():
            yield f"{method.upper()} {path}", told


def schemas(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if "schema" in value:
            yield value["schema"]
        for one in value.values():
            yield from schemas(one)
    elif isinstance(value, list):
        for one in value:
            yield from schemas(one)


def test_it_has_every_endpoint_once() -> None:
    assert {name for name, _ in operations()} == ENDPOINTS
    ids = [told["operationId"] for _, told in operations()]
    assert len(set(ids)) == len(ids)


def test_every_schema_is_one_and_every_reference_leads_somewhere() -> None:
    components = DOCUMENT["components"]["schemas"]
    found = [*components.values(), *schemas(DOCUMENT["paths"])]
    assert len(found) > 100
    for schema in found:
        Draft202012Validator.check_schema(schema)
    named = set(re.findall(r'"#/components/schemas/(\w+)"', str(DOCUMENT).replace("'", '"')))
    assert named == set(components)


def test_every_parameter_of_a_path_is_told() -> None:
    for name, told in operations():
        in_path = {one["name"] for one in told.get("parameters", ()) if one["in"] == "path"}
        assert in_path == set(re.findall(r"\{(\w+)\}", name))
        assert all(status in told["responses"] for status in ("400", "401", "403", "404", "405", "413", "503"))


async def test_it_is_served(ask: Ask) -> None:
    answer = await ask("GET", "/openapi.json")
    assert (answer.status, answer.value["openapi"], answer.value) == (200, "3.1.0", DOCUMENT)


@pytest.mark.parametrize("page", ["admin.md", "zh/admin.md"])
def test_the_page_names_every_endpoint_and_parameter(page: str) -> None:
    text = (DOCS / page).read_text()
    for name, told in operations():
        method, path = name.split()
        assert re.search(rf"`{method} {re.escape(path)}[`?]", text), f"{page} has no {name}"
        for one in told.get("parameters", ()):
            assert f"`{one['name']}" in text or f"{{{one['name']}}}" in text, f"{page}: {name} has no {one['name']}"
    named = set(re.findall(r"`((?:GET|POST|PATCH|DELETE) /[^`?]*)", text))
    assert named <= ENDPOINTS | {f"{method} /v1/models" for method in ("GET",)}
