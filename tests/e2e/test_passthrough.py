"""Where caller and vendor speak the same protocol, bytes go through as they are; and the headers that are the gateway's own."""

from __future__ import annotations

import json
from typing import Any

import pytest

from e2e.fixtures import Vendors
from e2e.gateway import Gateway
from e2e.vendor import Exchange, Vendor, reply, stream

CHAT = "/v1/chat/completions"

# Odd and good: unknown members, numbers that no float holds, escapes, repeated members, blanks in every place.
ODD = (
    '  {\r\n\t"x_unknown" : {"model":"not this","big":123456789012345678901234567890,"f":1.10e+2,"e":1E400},'
    '"t":"\\u00fc\\/\\ud83d\\ude00 \u4e16\\n","t":null, "neg":-0.0 ,"deep":[[[[{"a":[]}]]]]'
)


@pytest.mark.parametrize(
    ("model", "sent"), [("via-openai", "gpt-4o"), ("gpt-4o", "gpt-4o"), ("models/gpt-4o", "gpt-4o")]
)
def test_an_openai_body_reaches_openai_as_it_was(relay: Gateway, openai_vendor: Vendor, model: str, sent: str) -> None:
    answer = b'\n {"id":"chatcmpl-1","choices":[{"x":1e0,"message":{"content":"\\u4e16"}}],"usage":null , "odd":[ ]}\n'
    openai_vendor.will(reply(answer))
    body = ODD + ',"messages":[{"content":"hi","role":"user"}], "model" :\t"%s" } \n'
    status, headers, got = relay.post(CHAT, (body % model).encode())
    assert (status, got) == (200, answer)
    assert openai_vendor.last.body == (body % sent).encode()
    assert headers["content-length"] == str(len(answer))


def test_a_gemini_body_reaches_google_as_it_was(relay: Gateway, google: Vendor) -> None:
    answer = b'\n {"candidates":[{"x":1e0,"content":{"parts":[{"text":"\\u4e16"}]}}] , "odd":[ ]}\n'
    google.will(reply(answer))
    body = (ODD + ',"contents":[{"parts":[{"text":"hi"}]}], "model" :\t"whatever" } \n').encode()
    status, _, got = relay.post("/v1beta/models/via-gemini:generateContent", body)
    assert (status, got) == (200, answer)
    assert google.last.body == body


def test_a_gemini_stream_comes_as_it_was(relay: Gateway, google: Vendor) -> None:
    events = (
        b'data: {"candidates" : [{"content":{"parts":[{"text":"\\u4e16"}]}}],"odd":1.0e1}\r\n\r\n',
        b'data: {"candidates":[{"content":{"parts":[{"text":""}]},"finishReason":"STOP"}],'
        b'"usageMetadata":{"promptTokenCount":3}}\r\n\r\n',
    )
    google.will(stream(*events))
    _, _, got = relay.post("/v1beta/models/via-gemini:streamGenerateContent?alt=sse", {"contents": []})
    assert got == b"".join(events)


def test_a_gemini_array_comes_as_it_was(relay: Gateway, google: Vendor) -> None:
    body = b'[{\n  "candidates": [{"content":{"parts":[{"text":"]},{"}]}}]}\n,\r\n{"candidates":[{"finishReason":"STOP"}]}\n]\n'
    google.will(stream(*(body[at : at + 7] for at in range(0, len(body), 7)), content_type="application/json"))
    _, headers, got = relay.post("/v1beta/models/via-gemini:streamGenerateContent", {"contents": []})
    assert got == body
    assert headers["content-type"] == "application/json"


@pytest.mark.parametrize("asked", [True, False])
def test_an_openai_stream_comes_as_it_was_but_for_counts_nobody_asked_for(
    relay: Gateway, openai_vendor: Vendor, asked: bool
) -> None:
    counts = b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}}\n\n'
    events = (
        b": keep-alive\n\n",
        b'data: {"choices":[{"index":0,"delta":{"content":"\\u4e16"},"finish_reason":null}],"x" : 1.0e1}\n\n',
        b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n',
        counts,
        b"data: [DONE]\n\n",
    )
    openai_vendor.will(stream(*events))
    body: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}], "stream": True}
    if asked:
        body["stream_options"] = {"include_usage": True}
    _, headers, got = relay.post(CHAT, body)
    assert got == b"".join(event for event in events if asked or event is not counts)
    assert relay.entry(headers["x-request-id"])["input_tokens"] == 3
    assert openai_vendor.last.json["stream_options"] == {"include_usage": True}


def test_the_callers_headers_and_the_vendors_stay_apart(relay: Gateway, openai_vendor: Vendor) -> None:
    def answer(exchange: Exchange) -> None:
        reply({"choices": []}, 200, [("set-cookie", "a=b"), ("server", "x"), ("x-request-id", "theirs")])(exchange)

    openai_vendor.will(answer)
    _, headers, _ = relay.post(
        CHAT, {"model": "gpt-4o"}, {"cookie": "c=d", "x-forwarded-for": "10.0.0.1", "x-dragoman-extras": "none"}
    )
    assert {"set-cookie", "server"}.isdisjoint(headers) and headers["x-request-id"] != "theirs"
    sent = {name for name, _ in openai_vendor.last.headers}
    assert sent == {"host", "content-type", "content-length", "user-agent", "authorization"} | (
        sent & {"accept", "accept-encoding", "connection"}
    )
    assert openai_vendor.last.header("authorization") == "Bearer vendor-secret-of-openai"


# --- headers of the gateway's own


def test_every_answer_says_where_it_came_from(relay: Gateway) -> None:
    seen = set()
    for path, body in (
        (CHAT, {"model": "via-gemini", "messages": [{"role": "user", "content": "hi"}]}),
        (CHAT, {"model": "via-gemini", "messages": [{"role": "user", "content": "hi"}], "stream": True}),
        ("/v1beta/models/via-gemini:generateContent", {"contents": [{"parts": [{"text": "hi"}]}]}),
    ):
        _, headers, _ = relay.post(path, body)
        assert headers["x-dragoman-target"] == "google/gemini-2.5-flash"
        assert headers["x-dragoman-attempts"] == "1"
        assert "x-dragoman-losses" not in headers
        seen.add(headers["x-request-id"])
    assert len(seen) == 3
    _, headers, _ = relay.post(CHAT, {"model": "nothing", "messages": []})
    assert "x-request-id" in headers and "x-dragoman-target" not in headers


LOSSY = {
    "model": "via-gemini",
    "messages": [{"role": "user", "content": "hi"}],
    "logit_bias": {"50256": -100},
}


@pytest.mark.parametrize("streams", [False, True])
def test_losses_are_named(relay: Gateway, vendors: Vendors, streams: bool) -> None:
    _, headers, _ = relay.post(CHAT, {**LOSSY, "stream": streams})
    assert "logit_bias" in headers["x-dragoman-losses"].split(",")
    assert "logit_bias" in relay.entry(headers["x-request-id"])["losses"]


@pytest.mark.parametrize("streams", [False, True])
def test_strict_refuses_before_any_vendor_is_asked(relay: Gateway, vendors: Vendors, streams: bool) -> None:
    status, _, body = relay.post(CHAT, {**LOSSY, "stream": streams}, {"x-dragoman-strict": "true"})
    error = json.loads(body)["error"]
    assert (status, error["code"]) == (400, "losses")
    assert "logit_bias" in error["message"]
    assert not vendors.google.seen
    gemini = {
        "contents": [{"parts": [{"text": "hi"}]}],
        "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
        "cachedContent": "cachedContents/x",
    }
    status, _, body = relay.post("/v1beta/models/via-openai:generateContent", gemini, {"x-dragoman-strict": "true"})
    assert (status, json.loads(body)["error"]["status"]) == (400, "INVALID_ARGUMENT")
    assert not vendors.openai.seen


def test_strict_lets_pass_what_loses_nothing(relay: Gateway) -> None:
    body = {"model": "via-gemini", "messages": [{"role": "user", "content": "hi"}]}
    assert relay.post(CHAT, body, {"x-dragoman-strict": "true"})[0] == 200
    assert relay.post(CHAT, {**LOSSY, "model": "via-openai"}, {"x-dragoman-strict": "true"})[0] == 200


@pytest.mark.parametrize("model", ["via-gemini", "via-openai"])
def test_the_text_alone_beside_the_answer(relay: Gateway, model: str) -> None:
    wanted = {"x-dragoman-extras": "output_text"}
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}]}
    told = json.loads(relay.post(CHAT, body, wanted)[2])
    assert told["output"]["text"] == told["choices"][0]["message"]["content"] != ""
    turns = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
    told = json.loads(relay.post(f"/v1beta/models/{model}:generateContent", turns, wanted)[2])
    assert told["output"]["text"] == told["candidates"][0]["content"]["parts"][0]["text"] != ""


def test_extras_are_for_answers_only(relay: Gateway) -> None:
    wanted = {"x-dragoman-extras": "output_text"}
    status, _, body = relay.post("/v1beta/models/via-gemini:countTokens", {"contents": []}, wanted)
    assert (status, json.loads(body)["totalTokens"]) == (200, 31)
    body_ = {"model": "via-gemini", "messages": [{"role": "user", "content": "hi"}], "stream": True}
    assert relay.post(CHAT, body_, wanted)[2].endswith(b"data: [DONE]\n\n")
