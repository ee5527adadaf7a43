"""Requests that came from other protocols' callers, written for a Gemini vendor."""

import json
from typing import Any

import pytest

from dragoman.catalog.profile import profile_for
from dragoman.ir import (
    BadRequest,
    BuiltinTool,
    Extra,
    FunctionTool,
    Losses,
    Media,
    Message,
    Opaque,
    OutputFormat,
    Reasoning,
    Refusal,
    Request,
    Sampling,
    Signature,
    Spelling,
    Text,
    Thought,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from dragoman.protocols.gemini import PROTOCOL

CHAT = Spelling(fields={"format": "response_format", "stop": "stop"}, part=".content[{}]")
ASK = Message("user", (Text("x"),), "messages[0]")


def write(request: Request, model: str = "gemini-2.5-flash") -> tuple[dict[str, Any], list[tuple[str, bool]]]:
    losses = Losses(CHAT)
    out = PROTOCOL.write_request(request, model, profile_for("gemini", model), losses)
    return json.loads(out.body), [(loss.path, loss.harmless) for loss in losses.found]


def ask(**fields: Any) -> Request:
    return Request(model="m", messages=(ASK,), **fields)


def turns(*messages: Message) -> Request:
    return Request(model="m", messages=messages)


def test_system_before_the_conversation_is_hoisted_and_later_wrapped() -> None:
    body, losses = write(
        turns(
            Message("system", (Text("one"),)),
            ASK,
            Message("assistant", (Text("y"),)),
            Message("system", (Text("two"),)),
        )
    )
    assert body["systemInstruction"] == {"parts": [{"text": "one"}]}
    assert body["contents"][-1] == {
        "role": "user",
        "parts": [{"text": "<system-reminder>\ntwo\n</system-reminder>"}],
    }
    assert losses == []


def test_system_alone_becomes_the_one_turn() -> None:
    body, _ = write(Request(model="m", messages=(), system=(Text("Write a poem."),)))
    assert body == {"contents": [{"role": "user", "parts": [{"text": "Write a poem."}]}]}


def test_results_of_several_messages_are_one_content_in_the_order_of_the_calls() -> None:
    calls = Message("assistant", (ToolCall("call_1", "f", '{"a":1}'), ToolCall("call_2", "g")))
    body, losses = write(
        turns(
            ASK,
            calls,
            Message("user", (ToolResult("call_2", "", "two"),)),
            Message("user", (ToolResult("call_1", "", '{"one":1}', is_json=True),)),
            Message("user", (Text("go on"),)),
        )
    )
    assert [content["role"] for content in body["contents"]] == ["user", "model", "user", "user"]
    assert body["contents"][2]["parts"] == [
        {"functionResponse": {"id": "call_1", "name": "f", "response": {"one": 1}}},
        {"functionResponse": {"id": "call_2", "name": "g", "response": {"output": "two"}}},
    ]
    assert body["contents"][1]["parts"][0] == {"functionCall": {"id": "call_1", "name": "f", "args": {"a": 1}}}
    assert losses == []


@pytest.mark.parametrize(
    ("result", "response"),
    [
        (ToolResult("c", "f", "plain"), {"output": "plain"}),
        (ToolResult("c", "f", "[1]", is_json=True), {"output": [1]}),
        (ToolResult("c", "f", "7", is_json=True), {"output": 7}),
        (ToolResult("c", "f", "{broken"), {"output": "{broken"}),
        (ToolResult("c", "f", "no", is_error=True), {"error": "no"}),
        (ToolResult("c", "f", '{"why":1}', is_json=True, is_error=True), {"error": {"why": 1}}),
        (ToolResult("c", "f", ""), {"output": ""}),
    ],
)
def test_a_result_is_always_an_object(result: ToolResult, response: dict[str, Any]) -> None:
    body, _ = write(turns(ASK, Message("assistant", (ToolCall("c", "f"),)), Message("user", (result,))))
    assert body["contents"][2]["parts"][0]["functionResponse"]["response"] == response


def test_a_result_without_its_call() -> None:
    body, losses = write(turns(ASK, Message("user", (ToolResult("nope", "", "x"),), "messages[1]")))
    assert body["contents"] == [{"role": "user", "parts": [{"text": "x"}, {"text": "Result of nope: x"}]}]
    assert losses == [("messages[1].content[0]", False)]


def test_arguments_that_are_no_object() -> None:
    for words in ("{oops", "[1]", "1", '"a"', "null", '{"a":1e999}'):
        body, losses = write(turns(ASK, Message("assistant", (ToolCall("c", "f", words),), "messages[1]")))
        assert body["contents"][1]["parts"][0]["functionCall"]["args"] == {"_raw": words}
        assert losses == [("messages[1].content[0]", False)]
    body, _ = write(turns(ASK, Message("assistant", (ToolCall("c", "f", ""),))))
    assert body["contents"][1]["parts"][0]["functionCall"]["args"] == {}


def test_a_dummy_signature_once_a_step_of_the_current_turn() -> None:
    foreign = Signature("anthropic", "abc")
    step = Message("assistant", (ToolCall("a", "f", signature=foreign), ToolCall("b", "f")), "messages[1]")
    body, losses = write(
        turns(ASK, step, Message("user", (ToolResult("a", "", "1"), ToolResult("b", "", "2")))), "gemini-3-pro-preview"
    )
    signed = [part.get("thoughtSignature") for part in body["contents"][1]["parts"]]
    assert signed == ["skip_thought_signature_validator", None]
    assert losses == [("messages[1].content[0]", True), ("messages[1].content[0]", False)]
    body, _ = write(turns(ASK, step))
    assert "thoughtSignature" not in json.dumps(body)


def test_foreign_thoughts_and_parts() -> None:
    body, losses = write(
        turns(
            ASK,
            Message(
                "assistant",
                (
                    Thought("hm", Signature("anthropic", "s")),
                    Thought("", redacted="r"),
                    Refusal("no"),
                    Opaque("openai", {}, "x"),
                ),
                "messages[1]",
            ),
            ASK,
        )
    )
    assert body["contents"][1]["parts"] == [{"text": "no"}]
    assert losses == [
        ("messages[1].content[0]", True),
        ("messages[1].content[1]", True),
        ("messages[1].content[3]", False),
    ]


def test_media() -> None:
    png = "iVBORw0KGgoAAAANSUhEUg=="
    parts = (
        Media("", data=png),
        Media("image/*", data="/9j/4AAQ"),
        Media("video/mp4", url="https://example.com/a.mp4"),
        Media("", url="https://example.com/a.pdf"),
        Media("image/jpeg", data="data:image/jpeg;base64,/9j/", detail="high", filename="a.jpg"),
    )
    body, losses = write(turns(Message("user", parts, "messages[0]")))
    assert body["contents"][0]["parts"] == [
        {"inlineData": {"mimeType": "image/png", "data": png}},
        {"inlineData": {"mimeType": "image/jpeg", "data": "/9j/4AAQ"}},
        {"fileData": {"fileUri": "https://example.com/a.mp4", "mimeType": "video/mp4"}},
        {"fileData": {"fileUri": "https://example.com/a.pdf"}},
        {"inlineData": {"mimeType": "image/jpeg", "data": "/9j/"}},
    ]
    assert losses == [("messages[0].content[4].filename", True), ("messages[0].content[4].detail", True)]


@pytest.mark.parametrize("media", [Media("image/*", url="https://example.com/a"), Media("", file_id="file-1")])
def test_media_that_cannot_be_carried(media: Media) -> None:
    with pytest.raises(BadRequest) as caught:
        write(turns(Message("user", (Text("x"), media), "messages[0]")))
    assert caught.value.param == "messages[0].content[1]"


def test_hints_and_losses() -> None:
    body, losses = write(
        ask(
            user="u",
            tools=(FunctionTool("f"),),
            parallel_tool_calls=False,
            service_tier="default",
            sampling=Sampling(logit_bias={"1": 1.0}, seed=2**40, presence_penalty=1.0, frequency_penalty=0.0),
            extras=(Extra("openai", "verbosity", "low", "verbosity"), Extra("openai", "k", 1, "k", True)),
        )
    )
    assert body["serviceTier"] == "standard"
    assert "generationConfig" not in body
    assert dict(losses) == {
        "user": True,
        "parallel_tool_calls": False,
        "logit_bias": False,
        "seed": False,
        "presence_penalty": False,
        "verbosity": False,
        "k": True,
    }


def test_google_options_of_an_openai_body_find_their_place() -> None:
    body, losses = write(
        ask(
            extras=(
                Extra("gemini", "safetySettings", [{"category": "C"}], "extra_body.google.safety_settings"),
                Extra("gemini", "generationConfig.imageConfig", {"imageSize": "4k"}, "image_config"),
                Extra("gemini", "cached_content", "cachedContents/a", "extra_body.google.cached_content"),
            )
        )
    )
    assert body["safetySettings"] == [{"category": "C"}]
    assert body["generationConfig"] == {"imageConfig": {"imageSize": "4K"}}
    assert body["cachedContent"] == "cachedContents/a"
    assert losses == []


@pytest.mark.parametrize(
    ("effort", "model", "thinking"),
    [
        ("none", "gemini-2.5-flash", {"thinkingBudget": 0}),
        ("none", "gemini-2.5-pro", {"thinkingBudget": 128}),
        ("none", "gemini-3-flash-preview", {"thinkingLevel": "MINIMAL"}),
        ("minimal", "gemini-3.1-pro-preview", {"thinkingLevel": "LOW"}),
        ("low", "gemini-2.5-flash", {"thinkingBudget": 1024}),
        ("medium", "gemini-2.5-flash", {"thinkingBudget": 8192}),
        ("medium", "gemini-3-pro-preview", {"thinkingLevel": "HIGH"}),
        ("medium", "gemini-3.1-pro-preview", {"thinkingLevel": "MEDIUM"}),
        ("xhigh", "gemini-2.5-pro", {"thinkingBudget": 32768}),
        ("max", "gemini-3-flash-preview", {"thinkingLevel": "HIGH"}),
    ],
)
def test_efforts(effort: Any, model: str, thinking: dict[str, Any]) -> None:
    body, losses = write(ask(reasoning=Reasoning(effort=effort, include_thoughts=True)), model)
    assert body["generationConfig"] == {"thinkingConfig": {"includeThoughts": True, **thinking}}
    assert all(harmless for _, harmless in losses)


def test_tools_and_choice() -> None:
    tool = FunctionTool("f", "d", {"properties": {"a": {"const": 1}}}, strict=True, origin="tools[0]")
    body, losses = write(ask(tools=(tool,), tool_choice=ToolChoice("auto", ("f",))))
    assert body["tools"] == [
        {
            "functionDeclarations": [
                {
                    "name": "f",
                    "description": "d",
                    "parametersJsonSchema": {
                        "type": "object",
                        "properties": {"a": {"enum": [1], "type": "integer"}},
                    },
                }
            ]
        }
    ]
    assert body["toolConfig"]["functionCallingConfig"] == {"mode": "VALIDATED", "allowedFunctionNames": ["f"]}
    assert losses == []
    body, _ = write(ask(tools=(BuiltinTool("web_search"),), tool_choice=ToolChoice("auto")))
    assert "toolConfig" not in body


def test_a_foreign_tool_and_its_options() -> None:
    options = {"search_context_size": "low", "max_uses": 3}
    body, losses = write(ask(tools=(BuiltinTool("web_search", options, "tools[0]"),)))
    assert body["tools"] == [{"googleSearch": {}}]
    assert losses == [("tools[0].search_context_size", True), ("tools[0].max_uses", False)]
    with pytest.raises(BadRequest) as caught:
        write(ask(tools=(BuiltinTool("mcp", {"server_url": "x"}, "tools[0]"),)))
    assert caught.value.param == "tools[0]"


def test_forced_calling_with_json_is_refused_in_the_callers_words() -> None:
    request = ask(
        tools=(FunctionTool("f"),),
        tool_choice=ToolChoice("any"),
        format=OutputFormat("schema", {"type": "object"}, "answer"),
    )
    with pytest.raises(BadRequest) as caught:
        write(request, "gemini-3-pro-preview")
    assert caught.value.param == "response_format"


def test_the_path() -> None:
    def path(model: str, stream: bool = False) -> str:
        request = Request(model="m", messages=(ASK,), stream=stream)
        return PROTOCOL.write_request(request, model, profile_for("gemini", model), Losses(CHAT)).path

    assert path("models/gemini-2.5-flash") == "/v1beta/models/gemini-2.5-flash:generateContent"
    assert path("tunedModels/a b", stream=True) == "/v1beta/tunedModels/a%20b:streamGenerateContent?alt=sse"


def test_an_answer_that_was_begun_in_several_messages_is_left_out_whole() -> None:
    begun = [Message("assistant", (Text(word),), f"messages[{number}]") for number, word in ((1, "a"), (2, "b"))]
    body, losses = write(turns(ASK, *begun))
    assert body["contents"] == [{"role": "user", "parts": [{"text": "x"}]}]
    assert losses == [("messages[2]", False), ("messages[1]", False)]
