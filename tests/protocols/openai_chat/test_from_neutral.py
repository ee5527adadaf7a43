"""What no Chat Completions caller can write, but another protocol's can: written for a vendor, and as an answer."""

import json
from typing import Any

import pytest

from dragoman.catalog.profile import Profile, profile_for
from dragoman.ir import (
    BadRequest,
    Block,
    Blocked,
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
    Opaque,
    OutputFormat,
    Reasoning,
    Refusal,
    Request,
    Response,
    Sampling,
    Signature,
    Spelling,
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
    UsageReported,
)
from dragoman.protocols.base import ModelCard, Route, Stamp
from dragoman.protocols.openai_chat import PROTOCOL

ROUTE = Route("generate")
STAMP = Stamp("chatcmpl-1", 5, "m")
GEMINI_SPELLING = Spelling(
    {
        "format": "generationConfig.responseSchema",
        "top_k": "generationConfig.topK",
        "stop": "generationConfig.stopSequences",
    },
    ".parts[{}]",
)
GPT = profile_for("openai-chat", "gpt-4o")
ARK = profile_for("openai-chat", "doubao-1")
LOCAL = profile_for("local", "smollm2-135m")
HI = Message("user", (Text("Hi"),), "contents[0]")


def send(
    request: Request, profile: Profile = GPT, model: str = "gpt-4o"
) -> tuple[dict[str, Any], list[tuple[str, bool]]]:
    losses = Losses(GEMINI_SPELLING)
    body = json.loads(PROTOCOL.write_request(request, model, profile, losses).body)
    return body, [(loss.path, loss.harmless) for loss in losses.found]


def asking(*messages: Message, **rest: Any) -> Request:
    return Request("m", messages or (HI,), **rest)


def test_calls_without_ids_meet_their_results() -> None:
    body, _ = send(
        asking(
            HI,
            Message(
                "assistant",
                (ToolCall("", "f", '{"a":1}'), ToolCall("", "g"), ToolCall("", "f", '{"a":2}')),
                "contents[1]",
            ),
            Message(
                "user",
                (Text("By the way"), ToolResult("", "g", "G"), ToolResult("", "f", "F1"), ToolResult("", "f", "F2")),
                "contents[2]",
            ),
        )
    )
    calls = {call["id"]: call["function"] for call in body["messages"][1]["tool_calls"]}
    assert len(calls) == 3
    results = body["messages"][2:5]
    assert [(calls[result["tool_call_id"]]["name"], result["content"]) for result in results] == [
        ("f", "F1"), ("g", "G"), ("f", "F2"),
    ]  # fmt: skip
    assert calls[results[0]["tool_call_id"]]["arguments"] == '{"a":1}'
    assert body["messages"][5] == {"role": "user", "content": "By the way"}


def test_what_stands_between_a_call_and_its_result_waits() -> None:
    body, _ = send(
        asking(
            HI,
            Message("assistant", (ToolCall("c1", "f"),)),
            Message("system", (Text("Note"),)),
            Message("user", (ToolResult("c1", "f", "F"),)),
            Message("user", (Text("Go"),)),
        )
    )
    assert [message["role"] for message in body["messages"]] == ["user", "assistant", "tool", "system", "user"]


def test_an_assistants_turn_in_pieces_is_one_message() -> None:
    body, _ = send(
        asking(
            HI,
            Message("assistant", (Text("Let me "),)),
            Message("assistant", (Text("see."), ToolCall("c1", "f"))),
            Message("assistant", (ToolCall("c2", "g"),)),
            Message("assistant", (Text(""),)),
            Message("user", (ToolResult("c1", "f", "F"), ToolResult("c2", "g", "G"))),
        )
    )
    assert [message["role"] for message in body["messages"]] == ["user", "assistant", "tool", "tool"]
    assert body["messages"][1]["content"] == "Let me see."
    assert [call["id"] for call in body["messages"][1]["tool_calls"]] == ["c1", "c2"]


def test_media_of_a_result_follows_it() -> None:
    image = Media("image/png", data="_-8")
    body, losses = send(
        asking(
            HI,
            Message("assistant", (ToolCall("c", "f"),)),
            Message("user", (ToolResult("c", "f", "{}", media=(image,)),)),
        )
    )
    assert body["messages"][2]["content"] == "{}"
    assert body["messages"][3]["content"] == [{"type": "image_url", "image_url": {"url": "data:image/png;base64,/+8="}}]
    assert losses == []


def test_signatures_stay_with_their_maker() -> None:
    signed = Message(
        "assistant",
        (Text("x", Signature("gemini", "s")), ToolCall("c", "f", "{}", Signature("anthropic", "t"))),
        "contents[1]",
    )
    body, losses = send(asking(HI, signed))
    assert "extra_content" not in json.dumps(body)
    assert losses == [("contents[1].parts[0]", True), ("contents[1].parts[1]", True)]


def test_code_becomes_fenced_text() -> None:
    body, losses = send(asking(HI, Message("assistant", (Text("Look:"), CodeCall("print(1)"), CodeResult("1\n")))))
    assert body["messages"][1]["content"] == "Look:\n```python\nprint(1)\n```\n\n```output\n1\n```\n"
    assert losses == []


def test_foreign_parts_are_losses() -> None:
    body, losses = send(
        asking(Message("user", (Text("a"), Opaque("gemini", {"toolCall": {}}, "a server tool's call")), "contents[0]"))
    )
    assert body["messages"] == [{"role": "user", "content": "a"}]
    assert losses == [("contents[0].parts[1]", False)]


@pytest.mark.parametrize(
    "part",
    [
        Media("audio/flac", data="AAAA"),
        Media("audio/wav", url="https://e.com/a.wav"),
        Media("video/mp4", data="AAAA"),
        Media("application/zip", data="AAAA"),
        Media("application/pdf", url="https://e.com/a.pdf"),
        Media("image/png", url="gs://bucket/a.png"),
        Media("text/plain", data="/w=="),
    ],
)
def test_media_it_cannot_take(part: Media) -> None:
    with pytest.raises(BadRequest) as caught:
        send(asking(Message("user", (Text("?"), part), "contents[0]")))
    assert caught.value.param == "contents[0].parts[1]"


def test_builtin_tools_are_refused() -> None:
    with pytest.raises(BadRequest) as caught:
        send(asking(tools=(BuiltinTool("code_execution", None, "tools[1]"),)))
    assert caught.value.param == "tools[1]"


def test_local_model() -> None:
    tool = FunctionTool("f", "d", None)
    with pytest.raises(BadRequest):
        send(asking(tools=(tool,)), LOCAL)
    body, losses = send(asking(tools=(tool,), tool_choice=ToolChoice("none")), LOCAL)
    assert "tools" not in body
    assert losses == [("tools", True)]
    body, losses = send(
        asking(sampling=Sampling(top_k=3, stop=("1", "2", "3", "4", "5")), reasoning=Reasoning(budget=0)), LOCAL
    )
    assert (body["top_k"], len(body["stop"])) == (3, 5)
    assert losses == []


@pytest.mark.parametrize(
    ("budget", "effort"),
    [(0, "none"), (300, "minimal"), (1024, "low"), (8192, "medium"), (24576, "high"), (32768, "xhigh"), (-1, None)],
)
def test_budgets(budget: int, effort: str | None) -> None:
    body, _ = send(asking(reasoning=Reasoning(budget=budget)), profile_for("openai-chat", "gpt-5.4"))
    assert body.get("reasoning_effort") == effort


def test_ark_thinks_as_it_likes() -> None:
    body, _ = send(asking(reasoning=Reasoning(budget=-1)), ARK)
    assert body["thinking"] == {"type": "auto"}


def test_enum_is_told() -> None:
    schema = {"type": "string", "enum": ["yes", "no"]}
    body, losses = send(asking(system=(Text("Judge."),), format=OutputFormat("enum", schema)))
    assert body["messages"][0]["content"].startswith("Judge.\n\nAnswer with exactly one")
    assert "response_format" not in body
    assert losses == [("generationConfig.responseSchema", False)]


def test_validated_is_auto() -> None:
    body, losses = send(asking(tools=(FunctionTool("f"),), tool_choice=ToolChoice("validated")))
    assert body["tool_choice"] == "auto"
    assert losses == [("tool_choice", True)]


def test_extras_of_others() -> None:
    body, losses = send(
        asking(
            extras=(
                Extra("gemini", "safetySettings", [], "safetySettings"),
                Extra("gemini", "labels", {}, "labels", True),
            )
        )
    )
    assert set(body) == {"model", "messages"}
    assert losses == [("safetySettings", False), ("labels", True)]


def answer(response: Response, request: Request | None = None) -> tuple[dict[str, Any], list[tuple[str, bool]]]:
    losses = Losses(PROTOCOL.spelling)
    body = json.loads(PROTOCOL.write_response(response, request or asking(), STAMP, losses))
    return body, [(loss.path, loss.harmless) for loss in losses.found]


def test_answer_in_order_of_kinds() -> None:
    parts = (
        Thought("a"),
        Text("1"),
        Thought("b"),
        ToolCall("", "f", "{}", Signature("gemini", "s")),
        Text("2", Signature("gemini", "t")),
        CodeCall("x"),
        Media("image/png", data="AAAA", signature=Signature("gemini", "u")),
    )
    body, losses = answer(Response("r", "v", (Candidate(0, parts, Finish("stop", "STOP")),), Usage(5, 3, reasoning=2)))
    message = body["choices"][0]["message"]
    assert message["content"] == "12\n```python\nx\n```\n"
    assert message["reasoning_content"] == "ab"
    assert message["tool_calls"][0]["extra_content"] == {"google": {"thought_signature": "s"}}
    assert message["tool_calls"][0]["id"].startswith("call_")
    assert message["extra_content"] == {"google": {"thought_signature": "t"}}
    assert message["images"][0]["extra_content"] == {"google": {"thought_signature": "u"}}
    assert body["choices"][0]["finish_reason"] == "tool_calls"
    assert body["usage"]["completion_tokens_details"]["reasoning_tokens"] == 2
    assert losses == []


def test_blocked_prompt() -> None:
    body, _ = answer(Response("r", "v", (), Usage(5), Block("prohibited_content", "PROHIBITED_CONTENT")))
    (choice,) = body["choices"]
    assert choice["message"] == {"role": "assistant", "content": None, "refusal": None}
    assert (choice["finish_reason"], choice["native_finish_reason"]) == ("content_filter", "PROHIBITED_CONTENT")


def test_foreign_answer_parts_are_losses() -> None:
    parts = (Text("x"), Opaque("gemini", {}, "a server tool's call"), Thought("", redacted="z"))
    extras = (Extra("gemini", "urlContextMetadata", {}, "candidates[0].urlContextMetadata"),)
    _, losses = answer(Response("r", "v", (Candidate(0, parts, Finish("stop"), extras=extras),)))
    assert [harmless for _, harmless in losses] == [False, True, False]


def test_legacy_answer() -> None:
    asked = PROTOCOL.read_request(
        b'{"model":"m","messages":[{"role":"user","content":"Hi"}],"functions":[{"name":"f"}]}', ROUTE
    )
    body, _ = answer(Response("r", "v", (Candidate(0, (ToolCall("", "f"),), Finish("tool_calls")),)), asked)
    assert body["choices"][0]["message"]["function_call"] == {"name": "f", "arguments": "{}"}
    assert body["choices"][0]["finish_reason"] == "function_call"
    out = stream([ToolCallStarted(0, 0, "", "f"), ToolCallDelta(0, 0, "{}"), Finished(0, Finish("stop"))], asked)
    deltas = [chunk["choices"][0]["delta"] for chunk in out]
    assert deltas[1:3] == [{"function_call": {"name": "f", "arguments": ""}}, {"function_call": {"arguments": "{}"}}]
    assert out[-1]["choices"][0]["finish_reason"] == "function_call"


def stream(events: list[Event], request: Request | None = None) -> list[dict[str, Any]]:
    writer = PROTOCOL.stream_writer(request or asking(stream=True, include_usage=False), STAMP, ROUTE)
    out = writer.write(events) + writer.end()
    assert out.endswith(b"data: [DONE]\n\n")
    assert writer.write([TextDelta(0, "late")]) == writer.end() == b""
    return [json.loads(event[6:]) for event in out.split(b"\n\n")[:-2]]


def test_streamed_call_of_a_tool_that_takes_free_text() -> None:
    asked = PROTOCOL.read_request(
        b"""{"model":"m","messages":[{"role":"user","content":"Hi"}],"stream":true,
        "tools":[{"type":"custom","custom":{"name":"sql"}},{"type":"function","function":{"name":"f"}}]}""",
        ROUTE,
    )
    events: list[Event] = [
        ToolCallStarted(0, 0, "a", "sql"),
        ToolCallDelta(0, 0, '{"input":"sel'),
        ToolCallStarted(0, 1, "b", "f"),
        ToolCallDelta(0, 0, 'ect 1"}'),
        Finished(0, Finish("tool_calls")),
    ]
    calls = [call for chunk in stream(events, asked) for call in chunk["choices"][0]["delta"].get("tool_calls", ())]
    assert calls == [
        {"index": 0, "id": "a", "type": "custom", "custom": {"name": "sql", "input": ""}},
        {"index": 1, "id": "b", "type": "function", "function": {"name": "f", "arguments": ""}},
        {"index": 0, "custom": {"input": "select 1"}},
        {"index": 1, "function": {"arguments": "{}"}},
    ]


def test_stream_of_a_blocked_prompt() -> None:
    (first, last) = stream([Blocked(Block("safety", "SAFETY")), UsageReported(Usage(3))])
    assert first["choices"][0]["delta"]["role"] == "assistant"
    assert last["choices"][0]["finish_reason"] == "content_filter"
    assert "usage" not in last


def test_stream_says_each_thing_once() -> None:
    events: list[Event] = [
        ThoughtDelta(0, "hm"),
        TextDelta(1, "b"),
        TextDelta(0, "a", Signature("gemini", "s")),
        ToolCallStarted(0, 7, "", "f"),
        Finished(0, Finish("other", "TOO_MANY_TOOL_CALLS")),
        TextDelta(0, "late"),
        Finished(0, Finish("stop")),
        UsageReported(Usage(1, 2)),
        UsageReported(Usage(1, 3)),
    ]
    out = stream(events, asking(stream=True))
    choices = [(choice["index"], choice) for chunk in out for choice in chunk["choices"]]
    assert sum("role" in choice["delta"] for _, choice in choices) == 2
    assert [choice["finish_reason"] for index, choice in choices if index == 0 and choice["finish_reason"]] == [
        "tool_calls"
    ]
    assert [choice["finish_reason"] for index, choice in choices if index == 1 and choice["finish_reason"]] == ["stop"]
    fragments = [call for _, choice in choices for call in choice["delta"].get("tool_calls", ())]
    assert [fragment["index"] for fragment in fragments] == [0, 0]
    assert fragments[1]["function"] == {"arguments": "{}"}  # a call without arguments
    assert out[-1]["choices"] == []
    assert out[-1]["usage"]["completion_tokens"] == 3
    assert all(chunk["usage"] is None for chunk in out[:-1])
    assert "late" not in json.dumps(out)


def test_models() -> None:
    card = ModelCard("m", "google", 7, "M")
    told = {"id": "m", "object": "model", "created": 7, "owned_by": "google"}
    assert json.loads(PROTOCOL.write_model(card)) == told
    assert json.loads(PROTOCOL.write_models([card])) == {"object": "list", "data": [told]}
    assert json.loads(PROTOCOL.write_count(4)) == {"total_tokens": 4}


def test_refusal_in_history_elsewhere() -> None:
    body, _ = send(asking(HI, Message("assistant", (Refusal("No."),))), ARK)
    assert body["messages"][1] == {"role": "assistant", "content": "No."}
