"""Anthropic's Messages at the gateway's edge: what passes untouched, whose shape an answer has, and how it is refused."""

from __future__ import annotations

import json
import socket
from typing import Any
from urllib.parse import urlsplit

import pytest

from e2e.canned_anthropic import anthropic_events
from e2e.gateway import Gateway
from e2e.vendor import Vendor, reply, stream

BODY = b'{ "model" :"%s", "max_tokens":9, "messages":[{"role":"user","content":"\\u4f60 1e2"}],\n "frobnicate": {"b":1.50} }'
ANSWER = b'{ "odd" : 1.50, "content":[{"type":"text","text":"a"}],\n "usage":{"input_tokens":3,"output_tokens":4} }'
VERSION = {"anthropic-version": "2023-06-01"}


def test_bytes(relay: Gateway, anthropic_vendor: Vendor) -> None:
    anthropic_vendor.will(reply(ANSWER))
    status, headers, body = relay.post("/v1/messages?beta=true", BODY % b"via-anthropic")
    assert (status, body) == (200, ANSWER)
    assert anthropic_vendor.last.body == BODY % b"claude-sonnet-4-5"
    assert anthropic_vendor.last.header("anthropic-version") == "2023-06-01"
    assert headers["x-dragoman-target"] == "anthropic/claude-sonnet-4-5"
    assert "x-dragoman-losses" not in headers
    entry = relay.entry(headers["x-request-id"])
    assert (entry["protocol"], entry["input_tokens"], entry["output_tokens"]) == ("anthropic", 3, 4)


def test_stream_bytes(relay: Gateway, anthropic_vendor: Vendor) -> None:
    told = b"".join(
        anthropic_events(
            {"type": "message_start", "message": {"usage": {"input_tokens": 5, "cache_read_input_tokens": 2}}},
            {"type": "ping"},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "你"}},
            {"type": "something_new", "x": 1.50},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 7}},
            {"type": "message_stop"},
        )
    ).replace(b"}\n\n", b"}    \n\n")
    cut = told.index("你".encode()) + 1
    anthropic_vendor.will(stream(told[:cut], told[cut : cut + 40], told[cut + 40 :]))
    body = {"model": "via-anthropic", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}], "stream": True}
    status, headers, got = relay.post("/v1/messages", body)
    assert (status, got) == (200, told)
    entry = relay.entry(headers["x-request-id"])
    assert (entry["input_tokens"], entry["cached_input_tokens"], entry["output_tokens"]) == (7, 2, 7)


@pytest.mark.parametrize("key", ["x-api-key", "authorization"])
def test_credentials(relay: Gateway, key: str) -> None:
    value = relay.key if key == "x-api-key" else f"Bearer {relay.key}"
    body = json.dumps({"model": "via-gemini", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]})
    status, _, got = relay.ask(
        "POST", "/v1/messages", body.encode(), {key: value, "content-type": "application/json", **VERSION}
    )
    assert (status, json.loads(got)["type"]) == (200, "message")


@pytest.mark.parametrize("header", [{"anthropic-version": "2026-10-21"}, {"x-api-key": ""}])
def test_lists(relay: Gateway, header: dict[str, str]) -> None:
    """The header says whose shape the list has."""
    header = (
        {**header, "x-api-key": relay.key}
        if "x-api-key" in header
        else {**header, "authorization": f"Bearer {relay.key}"}
    )
    _, _, body = relay.get("/v1/models", header)
    listed = json.loads(body)
    assert listed["has_more"] is False and listed["first_id"] == listed["data"][0]["id"]
    assert {"via-anthropic", "claude-opus-4-7", "gpt-4o"} <= {card["id"] for card in listed["data"]}
    _, _, body = relay.get("/v1/models/claude-opus-4-7", header)
    assert json.loads(body)["display_name"] == "Claude-Opus-4-7"
    status, _, body = relay.get("/v1/models/nothing", header)
    assert (status, json.loads(body)["error"]["type"]) == (404, "not_found_error")


def refused(status: int, headers: Any, body: bytes) -> tuple[int, str]:
    told = json.loads(body)
    assert told["type"] == "error" and told["error"].keys() == {"type", "message"}
    assert told["request_id"] == headers["x-request-id"] == headers["request-id"]
    return status, told["error"]["type"]


def test_refusals(relay: Gateway) -> None:
    bearer = {"authorization": f"Bearer {relay.key}"}
    asked: Any = {"model": "via-gemini", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
    assert refused(*relay.post("/v1/messages", b"{")) == (400, "invalid_request_error")
    assert refused(*relay.post("/v1/messages", {**asked, "max_tokens": "9"})) == (400, "invalid_request_error")
    assert refused(*relay.post("/v1/messages", {**asked, "model": "nothing"})) == (404, "not_found_error")
    assert refused(*relay.ask("POST", "/v1/messages", b"{}", VERSION)) == (401, "authentication_error")
    assert refused(*relay.get("/v1/messages", {**bearer, **VERSION})) == (405, "invalid_request_error")
    assert refused(*relay.get("/v1/nothing", {**bearer, **VERSION})) == (404, "not_found_error")
    plain = {**bearer, "content-type": "text/plain"}
    assert refused(*relay.ask("POST", "/v1/messages", b"{}", plain)) == (415, "invalid_request_error")
    count = {**asked, "model": "via-openai"}
    assert refused(*relay.post("/v1/messages/count_tokens", count)) == (400, "invalid_request_error")


def test_losses_are_named_as_the_caller_wrote_them(relay: Gateway) -> None:
    body: Any = {
        "model": "via-gemini",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "Hi", "mood": "good"}],
        "container": "c",
        "cache_control": {"type": "ephemeral"},
    }
    status, headers, _ = relay.post("/v1/messages", body)
    assert (status, headers["x-dragoman-losses"]) == (200, "messages.0.mood,container")
    status, headers, told = relay.post("/v1/messages", body, {"x-dragoman-strict": "true"})
    assert refused(status, headers, told) == (400, "invalid_request_error")
    assert b"messages.0.mood" in told and b"container" in told


def test_a_vendors_error_passes_as_it_came(relay: Gateway, anthropic_vendor: Vendor) -> None:
    error = (
        b'{"type":"error","error":{"type":"invalid_request_error","message":"No.","odd":1},"request_id":"req_vendors"}'
    )
    anthropic_vendor.will(reply(error, 400))
    status, _, body = relay.post("/v1/messages", BODY % b"via-anthropic")
    assert (status, body) == (400, error)
    anthropic_vendor.will(reply({"error": {"message": "No."}}, 400))
    assert refused(*relay.post("/v1/messages", BODY % b"via-anthropic")) == (400, "invalid_request_error")


def test_refused_before_it_is_understood(relay: Gateway) -> None:
    where = urlsplit(relay.base_url)
    with socket.create_connection((where.hostname, where.port), timeout=30) as connection:  # type: ignore[arg-type]
        connection.sendall(b"POST /v1/messages HTTP/1.1\r\nx: " + b"y" * 200_000 + b"\r\n\r\n")
        got = b""
        while piece := connection.recv(65536):
            got += piece
    head, _, body = got.partition(b"\r\n\r\n")
    told = json.loads(body)
    assert head.startswith(b"HTTP/1.1 431")
    assert told["error"]["type"] == "invalid_request_error"
    assert told["request_id"].encode() in head
