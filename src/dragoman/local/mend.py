"""What llama.cpp's chat endpoint does unlike OpenAI's, put right: pure functions over bodies and chunks.

llama.cpp lets go of a request whose caller left only when a write fails, so every request is made a stream
that reports its progress: something is written after each batch of the prompt and after each token. The
reports are taken out again here, and a caller who wanted no stream gets the chunks put together. (Measured
with llama.cpp b11549, 2026-11: an abandoned one-shot request held its slot to the last token.)
"""

import json
from dataclasses import dataclass, field
from typing import Any

Chunk = dict[str, Any]

# Faults of the caller that llama.cpp reports as its own (500).
_CALLERS_FAULTS = ("input is not supported", "Failed to parse messages")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the caller wanted of a request that is now a stream with usage in any case."""

    stream: bool
    usage: bool


def ask(body: bytes) -> tuple[bytes, Asked] | None:
    """Rewrite a chat request so that it can be abandoned; None for one that llama.cpp will refuse anyhow."""
    try:
        request = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(request, dict) or not isinstance(stream := request.get("stream") or False, bool):
        return None
    options = request.get("stream_options")
    usage = isinstance(options, dict) and options.get("include_usage") is True
    request |= {"stream": True, "stream_options": {"include_usage": True}, "return_progress": True}
    return json.dumps(request).encode(), Asked(stream, usage)


def refusal(status: int, body: bytes) -> tuple[int, bytes]:
    """Give the caller's own faults the status 400."""
    try:
        error = json.loads(body)["error"]
        if status == 500 and any(fault in error["message"] for fault in _CALLERS_FAULTS):
            error |= {"code": 400, "type": "invalid_request_error"}
            return 400, json.dumps({"error": error}).encode()
    except (ValueError, KeyError, TypeError):
        pass
    return status, body


@dataclass(slots=True)
class Answer:
    """One answer while it comes: `take` each chunk, then `usage_chunk` for a stream or `body` for the whole."""

    _last: Chunk = field(default_factory=dict)
    _usage: dict[str, Any] | None = None
    _choices: dict[int, dict[str, Any]] = field(default_factory=dict)

    def take(self, chunk: Chunk) -> Chunk | None:
        """Note a chunk; return it as the caller may see it, or None when it is not for the caller."""
        if "prompt_progress" in chunk:
            return None
        self._last = chunk
        if chunk.get("usage"):
            self._add_usage(chunk["usage"])
        for choice in chunk.get("choices", ()):
            self._note(choice)
        # With n > 1 each choice has its own usage chunk: they become one, at the end.
        return chunk if chunk.get("choices") else None

    def usage_chunk(self) -> Chunk:
        """The one chunk with the sums, to come before [DONE]."""
        return self._last | {"choices": [], "usage": self._usage}

    def body(self) -> Chunk:
        """The whole as a `chat.completion`."""
        choices = [self._choices[index] for index in sorted(self._choices)]
        return self._last | {"object": "chat.completion", "choices": choices, "usage": self._usage}

    def _note(self, choice: dict[str, Any]) -> None:
        index, delta = choice["index"], choice.get("delta", {})
        whole = self._choices.get(index)
        if whole is None:
            message = {"role": "assistant", "content": ""}
            whole = self._choices[index] = {"index": index, "message": message, "finish_reason": None}
            # An answer that begins inside a character comes without the chunk that names the role.
            choice["delta"] = {"role": "assistant", **delta}
        elif "role" in delta and not delta.get("content"):
            choice["delta"] = {}
        whole["message"]["content"] += delta.get("content") or ""
        if choice.get("finish_reason"):
            whole["finish_reason"] = choice["finish_reason"]
        if choice.get("logprobs"):
            whole.setdefault("logprobs", {"content": []})["content"] += choice["logprobs"]["content"]

    def _add_usage(self, usage: dict[str, Any]) -> None:
        if self._usage is None:
            self._usage = dict(usage)
        else:  # llama.cpp counts one choice at a time; the prompt is the same one
            self._usage["completion_tokens"] += usage["completion_tokens"]
            self._usage["total_tokens"] += usage["completion_tokens"]
