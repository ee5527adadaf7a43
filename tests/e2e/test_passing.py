"""What passes untouched where caller and vendor speak the same protocol, and what is told where they do not."""

from __future__ import annotations

import json

import pytest

from e2e.fixtures import Vendors
from e2e.gateway import Gateway
from e2e.vendor import reply, stream

CHAT = b'{ "model" :"%s", "messages":[ {"role":"user","content":"\\u4f60\\u597d 1e2"}],\n "frobnicate": {"b":1.50,"a":[]} }'
TURN = b'{ "contents":[ {"parts":[{"text":"\\u4f60\\u597d"}]}],\n "frobnicate": {"b":1.50,"a":[]}, "generation_config":{} }'
ANSWER = b'{ "odd" : 1.50,\n "%s":[{"index":0,%s,"x":null}] }'
GEMINI_ANSWER = ANSWER % (b"candidates", b'"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"')
OPENAI_ANSWER = ANSWER % (b"choices", b'"message":{"role":"assistant","content":"a"},"finish_reason":"stop"')


def test_gemini_bytes(relay: Gateway, vendors: Vendors) -> None:
    vendors.google.will(reply(GEMINI_ANSWER))
    status, headers, body = relay.post("/v1beta/models/via-gemini:generateContent", TURN)
    assert (status, body) == (200, GEMINI_ANSWER)
    assert vendors.google.last.body == TURN
    assert headers["x-dragoman-target"] == "google/gemini-2.5-flash"
    assert headers["x-dragoman-attempts"] == "1"
    assert "x-dragoman-losses" not in headers


def test_openai_bytes(relay: Gateway, vendors: Vendors) -> None:
    vendors.openai.will(reply(OPENAI_ANSWER))
    status, headers, body = relay.post("/v1/chat/completions", CHAT % b"via-openai")
    assert (status, body) == (200, OPENAI_ANSWER)
    assert vendors.openai.last.body == CHAT % b"gpt-4o"
    assert headers["x-dragoman-target"] == "openai/gpt-4o"


def test_gemini_stream_bytes(relay: Gateway, vendors: Vendors) -> None:
    first = b'data: { "candidates":[{"content":{"parts":[{"text":"\xe4\xbd\xa0"}]}}], "odd":1.50}\r\n\r\n'
    last = b'data: { "candidates":[{"content":{"parts":[{"text":"b"}]},"finishReason":"STOP"}]}\r\n\r\n'
    # Cut where no event ends, and inside a character.
    cut = first.index(b"\xbd")
    vendors.google.will(stream(first[:cut], first[cut:] + last[:9], last[9:]))
    status, headers, body = relay.post("/v1beta/models/via-gemini:streamGenerateContent?alt=sse", TURN)
    assert (status, body) == (200, first + last)
    assert headers["content-type"] == "text/event-stream"
    assert vendors.google.last.query == "alt=sse"


@pytest.mark.parametrize("asked", [False, True])
def test_openai_stream_bytes(relay: Gateway, vendors: Vendors, asked: bool) -> None:
    """Byte for byte but for the counts, which a caller who did not ask for them does not see."""
    said = b'data: {"choices":[{"index":0,"delta":{"content":"\xe4\xbd\xa0"},"finish_reason":null}], "odd":1.50}\n\n'
    end = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
    usage = b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}}\n\n'
    done = b"data: [DONE]\n\n"
    vendors.openai.will(stream(said + end, usage + done))
    body = {"model": "via-openai", "messages": [{"role": "user", "content": "Hi"}], "stream": True}
    if asked:
        body["stream_options"] = {"include_usage": True}
    status, headers, answer = relay.post("/v1/chat/completions", body)
    assert (status, answer) == (200, said + end + (usage if asked else b"") + done)
    assert vendors.openai.last.json["stream_options"] == {"include_usage": True}
    entry = relay.entry(headers["x-request-id"])
    assert (entry["input_tokens"], entry["output_tokens"]) == (3, 1)


def test_vendors_key_only(relay: Gateway, vendors: Vendors) -> None:
    """The vendor sees the operator's key, in its own place, and nothing of the caller's."""
    own = {"x-goog-api-key": relay.key, "x-api-key": relay.key, "cookie": "c=1", "x-forwarded-for": "10.0.0.1"}
    relay.post("/v1beta/models/via-gemini:generateContent?key=" + relay.key, TURN, own)
    relay.post("/v1/chat/completions", CHAT % b"via-openai", own)
    for seen, header in ((vendors.google.last, "x-goog-api-key"), (vendors.openai.last, "authorization")):
        assert "vendor-secret-of-" in (seen.header(header) or "")
        assert relay.key not in str(seen.headers) + seen.target
        assert seen.header("cookie") is None
        assert seen.header("x-forwarded-for") is None


# --- losses


def test_losses_of_gemini(relay: Gateway) -> None:
    body = {"contents": [{"parts": [{"text": "Hi"}]}], "generationConfig": {"topK": 40}}
    path = "/v1beta/models/via-openai:generateContent"
    status, headers, _ = relay.post(path, body)
    assert (status, headers["x-dragoman-losses"]) == (200, "generationConfig.topK")
    assert relay.entry(headers["x-request-id"])["losses"] == ["generationConfig.topK"]
    status, headers, answer = relay.post(path, body, {"x-dragoman-strict": "true"})
    assert status == 400
    assert "generationConfig.topK" in json.loads(answer)["error"]["message"]
    assert relay.post("/v1beta/models/via-gemini:generateContent", body, {"x-dragoman-strict": "true"})[0] == 200


def test_losses_of_openai(relay: Gateway, vendors: Vendors) -> None:
    body = {"model": "via-gemini", "messages": [{"role": "user", "content": "Hi"}], "logit_bias": {"1": 2}}
    status, headers, _ = relay.post("/v1/chat/completions", {**body, "stream": True})
    assert (status, headers["x-dragoman-losses"]) == (200, "logit_bias")
    vendors.google.seen.clear()
    status, _, answer = relay.post("/v1/chat/completions", body, {"x-dragoman-strict": "true"})
    assert (status, json.loads(answer)["error"]["param"]) == (400, "logit_bias")
    many = {**body, **{f"made_up_{number}": 1 for number in range(1000)}, "x" * 5000: 1}
    status, _, answer = relay.post("/v1/chat/completions", many, {"x-dragoman-strict": "true"})
    assert status == 400 and "; and 982 more" in json.loads(answer)["error"]["message"] and len(answer) < 4000
    assert not vendors.google.seen
    hints = {"model": "via-gemini", "messages": [{"role": "user", "content": "Hi"}], "user": "u", "store": False}
    assert relay.post("/v1/chat/completions", hints, {"x-dragoman-strict": "true"})[0] == 200


def test_metrics_count_losses(relay: Gateway) -> None:
    body = {"contents": [{"parts": [{"text": "Hi"}]}], "generationConfig": {"topK": 40}}
    relay.post("/v1beta/models/via-openai:generateContent", body)
    status, _, text = relay.get("/metrics")
    assert status == 200
    lines = [line for line in text.decode().splitlines() if line.startswith("dragoman_translation_losses_total{")]
    assert any("generationConfig.topK" in line for line in lines), lines
