"""Vendors that are silent for long: what begins an answer is held so long and no longer, and the caller gets signs of life."""

from __future__ import annotations

import itertools
import json
import threading
from contextlib import ExitStack
from pathlib import Path

import anthropic
import openai
import pytest
from google import genai
from google.genai import types

from dragoman.protocols.known import PROTOCOLS as SPOKEN
from e2e.gateway import Gateway, provider, running
from e2e.sockets import calling
from e2e.speech import PROTOCOLS, Speech, asked, is_whole, question, read_events, speech
from e2e.vendor import Answer, Exchange, serving
from soak import soak

WORDS = "first words"


def pausing(*gates: threading.Event, signs: int = 0) -> Answer:
    """The words behind the first gate, the end behind the second; between them also what a gateway might send itself."""

    def answer(exchange: Exchange) -> None:
        told = asked(exchange)
        said: Speech = speech(told.protocol, WORDS, array=told.array)
        exchange.head(200, [("content-type", said.kind), ("transfer-encoding", "chunked")])
        exchange.chunk(said.opening)
        assert gates[0].wait(60)
        exchange.chunk(said.words)
        for _ in range(signs):
            exchange.chunk(SPOKEN[told.protocol].sign_of_life)
        assert gates[-1].wait(60)
        exchange.chunk(said.end)
        exchange.end()

    return answer


def config(base_url: str) -> str:
    told = "providers:\n"
    for name in PROTOCOLS:
        root = f"{base_url}/x" + ("/v1" if name.startswith("openai") else "")
        told += provider(name, name, root, f"to-{name}")
    return told


@soak
def test_what_begins_an_answer_goes_on_in_time_and_signs_of_life_follow(tmp_path: Path) -> None:
    """As it came and translated, from each protocol into each, all at once."""
    words, end = threading.Event(), threading.Event()
    ways = list(itertools.product(PROTOCOLS, PROTOCOLS))
    with (
        serving(pausing(words, end)) as one,
        running(tmp_path, config=config(one.base_url)) as gateway,
        ExitStack() as stack,
    ):
        callers = [stack.enter_context(calling(gateway)) for _ in ways]
        try:
            for (caller, vendor), asking in zip(ways, callers, strict=True):
                path, body = question(caller, f"to-{vendor}", "events")
                asking.post(path, json.dumps(body).encode())
            for asking in callers:
                asking.peek_until(b"200 OK")  # the time is over that it may be held
            words.set()
            for (caller, _), asking in zip(ways, callers, strict=True):
                asking.peek_until(b"words")
                sign = SPOKEN[caller].sign_of_life
                asking.peek_until(b"\r\n%x\r\n%b\r\n" % (len(sign), sign))
        finally:
            words.set()
            end.set()
        for (caller, _), asking in zip(ways, callers, strict=True):
            answer = asking.answer()
            sign = SPOKEN[caller].sign_of_life
            told = answer.body.removeprefix(sign)
            told = told.replace(b"\r\n" * 3, b"\r\n" * 2) if caller == "gemini" else told.replace(sign, b"")
            values = read_events(caller, "events", told)
            assert answer.status == 200 and is_whole(caller, values), values


def ask_by_sdk(gateway: Gateway, caller: str) -> str:
    turns = [{"role": "user", "content": "hi"}]
    match caller:
        case "openai-chat":
            with openai.OpenAI(api_key=gateway.key, base_url=f"{gateway.base_url}/v1", max_retries=0) as client:
                chunks = client.chat.completions.create(model=f"to-{caller}", messages=turns, stream=True)  # type: ignore[call-overload]
                return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        case "openai-responses":
            with openai.OpenAI(api_key=gateway.key, base_url=f"{gateway.base_url}/v1", max_retries=0) as client:
                events = client.responses.create(model=f"to-{caller}", input="hi", stream=True)
                return "".join(event.delta for event in events if event.type == "response.output_text.delta")
        case "anthropic":
            with (
                anthropic.Anthropic(api_key=gateway.key, base_url=gateway.base_url, max_retries=0) as other,
                other.messages.stream(model=f"to-{caller}", messages=turns, max_tokens=9) as stream,  # type: ignore[arg-type]
            ):
                return "".join(stream.text_stream)
    google = genai.Client(api_key=gateway.key, http_options=types.HttpOptions(base_url=gateway.base_url))
    return "".join(
        chunk.text or "" for chunk in google.models.generate_content_stream(model=f"to-{caller}", contents="hi")
    )


@pytest.mark.parametrize("caller", PROTOCOLS)
def test_the_vendors_own_clients_pass_over_signs_of_life(tmp_path: Path, caller: str) -> None:
    """Here they come from the vendor, whose bytes pass as they are: so nobody waits for ours."""
    now = threading.Event()
    now.set()
    with serving(pausing(now, signs=3)) as one, running(tmp_path, config=config(one.base_url)) as gateway:
        assert ask_by_sdk(gateway, caller) == WORDS
