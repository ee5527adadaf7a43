"""What Anthropic's models are asked, and how answers are told, where no golden case of another protocol says it."""

import json
from time import perf_counter
from typing import Any

import pytest

from dragoman.catalog.profile import Profile, profile_for
from dragoman.ir import (
    BadRequest,
    BuiltinTool,
    Candidate,
    CodeCall,
    CodeResult,
    Event,
    Extra,
    Finish,
    Finished,
    FunctionTool,
    Losses,
    Media,
    Message,
    OutputFormat,
    PartAdded,
    Reasoning,
    Refusal,
    RefusalDelta,
    Request,
    Response,
    Sampling,
    SearchCall,
    SearchResult,
    Signature,
    Source,
    Text,
    TextDelta,
    Thought,
    ThoughtDelta,
    ToolCall,
    ToolCallDelta,
    ToolCallStarted,
    ToolChoice,
    ToolResult,
    Usage,
)
from dragoman.protocols.anthropic import PROTOCOL
from dragoman.protocols.anthropic.schema import Unbounded, answer_schema, input_schema, is_closed
from dragoman.protocols.base import ModelCard, Route, Stamp

ROUTE = Route("generate")
STAMP = Stamp("msg_1", 1, "m")
HI = (Message("user", (Text("Hi"),), "messages.0"),)
WEATHER = FunctionTool("get_weather", "The weather", {"type": "object", "properties": {"city": {"type": "string"}}})
OLD, BUDGET, ADAPTIVE, NEWEST, UNFORCED = (
    profile_for("anthropic", name)
    for name in ("claude-3-5-haiku", "claude-sonnet-4-5", "claude-opus-4-6", "claude-opus-5", "claude-fable-5")
)


def asked(
    profile: Profile = BUDGET, messages: tuple[Message, ...] = HI, **more: Any
) -> tuple[dict[str, Any], list[str]]:
    losses = Losses(PROTOCOL.spelling)
    out = PROTOCOL.write_request(Request("m", messages, **more), "m", profile, losses)
    return json.loads(out.body), [loss.path for loss in losses.found if not loss.harmless]


def test_profiles() -> None:
    """The first pattern that fits, whatever a cloud puts around the name."""
    for name in (
        "claude-opus-4-6",
        "anthropic.claude-opus-4-6-v1",
        "claude-opus-4-6@20260101",
        "anthropic/claude-opus-4-6",
    ):
        assert profile_for("anthropic", name) is ADAPTIVE
    assert profile_for("anthropic", "claude-3-7-sonnet-20250219").thinking == "budget"
    assert profile_for("anthropic", "claude-sonnet-4-20250514").native_format is False
    assert profile_for("anthropic", "claude-opus-4-1-20250805").native_format is True
    assert profile_for("anthropic", "claude-haiku-9").thinking == "adaptive"
    assert profile_for("anthropic", "kimi-k2").native_format is False
    assert NEWEST.efforts[-2:] == ("xhigh", "max") and not UNFORCED.forced_calls


@pytest.mark.parametrize(
    ("profile", "effort", "written"),
    [
        (BUDGET, "minimal", {"thinking": {"type": "enabled", "budget_tokens": 1024}}),
        (BUDGET, "low", {"thinking": {"type": "enabled", "budget_tokens": 2048}}),
        (BUDGET, "medium", {"thinking": {"type": "enabled", "budget_tokens": 8192}}),
        (BUDGET, "high", {"thinking": {"type": "enabled", "budget_tokens": 16384}}),
        (BUDGET, "max", {"thinking": {"type": "enabled", "budget_tokens": 32768}}),
        (BUDGET, "none", {}),
        (ADAPTIVE, "minimal", {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}}),
        (ADAPTIVE, "high", {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}}),
        (ADAPTIVE, "xhigh", {"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}}),
        (NEWEST, "xhigh", {"thinking": {"type": "adaptive"}, "output_config": {"effort": "xhigh"}}),
        (NEWEST, "none", {"thinking": {"type": "disabled"}}),
        (UNFORCED, "none", {"output_config": {"effort": "low"}}),
        (OLD, "none", {}),
    ],
)
def test_efforts(profile: Profile, effort: Any, written: dict[str, Any]) -> None:
    body, lost = asked(profile, reasoning=Reasoning(effort))
    assert {name: body[name] for name in ("thinking", "output_config") if name in body} == written
    assert not lost


@pytest.mark.parametrize(
    ("effort", "budget", "limit", "thinks", "max_tokens", "lost"),
    [
        ("low", None, 100, 1024, 1124, ["max_tokens"]),
        ("low", None, 2048, 1024, 2048, []),
        ("high", None, 10000, 5000, 10000, []),
        (None, 4000, 4000, 4000, 8000, ["max_tokens"]),
        (None, 4000, 4001, 4000, 4001, []),
        (None, 90000, 64000, 62976, 64000, []),
        (None, -1, None, 10000, 64000, []),
    ],
)
def test_a_budget_is_less_than_the_limit(
    effort: Any, budget: int | None, limit: int | None, thinks: int, max_tokens: int, lost: list[str]
) -> None:
    body, found = asked(reasoning=Reasoning(effort, budget), sampling=Sampling(max_output_tokens=limit))
    assert (body["thinking"]["budget_tokens"], body["max_tokens"], found) == (thinks, max_tokens, lost)


def test_a_model_that_does_not_think() -> None:
    body, lost = asked(OLD, reasoning=Reasoning("high"))
    assert "thinking" not in body and lost == ["output_config.effort"]


@pytest.mark.parametrize("include", [True, False])
def test_shown_thoughts(include: bool) -> None:
    body, _ = asked(NEWEST, reasoning=Reasoning(None, -1, include))
    assert body["thinking"] == {"type": "adaptive", "display": "summarized" if include else "omitted"}
    body, _ = asked(BUDGET, reasoning=Reasoning(None, None, include))
    assert ("thinking" in body) is include


def step(*parts: Any) -> tuple[Message, ...]:
    return (
        *HI,
        Message("assistant", (*parts, ToolCall("t1", "get_weather", "{}")), "messages.1"),
        Message("user", (ToolResult("t1", "get_weather", "18"),), "messages.2"),
    )


SIGNED = Thought("Hm.", Signature("anthropic", "RXNpZw=="))


@pytest.mark.parametrize("profile", [BUDGET, ADAPTIVE, UNFORCED])
def test_a_budget_goes_on_with_a_genuine_thought_only(profile: Profile) -> None:
    """Adaptive thinking asks of no turn that it begin with a thought."""
    for genuine in (SIGNED, Thought("", redacted="RQ=="), Thought("", Signature("anthropic", "RQ==", "redacted"))):
        body, lost = asked(profile, step(genuine), tools=(WEATHER,), reasoning=Reasoning("low"))
        assert body["thinking"]["type"] in ("enabled", "adaptive") and not lost
        assert body["messages"][1]["content"][0]["type"].endswith("thinking")
    for other in ((), (Thought("Hm.", Signature("gemini", "x")),), (Thought("Hm."),), (Text("Let me see."), SIGNED)):
        body, lost = asked(profile, step(*other), tools=(WEATHER,), reasoning=Reasoning("low"))
        if profile is BUDGET:
            assert "thinking" not in body and lost == ["output_config.effort"]
        else:
            assert body["thinking"] == {"type": "adaptive"} and not lost
    # A new turn of the user's begins anew.
    later = (*step(), Message("assistant", (Text("18."),)), Message("user", (Text("And?"),)))
    body, lost = asked(profile, later, tools=(WEATHER,), reasoning=Reasoning("low"))
    assert "thinking" in body and not lost


def test_signatures_of_others_are_dropped() -> None:
    body, lost = asked(
        messages=(
            *HI,
            Message(
                "assistant",
                (
                    Thought("Secret", Signature("openai", "gAAA", "rs_1")),
                    Text("Hello", Signature("gemini", "c2ln")),
                    ToolCall("t1", "get_weather", "{}", Signature("gemini", "c2ln")),
                ),
            ),
            Message("user", (ToolResult("t1", "get_weather", "18"),)),
        ),
        tools=(WEATHER,),
    )
    told = json.dumps(body)
    assert "Secret" not in told and "gAAA" not in told and "c2ln" not in told
    assert not lost


def test_what_the_assistant_showed_goes_to_the_next_turn_of_the_user() -> None:
    picture = Media("image/png", data="iVBORw0KGgo=")
    body, _ = asked(messages=(*HI, Message("assistant", (Text("Here"), picture)), Message("user", (Text("Bigger"),))))
    assert [[block["type"] for block in turn["content"]] for turn in body["messages"]] == [
        ["text"],
        ["text"],
        ["text", "image", "text"],
    ]


def test_a_system_text_alone_is_asked() -> None:
    body, _ = asked(messages=(), system=(Text("Say hi."),))
    assert "system" not in body
    assert body["messages"] == [{"role": "user", "content": [{"type": "text", "text": "Say hi."}]}]
    with pytest.raises(BadRequest) as caught:
        asked(messages=(Message("user", (Text(" "),), "messages.0"),))
    assert caught.value.param == "messages"


def test_blank_text_is_no_block_but_is_not_lost_between_words() -> None:
    parts = (Text(" "), Text("one"), Text(" "), Text("two"), Text("\n"))
    body, _ = asked(messages=(Message("user", parts),))
    assert [block["text"] for block in body["messages"][0]["content"]] == ["one ", "two\n"]


def test_calls_without_ids() -> None:
    body, lost = asked(
        messages=(
            *HI,
            Message(
                "assistant", (ToolCall("", "get_weather", '{"city":"a"}'), ToolCall("", "get_weather", '{"city":"b"}'))
            ),
            Message("user", (ToolResult("", "get_weather", "1"), ToolResult("", "get_weather", "2"))),
        ),
        tools=(WEATHER,),
    )
    calls = [block["id"] for block in body["messages"][1]["content"]]
    results = {block["tool_use_id"]: block["content"] for block in body["messages"][2]["content"]}
    assert [results[id] for id in calls] == ["1", "2"] and not lost


@pytest.mark.parametrize("words", ["{oops", "[1]", "1", '"a"', "null", '{"a":1e999}'])
def test_arguments_that_are_no_object(words: str) -> None:
    given = Message("user", (ToolResult("a", "f", "1"),), "messages.2")
    body, lost = asked(messages=(*HI, Message("assistant", (ToolCall("a", "f", words),), "messages.1"), given))
    assert body["messages"][1]["content"][0]["input"] == {"_raw": words}
    assert lost == ["messages.1.content.0"]


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"sampling": Sampling(candidate_count=2)}, "candidate_count"),
        ({"sampling": Sampling(logprobs=True)}, "logprobs"),
        ({"sampling": Sampling(top_logprobs=3)}, "top_logprobs"),
        ({"modalities": ("text", "image")}, "modalities"),
        ({"tools": (BuiltinTool("file_search", None, "tools.0"),)}, "tools.0"),
        ({"tools": (FunctionTool("f", None, {"type": "string"}, origin="tools.0"),)}, "tools.0"),
        ({"extras": (Extra("gemini", "cachedContent", "c", "cachedContent"),)}, "cachedContent"),
        ({"messages": (Message("user", (Media("audio/wav", data="UklG"),), "messages.0"),)}, "messages.0.content.0"),
        ({"messages": (Message("user", (Media("image/heic", data="AA=="),), "messages.0"),)}, "messages.0.content.0"),
        ({"messages": (Message("user", (Media("", url="gs://b/x"),), "messages.0"),)}, "messages.0.content.0"),
        ({"messages": (Message("user", (Media("", file_id="file-abc"),), "messages.0"),)}, "messages.0.content.0"),
    ],
)
def test_refused_by_name(more: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as caught:
        asked(**more)
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("sampling", "lost"),
    [
        (Sampling(seed=1), ["seed"]),
        (Sampling(presence_penalty=0.5, frequency_penalty=0), ["presence_penalty"]),
        (Sampling(logit_bias={"1": 2.0}), ["logit_bias"]),
        (Sampling(temperature=1.5), ["temperature"]),
        (Sampling(candidate_count=1, logprobs=False, temperature=0.5), []),
    ],
)
def test_losses_of_sampling(sampling: Sampling, lost: list[str]) -> None:
    body, found = asked(sampling=sampling)
    assert found == lost
    assert body.get("temperature") in (None, 1, 0.5)


ARRAY = {"type": "array", "items": {"type": "integer"}}
OBJECT = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}


@pytest.mark.parametrize(
    ("schema", "kind", "given", "told"),
    [
        (OBJECT, "schema", {"a": "x"}, '{"a":"x"}'),
        (ARRAY, "schema", {"answer": [1, 2]}, "[1,2]"),
        ({"enum": ["red", "blue"]}, "enum", {"answer": "red"}, "red"),
        ({"type": "string"}, "schema", {"answer": "x"}, '"x"'),
    ],
)
def test_a_forced_call_stands_in_for_a_format(schema: Any, kind: Any, given: Any, told: str) -> None:
    """Asked as a tool, answered as a call, told as text: at once and streamed."""
    body, lost = asked(OLD, format=OutputFormat(kind, schema))
    (tool,) = body["tools"]
    assert body["tool_choice"] == {"type": "tool", "name": tool["name"]} and not lost
    assert tool["input_schema"]["type"] == "object"
    block = {"type": "tool_use", "id": "t", "name": tool["name"], "input": given}
    response = PROTOCOL.read_response(json.dumps({"content": [block], "stop_reason": "tool_use"}).encode())
    (candidate,) = response.candidates
    assert candidate.parts == (Text(told),) and candidate.finish is not None and candidate.finish.reason == "stop"
    reader = PROTOCOL.stream_reader()
    text = json.dumps(given, separators=(",", ":"))
    sent = [
        {"type": "message_start", "message": {}},
        {"type": "content_block_start", "index": 0, "content_block": {**block, "input": {}}},
        *(
            {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": piece}}
            for piece in text
        ),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 1}},
        {"type": "message_stop"},
    ]
    events: list[Event] = []
    for event in sent:
        events += reader.feed(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())
    events += reader.end()
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == told
    assert [event.finish.reason for event in events if isinstance(event, Finished)] == ["stop"]


def test_a_format_beside_functions() -> None:
    body, _ = asked(OLD, format=OutputFormat("schema", OBJECT), tools=(WEATHER,))
    assert body["tool_choice"] == {"type": "any"} and len(body["tools"]) == 2
    body, lost = asked(
        OLD, format=OutputFormat("schema", OBJECT), tools=(WEATHER,), tool_choice=ToolChoice("any", ("get_weather",))
    )
    assert body["tool_choice"] == {"type": "tool", "name": "get_weather"}
    assert len(body["tools"]) == 1 and lost == ["output_config.format"]
    body, lost = asked(NEWEST, format=OutputFormat("schema", OBJECT), tools=(WEATHER,))
    assert body["output_config"]["format"]["schema"]["additionalProperties"] is False
    assert "tool_choice" not in body and not lost


def test_a_format_that_cannot_be_forced_is_told() -> None:
    body, lost = asked(UNFORCED, format=OutputFormat("schema", {"type": "object", "additionalProperties": True}))
    assert "additionalProperties" in body["system"] and lost == ["output_config.format"]
    body, lost = asked(UNFORCED, format=OutputFormat("enum", {"enum": ["red", "blue"]}), system=(Text("Be brief."),))
    assert body["system"].startswith("Be brief.\n\n") and "red, blue" in body["system"] and lost


@pytest.mark.parametrize(
    ("given", "lowered"),
    [
        (None, {"type": "object", "properties": {}}),
        ({}, {"type": "object", "properties": {}}),
        ({"type": "object"}, {"type": "object", "properties": {}}),
        ({"properties": {"a": {}}}, {"type": "object", "properties": {"a": {}}}),
        (
            {"oneOf": [{"type": "object", "required": ["a"], "properties": {"a": {}}}, {"type": "null"}]},
            {"type": "object", "properties": {"a": {}}},
        ),
        ({"$ref": "#/nowhere"}, {"type": "object", "properties": {}}),
        ({"$ref": "#"}, {"type": "object", "properties": {}}),
    ],
)
def test_input_schemas(given: Any, lowered: Any) -> None:
    assert input_schema(given) == lowered


def test_a_schema_that_leads_to_itself_ends() -> None:
    loop = {"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/A"}}}
    assert input_schema(loop)["type"] == "object"


@pytest.mark.parametrize("schema", [{"type": "object"}, {"type": "object", "properties": {"a": {}}}, {"items": True}])
def test_schemas_that_bound_nothing(schema: Any) -> None:
    with pytest.raises(Unbounded):
        answer_schema(schema)


def test_closed() -> None:
    closed = {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False}
    assert is_closed(closed)
    assert not is_closed({**closed, "properties": {"a": {"type": "object"}}})


# --- told to callers


def told(response: Response) -> tuple[dict[str, Any], list[str]]:
    losses = Losses(PROTOCOL.spelling)
    body = PROTOCOL.write_response(response, Request("m", HI), STAMP, losses)
    return json.loads(body), [loss.path for loss in losses.found]


def test_answers_with_others_proofs_come_back_whole() -> None:
    """What a caller is told and hands back reads as it was: each maker's proof on the part it belongs to."""
    parts = (
        Thought("Plan.", Signature("openai", "gAAA", "rs_1")),
        Thought("Unsigned."),
        Thought("", redacted="RQ=="),
        Text("Hello", Signature("gemini", "dGV4dA==")),
        ToolCall("t1", "f", '{"a":1}', Signature("gemini", "Y2FsbA==")),
        ToolCall("t2", "f", "{}"),
        Text("", Signature("gemini", "ZW5k")),
    )
    body, lost = told(Response("i", "m", (Candidate(0, parts, Finish("tool_calls")),)))
    assert not lost
    back = {"model": "m", "max_tokens": 9, "messages": [{"role": "assistant", "content": body["content"]}]}
    again = PROTOCOL.read_request(json.dumps(back).encode(), ROUTE)
    assert again.messages[0].parts == parts


def test_usage() -> None:
    usage = Usage(input=100, output=50, cached_input=60, cache_write=30, reasoning=20)
    body, _ = told(Response("i", "m", (Candidate(0, (Text("x"),), Finish("stop")),), usage))
    assert body["usage"] == {
        "input_tokens": 10,
        "cache_creation_input_tokens": 30,
        "cache_read_input_tokens": 60,
        "output_tokens": 50,
        "output_tokens_details": {"thinking_tokens": 20},
    }
    assert PROTOCOL.read_usage(json.dumps(body).encode()) == usage


def test_a_refusal_in_words() -> None:
    body, _ = told(Response("i", "m", (Candidate(0, (Refusal("I won't."),), Finish("stop")),)))
    assert (body["stop_reason"], body["stop_details"]["explanation"]) == ("refusal", "I won't.")
    writer = PROTOCOL.stream_writer(Request("m", HI), STAMP, ROUTE)
    out = writer.write([RefusalDelta(0, "I "), RefusalDelta(0, "won't."), Finished(0, Finish("stop"))]) + writer.end()
    assert b'"stop_reason":"refusal"' in out and b'"explanation":"I won\'t."' in out


def test_deeds_of_others() -> None:
    """They are told as Anthropic tells its own, known by their ids as another's, and read again."""
    parts = (
        SearchCall(("weather",)),
        SearchResult((Source("https://e.com/", "E"),)),
        CodeCall("print(1)", "python", "c1"),
        CodeResult("1\n", "ok", "c1"),
    )
    body, lost = told(Response("i", "m", (Candidate(0, (*parts, Text("Done")), Finish("stop")),)))
    assert not lost
    ids = [block.get("id", block.get("tool_use_id")) for block in body["content"][:4]]
    assert ids[0] == ids[1] != ids[2] == ids[3]
    assert all(id.startswith("srvtoolu_dg") for id in ids)
    writer = PROTOCOL.stream_writer(Request("m", HI), STAMP, ROUTE)
    out = writer.write([PartAdded(0, part) for part in parts]) + writer.end()
    reader = PROTOCOL.stream_reader()
    again = [event.part for event in (*reader.feed(out), *reader.end()) if isinstance(event, PartAdded)]
    assert [type(part) for part in again] == [type(part) for part in parts]
    assert again[0].queries == ("weather",)  # type: ignore[union-attr]


def test_interleaved_thoughts_stay_in_their_order() -> None:
    writer = PROTOCOL.stream_writer(Request("m", HI), STAMP, ROUTE)
    own = Signature("anthropic", "RXNpZw==")
    events: list[Event] = [
        ThoughtDelta(0, "a"),
        ThoughtDelta(0, "", own),
        ThoughtDelta(0, "b"),
        TextDelta(0, "c"),
        ThoughtDelta(0, "d", own),
        Finished(0, Finish("stop")),
    ]
    reader = PROTOCOL.stream_reader()
    again = [*reader.feed(writer.write(events) + writer.end()), *reader.end()]
    assert [(event.text, event.signature) for event in again if isinstance(event, ThoughtDelta | TextDelta)] == [
        ("a", None),
        ("", own),
        ("b", None),
        ("c", None),
        ("d", None),
        ("", own),
    ]


def test_arguments_that_come_by_turns_stay_whole() -> None:
    """Only one block is open at a time, whatever the vendor's order."""
    events: list[Event] = [
        ToolCallStarted(0, 0, "a", "f"),
        ToolCallDelta(0, 0, '{"n":'),
        TextDelta(0, "between"),
        ToolCallStarted(0, 1, "b", "f"),
        ToolCallStarted(0, 2, "c", "f"),
        ToolCallDelta(0, 1, '{"n":{"x":1}'),
        ToolCallDelta(0, 2, '{"n":'),
        ToolCallDelta(0, 0, "0}"),
        ToolCallDelta(0, 1, "}"),
        ToolCallStarted(0, 3, "d", "f"),
        ThoughtDelta(0, "late"),
        ToolCallDelta(0, 2, "2}"),
        ToolCallDelta(0, 3, '{"n":3'),  # cut off
        Finished(0, Finish("length")),
    ]
    writer = PROTOCOL.stream_writer(Request("m", HI), STAMP, ROUTE)
    out = b"".join(writer.write([event]) for event in events) + writer.end()
    reader = PROTOCOL.stream_reader()
    names: dict[int, str] = {}
    arguments: dict[str, str] = {}
    order: list[str] = []
    for event in (*reader.feed(out), *reader.end()):
        match event:
            case ToolCallStarted(call=call, id=id):
                names[call] = id
                order.append(id)
            case ToolCallDelta(call=call, arguments=piece):
                arguments[names[call]] = arguments.get(names[call], "") + piece
            case TextDelta(text=text) | ThoughtDelta(text=text):
                order.append(text)
    assert arguments == {"a": '{"n":0}', "b": '{"n":{"x":1}}', "c": '{"n":2}', "d": '{"n":3'}
    assert order == ["a", "between", "b", "c", "d", "late"]
    assert not writer.losses.found


def test_models() -> None:
    cards = [ModelCard("a", "o", 1_700_000_000, "A", "", 1000, 100), ModelCard("b", "o", 0, "b")]
    listed = json.loads(PROTOCOL.write_models(cards))
    assert (listed["has_more"], listed["first_id"], listed["last_id"]) == (False, "a", "b")
    assert listed["data"][0] == json.loads(PROTOCOL.write_model(cards[0]))
    assert listed["data"][0]["created_at"] == "2023-11-14T22:13:20Z"
    assert listed["data"][1]["created_at"] == "1970-01-01T00:00:00Z"
    assert json.loads(PROTOCOL.write_models([]))["first_id"] is None
    assert json.loads(PROTOCOL.write_count(7)) == {"input_tokens": 7}


@pytest.mark.parametrize(
    ("path", "operation"),
    [
        ("/v1/messages", "generate"),
        ("/v1/messages/", "generate"),
        ("/v1/messages/count_tokens", "count_tokens"),
        ("/v1/messages/batches", None),
        ("/v1/chat/completions", None),
    ],
)
def test_routes(path: str, operation: str | None) -> None:
    route = PROTOCOL.match(path, b"beta=true")
    assert (route and route.operation) == operation


def test_cost_grows_with_the_history_and_no_faster() -> None:
    def seconds(turns: int) -> float:
        told: list[dict[str, Any]] = [{"role": "user", "content": "Hi"}]
        for n in range(turns):
            call = {"type": "tool_use", "id": f"t{n}", "name": "f", "input": {"n": n}}
            told.append({"role": "assistant", "content": [{"type": "text", "text": "x" * 200}, call]})
            result = {"type": "tool_result", "tool_use_id": f"t{n}", "content": "y" * 200}
            told.append({"role": "user", "content": [result, {"type": "text", "text": "more"}]})
        body = json.dumps({"model": "m", "max_tokens": 9, "messages": told}).encode()
        best = 1e9
        for _ in range(3):
            began = perf_counter()
            PROTOCOL.write_request(PROTOCOL.read_request(body, ROUTE), "m", BUDGET, Losses(PROTOCOL.spelling))
            best = min(best, perf_counter() - began)
        return best

    # Sixteen times the turns; squares would cost 256 times as much.
    assert seconds(1600) < 64 * seconds(100)


@pytest.mark.parametrize("role", ["user", "system"])
@pytest.mark.parametrize("profile", [BUDGET, ADAPTIVE, NEWEST])
def test_a_blank_last_turn_makes_no_beginning_of_the_turn_before(profile: Profile, role: Any) -> None:
    said = Message("assistant", (Text("Hello"),), "messages.1")
    body, losses = asked(profile, (*HI, said, Message(role, (Text(" "),), "messages.2")))
    assert [turn["role"] for turn in body["messages"]] == ["user", "assistant", "user"]
    assert body["messages"][1]["content"] == [{"type": "text", "text": "Hello"}]
    assert body["messages"][2]["content"] == [{"type": "text", "text": "[The user says nothing.]"}]
    assert losses == []


@pytest.mark.parametrize(
    ("reasoning", "path"),
    [
        (Reasoning("low", None, True), "output_config.effort"),
        (Reasoning(None, 2048, True), "thinking.budget_tokens"),
        (Reasoning(None, None, True), "thinking.display"),
    ],
)
def test_thinking_that_stops_is_told_by_what_asked_for_it(reasoning: Reasoning, path: str) -> None:
    called = Message("assistant", (ToolCall("c", "get_weather"),), "messages.1")
    result = Message("user", (ToolResult("c", "get_weather", "18"),), "messages.2")
    body, losses = asked(BUDGET, (*HI, called, result), reasoning=reasoning, tools=(WEATHER,))
    assert "thinking" not in body
    assert losses == [path]
