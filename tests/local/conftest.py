"""The real model, asked over HTTP."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from local_model import LocalServer, local_model_file, local_server

__all__ = ["local_model_file", "local_server"]

Chat = Callable[..., Awaitable[tuple[int, dict[str, Any]]]]


@pytest.fixture
async def http(local_server: LocalServer) -> AsyncIterator[aiohttp.ClientSession]:
    headers = {"Authorization": f"Bearer {local_server.api_key}", "Content-Type": "application/json"}
    async with aiohttp.ClientSession(local_server.base_url, headers=headers) as session:
        yield session


@pytest.fixture
def chat(http: aiohttp.ClientSession) -> Chat:
    """Ask in one shot: `chat("a prompt", max_tokens=3)` gives status and body."""

    async def ask(prompt: str | list[Any], **fields: Any) -> tuple[int, dict[str, Any]]:
        messages = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
        body = {"messages": messages, "max_tokens": 16, **fields}
        async with http.post("/v1/chat/completions", json=body) as answer:
            return answer.status, json.loads(await answer.read())

    return ask
