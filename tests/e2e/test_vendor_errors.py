"""A vendor's error reaches a caller of the same protocol as it came, if that protocol's clients can read it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from e2e.fixtures import Vendors
from e2e.gateway import Gateway
from e2e.vendor import reply

GEMINI = "/v1beta/models/via-gemini:generateContent", {"contents": [{"parts": [{"text": "Hi"}]}]}
OPENAI = "/v1/chat/completions", {"model": "via-openai", "messages": [{"role": "user", "content": "Hi"}]}


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        (GEMINI, {"code": 400, "message": "No.", "status": "FAILED_PRECONDITION", "x": [1]}),
        (OPENAI, {"message": "No.", "type": "odd", "param": None, "code": None, "x": [1]}),
        (OPENAI, {"message": "No.", "type": "odd", "code": "odd_code"}),
    ],
)
def test_true_to_form(relay: Gateway, vendors: Vendors, asked: Any, error: Any) -> None:
    body = json.dumps({"error": error}, indent=2).encode()
    (vendors.google if asked is GEMINI else vendors.openai).will(reply(body, 400))
    assert relay.post(*asked)[::2] == (400, body)


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        (GEMINI, {"code": "server_error", "message": "No.", "type": "odd"}),
        (GEMINI, {"code": 503, "message": "No."}),
        (OPENAI, {"message": "No.", "code": 503}),
        (OPENAI, {"msg": "No."}),
        (OPENAI, "No."),
    ],
)
def test_not_true_to_form(relay: Gateway, vendors: Vendors, asked: Any, error: Any) -> None:
    (vendors.google if asked is GEMINI else vendors.openai).will(reply({"error": error}, 503))
    status, _, body = relay.post(*asked)
    assert status == 503
    told = json.loads(body)["error"]
    assert "No." in told["message"] or error == {"msg": "No."}
    if asked is GEMINI:
        assert (told["code"], told["status"]) == (503, "UNAVAILABLE")
    else:
        assert set(told) == {"message", "type", "param", "code"}
        assert told["code"] is None or isinstance(told["code"], str)
