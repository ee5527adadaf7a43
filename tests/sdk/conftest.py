"""The vendors' own clients, pointed at a gateway."""

from __future__ import annotations

from collections.abc import Iterator

import openai
import pytest
from google import genai

from e2e.gateway import Gateway
from sdk.node import _aimock, _simulated, aimock, node_modules, simulated

__all__ = ["_aimock", "_simulated", "aimock", "node_modules", "simulated"]

# Which vendor's protocol answers: the caller's own, untouched, or the other's, translated.
BACKENDS = {"google": "via-gemini", "openai": "via-openai"}


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def model(backend: str) -> str:
    """A model's name that leads to the vendor `backend`."""
    return BACKENDS[backend]


def openai_client(gateway: Gateway, base: str = "/v1", **more: object) -> openai.OpenAI:
    options = {"api_key": gateway.key, "max_retries": 0, "timeout": 30.0, **more}
    return openai.OpenAI(base_url=gateway.base_url + base, **options)  # type: ignore[arg-type]


def google_client(gateway: Gateway, version: str | None = None, key: str | None = None) -> genai.Client:
    options: dict[str, object] = {"base_url": gateway.base_url}
    if version is not None:
        options["api_version"] = version
    return genai.Client(api_key=key or gateway.key, http_options=options)  # type: ignore[arg-type]


@pytest.fixture
def client(relay: Gateway) -> Iterator[openai.OpenAI]:
    """OpenAI's client, in front of the scripted vendors."""
    with openai_client(relay) as made:
        yield made


@pytest.fixture
def genai_client(relay: Gateway) -> Iterator[genai.Client]:
    """Google's client, in front of the scripted vendors."""
    with google_client(relay) as made:
        yield made


@pytest.fixture
def local_openai(demo: Gateway) -> Iterator[openai.OpenAI]:
    # A busy machine has little left for a model, and what is tested is not how fast it is.
    with openai_client(demo, timeout=120.0) as made:
        yield made


@pytest.fixture
def local_google(demo: Gateway) -> Iterator[genai.Client]:
    with google_client(demo) as made:
        yield made
