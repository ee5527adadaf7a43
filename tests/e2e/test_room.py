"""What does not fit a model's context window: refused in the caller's protocol before the vendor is asked, or sent to a target
that it fits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from e2e import canned
from e2e.canned_anthropic import anthropic as canned_anthropic
from e2e.canned_responses import responses as canned_responses
from e2e.fixtures import Relayed
from e2e.gateway import Gateway, provider, running
from e2e.sockets import check_error
from e2e.vendor import serving

CONFIG = """
providers:
{providers}
models:
  small: {{targets: [{{provider: house, model: m}}], context_window: 5000}}
  roomy: {{targets: [{{provider: house, model: m}}], context_window: 50000}}
  mixed:
    targets:
      - {{provider: openai, model: gpt-4}}
      - {{provider: google, model: gemini-2.5-flash, priority: 2}}
  cropped: {{targets: [{{provider: responses, model: m}}], context_window: 5000}}
  claude: {{targets: [{{provider: anthropic, model: claude-sonnet-4-5}}]}}
"""


@pytest.fixture(scope="module")
def _rooms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, Relayed]]:
    with (
        serving(canned.gemini) as google,
        serving(canned.openai) as openai,
        serving(canned_responses) as responses,
        serving(canned_anthropic) as anthropic,
    ):
        config = CONFIG.format(
            providers=provider("google", "gemini", google.base_url, "gemini-*")
            + provider("openai", "openai-chat", f"{openai.base_url}/v1", "gpt-*")
            + provider("house", "openai-chat", f"{openai.base_url}/v1", "house-*")
            + provider("responses", "openai-responses", f"{responses.base_url}/v1", "resp-*")
            + provider("anthropic", "anthropic", anthropic.base_url, "claude-*")
        )
        with running(tmp_path_factory.mktemp("rooms"), config=config) as gateway:
            vendors = Relayed(google, openai)
            vendors.responses, vendors.anthropic = responses, anthropic
            yield gateway, vendors


@pytest.fixture
def gateway(_rooms: tuple[Gateway, Relayed]) -> Gateway:
    gateway, vendors = _rooms
    for vendor, usual in (
        (vendors.google, canned.gemini),
        (vendors.openai, canned.openai),
        (vendors.responses, canned_responses),
        (vendors.anthropic, canned_anthropic),
    ):
        vendor.reset()
        vendor.usual = usual
    return gateway


@pytest.fixture
def behind(_rooms: tuple[Gateway, Relayed]) -> Relayed:
    return _rooms[1]


def words(count: int) -> str:
    return "word " * count


def asked(protocol: str, model: str, text: str, **more: Any) -> tuple[str, dict[str, Any]]:
    match protocol:
        case "gemini":
            path = f"/v1beta/models/{model}:generateContent"
            return path, {"contents": [{"role": "user", "parts": [{"text": text}]}], **more}
        case "openai-chat":
            return "/v1/chat/completions", {"model": model, "messages": [{"role": "user", "content": text}], **more}
        case "openai-responses":
            return "/v1/responses", {"model": model, "input": text, "store": False, **more}
    messages = [{"role": "user", "content": [{"type": "text", "text": text}]}]
    return "/v1/messages", {"model": model, "max_tokens": 100, "messages": messages, **more}


PARAMS = {"gemini": "contents", "openai-chat": "messages", "openai-responses": "input", "anthropic": "messages"}


@pytest.mark.parametrize("protocol", PARAMS)
@pytest.mark.parametrize(("model", "count"), [("small", 5001), ("gpt-4o", 128_001)])
def test_what_does_not_fit_is_refused_in_every_protocol(
    gateway: Gateway, behind: Relayed, protocol: str, model: str, count: int
) -> None:
    path, body = asked(protocol, model, words(count))
    status, headers, answer = gateway.post(path, body)
    assert status == 400
    error = check_error(protocol, 400, answer) if protocol != "anthropic" else json.loads(answer)["error"]
    assert f"prompt is too long: at least {count} tokens > {count - 1} maximum" in error["message"]
    assert f"maximum context length is {count - 1} tokens" in error["message"]
    match protocol:
        case "gemini":
            assert error["status"] == "INVALID_ARGUMENT"
            assert error["details"][0]["fieldViolations"][0]["field"] == "contents"
        case "anthropic":
            assert error["type"] == "invalid_request_error"
        case _:
            assert (error["code"], error["type"]) == ("context_length_exceeded", "invalid_request_error")
            assert error["param"] == PARAMS[protocol]
    assert gateway.entry(headers["x-request-id"])["error"] == "context_length_exceeded"
    assert not behind.openai.seen


@pytest.mark.parametrize("protocol", PARAMS)
def test_what_may_fit_is_the_vendors_to_judge(gateway: Gateway, behind: Relayed, protocol: str) -> None:
    status, _, answer = gateway.post(*asked(protocol, "small", words(5000)))
    assert status == 200, answer
    assert len(behind.openai.seen) == 1


def test_another_target_that_it_fits_is_taken(gateway: Gateway, behind: Relayed) -> None:
    status, headers, _ = gateway.post(*asked("openai-chat", "mixed", words(9000)))
    assert (status, headers["x-dragoman-target"]) == (200, "google/gemini-2.5-flash")
    assert not behind.openai.seen
    status, headers, _ = gateway.post(*asked("openai-chat", "mixed", words(8000)))
    assert (status, headers["x-dragoman-target"]) == (200, "openai/gpt-4")


def test_a_picture_takes_bytes_and_no_words(gateway: Gateway, behind: Relayed) -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "iVBORw0KGgo+" * 20_000}}
    content = [{"type": "text", "text": words(10) + '"' * 6000}, picture]
    status, _, answer = gateway.post(
        "/v1/chat/completions", {"model": "small", "messages": [{"role": "user", "content": content}]}
    )
    assert status == 200, answer
    assert len(behind.openai.seen) == 1


def test_chinese_counts_by_its_characters(gateway: Gateway, behind: Relayed) -> None:
    assert gateway.post(*asked("openai-chat", "small", "世" * 59_000))[0] == 200
    behind.openai.seen.clear()
    assert gateway.post(*asked("openai-chat", "small", "世" * 61_000))[0] == 400
    assert not behind.openai.seen


def test_whoever_asks_to_be_cropped_is(gateway: Gateway, behind: Relayed) -> None:
    assert gateway.post(*asked("openai-responses", "cropped", words(6000)))[0] == 400
    status, _, answer = gateway.post(*asked("openai-responses", "cropped", words(6000), truncation="auto"))
    assert status == 200, answer
    assert len(behind.responses.seen) == 1


def test_the_larger_window_of_a_beta(gateway: Gateway, behind: Relayed) -> None:
    path, body = asked("anthropic", "claude", words(200_001))
    assert gateway.post(path, body)[0] == 400
    assert not behind.anthropic.seen
    status, _, answer = gateway.post(path, body, {"anthropic-beta": "context-1m-2025-08-07"})
    assert status == 200, answer
    assert len(behind.anthropic.seen) == 1
