"""The gateway as started for these tests answers, logs and ends."""

import json

import pytest

from e2e.canned import HELLO
from e2e.gateway import Gateway
from e2e.vendor import Vendor


@pytest.mark.parametrize("model", ["via-gemini", "via-openai"])
def test_relay(relay: Gateway, model: str) -> None:
    status, headers, body = relay.post(
        "/v1/chat/completions", {"model": model, "messages": [{"role": "user", "content": "Hi"}]}
    )
    assert status == 200, body
    assert json.loads(body)["choices"][0]["message"]["content"] == HELLO
    entry = relay.entry(headers["x-request-id"])
    assert (entry["status"], entry["input_tokens"], entry["output_tokens"]) == (200, 12, 7)


def test_vendor_keeps_what_it_got(relay: Gateway, google: Vendor) -> None:
    relay.post("/v1beta/models/via-gemini:generateContent", {"contents": [{"parts": [{"text": "Hi"}]}]})
    assert google.last.path == "/v1beta/models/gemini-2.5-flash:generateContent"
    assert google.last.header("x-goog-api-key") == "vendor-secret-of-google"


def test_demo(demo: Gateway) -> None:
    status, headers, body = demo.post(
        "/v1/chat/completions", {"model": "any", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 4}
    )
    assert status == 200, body
    assert headers["x-dragoman-target"] == "local/smollm2-135m"
