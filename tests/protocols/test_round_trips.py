"""What a protocol can carry comes back from it as it went in: requests as vendors are asked, answers as callers are told."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import fields, replace

from dragoman.catalog.profile import profile_for
from dragoman.ir import (
    Candidate,
    Citation,
    FetchCall,
    FetchResult,
    Finish,
    FunctionTool,
    Losses,
    Media,
    Message,
    OutputFormat,
    Part,
    Reasoning,
    Request,
    Response,
    Sampling,
    SearchCall,
    SearchResult,
    Source,
    Text,
    TokenLogprob,
    ToolCall,
    ToolChoice,
    ToolResult,
    Usage,
)
from dragoman.ir.request import Effort
from dragoman.protocols.base import Route, Stamp
from dragoman.protocols.known import PROTOCOLS

# A model of each protocol that takes nearly all there is.
MODELS = {"gemini": "gemini-3-flash-preview", "openai-chat": "some-model", "openai-responses": "some-model"}
PLACES = frozenset({"origin", "places", "path"})


def bare(value: Any) -> Any:
    """The value without the places where it was written."""
    if isinstance(value, Struct):
        told = {field.name: bare(getattr(value, field.name)) for field in fields(value) if field.name not in PLACES}
        return {"#": type(value).__name__, **told}
    return [bare(item) for item in value] if isinstance(value, tuple | list) else value


_WORDS = st.text('aé🗼 "\\\n{', min_size=1, max_size=5)
_NAMES = st.sampled_from(["f", "g", "look_up"])
_ARGUMENTS = st.sampled_from(["{}", '{"a":1}', '{"b":["é",null]}'])
_PICTURE = st.just(Media("image/png", data="aGk="))
_RESULTS = st.one_of(
    st.tuples(_WORDS.filter(lambda words: "{" not in words), st.just(False)),
    st.sampled_from([('{"a":1}', True), ("[1,2]", True)]),
)


@st.composite
def conversations(draw: st.DrawFn) -> tuple[Message, ...]:
    messages: list[Message] = []
    calls = 0
    for _ in range(draw(st.integers(0, 3))):
        messages.append(Message("user", (Text(draw(_WORDS)), *draw(st.lists(_PICTURE, max_size=1)))))
        made: list[ToolCall] = []
        for _ in range(draw(st.integers(0, 2))):
            calls += 1
            made.append(ToolCall(f"call_{calls}", draw(_NAMES), draw(_ARGUMENTS)))
        said: tuple[Part, ...] = (Text(draw(_WORDS)),) if not made or draw(st.booleans()) else ()
        messages.append(Message("assistant", (*said, *made)))
        if made:
            results = []
            for call in made:
                content, is_json = draw(_RESULTS)
                results.append(ToolResult(call.id, call.name, content, is_json))
            messages += [Message("user", tuple(results)), Message("assistant", (Text("ok"),))]
    return (*messages, Message("user", (Text(draw(_WORDS)),)))


_EFFORTS: tuple[Effort, ...] = ("minimal", "low", "medium", "high")
_TOOLS = st.sampled_from(
    [
        FunctionTool("f"),
        FunctionTool("g", "Does g.", {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}),
        FunctionTool("look_up", "", {"type": "object", "properties": {}}),
    ]
)
_SAMPLING = st.builds(
    Sampling,
    temperature=st.none() | st.sampled_from([0, 0.5, 2]),
    top_p=st.none() | st.just(0.5),
    max_output_tokens=st.none() | st.integers(1, 9),
    stop=st.lists(st.sampled_from(["a", "é"]), max_size=2).map(tuple),
    seed=st.none() | st.integers(0, 9),
    candidate_count=st.none() | st.just(2),
)
_REQUESTS = st.builds(
    Request,
    model=st.just("m"),
    messages=conversations(),
    system=st.lists(_WORDS.map(Text), max_size=2).map(tuple),
    tools=st.lists(_TOOLS, max_size=3, unique_by=lambda tool: tool.name).map(tuple),
    sampling=_SAMPLING,
    format=st.sampled_from(
        [None, OutputFormat("json"), OutputFormat("schema", {"type": "object", "properties": {}}, None)]
    ),
    reasoning=st.none()
    | st.sampled_from(["minimal", "low", "medium", "high"]).map(lambda word: Reasoning(effort=word)),
    service_tier=st.none() | st.sampled_from(["flex", "default", "priority"]),
    stream=st.booleans(),
)


@pytest.mark.parametrize("protocol", MODELS)
@given(_REQUESTS, st.sampled_from(["auto", "none", "any"]), st.booleans())
@settings(max_examples=150, deadline=None)
def test_requests(protocol: str, request: Request, mode: Any, chosen: bool) -> None:
    if request.tools and not (mode == "any" and request.format is not None):
        allowed = tuple([tool.name for tool in request.tools[:1] if isinstance(tool, FunctionTool)])
        request = replace(request, tool_choice=ToolChoice(mode, allowed if chosen and mode == "any" else ()))
    if protocol == "openai-chat" and request.format is not None and request.format.schema is not None:
        request = replace(request, format=replace(request.format, name="response", strict=False))
    if protocol == "openai-responses":
        request = _as_responses(request)
    spoken = PROTOCOLS[protocol]
    losses = Losses(spoken.spelling)
    out = spoken.write_request(request, MODELS[protocol], profile_for(protocol, MODELS[protocol]), losses)
    again = spoken.read_request(out.body, Route("generate", "m", out.stream))
    told = replace(request, include_usage=again.include_usage, model=again.model)
    if protocol == "gemini":
        told = replace(told, messages=_dummies(told.messages, again.messages))
    if protocol == "openai-responses":
        again = replace(again, extras=())  # what the answer would repeat
    assert bare(again) == bare(told)
    assert all(loss.harmless for loss in losses.found)


def _as_responses(request: Request) -> Request:
    """What Responses can say of the request: one system text, no stops, every function with its parameters."""
    sampling = replace(request.sampling, stop=(), seed=None, candidate_count=None)
    tools = [
        replace(tool, parameters=tool.parameters or {"type": "object", "properties": {}}, strict=False)
        for tool in request.tools
        if isinstance(tool, FunctionTool)
    ]
    system = (Text("\n\n".join(text.text for text in request.system)),) if request.system else ()
    form = request.format
    if form is not None:
        form = OutputFormat("schema", form.schema or {"type": "object"}, "response", strict=False)
    # Pictures have a detail there, and there is always one.
    messages = [
        replace(
            message,
            parts=tuple([replace(part, detail="auto") if isinstance(part, Media) else part for part in message.parts]),
        )
        for message in request.messages
    ]
    return replace(request, sampling=sampling, tools=tuple(tools), system=system, format=form, messages=tuple(messages))


def _dummies(messages: tuple[Message, ...], again: tuple[Message, ...]) -> tuple[Message, ...]:
    """The messages with the signatures that Gemini 3 wants on calls that it did not make."""
    return tuple(
        [
            replace(
                message,
                parts=tuple(
                    [
                        replace(part, signature=other.signature)
                        if isinstance(part, ToolCall) and isinstance(other, ToolCall)
                        else part
                        for part, other in zip(message.parts, written.parts, strict=True)
                    ]
                ),
            )
            for message, written in zip(messages, again, strict=True)
        ]
    )


@st.composite
def candidates(draw: st.DrawFn, protocol: str) -> Candidate:
    text = draw(_WORDS)
    parts: tuple[Part, ...] = (Text(text),)
    citations: tuple[Citation, ...] = ()
    if draw(st.booleans()):
        spans = draw(st.lists(st.tuples(st.integers(0, len(text) - 1), st.integers(1, 3)), max_size=2, unique=True))
        citations = tuple([Citation(f"https://{at}.com", at, min(len(text), at + length), "T") for at, length in spans])
        citations = tuple({(one.start, one.end): one for one in citations}.values())
    if protocol == "gemini" and draw(st.booleans()):
        sources = tuple({one.url: Source(one.url, one.title) for one in citations}.values())
        parts = (
            FetchCall("https://a"),
            FetchResult(Source("https://a")),
            SearchCall(("q",)),
            SearchResult(sources),
            *parts,
        )
    elif protocol == "gemini":
        citations = ()  # there a page that is cited was found by a search
    called = [ToolCall(f"call_{number}", draw(_NAMES), draw(_ARGUMENTS)) for number in range(draw(st.integers(0, 2)))]
    finish = Finish("tool_calls" if called else draw(st.sampled_from(["stop", "length"])))
    logprobs = draw(st.none() | st.just((TokenLogprob("é", -0.5, (("a", -1.0),)),)))
    return Candidate(0, (*parts, *called), finish, logprobs, citations)


@pytest.mark.parametrize("protocol", MODELS)
@given(st.data())
@settings(max_examples=150, deadline=None)
def test_answers(protocol: str, data: st.DataObject) -> None:
    spoken = PROTOCOLS[protocol]
    asked = {
        "gemini": b'{"contents":[{"parts":[{"text":"x"}]}]}',
        "openai-chat": b'{"model":"m","messages":[{"role":"user","content":"x"}]}',
        "openai-responses": b'{"model":"m","input":"x"}',
    }
    request = spoken.read_request(asked[protocol], Route("generate", "m"))
    response = Response(
        "id", "m", (data.draw(candidates(protocol)),), Usage(5, 4, 1, 0, 2), created=7, service_tier="flex"
    )
    losses = Losses(spoken.spelling)
    again = spoken.read_response(spoken.write_response(response, request, Stamp("id", 7, "m"), losses))
    again = replace(again, created=7, candidates=tuple([_plain(one) for one in again.candidates]))
    assert bare(again) == bare(response)
    assert losses.found == []


def _plain(candidate: Candidate) -> Candidate:
    """The candidate without the vendor's own word for its end, and what only Gemini computes beside its logprobs."""
    assert candidate.finish is not None
    extras = tuple([extra for extra in candidate.extras if extra.name != "avgLogprobs"])
    return replace(candidate, finish=Finish(candidate.finish.reason), extras=extras)
