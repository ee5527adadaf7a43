"""The OpenAPI document, made of the endpoints themselves."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from dragoman import __version__
from dragoman.admin.endpoint import Endpoint, Schema
from dragoman.admin.schemas import COMPONENTS, TEXT, ref

_NAMES = re.compile(r"\{(\w+)\}")
_ALWAYS = (400, 401, 403, 404, 405, 408, 413, 415, 500, 503)
_WORDS = {
    200: "As asked.",
    201: "Made.",
    400: "A field or parameter is wrong; `param` names it.",
    401: "No key, or one that is not this gateway's.",
    403: "A key that is not the root key.",
    404: "There is no such thing.",
    405: "The method does not fit; `Allow` lists those that do.",
    408: "The body did not arrive in time.",
    409: "It cannot be done to what is there: the key is revoked, or kept in the configuration file.",
    413: "The body is too large.",
    415: "The body says that it is no JSON.",
    422: "The configuration cannot be used; nothing was changed.",
    500: "The gateway itself failed; its log says more.",
    503: "The database or the admin process does not answer; `Retry-After` says when to try again.",
    504: "It took too long.",
}


def document(endpoints: Iterable[Endpoint]) -> dict[str, Any]:
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Dragoman's admin API",
            "version": __version__,
            "description": "For operators of a gateway. Every call wants the root key.",
        },
        "servers": [{"url": "/admin/v1"}],
        "security": [{"bearer": []}, {"x-api-key": []}, {"x-goog-api-key": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                **{name: {"type": "apiKey", "in": "header", "name": name} for name in ("x-api-key", "x-goog-api-key")},
            },
            "schemas": COMPONENTS,
        },
    }


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    told: dict[str, Any] = {"operationId": endpoint.name, "summary": endpoint.summary}
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": TEXT} for name in _NAMES.findall(endpoint.path)
    ]
    parameters += [
        {"name": one.name, "in": "query", "description": one.description, "schema": one.schema}
        for one in endpoint.query
    ]
    if parameters:
        told["parameters"] = parameters
    if endpoint.takes is not None:
        needed = bool(endpoint.takes.get("required"))
        told["requestBody"] = {"required": needed, "content": _json(endpoint.takes)}
    answers = {status: _answer(status, schema) for status, schema in endpoint.answers.items()}
    for status in (*_ALWAYS, *endpoint.refusals):
        answers.setdefault(status, _answer(status, ref("Error")))
    told["responses"] = {str(status): answers[status] for status in sorted(answers)}
    return told


def _answer(status: int, schema: Schema) -> dict[str, Any]:
    return {"description": _WORDS[status], "content": _json(schema)}


def _json(schema: Schema) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
