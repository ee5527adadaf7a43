"""What the OpenAPI document says of answers and requests, and whether it is so."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl

from jsonschema import Draft202012Validator, FormatChecker

from dragoman.admin.application import ENDPOINTS
from dragoman.admin.openapi import document

DOCUMENT = document(ENDPOINTS)
ERROR = {"$ref": "#/components/schemas/Error"}


def validate(schema: dict[str, Any], value: Any) -> None:
    """Raises ValidationError."""
    whole = {**schema, "components": DOCUMENT["components"]}
    Draft202012Validator(whole, format_checker=FormatChecker()).validate(value)


def operation(method: str, path: str) -> dict[str, Any] | None:
    # Where two fit, the one with fewer parameters: /requests/{id} is none of /openapi.json.
    fitting = [
        template
        for template in DOCUMENT["paths"]
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", re.escape(template).replace(r"\{", "{").replace(r"\}", "}")), path)
    ]
    if not fitting:
        return None
    found = DOCUMENT["paths"][min(fitting, key=lambda template: template.count("{"))]
    told: dict[str, Any] | None = found.get({"HEAD": "GET"}.get(method, method).lower())
    return told


def check_answer(method: str, path: str, status: int, value: Any) -> None:
    found = operation(method, path)
    if found is None:
        assert status in (404, 405)
        validate(ERROR, value)
        return
    assert str(status) in found["responses"], f"{method} {path} is not said to answer {status}: {value}"
    validate(found["responses"][str(status)]["content"]["application/json"]["schema"], value)


def check_request(method: str, path: str, query: str, body: Any) -> None:
    """What was taken is what the document says is taken."""
    found = operation(method, path)
    assert found is not None
    known = {one["name"]: one["schema"] for one in found.get("parameters", ()) if one["in"] == "query"}
    for name, value in parse_qsl(query, keep_blank_values=True):
        kind = known[name]["type"]
        validate(known[name], {"integer": int, "boolean": "true".__eq__}.get(kind, str)(value))
    if isinstance(body, dict) and body:
        validate(found["requestBody"]["content"]["application/json"]["schema"], body)
