"""One gateway between four scripted vendors for all cases, and what they came to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from conformance.page import Results
from e2e.gateway import ONCE, Gateway, provider, running
from e2e.vendor import Vendor, reply, serving

_PROVIDERS = {
    "gemini": ("google", "", "gemini-*"),
    "openai-chat": ("chat", "/v1", "gpt-4o,gpt-4o-search-preview,gpt-5.4"),
    "openai-responses": ("responses", "/v1", "gpt-4.1,gpt-5.4-mini"),
    "anthropic": ("anthropic", "", "claude-*"),
}
_UNEXPECTED = reply({"error": {"message": "nobody scripted this", "code": 500}}, 500)


@pytest.fixture(scope="session")
def results() -> Results:
    """What was proved so far."""
    return {}


@pytest.fixture(scope="session")
def _stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, dict[str, Vendor]]]:
    with ExitStack() as stack:
        vendors = {name: stack.enter_context(serving(_UNEXPECTED)) for name in _PROVIDERS}
        entries = "".join(
            provider(name, protocol, f"{vendors[protocol].base_url}{base}", models)
            for protocol, (name, base, models) in _PROVIDERS.items()
        )
        config = f"{ONCE}providers:\n{entries}log: {{format: json}}\n"
        yield stack.enter_context(running(tmp_path_factory.mktemp("conformance"), config=config)), vendors


@pytest.fixture
def stage(_stage: tuple[Gateway, dict[str, Vendor]]) -> tuple[Gateway, dict[str, Vendor]]:
    for vendor in _stage[1].values():
        vendor.reset()
    return _stage
