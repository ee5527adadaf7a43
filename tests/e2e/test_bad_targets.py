"""A model of several targets of which the first cannot carry a request: that is the target's fault, so the next is asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from e2e import canned
from e2e.gateway import ONCE, Gateway, provider, running
from e2e.vendor import Vendor, reply, serving

CHAT = "/v1/chat/completions"
COUNT = "/v1beta/models/{}:countTokens"
TURNS = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}


class House(NamedTuple):
    gateway: Gateway
    google: Vendor
    openai: Vendor


@pytest.fixture(scope="module")
def _house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    google_target = "{provider: google, model: gemini-2.5-flash"
    openai_target = "{provider: openai, model: gpt-4o"
    with serving(canned.gemini) as google, serving(canned.openai) as openai:
        config = (
            ONCE
            + "providers:\n"
            + provider("google", "gemini", google.base_url, "gemini-*")
            + provider("openai", "openai-chat", f"{openai.base_url}/v1", "gpt-*")
            + "models:\n"
            + f"  google-first: {{targets: [{google_target}}}, {openai_target}, priority: 2}}]}}\n"
            + f"  openai-first: {{targets: [{openai_target}}}, {google_target}, priority: 2}}]}}\n"
            + f"  openai-twice: {{targets: [{openai_target}}}, {openai_target}-mini, priority: 2}}]}}\n"
        )
        with running(tmp_path_factory.mktemp("targets"), config=config) as gateway:
            yield House(gateway, google, openai)


@pytest.fixture
def house(_house: House) -> House:
    _house.google.reset()
    _house.openai.reset()
    return _house


def chat(model: str, **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "hi"}], **more}


STRICT = {"x-dragoman-strict": "true"}
# Gemini has no word for it.
LOST = {"logit_bias": {"50256": -100}}


def test_losses_that_are_forbidden_lead_to_the_next_target(house: House) -> None:
    status, headers, _ = house.gateway.post(CHAT, chat("google-first", **LOST), STRICT)
    assert (status, headers["x-dragoman-target"], headers["x-dragoman-attempts"]) == (200, "openai/gpt-4o", "1")
    assert "x-dragoman-losses" not in headers
    assert not house.google.seen


def test_counting_goes_to_the_target_that_can(house: House) -> None:
    status, headers, answer = house.gateway.post(COUNT.format("openai-first"), TURNS)
    assert (status, headers["x-dragoman-target"]) == (200, "google/gemini-2.5-flash"), answer
    assert not house.openai.seen


def test_the_first_of_such_errors_is_told_where_no_target_will_do(house: House) -> None:
    status, _, answer = house.gateway.post(COUNT.format("openai-twice"), TURNS)
    assert status == 501
    assert b"openai/gpt-4o cannot count tokens" in answer


@pytest.mark.parametrize("model", ["google-first", "openai-first"])
def test_a_target_that_failed_is_told_rather_than_one_that_cannot(house: House, model: str) -> None:
    house.openai.will(reply({"error": {"message": "The moon is full tonight.", "type": "server_error"}}, 503))
    status, _, answer = house.gateway.post(CHAT, chat(model, **LOST), STRICT)
    assert status == 503
    assert b"The moon is full tonight." in answer


def test_a_bad_body_goes_to_no_target(house: House) -> None:
    status, headers, answer = house.gateway.post(CHAT, chat("google-first", temperature="hot"))
    assert status == 400 and b"temperature" in answer
    assert "x-dragoman-target" not in headers
    assert not house.google.seen and not house.openai.seen
