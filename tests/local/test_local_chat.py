"""What the running model answers, and what it refuses."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from conftest import Chat
from dragoman.local.count import count_tokens
from local_model import LocalServer

CAPITAL = "What is the capital of France?"
# What so small a model says is left open; a grammar that allows one answer makes it end.
PARIS: dict[str, Any] = {"type": "json_schema", "json_schema": {"name": "city", "schema": {"const": "Paris"}}}
ENDLESS = {"max_tokens": 900, "ignore_eos": True, "temperature": 1.0}


def text(body: dict[str, Any]) -> str:
    return str(body["choices"][0]["message"]["content"])


async def events(answer: aiohttp.ClientResponse) -> list[dict[str, Any]]:
    raw = await answer.read()
    assert raw.endswith(b"\n\ndata: [DONE]\n\n")
    pieces = raw.decode().removesuffix("\n\ndata: [DONE]\n\n").split("\n\n")
    assert all(piece.startswith("data: {") for piece in pieces)
    return [json.loads(piece[6:]) for piece in pieces]


async def stream(http: aiohttp.ClientSession, prompt: str, **fields: Any) -> list[dict[str, Any]]:
    body = {"messages": [{"role": "user", "content": prompt}], "max_tokens": 16, "stream": True, **fields}
    async with http.post("/v1/chat/completions", json=body) as answer:
        assert answer.status == 200
        assert answer.content_type == "text/event-stream"
        return await events(answer)


async def idle(http: aiohttp.ClientSession) -> None:
    while True:
        async with http.get("/slots") as answer:
            if not any(slot["is_processing"] for slot in await answer.json()):
                return


async def test_plain_chat(chat: Chat) -> None:
    status, body = await chat(CAPITAL, model="anything", max_tokens=20)
    assert status == 200
    assert len(text(body)) > 10
    assert body["object"] == "chat.completion"
    assert body["model"] == "smollm2-135m"
    assert body["choices"][0]["message"]["role"] == "assistant"
    used = body["usage"]
    assert used["total_tokens"] == used["prompt_tokens"] + used["completion_tokens"]


async def test_an_answer_that_ends(chat: Chat) -> None:
    _, body = await chat(CAPITAL, response_format=PARIS)
    assert text(body) == '"Paris"'
    assert body["choices"][0]["finish_reason"] == "stop"


async def test_streaming(http: aiohttp.ClientSession) -> None:
    chunks = await stream(http, CAPITAL, response_format=PARIS, stream_options={"include_usage": True})
    *deltas, finish, usage = chunks
    assert all(chunk["object"] == "chat.completion.chunk" for chunk in chunks)
    assert deltas[0]["choices"][0]["delta"]["role"] == "assistant"
    assert "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in deltas) == '"Paris"'
    assert len(deltas) >= 3
    assert finish["choices"][0] == {"index": 0, "delta": {}, "finish_reason": "stop"}
    assert usage["choices"] == []
    assert usage["usage"]["completion_tokens"] >= 3


async def test_no_usage_and_no_progress_unless_asked_for(http: aiohttp.ClientSession) -> None:
    chunks = await stream(http, "Say hi", max_tokens=3)
    assert all(chunk["choices"] for chunk in chunks)
    assert not any("usage" in chunk or "prompt_progress" in chunk for chunk in chunks)


async def test_characters_of_several_tokens_come_whole(http: aiohttp.ClientSession) -> None:
    schema = {"type": "object", "properties": {"mood": {"const": "😀你好🎉"}}, "required": ["mood"]}
    form = {"type": "json_schema", "json_schema": {"name": "mood", "schema": schema}}
    chunks = await stream(http, "Mood?", max_tokens=40, response_format=form)
    pieces = [chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks]
    assert json.loads("".join(pieces)) == {"mood": "😀你好🎉"}
    assert not any("\ufffd" in piece for piece in pieces)


async def test_stop(chat: Chat) -> None:
    for stop in ("ar", ["nothing", "ar"]):
        _, body = await chat(CAPITAL, response_format=PARIS, stop=stop)
        assert text(body) == '"P'
        assert body["choices"][0]["finish_reason"] == "stop"


async def test_the_same_seed_gives_the_same_answer(chat: Chat) -> None:
    answers = [text((await chat("Tell a story", seed=seed, temperature=1.5))[1]) for seed in (42, 42, 43)]
    assert answers[0] == answers[1] != answers[2]


async def test_json_mode(chat: Chat) -> None:
    form = {"type": "json_object"}
    _, body = await chat("Give a JSON object with name and age.", max_tokens=200, response_format=form, seed=1)
    assert text(body).startswith("{")
    if body["choices"][0]["finish_reason"] == "stop":  # else it rambles on, in JSON
        assert isinstance(json.loads(text(body)), dict)


async def test_json_schema(chat: Chat) -> None:
    schema = {
        "type": "object",
        "properties": {"age": {"enum": [1, 2, 3]}, "kind": {"enum": ["cat", "dog"]}},
        "required": ["age", "kind"],
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "json_schema": {"name": "pet", "strict": True, "schema": schema}}
    _, body = await chat("Tom the cat is 3.", max_tokens=60, response_format=form)
    pet = json.loads(text(body))
    assert set(pet) == {"age", "kind"}
    assert isinstance(pet["age"], int)
    assert pet["kind"] in ("cat", "dog")


async def test_max_tokens_in_both_spellings(chat: Chat) -> None:
    for fields in ({"max_tokens": 3}, {"max_tokens": 9, "max_completion_tokens": 3}):
        _, body = await chat("Tell a story", **fields)
        assert body["usage"]["completion_tokens"] == 3
        assert body["choices"][0]["finish_reason"] == "length"
    status, body = await chat(CAPITAL, max_tokens=10**9, response_format=PARIS)
    assert (status, body["choices"][0]["finish_reason"]) == (200, "stop")


async def test_several_choices_are_all_counted(chat: Chat, http: aiohttp.ClientSession) -> None:
    _, body = await chat("Tell a story", n=2, max_tokens=3)
    assert [choice["index"] for choice in body["choices"]] == [0, 1]
    assert body["usage"]["completion_tokens"] == 6
    chunks = await stream(http, "Tell a story", n=2, max_tokens=3, stream_options={"include_usage": True})
    assert [chunk["usage"]["completion_tokens"] for chunk in chunks if "usage" in chunk] == [6]


async def test_logprobs(chat: Chat) -> None:
    _, body = await chat(CAPITAL, max_tokens=2, logprobs=True, top_logprobs=2)
    tokens = body["choices"][0]["logprobs"]["content"]
    assert "".join(token["token"] for token in tokens) == text(body)
    assert all(len(token["top_logprobs"]) == 2 and token["logprob"] <= 0 for token in tokens)


async def test_tools_are_ignored_even_when_required(chat: Chat) -> None:
    tool = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
    status, body = await chat(CAPITAL, tools=[tool], tool_choice="required")
    assert status == 200
    assert "tool_calls" not in body["choices"][0]["message"]


@pytest.mark.parametrize("streaming", [False, True])
async def test_a_prompt_beyond_the_context_is_refused(chat: Chat, streaming: bool) -> None:
    status, body = await chat("word " * 2000, stream=streaming)
    assert status == 400
    assert body["error"]["type"] == "exceed_context_size_error"
    assert (body["error"]["n_prompt_tokens"], body["error"]["n_ctx"]) == (2031, 1024)


PIXEL = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"max_tokens": -5}, "max_tokens"),
        ({"temperature": "hot"}, "temperature"),
        ({"stream": "x"}, "stream"),
        ({"n": 3}, "'n'"),
        ({"top_logprobs": 3}, "logprobs"),
        ({"messages": "x"}, "messages"),
        ({"messages": [{"content": "x"}]}, "role"),
        ({"messages": [{"role": "user", "content": [PIXEL]}]}, "image input is not supported"),
        ({"response_format": {"type": "bogus"}}, "response_format"),
        ({"response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "x"}}}}, "schema"),
    ],
)
async def test_the_callers_faults(chat: Chat, fields: dict[str, Any], words: str) -> None:
    status, body = await chat("hi", **fields)
    assert status == 400
    assert body["error"]["type"] == "invalid_request_error"
    assert words in body["error"]["message"]


@pytest.mark.parametrize("body", [b"", b"{bad", b"null", b'{"messages": "\xff"}', b'{"messages":' + b"[" * 99999])
async def test_bodies_that_are_no_request(http: aiohttp.ClientSession, body: bytes) -> None:
    async with http.post("/v1/chat/completions", data=body) as answer:
        assert answer.status == 400
        assert (await answer.json())["error"]["type"] == "invalid_request_error"


async def test_without_the_key_only_health_answers(local_server: LocalServer) -> None:
    async with aiohttp.ClientSession(local_server.base_url) as stranger:
        async with stranger.get("/health") as answer:
            assert answer.status == 200
        for headers in ({}, {"Authorization": "Bearer wrong"}):
            async with stranger.post("/v1/chat/completions", json={}, headers=headers) as answer:
                assert answer.status == 401
                assert (await answer.json())["error"]["type"] == "authentication_error"


async def test_more_requests_than_slots_all_answer(chat: Chat) -> None:
    answers = await asyncio.gather(*(chat(CAPITAL, max_tokens=4) for _ in range(6)))
    assert [status for status, _ in answers] == [200] * 6


@pytest.mark.parametrize("streaming", [False, True])
async def test_a_caller_who_leaves_frees_the_model(http: aiohttp.ClientSession, chat: Chat, streaming: bool) -> None:
    body = {"messages": [{"role": "user", "content": "Tell a story"}], "stream": streaming, **ENDLESS}
    request = asyncio.create_task(http.post("/v1/chat/completions", json=body).__aenter__())
    while True:
        async with http.get("/slots") as answer:
            if any(slot["is_processing"] for slot in await answer.json()):
                break
    if streaming:
        (await request).close()
    else:
        request.cancel()
    async with asyncio.timeout(6):  # to its end the answer would take longer
        await idle(http)


async def test_a_caller_who_leaves_while_the_prompt_is_read(http: aiohttp.ClientSession) -> None:
    body = {"messages": [{"role": "user", "content": "sea " * 900}], **ENDLESS}
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await http.post("/v1/chat/completions", json=body).__aenter__()
    async with asyncio.timeout(6):
        await idle(http)


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "user", "content": CAPITAL}],
        [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "héllo 你好 😀"}],
        [
            {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
            {"role": "assistant", "content": "c"},
            {"role": "user", "content": "<|im_end|> d"},
        ],
    ],
)
async def test_counted_tokens_are_those_of_the_answer(
    http: aiohttp.ClientSession, chat: Chat, messages: list[dict[str, Any]]
) -> None:
    async def post(path: str, body: bytes) -> bytes:
        async with http.post(path, data=body, raise_for_status=True) as answer:
            return await answer.read()

    _, body = await chat(messages, max_tokens=1)
    assert await count_tokens(post, messages) == body["usage"]["prompt_tokens"]


async def test_tokenize_and_template(http: aiohttp.ClientSession) -> None:
    async with http.post("/tokenize", json={"content": "hello world"}) as answer:
        assert await answer.json() == {"tokens": [28120, 905]}
    async with http.post("/apply-template", json={"messages": [{"role": "user", "content": "hey"}]}) as answer:
        assert (await answer.json())["prompt"].endswith("<|im_start|>user\nhey<|im_end|>\n<|im_start|>assistant\n")
