"""What a model cannot do is refused, by the field that asks for it, before Google would; built-in tools by all their names."""

import json
from typing import Any

import pytest

from dragoman.catalog.profile import profile_for
from dragoman.ir import (
    BadRequest,
    BuiltinTool,
    FunctionTool,
    Losses,
    Media,
    Message,
    Request,
    Sampling,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)
from dragoman.protocols.base import Route
from dragoman.protocols.gemini import PROTOCOL

ASK = Message("user", (Text("Hi"),), "contents[0]")
PICTURE = Message("user", (Media("image/png", data="aGk="),), "contents[0]")


def send(model: str, *tools: Tool, **fields: Any) -> dict[str, Any]:
    request = Request(model="m", messages=fields.pop("messages", (ASK,)), tools=tools, **fields)
    body = PROTOCOL.write_request(request, model, profile_for("gemini", model), Losses(PROTOCOL.spelling)).body
    told: dict[str, Any] = json.loads(body)
    return told


def read(*tools: Any) -> tuple[Tool, ...]:
    body = {"contents": [{"parts": [{"text": "Hi"}]}], "tools": tools}
    return PROTOCOL.read_request(json.dumps(body).encode(), Route("generate", "m", False)).tools


@pytest.mark.parametrize(
    ("model", "tools", "fields", "param"),
    [
        ("gemini-2.5-flash-image", (FunctionTool("f"),), {}, "tools"),
        ("gemini-2.5-flash-preview-tts", (), {"messages": (PICTURE,)}, "contents[0].parts[0]"),
        ("gemini-2.5-flash", (BuiltinTool("file_search", {"vector_store_ids": ["v"]}, "tools[0]"),), {}, "tools[0]"),
        ("gemini-2.5-flash", (BuiltinTool("shell", None, "tools[0]"),), {}, "tools[0]"),
        ("gemini-2.5-flash", (FunctionTool("f"), BuiltinTool("web_search", None, "tools[1]")), {}, "tools[1]"),
    ],
)  # fmt: skip
def test_what_is_refused(model: str, tools: Any, fields: Any, param: str) -> None:
    with pytest.raises(BadRequest) as caught:
        send(model, *tools, **fields)
    assert caught.value.param == param


def test_what_gemini_3_takes_together() -> None:
    body = send("gemini-3-pro-preview", FunctionTool("f"), BuiltinTool("web_search", None, "tools[1]"))
    assert body["tools"] == [{"functionDeclarations": [{"name": "f"}]}, {"googleSearch": {}}]
    assert body["toolConfig"] == {"includeServerSideToolInvocations": True}


def test_a_place_to_act_in() -> None:
    assert send("gemini-3-pro-preview", BuiltinTool("computer", {"environment": "mac"}, "tools[0]"))["tools"] == [
        {"computerUse": {"environment": "ENVIRONMENT_DESKTOP"}}
    ]


@pytest.mark.parametrize(
    ("tool", "kind"),
    [
        ({"type": "function", "function": {"name": "web_search"}}, "web_search"),
        ({"type": "function", "function": {"name": "google_search", "description": ""}}, "web_search"),
        ({"type": "function", "name": "code_interpreter"}, "code_execution"),
        ({"type": "function", "function": {"name": "web_fetch"}}, "url_context"),
        ({"type": "web_search_2025_08_26"}, "web_search"),
        ({"type": "code_interpreter", "container": {"type": "auto"}}, "code_execution"),
        ({"googleSearchRetrieval": {}}, "web_search"),
        ({"type": "function", "function": {"name": "web_search", "description": "mine"}}, None),
        ({"type": "function", "function": {"name": "web_search", "parameters": {"type": "object"}}}, None),
        ({"functionDeclarations": [{"name": "web_search"}]}, None),
    ],
)
def test_names_of_built_in_tools(tool: Any, kind: str | None) -> None:
    (found,) = read(tool)
    assert (found.kind if isinstance(found, BuiltinTool) else None) == kind


def test_more_answers_than_gemini_gives() -> None:
    assert send("gemini-3-pro-preview", sampling=Sampling(candidate_count=8))["generationConfig"] == {
        "candidateCount": 8
    }
    with pytest.raises(BadRequest) as caught:
        send("gemini-3-pro-preview", sampling=Sampling(candidate_count=9))
    assert caught.value.param == "generationConfig.candidateCount"


def test_media_that_a_result_may_hold() -> None:
    shown = (Media("image/png", data="aGk="), Media("image/heic", data="aGk="))
    call = Message("assistant", (ToolCall("1", "f"),), "contents[1]")
    result = Message("user", (ToolResult("1", "f", "x", media=shown),), "contents[2]")
    body = send("gemini-3-pro-preview", messages=(ASK, call, result))
    inside, after = (content["parts"] for content in body["contents"][2:])
    assert inside[0]["functionResponse"]["parts"] == [{"inlineData": {"mimeType": "image/png", "data": "aGk="}}]
    assert after == [{"inlineData": {"mimeType": "image/heic", "data": "aGk="}}]
    body = send("gemini-2.5-flash", messages=(ASK, call, result))
    inside, after = (content["parts"] for content in body["contents"][2:])
    assert "parts" not in inside[0]["functionResponse"] and len(after) == 2


@pytest.mark.parametrize(
    ("options", "config", "losses"),
    [
        (
            {"size": "1536x1024", "partial_images": 2},
            {"imageConfig": {"aspectRatio": "3:2"}},
            [("tools[0].partial_images", True)],
        ),
        ({"size": "auto", "quality": "auto"}, {}, [("tools[0].quality", True)]),
        ({"size": "7x7", "quality": "high"}, {}, [("tools[0].quality", False), ("tools[0].size", False)]),
    ],
)
def test_pictures_as_a_tool(options: Any, config: Any, losses: Any) -> None:
    found = Losses(PROTOCOL.spelling)
    request = Request(model="m", messages=(ASK,), tools=(BuiltinTool("image_generation", options, "tools[0]"),))
    body = PROTOCOL.write_request(
        request, "gemini-3-pro-image", profile_for("gemini", "gemini-3-pro-image"), found
    ).body
    assert json.loads(body)["generationConfig"] == {"responseModalities": ["TEXT", "IMAGE"], **config}
    assert [(loss.path, loss.harmless) for loss in found.found] == losses
