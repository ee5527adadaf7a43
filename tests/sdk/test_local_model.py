"""The vendors' clients against the built-in model: a real model's answers, to what a first user tries."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import openai
import pytest
from google import genai
from google.genai import types
from pydantic import BaseModel

from e2e.gateway import Gateway
from sdk.node import JS, NODE, node_environment

MODEL = "smollm2-135m"
ASK: list[Any] = [{"role": "user", "content": "Name one colour of the rainbow."}]


class Place(BaseModel):
    city: str
    celsius: int


def test_openai_chat(local_openai: openai.OpenAI) -> None:
    answer = local_openai.chat.completions.create(model=MODEL, messages=ASK, max_tokens=12)
    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason in ("stop", "length")
    assert answer.usage is not None
    assert 0 < answer.usage.completion_tokens <= 12
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_every_name(demo: Gateway) -> None:
    """In demo mode the model answers under every name, and says which it is."""
    body = {"model": "gpt-5.4", "messages": ASK, "max_tokens": 2}
    status, headers, answer = demo.post("/v1/chat/completions", body)
    assert (status, json.loads(answer)["model"]) == (200, MODEL)
    assert headers["x-dragoman-target"] == f"local/{MODEL}"
    turn = {"contents": [{"parts": [{"text": "Hi"}]}], "generationConfig": {"maxOutputTokens": 2}}
    status, _, answer = demo.post("/v1beta/models/gemini-2.5-flash:generateContent", turn)
    assert (status, json.loads(answer)["modelVersion"]) == (200, MODEL)


def test_openai_stream(local_openai: openai.OpenAI) -> None:
    whole = local_openai.chat.completions.create(model=MODEL, messages=ASK, max_tokens=12, seed=3, temperature=0)
    chunks = list(
        local_openai.chat.completions.create(
            model=MODEL,
            messages=ASK,
            max_tokens=12,
            seed=3,
            temperature=0,
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    pieces = [choice.delta.content for chunk in chunks for choice in chunk.choices if choice.delta.content]
    assert len(pieces) > 1
    assert "".join(pieces) == whole.choices[0].message.content
    assert chunks[-1].usage is not None
    assert whole.usage is not None
    assert chunks[-1].usage.total_tokens == whole.usage.total_tokens


def test_openai_seed(local_openai: openai.OpenAI) -> None:
    def ask(seed: int) -> str | None:
        answer = local_openai.chat.completions.create(
            model=MODEL, messages=ASK, max_tokens=16, seed=seed, temperature=1.5
        )
        return answer.choices[0].message.content

    assert ask(7) == ask(7)
    assert len({ask(seed) for seed in range(4)}) > 1


def test_openai_stop(local_openai: openai.OpenAI) -> None:
    messages: list[Any] = [{"role": "user", "content": "Count: 1, 2, 3, 4, 5"}]
    free = local_openai.chat.completions.create(model=MODEL, messages=messages, max_tokens=24, temperature=0)
    text = free.choices[0].message.content or ""
    stop = text[5:7]
    held = local_openai.chat.completions.create(model=MODEL, messages=messages, max_tokens=24, temperature=0, stop=stop)
    assert held.choices[0].message.content == text[: text.index(stop)]
    assert held.choices[0].finish_reason == "stop"


def test_openai_parse(local_openai: openai.OpenAI) -> None:
    answer = local_openai.chat.completions.parse(
        model=MODEL,
        messages=[{"role": "user", "content": "It is 18 degrees in Shanghai. Give city and temperature."}],
        response_format=Place,
        max_tokens=60,
        temperature=0,
    )
    assert isinstance(answer.choices[0].message.parsed, Place)


def test_openai_json_mode(local_openai: openai.OpenAI) -> None:
    answer = local_openai.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": "A user with name and age, as short JSON."}],
        response_format={"type": "json_object"},
        max_tokens=64,
        temperature=0,
    )
    if answer.choices[0].finish_reason == "stop":
        assert isinstance(json.loads(answer.choices[0].message.content or ""), dict)
    else:
        assert (answer.choices[0].message.content or "").lstrip().startswith("{")


@pytest.mark.parametrize("name", ["tools", "functions"])
def test_tools_are_refused(local_openai: openai.OpenAI, demo: Gateway, name: str) -> None:
    """The model has no tools and would ignore them; that is said, to callers of either protocol."""
    function = {"name": "get_weather", "parameters": {"type": "object"}}
    given: Any = {name: [{"type": "function", "function": function} if name == "tools" else function]}
    with pytest.raises(openai.BadRequestError) as caught:
        local_openai.chat.completions.create(model=MODEL, messages=ASK, max_tokens=4, **given)
    assert caught.value.param == name
    choice = "tool_choice" if name == "tools" else "function_call"
    for harmless in ({name: []}, {**given, choice: "none"}):
        assert local_openai.chat.completions.create(model=MODEL, messages=ASK, max_tokens=4, **harmless).choices
    turn = {"contents": [{"parts": [{"text": "Hi"}]}], "tools": [{"functionDeclarations": [function]}]}
    status, _, answer = demo.post(f"/v1beta/models/{MODEL}:generateContent", turn)
    assert (status, json.loads(answer)["error"]["status"]) == (400, "INVALID_ARGUMENT")


def test_google_chat(local_google: genai.Client) -> None:
    config = types.GenerateContentConfig(max_output_tokens=12, temperature=0.2, system_instruction="Answer briefly.")
    chat = local_google.chats.create(model=MODEL, config=config)
    assert chat.send_message("Name one colour.").text
    assert "".join(chunk.text or "" for chunk in chat.send_message_stream("Another one."))
    asked = [turn for turn in chat.get_history(curated=True) if turn.role == "user"]
    assert len(asked) == 2


def test_google_stream_is_the_whole(local_google: genai.Client) -> None:
    config = types.GenerateContentConfig(max_output_tokens=12, temperature=0, seed=1)
    whole = local_google.models.generate_content(model=MODEL, contents="Hi", config=config)
    chunks = list(local_google.models.generate_content_stream(model=MODEL, contents="Hi", config=config))
    assert "".join(chunk.text or "" for chunk in chunks) == whole.text
    assert chunks[-1].usage_metadata is not None
    assert whole.usage_metadata is not None
    assert chunks[-1].usage_metadata.total_token_count == whole.usage_metadata.total_token_count


def test_google_schema(local_google: genai.Client) -> None:
    for more in ({"response_schema": Place}, {"response_json_schema": Place.model_json_schema()}):
        config = types.GenerateContentConfig(
            response_mime_type="application/json", max_output_tokens=60, temperature=0, **more
        )
        answer = local_google.models.generate_content(
            model=MODEL, contents="It is 18 degrees in Shanghai. City and temperature?", config=config
        )
        Place.model_validate_json(answer.text or "")


def test_google_count_tokens(local_google: genai.Client) -> None:
    """As many as the model then says it has read."""
    config = types.GenerateContentConfig(max_output_tokens=1)
    for text in ("Hi", "Why is the sky blue? " * 20, "天空为什么是蓝色的?"):
        counted = local_google.models.count_tokens(model=MODEL, contents=text).total_tokens
        answer = local_google.models.generate_content(model=MODEL, contents=text, config=config)
        assert answer.usage_metadata is not None
        assert counted == answer.usage_metadata.prompt_token_count


def test_models(local_openai: openai.OpenAI, local_google: genai.Client) -> None:
    assert MODEL in [card.id for card in local_openai.models.list()]
    assert local_openai.models.retrieve(MODEL).id == MODEL
    assert f"models/{MODEL}" in [card.name for card in local_google.models.list()]
    assert local_google.models.get(model=MODEL).name == f"models/{MODEL}"


def test_javascript(node_modules: Path, demo: Gateway) -> None:
    done = subprocess.run(
        (NODE, "local.mjs", f"{demo.base_url}/v1", demo.key, MODEL),
        cwd=JS,
        env=node_environment(),
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["whole"] == seen["streamed"] != ""
    assert seen["place"].keys() == {"city", "celsius"}
