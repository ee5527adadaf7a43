"""A gateway with the built-in model, and one between scripted vendors; both for the whole run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from e2e import canned
from e2e.canned_anthropic import anthropic as canned_anthropic
from e2e.canned_responses import responses as canned_responses
from e2e.gateway import Gateway, provider, running, with_local_model
from e2e.vendor import Vendor, serving

RELAY = """
failover: {{health: ignore, retries: 0}}
providers:
{providers}
models:
  via-gemini: {{targets: [{{provider: google, model: gemini-2.5-flash}}]}}
  via-gemini-3: {{targets: [{{provider: google, model: gemini-3-pro-preview}}]}}
  via-openai: {{targets: [{{provider: openai, model: gpt-4o}}]}}
  via-reasoning: {{targets: [{{provider: openai, model: gpt-5.4}}]}}
  via-ark: {{targets: [{{provider: openai, model: doubao-seed-1-8-251228}}]}}
  via-responses: {{targets: [{{provider: responses, model: gpt-5.4-mini}}]}}
  via-anthropic: {{targets: [{{provider: anthropic, model: claude-sonnet-4-5}}]}}
keys:
  - {{name: narrow, key: dgm_narrow_key_of_the_tests, models: ["via-gemini"]}}
"""
NARROW_KEY = "dgm_narrow_key_of_the_tests"


class Vendors(NamedTuple):
    google: Vendor
    openai: Vendor


class Relayed(Vendors):
    """Those behind `relay`; in the tuple itself are the first two."""

    responses: Vendor
    anthropic: Vendor


@pytest.fixture(scope="session")
def local_data(tmp_path_factory: pytest.TempPathFactory, local_model_file: Path) -> Path:
    """A data directory with the built-in model in it."""
    return with_local_model(tmp_path_factory.mktemp("demo"), local_model_file)


@pytest.fixture(scope="session")
def demo(local_data: Path) -> Iterator[Gateway]:
    """No configuration, no vendor's key: the built-in model answers under every name."""
    with running(local_data) as gateway:
        yield gateway


@pytest.fixture(scope="session")
def _scripted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, Relayed]]:
    with (
        serving(canned.gemini) as google,
        serving(canned.openai) as openai,
        serving(canned_responses) as responses,
        serving(canned_anthropic) as anthropic,
    ):
        config = RELAY.format(
            providers=provider("google", "gemini", google.base_url, "gemini-*")
            + provider("openai", "openai-chat", f"{openai.base_url}/v1", "gpt-*,doubao-*")
            + provider("responses", "openai-responses", f"{responses.base_url}/v1", "resp-only-*")
            + provider("anthropic", "anthropic", anthropic.base_url, "claude-*")
        )
        with running(tmp_path_factory.mktemp("relay"), config=config) as gateway:
            vendors = Relayed(google, openai)
            vendors.responses = responses
            vendors.anthropic = anthropic
            yield gateway, vendors


@pytest.fixture
def vendors(_scripted: tuple[Gateway, Relayed]) -> Relayed:
    """The vendors behind `relay`, as at their start."""
    found = _scripted[1]
    every = (
        (found.google, canned.gemini),
        (found.openai, canned.openai),
        (found.responses, canned_responses),
        (found.anthropic, canned_anthropic),
    )
    for vendor, usual in every:
        vendor.reset()
        vendor.usual = usual
    return found


@pytest.fixture
def relay(_scripted: tuple[Gateway, Relayed], vendors: Relayed) -> Gateway:
    """A gateway in front of a scripted Google and a scripted OpenAI. Models: gemini-*, gpt-*, doubao-*, and via-gemini,
    via-gemini-3, via-openai, via-reasoning, via-ark, via-responses, via-anthropic, claude-*."""
    return _scripted[0]


@pytest.fixture
def google(vendors: Vendors) -> Vendor:
    return vendors.google


@pytest.fixture
def anthropic_vendor(vendors: Relayed) -> Vendor:
    return vendors.anthropic


@pytest.fixture
def responses_vendor(vendors: Relayed) -> Vendor:
    return vendors.responses


@pytest.fixture
def openai_vendor(vendors: Vendors) -> Vendor:
    return vendors.openai
