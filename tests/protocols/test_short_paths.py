"""What takes a short way gives what the long way gives: a plain answer's, and that of counts as they should be.

The long ways name each field, the short ones tell it by its place: a field put in between would show here.
"""

import json
from itertools import product
from typing import Any

import pytest
from msgspec import ValidationError

from dragoman.ir import Candidate, Extra, Finish, Losses, Response, Signature, Text, TokenLogprob, Usage
from dragoman.ir.response import FinishReason
from dragoman.protocols.base import Route, Stamp
from dragoman.protocols.gemini import usage as gemini_usage
from dragoman.protocols.known import PROTOCOLS
from dragoman.protocols.openai_chat import PROTOCOL as CHAT
from dragoman.protocols.openai_chat import usage as chat_usage

STAMP = Stamp("id", 1782955817, "shown")
ASKED = {
    "gemini": b'{"contents":[{"parts":[{"text":"Hi"}]}]}',
    "openai-chat": b'{"model":"m","messages":[{"role":"user","content":"Hi"}]}',
}
REASONS: tuple[FinishReason, ...] = ("stop", "length", "content_filter", "refusal", "pause", "other")


class Said(Text, frozen=True):
    """A text that no short way takes."""


@pytest.mark.parametrize("protocol", ASKED)
def test_a_plain_answer_is_written_the_same(protocol: str) -> None:
    spoken = PROTOCOLS[protocol]
    request = spoken.read_request(ASKED[protocol], Route("generate", "m", False))

    def written(text: Text, finish: Finish | None, logprobs: tuple[TokenLogprob, ...] | None) -> Any:
        losses = Losses(spoken.spelling)
        answer = Response("id", "m", (Candidate(1, (text,), finish, logprobs),))
        return json.loads(spoken.write_response(answer, request, STAMP, losses)), losses.found

    finishes = [None, *(Finish(*told) for told in product(REASONS, (None, "OWN"), (None, "Why.")))]
    signatures = (None, Signature("gemini", "c2ln"), Signature("anthropic", "c2ln"))
    extras = ((), (Extra("openai", "annotations", [{}], "p"),), (Extra("", "odd", 1, "p"),))
    for words, finish, signature, beside, logprobs in product(
        ("", "Hello"), finishes, signatures, extras, (None, (TokenLogprob("a", -1.0),))
    ):
        told = (words, signature, beside)
        assert written(Text(*told), finish, logprobs) == written(Said(*told), finish, logprobs)


BESIDE = {
    "reasoning_content": "Hm",
    "reasoning": "Hm",
    "extra_content": {"google": {"thought_signature": "c2ln"}},
    "refusal": "No.",
    "images": [{"image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}],
    "audio": {"data": "AAAA"},
    "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": "{}"}}],
    "function_call": {"name": "f", "arguments": "{}"},
}


@pytest.mark.parametrize("name", BESIDE)
def test_what_stands_beside_the_content_is_read(name: str) -> None:
    def read(**message: Any) -> Any:
        choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "stop"}
        return CHAT.read_response(json.dumps({"choices": [choice]}).encode()).candidates[0].parts

    empty: dict[str, Any] = {**dict.fromkeys(BESIDE), "annotations": []}
    assert read(content="Hello", **empty) == (Text("Hello"),)
    said = read(**{**empty, "content": "Hello", name: BESIDE[name]})
    assert said != (Text("Hello"),)
    assert read(**{**empty, "content": [{"type": "text", "text": "Hello"}], name: BESIDE[name]}) != (Text("Hello"),)


COUNTS: list[Any] = [
    (
        chat_usage,
        {
            "prompt_tokens": 101,
            "completion_tokens": 53,
            "total_tokens": 154,
            "prompt_cache_hit_tokens": 3,
            "prompt_tokens_details": {
                "cached_tokens": 11,
                "cache_write_tokens": 13,
                "text_tokens": 17,
                "image_tokens": 19,
                "audio_tokens": 23,
                "video_tokens": 29,
            },
            "completion_tokens_details": {
                "reasoning_tokens": 7,
                "accepted_prediction_tokens": 31,
                "rejected_prediction_tokens": 37,
                "text_tokens": 41,
                "image_tokens": 43,
                "audio_tokens": 47,
                "video_tokens": 5,
            },
        },
        {"tool_input", "cached_by_modality", "tool_input_by_modality"},
    ),
    (
        gemini_usage,
        {
            "promptTokenCount": 101,
            "candidatesTokenCount": 53,
            "thoughtsTokenCount": 7,
            "toolUsePromptTokenCount": 11,
            "cachedContentTokenCount": 13,
            "totalTokenCount": 172,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 17}, {"modality": "IMAGE"}],
            "candidatesTokensDetails": [{"modality": "AUDIO", "tokenCount": 19}],
            "cacheTokensDetails": [{"modality": "VIDEO", "tokenCount": 23}],
            "toolUsePromptTokensDetails": [{"modality": "DOCUMENT", "tokenCount": 29}],
        },
        {"cache_write", "accepted_prediction", "rejected_prediction"},
    ),
]


@pytest.mark.parametrize(("module", "counts", "untold"), COUNTS, ids=["chat", "gemini"])
def test_counts_are_read_the_same(module: Any, counts: Any, untold: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(value: Any, type: Any) -> Any:
        raise ValidationError

    fewer = [{name: held for name, held in counts.items() if name != left} for left in counts]
    quick = [module.read_usage(told) for told in (counts, *fewer)]
    monkeypatch.setattr(module, "convert", refuse)
    assert [module.read_usage(told) for told in (counts, *fewer)] == quick
    # All that the vendor can tell was told, and each differently.
    silent = {"estimated", "cache_write_hour", *untold}
    told = {name: getattr(quick[0], name) for name in Usage.__struct_fields__ if name not in silent}
    assert all(told.values()) and len(set(told.values())) == len(told)
