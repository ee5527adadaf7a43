"""A caller's own bytes come back from a journey through any other protocol, where both can carry what they say."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.catalog.profile import profile_for
from dragoman.ir import (
    Candidate,
    Finish,
    FunctionTool,
    Losses,
    Media,
    Message,
    Part,
    Request,
    Response,
    Sampling,
    Text,
    ToolCall,
    ToolChoice,
    ToolResult,
    Usage,
)
from dragoman.protocols.base import Route, Stamp
from dragoman.protocols.known import PROTOCOLS

MODELS = {
    "gemini": "gemini-2.5-pro",
    "openai-chat": "some-model",
    "openai-responses": "some-model",
    "anthropic": "claude-haiku-4-5",
}
PAIRS = list(itertools.permutations(MODELS, 2))
OBJECT = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}

_WORDS = st.text('aé🗼 "\\\n{<', min_size=1, max_size=6).filter(lambda text: bool(text.strip()))
_NAMES = st.sampled_from(["f", "g", "look_up"])
_ARGUMENTS = st.sampled_from(["{}", '{"a":1}', '{"b":["é",null]}'])


@st.composite
def conversations(draw: st.DrawFn) -> tuple[Message, ...]:
    messages: list[Message] = []
    calls = 0
    for _ in range(draw(st.integers(0, 3))):
        picture = draw(st.lists(st.just(Media("image/png", data="aGk=", detail="auto")), max_size=1))
        messages.append(Message("user", (*picture, Text(draw(_WORDS)))))
        made: list[ToolCall] = []
        for _ in range(draw(st.integers(0, 3))):
            calls += 1
            made.append(ToolCall(f"call_{calls}", draw(_NAMES), draw(_ARGUMENTS)))
        said: tuple[Part, ...] = (Text(draw(_WORDS)),) if not made or draw(st.booleans()) else ()
        messages.append(Message("assistant", (*said, *made)))
        if made:
            results = [
                ToolResult(call.id, call.name, *draw(st.sampled_from([("done", False), ('{"a":1}', True)])))
                for call in made
            ]
            messages += [Message("user", tuple(results)), Message("assistant", (Text("ok"),))]
    return (*messages, Message("user", (Text(draw(_WORDS)),)))


_TOOLS = st.lists(_NAMES, max_size=3, unique=True).map(
    lambda names: tuple([FunctionTool(name, f"Does {name}.", OBJECT, False) for name in names])
)


@st.composite
def requests(draw: st.DrawFn) -> Request:
    tools = draw(_TOOLS)
    choice = None
    if tools:
        # To the one or to all: only some protocols know of a part of them.
        choice = draw(
            st.sampled_from([None, ToolChoice("auto"), ToolChoice("any"), ToolChoice("any", (tools[0].name,))])
        )
    return Request(
        "m",
        draw(conversations()),
        system=tuple([Text(draw(_WORDS))] if draw(st.booleans()) else []),
        tools=tools,
        tool_choice=choice,
        sampling=Sampling(
            temperature=draw(st.none() | st.sampled_from([0.25, 0.5, 1.0])), max_output_tokens=draw(st.integers(20, 90))
        ),
        stream=draw(st.booleans()),
    )


def said(protocol: str, request: Request) -> tuple[bytes, bool]:
    """The request as a vendor of the protocol would be asked, which is what its own callers send."""
    model = MODELS[protocol]
    losses = Losses(PROTOCOLS[protocol].spelling)
    out = PROTOCOLS[protocol].write_request(request, model, profile_for(protocol, model), losses)
    assert not losses.serious
    return out.body, out.stream


def heard(protocol: str, body: bytes, stream: bool) -> Request:
    return PROTOCOLS[protocol].read_request(body, Route("generate", MODELS[protocol], stream))


@pytest.mark.parametrize(("caller", "vendor"), PAIRS)
@given(requests())
@settings(max_examples=60, deadline=None)
def test_requests(caller: str, vendor: str, request: Request) -> None:
    own, stream = said(caller, request)
    theirs, stream = said(vendor, heard(caller, own, stream))
    back, _ = said(caller, heard(vendor, theirs, stream))
    assert known(json.loads(back)) == known(json.loads(own))


def known(body: Any) -> Any:
    """The body without what each protocol has to be asked for and others never say: calls are not strict unless one says so,
    and how closely a picture is looked at is the vendor's choice."""
    kept = {name: value for name, value in body.items() if name not in ("include", "store", "stream_options", "model")}
    for tool in kept.get("tools", ()):
        for holder in (tool, tool.get("function", {})):
            if holder.get("strict") is False:
                del holder["strict"]
    for turn in (*kept.get("messages", ()), *kept.get("input", ())):
        content = turn.get("content")
        for part in content if isinstance(content, list) else ():
            for holder in (part, part.get("image_url")):
                if isinstance(holder, dict) and holder.get("detail") == "auto":
                    del holder["detail"]
    return kept


@st.composite
def responses(draw: st.DrawFn) -> Response:
    called = [ToolCall(f"call_{number}", draw(_NAMES), draw(_ARGUMENTS)) for number in range(draw(st.integers(0, 2)))]
    parts: list[Part] = [Text(draw(_WORDS))] if not called or draw(st.booleans()) else []
    finish = Finish("tool_calls" if called else draw(st.sampled_from(["stop", "length"])))
    usage = Usage(draw(st.integers(3, 9)), draw(st.integers(1, 9)), draw(st.integers(0, 3)))
    return Response("id", "m", (Candidate(0, (*parts, *called), finish),), usage, created=7)


ASKED = {
    "gemini": b'{"contents":[{"parts":[{"text":"x"}]}]}',
    "openai-chat": b'{"model":"m","messages":[{"role":"user","content":"x"}]}',
    "openai-responses": b'{"model":"m","input":"x"}',
    "anthropic": b'{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"}]}',
}


def told(protocol: str, response: Response) -> bytes:
    spoken = PROTOCOLS[protocol]
    losses = Losses(spoken.spelling)
    request = spoken.read_request(ASKED[protocol], Route("generate", "m"))
    body = spoken.write_response(response, request, Stamp("id", 7, "m"), losses)
    assert not losses.serious
    return body


@pytest.mark.parametrize(("caller", "vendor"), PAIRS)
@given(responses())
@settings(max_examples=60, deadline=None)
def test_answers(caller: str, vendor: str, response: Response) -> None:
    own = told(caller, response)
    theirs = told(vendor, PROTOCOLS[caller].read_response(own))
    assert json.loads(told(caller, PROTOCOLS[vendor].read_response(theirs))) == json.loads(own)
