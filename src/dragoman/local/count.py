"""True token counts of a chat, from the model's own template and tokenizer."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

Post = Callable[[str, bytes], Awaitable[bytes]]
"""Sends a JSON body to a path of the model's server (with the key) and returns the body of the 200 that came."""


async def count_tokens(
    post: Post, openai_messages: list[dict[str, Any]], tools: list[dict[str, Any]] | None = None
) -> int:
    """Count the prompt of a chat exactly as the `prompt_tokens` of its answer would.

    `openai_messages` are Chat Completions messages. Tools count nothing with a model whose template has no
    place for them, as in its answers. Raises whatever `post` does for a refusal, ValueError for an answer
    that is no count.
    """
    body: dict[str, Any] = {"messages": openai_messages}
    if tools:
        body["tools"] = tools
    answer = json.loads(await post("/v1/chat/completions/input_tokens", json.dumps(body).encode()))
    count = answer.get("input_tokens") if isinstance(answer, dict) else None
    if not isinstance(count, int):
        raise ValueError("the local model's server answered without a count")
    return count
