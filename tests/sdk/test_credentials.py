"""Any of the four credential forms opens any path, and each path refuses in its own protocol's words."""

from __future__ import annotations

import json

import pytest

from e2e.gateway import Gateway
from e2e.vendor import Vendor

CHAT = {"messages": [{"role": "user", "content": "Hi"}]}
TURN = {"contents": [{"parts": [{"text": "Hi"}]}]}
PATHS = [
    ("POST", "/v1/chat/completions", {"model": "via-gemini", **CHAT}),
    ("POST", "/v1beta/openai/chat/completions", {"model": "via-openai", **CHAT}),
    ("POST", "/v1beta/models/via-openai:generateContent", TURN),
    ("POST", "/v1/models/via-gemini:streamGenerateContent?alt=sse", TURN),
    ("POST", "/v1alpha/models/via-gemini:streamGenerateContent", TURN),
    ("POST", "/v1beta/models/via-gemini:countTokens", TURN),
    ("POST", "/v1/messages?beta=true", {"model": "via-gemini", "max_tokens": 9, **CHAT}),
    ("POST", "/v1/messages/count_tokens", {"model": "via-gemini", **CHAT}),
    ("GET", "/v1/models", None),
    ("GET", "/v1/models/via-gemini", None),
    ("GET", "/v1beta/models", None),
    ("GET", "/v1beta/models/via-gemini", None),
    ("GET", "/v1beta/openai/models", None),
]
FORMS = ["authorization", "x-goog-api-key", "x-api-key", "key="]
every_path = pytest.mark.parametrize(
    ("method", "path", "body"), PATHS, ids=[f"{method} {path}" for method, path, _ in PATHS]
)


def ask(gateway: Gateway, method: str, path: str, body: object, form: str, key: str) -> tuple[int, bytes]:
    headers = {"content-type": "application/json"}
    if form == "key=":
        path += ("&" if "?" in path else "?") + f"key={key}"
    elif form == "authorization":
        headers[form] = f"Bearer {key}"
    elif form:
        headers[form] = key
    content = None if body is None else json.dumps(body).encode()
    status, _, answer = gateway.ask(method, path, content, headers)
    return status, answer


@pytest.mark.parametrize("form", FORMS)
@every_path
def test_opens(relay: Gateway, google: Vendor, method: str, path: str, body: object, form: str) -> None:
    status, answer = ask(relay, method, path, body, form, relay.key)
    assert status == 200, answer
    for seen in google.seen:
        told = json.dumps(seen.headers) + seen.target
        assert relay.key not in told
        assert "key=" not in seen.target


@pytest.mark.parametrize("form", [*FORMS, ""])
@every_path
def test_refuses(relay: Gateway, method: str, path: str, body: object, form: str) -> None:
    status, answer = ask(relay, method, path, body, form, "dgm_wrong")
    assert status == 401
    told = json.loads(answer)
    # Where the answer would be an array, Google's error is one too.
    error = (told[0] if path.endswith(":streamGenerateContent") else told)["error"]
    googles = (
        ":" in path
        or (path.startswith("/v1beta/") and "openai" not in path)
        or (path.startswith("/v1/models") and form in ("x-goog-api-key", "key="))
    )
    if googles:
        assert (error["code"], error["status"]) == (401, "UNAUTHENTICATED")
    elif path.startswith("/v1/messages") or (path.startswith("/v1/models") and form == "x-api-key"):
        assert (told["type"], error["type"]) == ("error", "authentication_error")
    else:
        assert (error["type"], error["code"]) == ("invalid_request_error", "invalid_api_key")
    if form:
        assert form.casefold() in error["message"].casefold()
    assert b"dgm_wrong" not in answer


@pytest.mark.parametrize("form", FORMS)
def test_shape_of_the_list(relay: Gateway, form: str) -> None:
    """Three protocols ask for /v1/models; who asks shows in how the key is carried."""
    _, answer = ask(relay, "GET", "/v1/models", None, form, relay.key)
    listed = json.loads(answer)
    assert ("models" if form in ("x-goog-api-key", "key=") else "data") in listed
    assert ("has_more" in listed) is (form == "x-api-key")
