"""What is put right in llama.cpp's chat endpoint, without a model."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dragoman.local.mend import Answer, Asked, ask, refusal


def chunk(index: int, delta: dict[str, Any], finish: str | None = None, **more: Any) -> dict[str, Any]:
    return {"id": "c", "choices": [{"index": index, "delta": delta, "finish_reason": finish}], **more}


def usage(prompt: int, completion: int) -> dict[str, Any]:
    counts = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    return {"id": "c", "choices": [], "usage": counts}


def test_every_request_becomes_a_stream_with_usage_and_progress() -> None:
    asked = ask(b'{"messages": [], "foo": 1}')
    assert asked is not None
    body, wanted = asked
    assert wanted == Asked(stream=False, usage=False)
    assert json.loads(body) == {
        "messages": [],
        "foo": 1,
        "stream": True,
        "stream_options": {"include_usage": True},
        "return_progress": True,
    }


def test_what_the_caller_wanted_is_kept() -> None:
    asked = ask(b'{"stream": true, "stream_options": {"include_usage": true}}')
    assert asked is not None
    assert asked[1] == Asked(stream=True, usage=True)


@pytest.mark.parametrize("body", [b"", b"{bad", b"[]", b"\xff", b'{"stream": "x"}', b"[" * 100_000])
def test_what_llama_cpp_refuses_anyhow_is_left_to_it(body: bytes) -> None:
    assert ask(body) is None


def test_choices_are_put_together_and_usage_summed() -> None:
    answer = Answer()
    progress = {"prompt_progress": {}, "choices": [{"index": 0, "delta": {"role": "assistant"}}]}
    assert answer.take(progress) is None
    answer.take(chunk(0, {"role": "assistant", "content": None}))
    answer.take(chunk(0, {"content": "a"}))
    answer.take(chunk(1, {"content": "x"}))
    answer.take(chunk(0, {"content": "b"}))
    answer.take(chunk(0, {}, "stop"))
    assert answer.take(usage(7, 2)) is None
    answer.take(chunk(1, {}, "length"))
    assert answer.take(usage(7, 1)) is None
    whole = answer.body()
    assert [(c["message"]["content"], c["finish_reason"]) for c in whole["choices"]] == [
        ("ab", "stop"),
        ("x", "length"),
    ]
    assert whole["usage"] == {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    assert answer.usage_chunk()["choices"] == []


def test_the_role_comes_once_and_first() -> None:
    answer = Answer()
    first = answer.take(chunk(0, {"content": "😉"}))
    assert first is not None
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": "😉"}


def test_the_callers_faults_are_400() -> None:
    fault = b'{"error": {"code": 500, "message": "image input is not supported", "type": "server_error"}}'
    status, body = refusal(500, fault)
    assert status == 400
    assert json.loads(body)["error"]["type"] == "invalid_request_error"
    assert refusal(500, b"oops") == (500, b"oops")
    assert refusal(503, fault) == (503, fault)
