"""Room: a request that surely does not fit a target's context window is refused here, before its vendor is paid for a refusal.

Only what is certain counts. Tokenizers cut text at every space, so a text has at least as many tokens as words; of scripts
without spaces, a token holds hardly more than ten characters. What is not text (pictures, sounds, files) is not counted, nor are
requests that ask their vendor to shorten them. Whatever is not refused here the vendor judges.
"""

from __future__ import annotations

from typing import Any

from dragoman.ir import BadRequest
from dragoman.pipeline.attempt import Unfit
from dragoman.pipeline.call import Call
from dragoman.pipeline.step import Step
from dragoman.wire import json

# A word takes two bytes at least, and no model that is still sold has a window smaller than this.
SHORT = 2 * 4096

# The members that hold what a model reads, in any of the protocols; all else is settings, or media.
_READ = frozenset(
    {
        *("messages", "input", "instructions", "system", "contents", "systemInstruction", "system_instruction"),
        *("content", "parts", "text", "output", "arguments"),
    }
)
# Who asks for these has its conversation shortened by the vendor: OpenAI's `truncation: auto` and compaction, Anthropic's
# context editing, OpenRouter's middle-out.
_SHORTENED = ("context_management", "transforms", "plugins")
# Anthropic's beta for a window of a million tokens (docs.claude.com, context windows, 2025-08).
_LARGER = b"context-1m"


def check_room(call: Call, step: Step) -> None:
    """Raises Unfit where the request's words alone are more than the target's window. Costs nothing for short bodies."""
    assert call.resolved is not None
    body = call.body
    if len(body) <= SHORT:
        return
    window = call.snapshot.window(call.resolved.name, step.target)
    if window is None or len(body) <= 2 * window or _most_words(body) <= window:
        return
    if any(_LARGER in value for _, value in (*call.passed, *step.endpoint.extra_headers)):
        return
    words = _fewest_tokens(body)
    if words > window:
        assert call.protocol is not None
        raise Unfit(
            BadRequest(
                f"This model's maximum context length is {window} tokens and the prompt is too long: at least {words} tokens > "
                f"{window} maximum ({step.label}). Shorten it, or ask a model with a larger context window.",
                code="context_length_exceeded",
                param=_PARAMS.get(call.protocol.name),
            )
        )


_PARAMS = {"gemini": "contents", "openai-chat": "messages", "openai-responses": "input", "anthropic": "messages"}


def _most_words(body: bytes) -> int:
    """An upper bound that needs no reading: a word ends with a space, an escape, a quote, or counts as characters do below."""
    beyond = 0 if body.isascii() else len(body) // 16
    return body.count(b" ") + body.count(b"\\") + body.count(b'"') + beyond


def _fewest_tokens(body: bytes) -> int:
    try:
        value = json.decode(body)
    except json.NotJson:
        return 0  # told elsewhere, with its place
    if not isinstance(value, dict) or value.get("truncation") == "auto" or any(value.get(one) for one in _SHORTENED):
        return 0
    return sum(_tokens(part) for name, part in value.items() if name in _READ)


def _tokens(value: Any) -> int:
    if isinstance(value, str):
        # Characters past ASCII take two to four bytes, of which a character itself is one.
        beyond = 0 if value.isascii() else len(value.encode("utf-8", "ignore")) - len(value)
        return max(len(value.split()), beyond // 24)
    if isinstance(value, list):
        return sum(_tokens(one) for one in value)
    # What was thought in earlier turns is left out of the prompt by its vendor.
    if isinstance(value, dict) and not value.get("thought") and value.get("type") not in ("thinking", "reasoning"):
        return sum(_tokens(part) for name, part in value.items() if name in _READ)
    return 0
